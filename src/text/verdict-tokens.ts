/**
 * A judge's line as a row of tokens, each with a kind of one letter, so that the forms of a verdict can be written as
 * short patterns over kinds (verdict-forms.ts). "Answer A: 8/10, because" becomes L : N , &. Knows numbers that can be
 * scores from numbers that cannot (dates, ranges, percentages, "3rd"), and the names that judges give two answers.
 *
 *   N number    D number with a comma in it: 8.5, or 8 and 7    x a number that is no score
 *   L name of an answer    S the same with a word for scores in it ("Score A")    s a letter that may be such a name
 *   c word for scores    t "overall", "total"    v "scored", "deserves"    i "is", "gets"    g "give"    a article
 *   f "for", "of", "to"    n "answer"    o "first"    e "one"    b "both"    m "would"    & "and", "because"
 *   : , ; . - ( ) such punctuation
 *   w anything else
 */

/** 0: the answer shown first (A, 1, first, 一, 甲), 1: the second. */
export type Side = 0 | 1;

export interface VerdictToken {
  readonly kind: string;
  readonly text: string;
  /** Of N, and of D read as a decimal comma; NaN where it cannot be one. */
  readonly value?: number;
  /** Of N and D: "/10", "out of 100", "满分10分". */
  readonly scale?: number | undefined;
  /** Of N and D: a scale, "points" or 分 stands behind. */
  readonly isScaled?: boolean;
  /** Of L, S and s. */
  readonly side?: Side;
}

const words: Readonly<Record<string, string>> = {
  c: 'score scores rating ratings grade grades verdict 得分 评分 打分 分数 总分',
  n: 'assistant assistants answer answers response responses reply replies model models option options candidate candidates output outputs system systems 助手 助理 回答 答案 回复 答复 模型 选项',
  t: 'overall total final 总体 总评 综合 最终',
  v: 'scored deserves deserve earns earn earned rated 得到 获得 得 打',
  i: 'is are was were be gets get got receives receive received at as 为 是',
  g: 'give gave giving rate award assign 给',
  f: 'for of to 的',
  a: 'a an the',
  o: 'first second 1st 2nd 第一个 第二个 第一 第二 第1个 第2个',
  e: 'one two 一 二',
  b: 'both',
  m: 'would will should',
  s: '甲 乙',
  '&': 'and but because since while whereas vs versus respectively 和 与 及 而 但 因',
};
const kindOfWord = new Map(
  Object.entries(words).flatMap(([kind, list]) => list.split(' ').map((word) => [word, kind])),
);
const secondNames = /^(?:b|2|two|second|2nd|二|第二个|第二|第2个|乙)$/i;
const chineseWords = [...kindOfWord.keys()].filter((word) => /\p{Script=Han}/u.test(word));
const chineseWord = new RegExp(chineseWords.sort((a, b) => b.length - a.length).join('|'), 'y');

const scale =
  /(?:\s*(?:points?\b|分))?(?:\s*(?:\/|(?:out\s+)?of\b)\s*(\d+))?(?:\s*(?:points?\b|分))?(?:\s*\(满分\s*(\d+)\s*分?\))?/iy;
