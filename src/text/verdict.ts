/**
 * Reads scores of 1–10 out of a judge's free text, in one place: two for a pair of answers, or one. A score must stand
 * in a form that says it is one (verdict-forms.ts); numbers in the reasoning are never taken for scores, and a text that
 * names two different scores for the same answer is unreadable rather than half believed.
 * Where the verdict is looked for: first what the judge marked as such ([[8]], the first line, "Final scores", a heading
 * "Scores:"), then everything else. Scores given again and again are one, as long as they agree.
 */
import {
  announcesScores,
  beginsWithVerdict,
  coversBoth,
  type FoundScore,
  headingSide,
  isFinal,
  namedScores,
  pairAfterWord,
  type SideScore,
  scoresAfterWord,
  scoresUnderHeading,
  scoresWithScale,
  startingPair,
  wholeLinePair,
  wholeLineScore,
} from './verdict-forms.ts';
import type { Side } from './verdict-tokens.ts';

export interface Unreadable {
  /** Why there are no scores, for people. */
  readonly unreadable: string;
}
/** `scores`: of the answer shown first and of the second. */
export type PairVerdict = { readonly scores: readonly [number, number] } | Unreadable;
export type SingleVerdict = { readonly score: number } | Unreadable;

/** Marked scores count before plain ones. */
interface Found<T> {
  readonly marked: readonly T[];
  readonly plain: readonly T[];
}

export function readPairVerdict(text: string): PairVerdict {
  const lines = spokenLines(text);
  if (!Array.isArray(lines)) return lines;
  const { marked, plain } = findPairs(lines);
  const found = coversBoth(marked) ? marked : [...marked, ...plain];
  if (found.length === 0) return { unreadable: 'no scores in a known form' };
  const first = oneScore(
    found.filter(({ side }) => side === 0),
    'the first answer',
  );
  const second = oneScore(
    found.filter(({ side }) => side === 1),
    'the second answer',
  );
  if ('unreadable' in first) return first;
  return 'unreadable' in second ? second : { scores: [first.score, second.score] };
}

export function readSingleVerdict(text: string): SingleVerdict {
  const lines = spokenLines(text);
  if (!Array.isArray(lines)) return lines;
  const { marked, plain } = findSingles(lines);
  const found = marked.length > 0 ? marked : plain;
  return found.length === 0 ? { unreadable: 'no score in a known form' } : oneScore(found, 'the answer');
}

function oneScore(found: readonly FoundScore[], whose: string): SingleVerdict {
  const texts = [...new Set(found.map(({ value, scale }) => `${value}${wrongScale(scale) ? ` of ${scale}` : ''}`))];
  if (texts.length === 0) return { unreadable: `no score for ${whose}` };
  if (texts.length > 1) return { unreadable: `different scores for ${whose}: ${texts.join(', ')}` };
  const { value, scale } = found[0]!;
  if (wrongScale(scale)) return { unreadable: `the score of ${whose} is ${value} of ${scale}, not of 10` };
  if (value < 1 || value > 10) return { unreadable: `the score of ${whose} is ${value}, outside 1–10` };
  return { score: value };
}

const wrongScale = (scale: number | undefined): boolean => scale !== undefined && scale !== 10;

function findPairs(lines: readonly string[]): Found<SideScore> {
  const marked: SideScore[] = bracketedPairs(lines);
  const plain: SideScore[] = [];
  let section: Side | undefined;
  let isUnderScores = false;
  lines.map(withoutBrackets).forEach((line, i) => {
    const own = headingSide(line);
    if (own !== undefined) section = own;
    const found = scoresOfLine(line, section);
    if (i === 0) marked.push(...firstLinePair(lines));
    else if (i === lines.length - 1 || isUnderScores) found.push(...wholeLinePair(line));
    (isUnderScores || isFinal(line) ? marked : plain).push(...found);
    isUnderScores = announcesScores(line) || (isUnderScores && found.length > 0);
  });
  return { marked, plain };
}

