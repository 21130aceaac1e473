/**
 * Reads scores of 1–10 out of a judge's free text, in one place: two for a pair of answers, or one; or which of two answers
 * it finds better. A score must stand in a form that says it is one (verdict-forms.ts), a choice too (verdict-choices.ts);
 * numbers in the reasoning are never taken for scores, and a text that names two different scores for the same answer, or
 * two winners, is unreadable rather than half believed.
 * Where the verdict is looked for: first what the judge marked as such ([[8]], the first line, "Final scores", a heading
 * "Scores:"), then everything else. Scores given again and again are one, as long as they agree. One score said of both
 * answers counts where nothing else is said.
 * Which scores there can be is the caller's to say: what the judge was asked for, or what an old file may hold.
 */
import { type Choice, markedChoices, plainChoices, quotesBrackets } from './verdict-choices.ts';
import {
  announcedWithNames,
  announcesScores,
  beginsWithVerdict,
  bothScored,
  coversBoth,
  type FoundScore,
  headingSide,
  isFinal,
  lineSide,
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
export type ChoiceVerdict = { readonly choice: Choice } | Unreadable;

export type { Choice };

/** Both ends are scores; halves and the like between them too. A scale that is named ("7/10") must end at `highest`. */
export interface ScoreRange {
  readonly lowest: number;
  readonly highest: number;
}
/** What our own judge is asked for. */
export const oneToTen: ScoreRange = { lowest: 1, highest: 10 };
/** What judges of other projects may have given, whatever they were asked for. */
export const zeroToTen: ScoreRange = { lowest: 0, highest: 10 };

/** Marked scores count before plain ones. */
interface Found<T> {
  readonly marked: readonly T[];
  readonly plain: readonly T[];
}

export function readPairVerdict(text: string, range: ScoreRange = oneToTen): PairVerdict {
  const lines = spokenLines(text, range);
  if (!Array.isArray(lines)) return lines;
  const { marked, plain } = findPairs(lines);
  const said = coversBoth(marked) ? marked : [...marked, ...plain];
  const found = said.length > 0 ? said : lines.map(withoutBrackets).flatMap(bothScored);
  if (found.length === 0) return { unreadable: 'no scores in a known form' };
  const scoreOf = (side: Side, whose: string): SingleVerdict =>
    oneScore(
      found.filter((score) => score.side === side),
      whose,
      range,
    );
  const first = scoreOf(0, 'the first answer');
  const second = scoreOf(1, 'the second answer');
  if ('unreadable' in first) return first;
  return 'unreadable' in second ? second : { scores: [first.score, second.score] };
}

export function readSingleVerdict(text: string, range: ScoreRange = oneToTen): SingleVerdict {
  const lines = spokenLines(text, range);
  if (!Array.isArray(lines)) return lines;
  const { marked, plain } = findSingles(lines);
  const found = marked.length > 0 ? marked : plain;
  return found.length === 0 ? { unreadable: 'no score in a known form' } : oneScore(found, 'the answer', range);
}

/** A or B, or C for a tie. Marked verdicts go before plain ones; those that count must all say the same. */
export function readChoiceVerdict(text: string): ChoiceVerdict {
  const spoken = spokenText(text);
  if (typeof spoken !== 'string') return spoken;
  const lines = spoken
    .split(/\r?\n/)
    .map((raw) => ({ line: plainLine(raw), isQuoted: quotesBrackets(raw) }))
    .filter(({ line }) => line !== '');
  if (lines.length === 0) return { unreadable: 'the judge said nothing' };
  const marked = lines.flatMap(({ line, isQuoted }) => markedChoices(line, isQuoted));
  const found = [...new Set(marked.length > 0 ? marked : lines.flatMap(({ line }) => plainChoices(line)))];
  const [choice] = found;
  if (choice === undefined) return { unreadable: 'no choice in a known form' };
  return found.length === 1 ? { choice } : { unreadable: `different choices: ${found.join(', ')}` };
}

function oneScore(found: readonly FoundScore[], whose: string, { lowest, highest }: ScoreRange): SingleVerdict {
  const wrongScale = (scale: number | undefined): boolean => scale !== undefined && scale !== highest;
  const texts = [...new Set(found.map(({ value, scale }) => `${value}${wrongScale(scale) ? ` of ${scale}` : ''}`))];
  if (texts.length === 0) return { unreadable: `no score for ${whose}` };
  if (texts.length > 1) return { unreadable: `different scores for ${whose}: ${texts.join(', ')}` };
  const { value, scale } = found[0]!;
  if (wrongScale(scale)) return { unreadable: `the score of ${whose} is ${value} of ${scale}, not of ${highest}` };
  if (value < lowest || value > highest)
    return { unreadable: `the score of ${whose} is ${value}, outside ${lowest}–${highest}` };
  return { score: value };
}

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
    const announces = announcesScores(line);
    if (announces) marked.push(...linesOfOneScore(lines.slice(i + 1, i + 4)));
    isUnderScores = announces || (isUnderScores && found.length > 0);
  });
  return { marked, plain };
}

