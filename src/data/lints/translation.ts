/**
 * Numbers, code and addresses that a translation must have kept. Numbers are compared by what they are worth: 1,000 is 1.000
 * is 一千, 2.5 million is 250万, the 1990s are 90年代. Small ones may become words of any language and are not missed.
 * Code may have its comments and texts translated, nothing else.
 */

/** What has to stand in the translation of a text too. */
export interface Marks {
  /** As they stand in the text, with what each may be worth. */
  readonly numbers: readonly { readonly shown: string; readonly worth: readonly string[] }[];
  readonly code: readonly string[];
}

export interface LostMark {
  readonly kind: 'number' | 'code';
  readonly shown: string;
}

/** A whole number up to here may be written out in words. */
const writtenOut = 12;

export function marksOf(text: string): Marks {
  const prose = text.normalize('NFKC').replaceAll(fenced, ' ').replaceAll(address, ' ');
  const numbers = digitsIn(prose).filter(({ worth }) => {
    const value = Number(worth[0]);
    return !(Number.isInteger(value) && value <= writtenOut);
  });
  return { numbers, code: [...codeIn(text)] };
}

/** The first that is missing in a translation, code before numbers. */
export function lostMark({ numbers, code }: Marks, translation: string): LostMark | undefined {
  const bodies = new Set([...codeIn(translation)].map(skeleton));
  const lostCode = code.find((span) => !translation.includes(span) && !bodies.has(skeleton(span)));
  if (lostCode !== undefined) return { kind: 'code', shown: lostCode };
  if (numbers.length === 0) return undefined;
  const kept = worthIn(translation.normalize('NFKC'));
  const lost = numbers.find(({ worth }) => !worth.some((value) => kept.has(value)));
  return lost && { kind: 'number', shown: lost.shown };
}

const fenced = /```[^\n]*\n([\s\S]*?)```|`([^`\n]+)`/gu;
const address = /https?:\/\/[^\s，。；）)”」>]+[^\s，。；）)”」>.,;:!?]/gu;

function* codeIn(text: string): Generator<string> {
  for (const [, block, span] of text.matchAll(fenced)) yield (block ?? span ?? '').trim();
  for (const [found] of text.matchAll(address)) yield found;
}

/** Code without comments, white space, and what stands in its strings. */
function skeleton(code: string): string {
  return code
    .replace(/(["'])(?:\\.|(?!\1)[^\\\n])*\1/gu, '$1$1')
    .replace(/\/\*[\s\S]*?\*\/|(?:^|\s)(?:\/\/|#|--).*$/gmu, '')
    .replace(/\s+/gu, '');
}

const scales: Readonly<Record<string, number>> = {
  hundred: 1e2,
  thousand: 1e3,
  million: 1e6,
  billion: 1e9,
  trillion: 1e12,
  k: 1e3,
  十: 10,
  百: 1e2,
  千: 1e3,
  万: 1e4,
  十万: 1e5,
  百万: 1e6,
  千万: 1e7,
  亿: 1e8,
  十亿: 1e9,
  百亿: 1e10,
  千亿: 1e11,
  万亿: 1e12,
};
const written = /(\d+(?:[.,]\d+)*)(?:[ -]?(hundred|thousand|million|billion|trillion|k)\b| ?([十百千万亿]+)|(s)\b)?/giu;

function digitsIn(text: string): Marks['numbers'] {
  return [...text.matchAll(written)].map(([shown, digits = '', scale, scaleZh, plural]) => {
    const value = plain(digits);
    const by = scales[(scale ?? scaleZh ?? '').toLowerCase()];
    const worth = [value, ...(by === undefined ? [] : [worthOf(Number(value) * by)])];
    // The 1990s are the 90s.
    if (plural && /^\d{3}0$/u.test(digits)) worth.push(digits.slice(2));
    return { shown, worth };
  });
}

/** 1,000 and 1.000 and 1000 are one number; so are 3.50 and 3,50. */
function plain(digits: string): string {
  const number = digits.replaceAll(/[.,](?=\d{3}(?:\D|$))/gu, '').replace(',', '.');
  return Number.isFinite(Number(number)) ? worthOf(Number(number)) : number;
}

/** Products of decimals have dust behind them. */
const worthOf = (value: number): string => String(Number(value.toPrecision(12)));

/** Everything that a number of the text may be worth, in digits or in words. */
function worthIn(text: string): Set<string> {
  const worth = new Set(digitsIn(text).flatMap((number) => number.worth));
  for (const [found] of text.matchAll(/[零〇一二两三四五六七八九十百千万亿]+/gu))
    worth.add(worthOf(chineseNumber(found)));
  for (const [found] of text.toLowerCase().matchAll(englishWords)) worth.add(worthOf(englishNumber(found)));
  return worth;
}

const digitsZh = '零一二三四五六七八九';
const unitsZh: Readonly<Record<string, number>> = { 十: 10, 百: 100, 千: 1000 };

/** 二千零三十一, and digit by digit: 二〇三一. */
function chineseNumber(text: string): number {
  const digits = text.replaceAll('〇', '零').replaceAll('两', '二');
  if (!/[十百千万亿]/u.test(digits)) return Number([...digits].map((digit) => digitsZh.indexOf(digit)).join(''));
  let total = 0;
  let section = 0;
  let digit = 0;
  for (const character of digits) {
    const unit = unitsZh[character];
    if (unit !== undefined) {
      section += (digit || 1) * unit;
      digit = 0;
    } else if (character === '万' || character === '亿') {
      total = (total + section + digit || 1) * (character === '万' ? 1e4 : 1e8);
      section = 0;
      digit = 0;
    } else digit = digitsZh.indexOf(character);
  }
  return total + section + digit;
}

const small =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const tens = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
const unitWords = 'hundred|thousand|million|billion';
const numberWord = `(?:${[...small, ...tens].join('|')}|${unitWords})`;
const englishWords = new RegExp(String.raw`\b${numberWord}(?:(?:[ -]|\s+and\s+)${numberWord})*\b`, 'gu');

function englishNumber(text: string): number {
  let total = 0;
  let section = 0;
  for (const word of text.split(/[\s-]+/u)) {
    const scale = scales[word];
    if (scale === 100) section = (section || 1) * 100;
    else if (scale !== undefined) {
      total += (section || 1) * scale;
      section = 0;
    } else if (tens.includes(word)) section += 20 + 10 * tens.indexOf(word);
    else if (word !== 'and') section += small.indexOf(word);
  }
  return total + section;
}