/** What the line says of named answers, or, under a heading with an answer's name, of that one. */
function scoresOfLine(line: string, section: Side | undefined): SideScore[] {
  const named = [...pairAfterWord(line), ...namedScores(line)];
  if (named.length > 0 || section === undefined) return named;
  return scoresUnderHeading(line, section);
}

/** Where two scores are asked for: "8 7", "Scores: 8 7", or one on the first line, one on the second, and no third. */
function firstLinePair(lines: readonly string[]): SideScore[] {
  const line = withoutBrackets(lines[0]!);
  const pair = [...startingPair(line), ...(beginsWithVerdict(line) ? pairAfterWord(line) : [])];
  if (pair.length > 0) return pair;
  const scores = lines.slice(0, 3).map((line) => wholeLineScore(withoutBrackets(line))[0]);
  const [first, second, third] = scores;
  if (!first || !second || third) return [];
  return [first, second].map((score, i) => ({ side: i as Side, ...score }));
}

const bracketed = /\[\[([^[\]]*)\]\]/g;
const withoutBrackets = (line: string): string => line.replace(bracketed, '$1');

/** [[8]] [[7]], [[8, 7]]: by the names beside them, else in order, as often as they are repeated. */
function bracketedPairs(lines: readonly string[]): SideScore[] {
  const inBrackets = lines.flatMap((line) => [...line.matchAll(bracketed)].map((match) => match[1]!));
  const named = lines
    .filter((line) => line.search(bracketed) >= 0)
    .flatMap((line) => namedScores(withoutBrackets(line)));
  if (coversBoth(named)) return named;
  const pairs = inBrackets.flatMap((inside) => wholeLinePair(inside));
  if (pairs.length > 0) return pairs;
  const scores = inBrackets.flatMap(wholeLineScore);
  return scores.length % 2 === 0 ? scores.map((score, i) => ({ side: (i % 2) as Side, ...score })) : [];
}

function findSingles(lines: readonly string[]): Found<FoundScore> {
  const marked: FoundScore[] = lines.flatMap((line) =>
    [...line.matchAll(bracketed)].flatMap((match) => wholeLineScore(match[1]!)),
  );
  const plain: FoundScore[] = [];
  lines.map(withoutBrackets).forEach((line, i) => {
    const alone = i === 0 || i === lines.length - 1 ? wholeLineScore(line) : [];
    const found = [...alone, ...scoresAfterWord(line), ...scoresWithScale(line)];
    ((i === 0 && beginsWithVerdict(line)) || isFinal(line) ? marked : plain).push(...found);
  });
  return { marked, plain };
}

/** The judge's lines without its thinking, blank lines, Markdown, quotation marks and full-width forms. */
function spokenLines(text: string): string[] | Unreadable {
  const spoken = text
    .replace(/<think(?:ing)?>[\s\S]*?<\/think(?:ing)?>/gi, '')
    .replace(/^[\s\S]*<\/think(?:ing)?>/i, '');
  if (/<think(?:ing)?>/i.test(spoken)) return { unreadable: 'the judge was cut off while it was still thinking' };
  const lines = spoken
    .split(/\r?\n/)
    .map(plainLine)
    .filter((line) => line !== '');
  return lines.length === 0 ? { unreadable: 'the judge said nothing' } : lines;
}

function plainLine(line: string): string {
  return (
    line
      .replaceAll('，', ', ')
      .replace(/[\uFF01-\uFF5E]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
      .replaceAll('\u2212', '-')
      .replace(/(?<!\d)\*\*|\*\*(?!\d)|[`"“”]/g, '')
      .replace(/[‘’]/g, "'")
      .replace(/(?<!\w)'|'(?!\w)/g, '')
      .replaceAll('_', ' ')
      // "Scores (1-10): 8 7": the scale that was asked for.
      .replace(/\((?:out of 10|1\s*[-–—~]\s*10|满分10分?)\)/gi, '')
      .replace(/\s+/g, ' ')
      .replace(/^(?:[\s>#|•]|[-*+]\s)+/, '')
      .replace(/[\s|]+$/, '')
  );
}
