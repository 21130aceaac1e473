/**
 * The forms in which judges say which of two answers is better: [[A]], "Final verdict: B", "A is better", "A > B", "平局".
 * A line is written anew with the names of the answers as @1 and @2 (verdict-tokens.ts knows the names), and whole
 * sentences are held against few patterns. What hedges, denies, asks or limits ("A is better in style", "if A were better")
 * is in none of them: prose that only speaks of better and worse is not a verdict. What counts where several are found is
 * verdict.ts's business.
 */
import { isFinal } from './verdict-forms.ts';
import { kindsOf, sideOfLetter, type VerdictToken, verdictTokens } from './verdict-tokens.ts';

/** `first`: the answer shown first, A. */
export type Choice = 'first' | 'second' | 'tie';

const chosen = (digit: string | undefined): Choice => (digit === '1' ? 'first' : 'second');
const other = (digit: string | undefined): Choice => (digit === '1' ? 'second' : 'first');

/** Verdicts that a line marks as such: in double brackets, after a word for verdicts, said to be final. */
export function markedChoices(line: string, isQuoted: boolean): Choice[] {
  const inBrackets = [...line.matchAll(bracketed)].flatMap((match) => wholeChoice(normalized(match[1] as string)));
  const isNothingElse = line.replace(bracketed, '').trim() === '';
  // What a judge quotes, an answer or its own instructions may have said.
  const counted = isQuoted && !isNothingElse ? [] : inBrackets;
  return [...counted, ...sentencesOf(line).flatMap((sentence) => announcedChoice(sentence))];
}

/** Verdicts of a line that has nothing to mark them: "B" alone, "B is better." */
export function plainChoices(line: string): Choice[] {
  const words = normalized(line);
  const bare = bareLine.test(words) ? target(words) : [];
  return bare.length > 0 ? bare : sentencesOf(line).flatMap((sentence) => saidChoice(normalized(sentence)));
}

