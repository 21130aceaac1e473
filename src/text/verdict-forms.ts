/**
 * The forms in which judges write scores, as patterns over the kinds of a line's tokens (verdict-tokens.ts): a pair
 * ("8 7", "Scores: 8, 7"), a score with the name of its answer ("Assistant 1: 8.5", "回答B：7分"), a score alone
 * ("Rating: 7/10"). A number is a score only where a form says so and nothing behind it makes it the number of something
 * ("2 errors", "8, 9 and 10"). Which of several scores counts, and the range 1–10, are verdict.ts's business.
 */
import { kindsOf, type Side, sideOfLetter, type VerdictToken, verdictTokens } from './verdict-tokens.ts';

export interface FoundScore {
  readonly value: number;
  /** "/10", "out of 100"; undefined where none is named. */
  readonly scale: number | undefined;
}

export interface SideScore extends FoundScore {
  readonly side: Side;
}

/** No list of numbers goes on, and here a score may end: before punctuation, "and", another name. */
const stop = '(?![,&]+[NDx])(?=$|[-,.;()&LSsc])';

// What stands between a name and its score. After the last two a score needs a scale: an answer may *be* 8, or get it.
const named = new RegExp(
  `[LS](?<own>f?n?(?:\\(c\\)|m?c)?)(?<by>[(c]*:[(c:]*|-|m?va?|m?[vi]?a?cfa?|m?i?a?|\\()[ND]${stop}`,
  'g',
);
const reversed = /(?<before>a|cf|)[ND]f[LS]/g;
const bareStart = /^(?:[^:NDxsLS]*[ct][:(]*|[wm]{0,2}g)?\(*(?=s)/;
const bareNext = new RegExp(`[,;.&)g]*s(?<by>f?c?(?:[:(]*:[(c:]*|[iv]?a?))[ND]${stop}`, 'y');

/** Scores beside the names of their answers. */
export function namedScores(line: string): SideScore[] {
  const tokens = verdictTokens(line);
  const kinds = kindsOf(tokens);
  // Where the last score that was given ends: "give Assistant 1 an 8 and Assistant 2 a 7".
  let givenEnd = kinds.length;
  const forward = [...kinds.matchAll(named)].flatMap((match) => {
    const end = match.index + match[0].length;
    const name = tokens[match.index]!;
    const score = tokens[end - 1]!;
    const { own, by } = match.groups as { own: string; by: string };
    const isGiven = kinds[match.index - 1] === 'g' || /^[,;&]{1,2}$/.test(kinds.slice(givenEnd, match.index));
    if (isGiven || name.kind === 'S') givenEnd = end;
    const isSaid = isGiven || /[:v-]|cf/.test(by) || own.includes('c') || name.kind === 'S' || score.isScaled;
    return isSaid ? scoreFor(name.side!, score) : [];
  });
  const backward = [...kinds.matchAll(reversed)].flatMap((match) => {
    const name = tokens[match.index + match[0].length - 1]!;
    const score = tokens[match.index + match[0].length - 3]!;
    return match.groups?.['before'] !== '' || score.isScaled ? scoreFor(name.side!, score) : [];
  });
  return [...forward, ...backward, ...bareScores(tokens, kinds)];
}

/** "A=8, B=7": letters alone are names only from the start of a line, or from "Scores:" on. "With A=3, …" is none. */
function bareScores(tokens: readonly VerdictToken[], kinds: string): SideScore[] {
  const start = bareStart.exec(kinds);
  if (!start) return [];
  const found: { readonly scores: SideScore[]; readonly isSaid: boolean }[] = [];
  bareNext.lastIndex = start[0].length;
  for (let match = bareNext.exec(kinds); match; match = bareNext.exec(kinds)) {
    const name = tokens[match.index + match[0].indexOf('s')]!;
    const score = tokens[bareNext.lastIndex - 1]!;
    const { by } = match.groups as { by: string };
    if (by.includes('i') && !score.isScaled) continue;
    found.push({ scores: scoreFor(sideOfLetter(name), score), isSaid: /[:vc]/.test(by) || score.isScaled === true });
  }
  const isBoth = coversBoth(found.flatMap(({ scores }) => scores));
  return found.filter(({ isSaid }) => isSaid || isBoth).flatMap(({ scores }) => scores);
}

export const coversBoth = (found: readonly SideScore[]): boolean => new Set(found.map(({ side }) => side)).size === 2;

const withName = '(?:L\\([ND]\\)|[ND](?:fL|\\(L\\)))';
const pairWithNames = new RegExp(`c[wmit]{0,3}:?${withName}[,;&]{1,2}${withName}(?=$|[,.;])`);

/** "Scores: 8 for Assistant 1 and 7 for Assistant 2", "ratings: Assistant 1 (8), Assistant 2 (7)". */
export function announcedWithNames(line: string): SideScore[] {
  const tokens = verdictTokens(line);
  const match = pairWithNames.exec(kindsOf(tokens));
  if (!match) return [];
  const inside = tokens.slice(match.index, match.index + match[0].length);
  const names = inside.filter(({ kind }) => kind === 'L');
  const scores = inside.filter(({ kind }) => kind === 'N' || kind === 'D');
  return names.flatMap((name, i) => scoreFor(sideOfLetter(name), scores[i]!));
}

const both = new RegExp(`b[no]?(?<by>m?(?:va?|[vi]?a?cfa?|:)|m?i?a?)[ND]${stop}`);

/** "Both assistants receive a score of 8": the same score for either answer. */
export function bothScored(line: string): SideScore[] {
  const tokens = verdictTokens(line);
  const match = both.exec(kindsOf(tokens));
  if (!match) return [];
  const score = tokens[match.index + match[0].length - 1]!;
  const isSaid = /[v:]|cf/.test(match.groups?.['by'] ?? '') || score.isScaled;
  return isSaid ? [...scoreFor(0, score), ...scoreFor(1, score)] : [];
}

/** Nothing where a comma makes two numbers of it that are no decimal, such as 8.5,7.5. */
function scoreFor(side: Side, { value, scale }: VerdictToken): SideScore[] {
  return value === undefined || Number.isNaN(value) ? [] : [{ side, value, scale }];
}

// "8,7" is two scores where two are wanted; "8,5 7,5" are decimals; "8,7,6" is neither.
const pair = '(?:[ND](?:[,;:]|&[.]?)?[ND]|D)';
const wholePair = new RegExp(`^\\(*${pair}\\)*[.]?$`);
const leadingPair = new RegExp(`^\\(*${pair}\\)*(?=[-.;(])(?!.[NDx])`);
const announcedPair = new RegExp(`[cSt][^:NDx]{0,20}?[:i(]+${pair}\\)*(?:(?=f)|${stop})`);

/** The line is nothing but two numbers. */
export const wholeLinePair = (line: string): SideScore[] => pairBy(wholePair, line);
/** The line begins with two numbers, set off from what follows if anything does. */
export function startingPair(line: string): SideScore[] {
  const alone = wholeLinePair(line);
  return alone.length > 0 ? alone : pairBy(leadingPair, line);
}
/** Two numbers behind a word for scores: "Scores: 8, 7", "the scores are (8, 7) for …". */
export const pairAfterWord = (line: string): SideScore[] => pairBy(announcedPair, line);

function pairBy(form: RegExp, line: string): SideScore[] {
  const tokens = verdictTokens(line);
  const match = form.exec(kindsOf(tokens));
  if (!match) return [];
  const numbers = tokens.slice(match.index, match.index + match[0].length).filter(({ kind }) => /[ND]/.test(kind));
  const [first, second] = numbers as [VerdictToken, VerdictToken?];
  if (second) return [...scoreFor(0, first), ...scoreFor(1, second)];
  const [left, right] = first.text.split(',') as [string, string];
  return [
    { side: 0, value: Number(left), scale: undefined },
    { side: 1, value: Number(right), scale: first.scale },
  ];
}

const whole = /^\(*[ND]\)*[.]?$/g;
const announced = new RegExp(`(?:[cS](?:f|[^-:NDxi.,;]{0,12}?[:i]+)?|t:)a?\\(*[ND]${stop}`, 'g');
const anywhere = new RegExp(`[ND]${stop}`, 'g');

/** The line is nothing but one number. */
export const wholeLineScore = (line: string): FoundScore[] => scoresBy(whole, line);
/** "Score: 8", "a rating of 7", "得分：7". */
export const scoresAfterWord = (line: string): FoundScore[] => scoresBy(announced, line);
/** "7/10", "7 out of 10" anywhere in the line. */
export const scoresWithScale = (line: string): FoundScore[] =>
  scoresBy(anywhere, line).filter(({ scale }) => scale !== undefined);

function scoresBy(form: RegExp, line: string): FoundScore[] {
  const tokens = verdictTokens(line);
  return [...kindsOf(tokens).matchAll(form)].flatMap((match) => {
    const inside = tokens.slice(match.index, match.index + match[0].length);
    const { value, scale } = inside.findLast(({ kind }) => /[ND]/.test(kind))!;
    return value === undefined || Number.isNaN(value) ? [] : [{ value, scale }];
  });
}

/** The answer that a line, and those below it, speak of: "### Assistant 1", "Assistant 1: …". */
export function headingSide(line: string): Side | undefined {
  const tokens = verdictTokens(line);
  return /^(?:L(?:f?[nw]?$|:)|s:?$)/.test(kindsOf(tokens)) ? sideOfLetter(tokens[0]!) : undefined;
}

/** The answer that a line begins with, and that is the only one in it: "Assistant 1 is brief. Score: 7". */
export function lineSide(line: string): Side | undefined {
  const tokens = verdictTokens(line);
  const first = /^a?L/.test(kindsOf(tokens)) ? tokens.find(({ kind }) => kind === 'L') : undefined;
  return first && sideOfLetter(first);
}

/** Scores of a line that names no answer, or the one under whose heading it stands and no other. */
export function scoresUnderHeading(line: string, side: Side): SideScore[] {
  const named = verdictTokens(line).filter(({ kind }) => kind === 'L' || kind === 'S');
  const isOfOne = named.every((name) => sideOfLetter(name) === side);
  return isOfOne ? scoresAfterWord(line).map((score) => ({ side, ...score })) : [];
}

/** "Scores:", "Final ratings": the scores stand in the lines below. */
export const announcesScores = (line: string): boolean =>
  /^(?:[^NDxLS.]{0,12}c[^NDxLS.]{0,12}:|[wt]{0,2}c)$/.test(kindsOf(verdictTokens(line)));

/** The line begins with numbers, scores or the name of an answer: not with the criterion that is scored. */
export const beginsWithVerdict = (line: string): boolean => /^\(*[NDcStLs]/.test(kindsOf(verdictTokens(line)));

/** Where a judge that scored several things says which of them is the verdict. */
export const isFinal = (line: string): boolean => /\b(?:final|overall|total)\b|最终|总分|总评|总体|综合/i.test(line);