const digits = /-?\d(?:[\d.,]*\d)?/y;
const latinWord = /1st\b|2nd\b|[A-Za-z]+(?:'[A-Za-z]+)?/y;
const punctuation: readonly (readonly [string, RegExp])[] = [
  [':', /->|=>|[:=|→]/y],
  [',', /[,、]/y],
  [';', /;/y],
  ['.', /[.!?。—–]/y],
  ['-', /-/y],
  ['(', /[[({]/y],
  [')', /[\])}]/y],
];

export function verdictTokens(line: string): VerdictToken[] {
  const tokens: VerdictToken[] = [];
  for (let at = 0; at < line.length; ) {
    const [length, token] = tokenAt(line, at, tokens.at(-1)?.kind);
    if (token) tokens.push(token);
    at += length;
  }
  return joinNames(tokens);
}

/** White space, # as in "Assistant #1" and the possessive of "Assistant 1's" are no tokens. */
function tokenAt(line: string, at: number, kindBefore: string | undefined): [length: number, VerdictToken?] {
  if (/[\s#]/.test(line[at]!)) return [1];
  if (/^'s\b/.test(line.slice(at, at + 3))) return [2];
  const word = matchAt(latinWord, line, at) ?? matchAt(chineseWord, line, at);
  if (word !== undefined) {
    const text = word.replace(/'s$/, '');
    return [word.length, { kind: kindOf(text), text }];
  }
  const number = matchAt(digits, line, at);
  if (number !== undefined) return numberAt(line, at, number, kindBefore);
  for (const [kind, expression] of punctuation) {
    const text = matchAt(expression, line, at);
    if (text !== undefined) return [text.length, { kind, text }];
  }
  const text = String.fromCodePoint(line.codePointAt(at)!);
  return [text.length, { kind: 'w', text }];
}

function matchAt(expression: RegExp, line: string, at: number): string | undefined {
  expression.lastIndex = at;
  return expression.exec(line)?.[0];
}

function kindOf(word: string): string {
  // "a" is an article until a colon behind it says otherwise (joinNames); "A" is a name.
  if (word === 'A' || word === 'B' || word === 'b') return 's';
  return kindOfWord.get(word.toLowerCase()) ?? 'w';
}

function numberAt(line: string, at: number, text: string, kindBefore?: string): [length: number, VerdictToken] {
  scale.lastIndex = at + text.length;
  const [scaleText, of, full] = scale.exec(line) as unknown as [string, string?, string?];
  const end = at + text.length + scaleText.length;
  const scaleNumber = of ?? full;
  // Glued to something: v2, 7-8, 8%, 3rd, 1/2/2023. "Assistant1" is a name all the same.
  const before = line.charAt(at - 1);
  const isPartOfWord = /[A-Za-z]/.test(before) && kindBefore !== 'n' && kindBefore !== 'c';
  const isGlued = isPartOfWord || /[\d/.,-]/.test(before) || /^(?:[A-Za-z%½¼¾^/]|-\w)/.test(line.slice(end, end + 2));
  return [
    end - at,
    {
      kind: isGlued ? 'x' : kindOfNumber(text),
      text,
      value: /^-?\d+(?:[.,]\d{1,2}|\.\d+)?$/.test(text) ? Number(text.replace(',', '.')) : Number.NaN,
      scale: scaleNumber === undefined ? undefined : Number(scaleNumber),
      isScaled: scaleText !== '',
    },
  ];
}

const oneNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;

function kindOfNumber(text: string): string {
  if (oneNumber.test(text)) return 'N';
  // 1,000 is not among them: no number of two letters or more begins with a 0.
  const parts = text.split(',');
  return parts.length === 2 && parts.every((part) => oneNumber.test(part)) ? 'D' : 'x';
}

/** Kinds in a row; one letter a token, so that places in the text are places in the tokens. */
export const kindsOf = (tokens: readonly VerdictToken[]): string => tokens.map(({ kind }) => kind).join('');

// "Score for Answer A", "Assistant 1", "the first answer", "第二个回答". A score's own number is a name before a colon only.
const name = /[nc]f?a?n?(?:\([seN]\)|[seN]|a(?=:))|a?o(?=f?[nc:])n?|a(?=:)/g;

function joinNames(tokens: readonly VerdictToken[]): VerdictToken[] {
  // Pieces, flattened at the end: pushing a long slice as arguments would overflow the stack.
  const joined: VerdictToken[][] = [];
  let done = 0;
  const kinds = kindsOf(tokens);
  for (const match of kinds.matchAll(name)) {
    const parts = tokens.slice(match.index, match.index + match[0].length);
    const token = nameOf(parts, kinds[match.index + parts.length]);
    if (!token) continue;
    joined.push(tokens.slice(done, match.index), [token]);
    done = match.index + parts.length;
  }
  return [...joined, tokens.slice(done)].flat();
}

function nameOf(parts: readonly VerdictToken[], next: string | undefined): VerdictToken | undefined {
  const kinds = kindsOf(parts);
  const text = parts.map((part) => part.text).join(' ');
  const number = parts.find(({ kind }) => kind === 'N');
  if (number && (!/^[12]$/.test(number.text) || number.isScaled || (!kinds.includes('n') && next !== ':'))) {
    return undefined;
  }
  const own = number ?? parts.findLast(({ kind }) => 'soea'.includes(kind))!;
  const side: Side = secondNames.test(own.text) ? 1 : 0;
  if (kinds === 'a') return { kind: 's', text, side };
  return { kind: kinds.includes('c') ? 'S' : 'L', text, side };
}

export const sideOfLetter = ({ text, side }: VerdictToken): Side => side ?? (secondNames.test(text) ? 1 : 0);
