/**
 * Root verb and noun object of a Chinese instruction or answer, by rules on segmented words. jieba knows a word's usual
 * part of speech, not the one it has here ("设计" is a noun to it, "好处" an adverb): where a word stands counts for more.
 * What is looked for is the same as in English (verb-noun-english.ts): the main verb of the first sentence, without what
 * only asks (请, 你能, 帮我), and the head of its object. 把 and 将 bring the object before the verb; 对…进行 does so for a
 * verb that stands as a noun. A word is what the dictionary has: "英语老师" is one.
 */
import type { VerbNoun } from './verb-noun.ts';
import {
  becoming,
  headOf,
  isMark,
  isNominal,
  isQuote,
  isTaggedVerb,
  isVerb,
  objectOf,
  recipients,
  type Words,
} from './verb-noun-chinese-object.ts';
import { type ChineseWord, tagChinese } from './verb-noun-tags.ts';

/** Characters of a text that are looked at. */
const longest = 400;

/** Words that ask for the verb behind them. */
const frames = [
  '你 的 任务 是,我 想 让 你,我 想要 你,我 想 请 你,我 希望 你,我 需要 你,我 要 你,我要 你,能 不能,能不能,能否,可不可以,可以',
  '你 能,您 能,你 能否,你 可以,您 可以,你 需要,你 应该,让 我们,我们 来,帮 我,帮我,帮助 我,帮忙,麻烦 你,麻烦 您,麻烦',
  '请 你,请你,请 您,请问,请,抱歉,不好意思,好的,当然,如何,怎么,怎样,怎么样 才能,怎样 才能,如何 才能,一起,现在,首先',
  '然后,接下来,接着,最后,再,试 着,尝试,尽量,尽可能,简要,简单,简短,详细,用心,仔细,认真,准确,不要,别,来,去',
]
  .flatMap((some) => some.split(',').map((frame) => frame.split(' ')))
  .sort((a, b) => b.length - a.length);
/** These are verbs themselves, or adjectives, unless a verb follows. */
const frameVerbs = new Set(['帮助', '尝试', '来', '去', '简单', '简要', '简短']);

/** With these a clause or phrase begins that comes before the main one, up to a comma. */
const openers =
  /^(如果|假如|假设|假定|假使|假若|若|当|根据|基于|按照|依据|依照|考虑到|结合|作为|针对|关于|对于|通过|为了|在|从|使用|利用|运用|给定|给出|鉴于|由于|因为|虽然|以|随着|除了|想象|站在|参照|参考)$/;
/** What follows these, up to the verb, is not its object. */
const prepositions =
  /^(为|给|用|从|向|以|对|对于|针对|根据|基于|按照|按|依据|在|与|和|跟|同|就|由|使用|利用|运用|通过|围绕|模仿|仿照|结合|关于|替|参照|参考|作为)$/;
/** What follows these is its object. */
const fronting = /^(把|将)$/;
const addressing = /^(对|对于|针对)$/;
/** "你是一名厨师。", "尊敬的经理：" lead up to what is said. */
const preludes = /^(你|您|尊敬|亲爱)$/;