/** What the line says of named answers, or, under a heading with an answer's name, of that one. */
function scoresOfLine(line: string, section: Side | undefined): SideScore[] {
  const named = [...pairAfterWord(line), ...namedScores(line), ...announcedWithNames(line)];
  const side = lineSide(line) ?? section;
  return named.length > 0 || side === undefined ? named : scoresUnderHeading(line, side);
}

/** Where two scores are asked for: "8 7", "Scores: 8 7", or one on the first line, one on the second, and no third. */
function firstLinePair(lines: readonly string[]): SideScore[] {
  const line = withoutBrackets(lines[0]!);
  const pair = [...startingPair(line), ...(beginsWithVerdict(line) ? pairAfterWord(line) : [])];
  return pair.length > 0 ? pair : linesOfOneScore(lines);
}

/** One score on the first line, one on the second, and no third. */
function linesOfOneScore(lines: readonly string[]): SideScore[] {
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

/** What a judge says beside its score: all of it, without its thinking and a first line that is nothing but a score. */
export function reasonOfVerdict(text: string): string {
  const lines = withoutThinking(text).trim().split(/\r?\n/);
  const isScore = wholeLineScore(withoutBrackets(plainLine(lines[0]!))).length > 0;
  return (isScore ? lines.slice(1) : lines).join('\n').trim();
}

const withoutThinking = (text: string): string =>
  text.replace(/<think(?:ing)?>[\s\S]*?<\/think(?:ing)?>/gi, '').replace(/^[\s\S]*<\/think(?:ing)?>/i, '');

function spokenText(text: string): string | Unreadable {
  const spoken = withoutThinking(text);
  if (/<think(?:ing)?>/i.test(spoken)) return { unreadable: 'the judge was cut off while it was still thinking' };
  return spoken;
}

/** The judge's lines without its thinking, blank lines, Markdown, quotation marks and full-width forms. */
function spokenLines(text: string, { lowest, highest }: ScoreRange): string[] | Unreadable {
  const spoken = spokenText(text);
  if (typeof spoken !== 'string') return spoken;
  // "Scores (1-10): 8 7": the scale that was asked for.
  const askedScale = new RegExp(
    `\\((?:out of ${highest}|(?:${lowest}|1)\\s*[-–—~]\\s*${highest}|满分${highest}分?)\\)`,
    'gi',
  );
  const lines = spoken
    .split(/\r?\n/)
    .map((line) => plainLine(line, askedScale))
    .filter((line) => line !== '');
  return lines.length === 0 ? { unreadable: 'the judge said nothing' } : lines;
}

function plainLine(line: string, askedScale: RegExp | string = ''): string {
  return line
    .replaceAll('，', ', ')
    .replace(/[\uFF01-\uFF5E]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
    .replaceAll('\u2212', '-')
    .replace(/(?<!\d)\*\*|\*\*(?!\d)|[`"“”]/g, '')
    .replace(/[‘’]/g, "'")
    .replace(/(?<!\w)'|'(?!\w)/g, '')
    .replaceAll('_', ' ')
    .replace(askedScale, '')
    .replace(/\s+/g, ' ')
    .replace(/^(?:[\s>#|•]|[-*+]\s)+/, '')
    .replace(/[\s|]+$/, '');
}
