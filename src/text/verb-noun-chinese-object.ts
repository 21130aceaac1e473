/**
 * Kinds of Chinese words, by what they are and by jieba's tags, and the head of a noun phrase: the last noun behind the
 * last 的, the first of several that are joined. A clause is no noun object.
 */
import type { ChineseWord } from './verb-noun-tags.ts';

export type Words = readonly ChineseWord[];

/** Verbs that the dictionary has as something else. */
const otherVerbs =
  /^(证明|整理|评价|比较|对比|总结|概述|简述|定义|命名|排序|归类|分类|标注|举例|编程|建议|起名|列举|点评|推断|归纳|鉴别|校对|造句|重写|仿写|缩写|扩写|重述|复述|重新排列)$/;
/** "翻译成", "转换为". */
export const becoming = /^..+[成为]$/;

/** A verb to the dictionary. */
export const isTaggedVerb = (word: ChineseWord | undefined): boolean =>
  word !== undefined && (/^(v|vn|vd|vi|vq|vg)$/.test(word.tag) || becoming.test(word.text));
export const isVerb = (word: ChineseWord | undefined): boolean =>
  isTaggedVerb(word) || otherVerbs.test(word?.text ?? '');
export const isNominal = ({ tag }: ChineseWord): boolean =>
  /^(n|nr|ns|nt|nz|ng|nrt|nrfg|r|f|t|s|eng|l|i|j|x|vn|an)$/.test(tag);
export const isQuote = ({ text }: ChineseWord): boolean => /^[“”"'‘’《》「」『』]$/.test(text);
/** A mark that may end a clause. */
export const isMark = (word: ChineseWord): boolean =>
  /^[\p{P}\p{S}]+$/u.test(word.text) && !isQuote(word) && !/^[、·•-]$/.test(word.text);

export const recipients = /^(我|我们|他|她|他们|大家|咱们|孩子|读者|你|您)$/;
const joins = /^(和|与|及|以及|或|或者|、|还有|并|并且|且|而|然后|再|跟|同)$/;
/** Behind an object these begin something else. */
const ends =
  /^(来|以|以便|用来|用于|使|使得|让|直到|到|成|为|作为|进行|并|并且|然后|再|而|且|以及其|供|给|填空|讲述|描述)$/;
/** "写一个函数来计算": with a verb behind them they end an object even where a 的 follows. */
const purposes = /^(来|以|以便|用来|用于|并|并且|然后|再)$/;
/** With these in it, what follows a verb is a clause. */
const clausal =
  /^(为什么|为何|怎么|怎样|如何|是否|什么|谁|哪|哪个|哪些|哪里|哪儿|哪一个|多少|几|怎么样|是不是|能否|是)$/;

/** The object's head, of the words behind a verb. */
export function objectOf(words: Words): string | undefined {
  let at = 0;
  const isAspect = (word: ChineseWord) =>
    /^(ul|uz|ug)$/.test(word.tag) || /^(一下|了|过|着|出|出来|一些|下)$/.test(word.text);
  while (words[at] && isAspect(words[at]!)) at += 1;
  const [word, next] = [words[at], words[at + 1]];
  if (!word || /^(成|为|到|至|在)$/.test(word.text)) return undefined;
  if (recipients.test(word.text) && next && next.text !== '的' && next.tag !== 'p') at += 1;
  // "阅读并回答": the object is of both.
  if (/^(并|和|并且)$/.test(words[at]!.text) && isTaggedVerb(words[at + 1])) at += 2;
  return headOf(words.slice(at));
}

/** The head of a noun phrase that may have more behind it. */
export function headOf(words: Words): string | undefined {
  const clause = words.findLastIndex(({ text }) => clausal.test(text));
  // "如何" before a 的 is a modifier's: "关于如何学习的文章".
  if (clause >= 0 && lastOf(words) < clause) return undefined;
  const phrase = words.slice(0, phraseEnd(words));
  const last = phrase.slice(lastOf(phrase) + 1);
  const join = last.findIndex(({ text }, i) => i > 0 && joins.test(text));
  const first = last.slice(0, Math.min(...[join, titleAt(last), last.length].filter((at) => at >= 0)));
  const said = first.filter((word) => !isQuote(word));
  const nouns = said.filter(({ tag, text }) => {
    if (tag === 'd') return said.length === 1 && text.length > 1;
    return !/^(m|q|mq|r|f|p|ul|uz|uj|x|c|u|y|zg)$/.test(tag);
  });
  // An idiom behind a noun is none: "从小到大".
  return (nouns.findLast(({ tag }) => !/^[il]$/.test(tag)) ?? nouns.at(-1))?.text;
}

/** Place of the last 的 that something follows; -1 where there is none. */
const lastOf = (words: Words): number => words.findLastIndex(({ text }, i) => text === '的' && i < words.length - 1);

/** A title behind a noun names it: "小说《家》". */
const titleAt = (words: Words): number =>
  words.findIndex((word, i) => i > 0 && isQuote(word) && !isQuote(words[i - 1]!) && !/^[mqrx]/.test(words[i - 1]!.tag));

function phraseEnd(words: Words): number {
  const purpose = words.findIndex(
    ({ text }, i) => i > 0 && purposes.test(text) && isNominal(words[i - 1]!) && isVerb(words[i + 1]),
  );
  const known = purpose < 0 ? words : words.slice(0, purpose);
  const from = Math.max(0, lastOf(known));
  const at = known.findIndex(({ text }, i) => i > from && i < known.length - 1 && ends.test(text));
  return at < 0 ? known.length : at;
}