/** Undefined where the first sentence has no verb but 是. */
export function chineseVerbNoun(text: string): VerbNoun | undefined {
  for (const sentence of text.slice(0, longest).split(/[。！？!?；;\n]+/)) {
    // The number of a list, then a label.
    const said = sentence
      .replace(/^[\s\d.、()（）*#-]+/, '')
      .replace(/^(任务|问题|指令|题目|要求|提示|说明)\s*\d*\s*[:：]/, '');
    const words = tagChinese(said).filter((word) => word.text.trim() !== '');
    if (!words.some(({ tag }) => tag !== 'x' && tag !== 'm')) continue;
    const found = ofSentence(words);
    if (found || !preludes.test(words[0]!.text)) return found;
  }
  return undefined;
}

function ofSentence(words: Words): VerbNoun | undefined {
  if (/^(尊敬|亲爱)$/.test(words[0]!.text)) return undefined;
  let at = skipFrames(words, 0);
  let isAsked = at > 0;
  while (words[at] && openers.test(words[at]!.text)) {
    const comma = words.findIndex(({ text }, i) => i > at && /^[，,：:]$/.test(text));
    const next = comma < 0 ? words.length : skipFrames(words, comma + 1);
    if (next >= words.length) break;
    at = next;
    isAsked = true;
  }
  const clause = untilMark(words, at);
  return clause.length === 0 ? undefined : ofClause(clause, isAsked);
}

function skipFrames(words: Words, from: number): number {
  for (let at = from; ; ) {
    const frame = frames.find((one) => one.every((word, i) => words[at + i]?.text === word));
    const next = frame && words[at + frame.length];
    const isVerbItself =
      frame && frameVerbs.has(frame[0]!) && !isTaggedVerb(next) && !prepositions.test(next?.text ?? '');
    if (frame && next && !isVerbItself) at += frame.length;
    else if (words[at] && isMark(words[at]!)) at += 1;
    else return at;
  }
}

/** The words up to a comma or a colon outside of quotation marks. */
function untilMark(words: Words, from: number): Words {
  let isQuoted = false;
  for (let at = from; at < words.length; at += 1) {
    const word = words[at]!;
    if (isQuote(word)) isQuoted = /^[“‘《「『]$/.test(word.text) || (/^["']$/.test(word.text) && !isQuoted);
    if (!isQuoted && isMark(word)) return words.slice(from, at);
  }
  return words.slice(from);
}

/** Phrases that come before the verb, one after another. */
interface Fronted {
  /** Behind 把 or 将. */
  brought?: Words;
  /** Behind 对. */
  target?: Words;
}

function ofClause(clause: Words, isAsked: boolean): VerbNoun | undefined {
  const fronted: Fronted = {};
  const isPreposition = (word: ChineseWord) => prepositions.test(word.text) || fronting.test(word.text);
  let start = 0;
  while (isPreposition(clause[start]!)) {
    const verb = verbBehind(clause, start);
    if (verb === undefined) break;
    const phrase = clause.slice(start + 1, verb);
    if (fronting.test(clause[start]!.text)) fronted.brought = phrase;
    else if (addressing.test(clause[start]!.text)) fronted.target = phrase;
    start = verb;
  }
  const inner = skipFrames(clause, start);
  const words = clause.slice(inner < clause.length ? inner : start);
  return ofVerb(words, fronted, isAsked || start > 0);
}

/** Place of the verb, or of the next preposition, behind a prepositional phrase. */
function verbBehind(clause: Words, preposition: number): number | undefined {
  let isQuoted = false;
  for (let at = preposition + 1; at < clause.length; at += 1) {
    const [word, before, next] = [clause[at]!, clause[at - 1]!, clause[at + 1]];
    if (isQuote(word)) isQuoted = !isQuoted;
    if (isQuoted || at < preposition + 2) continue;
    if (fronting.test(word.text)) return at;
    if (!isNominal(before)) continue;
    if (word.tag === 'p' && prepositions.test(word.text)) return at;
    const mayBeVerb = isVerb(word) || (word.tag === 'n' && /^(m|r)$/.test(next?.tag ?? ''));
    if (mayBeVerb && next?.text !== '的' && !isInModifier(clause, at)) return at;
  }
  // "把名单按年龄排序": a noun to the dictionary.
  const last = clause.length - 1;
  const isFronted = clause.some(({ text }) => fronting.test(text) || text === '对');
  return last > preposition + 1 && isFronted && isNominal(clause[last]!) ? last : undefined;
}

/** "参加比赛的家长": a verb whose object is followed by 的, with a noun and another verb behind. */
function isInModifier(clause: Words, at: number): boolean {
  const of = clause.findIndex(({ text }, i) => i > at && text === '的');
  const between = clause.slice(at + 1, Math.max(of, 0));
  if (of < 0 || between.some(({ tag, text }) => /^(m|r|f|uj)$/.test(tag) || prepositions.test(text))) return false;
  return clause.slice(of + 2).some(isTaggedVerb);
}

function ofVerb(words: Words, { brought, target }: Fronted, isAsked: boolean): VerbNoun | undefined {
  const at = verbAt(words, isAsked);
  if (at === undefined || /^(是|就是|也是|即|为)$/.test(words[at]!.text)) return undefined;
  const { text } = words[at]!;
  const rest = words.slice(at + 1);
  if (/^(进行|加以|做|作|作出|做出)$/.test(text) && target) {
    const verb = rest.findLast(({ tag }) => tag !== 'x')?.text;
    return verb === undefined ? { verb: text } : { verb, noun: headOf(target) };
  }
  const isBecoming = becoming.test(text);
  const verb = isBecoming ? text.slice(0, -1) : text;
  if (brought) return { verb, noun: headOf(brought) };
  return { verb, noun: isBecoming ? undefined : objectOf(rest) };
}

/** A command begins with its verb; a statement has it behind its subject. */
function verbAt(words: Words, isAsked: boolean): number | undefined {
  const [first, next] = [words[0]!, words[1]];
  // "评价这部电影": a noun to the dictionary, but "this" or "one" follows.
  const beginsObject = next !== undefined && /^(m|r|mq)$/.test(next.tag) && !recipients.test(next.text);
  const isCommand =
    isVerb(first) ||
    (isAsked && !/^(r|m|t|x|uj|f|c)$/.test(first.tag)) ||
    (beginsObject && /^(n|nr|d|a|ad|nz|l|i)$/.test(first.tag));
  if (isCommand) return first.text.length === 1 && first.tag === 'd' && isTaggedVerb(next) ? 1 : 0;
  const at = words.findIndex(
    (word, i) => i > 0 && isTaggedVerb(word) && words[i + 1]?.text !== '的' && !isInSubject(words, i),
  );
  return at < 0 ? undefined : at;
}

/** A verb with a 的, a noun and another verb behind it is the subject's. */
function isInSubject(words: Words, at: number): boolean {
  const of = words.findIndex(({ text }, i) => i > at && text === '的');
  return of > 0 && !words.slice(at + 1, of).some(({ tag }) => tag === 'm') && words.slice(of + 2).some(isTaggedVerb);
}