/** Whether double brackets stand between quotation marks: "[[A]]". */
export const quotesBrackets = (line: string): boolean => /["“”'‘’`「『]\s*\[\[[^[\]]*\]\]\s*["“”'‘’`」』]/.test(line);

const bracketed = /\[\[([^[\]]*)\]\]/g;

/** Questions are none. */
const sentencesOf = (line: string): string[] =>
  line
    .replace(bracketed, '$1')
    .split(/(?<=[.!?;])\s+|(?<=。)/)
    .filter((sentence) => !sentence.trimEnd().endsWith('?'));

/** Lower case, @1 and @2 for the answers, no space beside a Chinese character. */
function normalized(line: string): string {
  // "回答一样好" does not speak of 回答一.
  const words = verdictTokens(line.replaceAll('一样', '同样')).map(wordOf).join(' ');
  return words
    .replace(/ ?(\p{Script=Han}) ?/gu, '$1')
    .replace(/\bthe (first|second)(?: one)?\b/g, (_, which: string) => (which === 'first' ? '@1' : '@2'))
    .replace(/([<>=]) (?=[<>=])/g, '$1')
    .replace(/ ([,.;:。])/g, '$1')
    .trim();
}

function wordOf(token: VerdictToken): string {
  const kind = kindsOf([token]);
  if (kind === 'L' || kind === 's') return `@${sideOfLetter(token) + 1}`;
  if (kind === 'S' && /^(?:final )?verdict /i.test(token.text)) return `verdict: @${sideOfLetter(token) + 1}`;
  return token.text.toLowerCase();
}

const name = '(?:the )?@([12])(?:的)?(?: ?(?:answer|response|reply|output|one|回答|答案|回复))?';
/** The other answer, beside the one that is chosen. */
const against = name.replace('([12])', '[12]');
const tie =
  '(?:an? )?(?:tie|draw)|tied|equal(?:ly good)?|neither(?: one)?|both(?: are)? equal(?:ly good)?|平局|平手|打平|和局|' +
  '(?:两者|二者|双方|两个回答|两个答案)?(?:不分(?:上下|高下|胜负|伯仲)|不相上下|同样好|难分(?:高下|上下|伯仲|胜负))';
/** A verdict that has ended: nothing that takes it back comes behind it. */
const end = '(?=$|[,.;:。(—-]| [(—-]| because| since| as | for | due )';
const takesBack =
  /\b(?:but|however|although|though|while|whereas|yet|unless|if|or|not|only)\b|但|不过|然而|虽|尽管|可是|除非|如果|或/;

const whole = (form: string): RegExp => new RegExp(`^(?:${form})[.。!]?$`);
const isTie = whole(`c|${tie}`);
const isName = whole(name);
const bareLine = whole(`\\(? ?(?:@[12]|c|tie|draw|平局) ?\\)?`);
const comparison = /^@([12]) ?(>+|<+|=+|≻|≈) ?@([12])[.。]?$/;

/** A text that is nothing but the name of an answer, or a word for a tie. */
function target(words: string): Choice[] {
  const inside = words.replace(/[()]/g, '').trim();
  if (isTie.test(inside)) return ['tie'];
  const digit = isName.exec(inside)?.[1] ?? (inside === 'a' ? '1' : undefined);
  return digit === undefined ? [] : [chosen(digit)];
}

const wholeChoice = (words: string): Choice[] => {
  const named = target(words);
  return named.length > 0 ? named : saidChoice(words);
};

const lead =
  '(?:(?:so|thus|hence|therefore|overall|finally|clearly|in (?:conclusion|summary|short|total|my (?:view|opinion|judge?ment))' +
  '|to (?:conclude|sum up|summari[sz]e)|on (?:balance|the whole)|all in all|i (?:think|believe|find|conclude|judge|say|would say|feel)' +
  '(?: that)?|所以|因此|综上(?:所述)?|总的来说|总之|总体(?:来看|来说|而言|上)?|综合(?:来看|来说|考虑)?|最终|最后|相比之下|我(?:认为|觉得|判定|判断))' +
  '[,:]? ?)*';
const adverb =
  '(?:(?:clearly|slightly|much|far|significantly|somewhat|marginally|definitely|noticeably|considerably|a bit|a little|still|overall) )*';
const adverbZh = '(?:明显|显然|略微?|稍微?|更加|整体|总体|要|相对|无疑|还是)*';

const better = new RegExp(
  `^${lead}${name} (?:is|was|are) ${adverb}(?:the )?(?:better|best|superior|stronger|preferable|preferred|winner)` +
    `(?: (?:answer|response|reply|one|assistant))?(?: of the two)?(?: overall)?(?: (?:than|to) ${against})?(?: overall)?${end}`,
);
const wins = new RegExp(`^${lead}${name} (?:wins|won|prevails)(?: overall)?(?: (?:over|against) ${against})?${end}`);
const worse = new RegExp(
  `^${lead}${name} (?:is|was) ${adverb}(?:worse|inferior|weaker)(?: (?:than|to) ${against})?(?: overall)?${end}`,
);
const prefer = new RegExp(
  `^${lead}(?:i )?(?:would )?(?:prefer|choose|pick|select|favou?r|vote for|go (?:with|for)) ${name}(?: (?:over|to) ${against})?${end}`,
);
const betterZh = new RegExp(
  `^${lead}${name}${adverbZh}(?:更好|更优|更佳|更强|更胜一筹|较好|较优|较佳|胜出|获胜|胜|(?:优于|好于|强于|胜过) ?${against}` +
    `|比 ?${against}(?:要|更|略|稍|明显)*(?:好|优|强|佳))(?:一些|一点|些)?${end}`,
);
const worseZh = new RegExp(`^${lead}${name}${adverbZh}(?:不如|不及|逊于|差于) ?${against}${end}`);
const preferZh = new RegExp(`^${lead}我?(?:选择?|更喜欢|更?倾向于?|偏向于?) ?${name}${end}`);
const tied = new RegExp(
  `^${lead}(?:(?:it|this) (?:(?:is|was) )?|i call it |i declare )?(?:an? )?(?:tie|draw)${end}` +
    `|^${lead}(?:both|the two|they|@[12] and @[12])(?: (?:answers|responses|replies|assistants|models))? ` +
    `(?:are|were|perform|performed|did) ${adverb}(?:equal|tied|equally (?:good|well|bad|strong)|on (?:a )?par)${end}` +
    `|^${lead}neither(?: one| answer| response| assistant)? is ${adverb}better(?: than the other)?${end}` +
    `|^${lead}(?:这是|判为|算|是)?(?:平局|平手|打平|和局)${end}` +
    `|^${lead}(?:两者|二者|双方|两个(?:回答|答案)|@[12] ?[和与] ?@[12])(?:不分(?:上下|高下|胜负|伯仲)|不相上下|同样好|难分(?:高下|上下|伯仲|胜负))${end}`,
);

/** What a whole sentence says, if it is a verdict and nothing takes it back. */
function saidChoice(words: string): Choice[] {
  const compared = comparison.exec(words);
  if (compared) {
    const [, left, sign = '', right] = compared;
    if (left === right) return [];
    return /[=≈]/.test(sign) ? ['tie'] : [sign.startsWith('<') ? other(left) : chosen(left)];
  }
  for (const form of [better, wins, prefer, betterZh, preferZh, worse, worseZh, tied]) {
    const match = form.exec(words);
    if (!match || takesBack.test(words.slice(match[0].length))) continue;
    if (form === tied) return ['tie'];
    return [form === worse || form === worseZh ? other(match[1]) : chosen(match[1])];
  }
  return [];
}

const announcement = new RegExp(
  `^${lead}(?:my |the |our )?(?:final |overall |better |best |preferred )?` +
    '(?:(?:verdict|decision|judge?ment|choice|preference|winner|result|conclusion|pick|vote|answer|response|better|preferred)' +
    '(?:(?: is)?:| is| =| ->| -)|(?:最终|最后|总体|我的)?(?:的)?(?:判定|判断|裁决|裁定|判决|结论|结果|选择|评判|胜者|胜出者|获胜者|胜出的是|' +
    '答案|(?:更|较)[好优佳]的?(?:是|回答|答案)?)(?:是|为)?:?) ?(.+)$',
);

/** "Final verdict: B", "结论：平局"; and sentences that say of themselves that they are final. */
function announcedChoice(sentence: string): Choice[] {
  const words = normalized(sentence);
  const said = announcement.exec(words)?.[1];
  if (said === undefined) return isFinal(sentence) ? saidChoice(words) : [];
  const until = new RegExp(`^(?:c|${tie}|${name})${end}`).exec(said)?.[0];
  if (until === undefined) return wholeChoice(said);
  const rest = said.slice(until.length);
  return takesBack.test(rest) || /^[,;:]? ?@[12]/.test(rest) ? [] : target(until);
}
