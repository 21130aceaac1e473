/**
 * A figure of sums, with its interval by bootstrap over questions: verdicts on turns, orders and samples of one question are
 * no independent evidence, so whole questions are drawn. Means and ratios are quotients of sums; so is a share.
 */
import { bootstrapFigure } from '../base/intervals.ts';

/** 0 to 1 where it is a share or a rate. */
export interface Figure {
  /** null where nothing is there to make it of. */
  readonly value: number | null;
  /** Of the 95 % interval; null where there are fewer than two questions. */
  readonly low: number | null;
  readonly high: number | null;
  /** What it is over. */
  readonly n: number;
}

/** A figure if every missing verdict had been as bad, or as good, as can be. */
export interface Cases {
  readonly worst: number | null;
  readonly best: number | null;
}

export interface Part {
  readonly question: string;
  /** Added up over the parts. */
  readonly sums: readonly number[];
}

/** NaN from `figure` where the sums have none. */
export function figureOf(
  parts: readonly Part[],
  figure: (sums: readonly number[]) => number,
  seed: number,
  n = parts.length,
): Figure {
  const questions = sumsByQuestion(parts);
  const total = add(questions, questions.keys());
  const value = parts.length === 0 ? Number.NaN : figure(total);
  if (Number.isNaN(value)) return { value: null, low: null, high: null, n };
  if (questions.length < 2) return { value, low: null, high: null, n };
  const { low, high } = bootstrapFigure(questions.length, (drawn) => figure(add(questions, drawn)), { seed });
  return { value, low: known(low), high: known(high), n };
}

/** Σ over / Σ under. */
export const quotientOf = (
  parts: readonly { readonly question: string; readonly over: number; readonly under: number }[],
  seed: number,
  n = parts.length,
): Figure =>
  figureOf(
    parts.map(({ question, over, under }) => ({ question, sums: [over, under] })),
    ([over = 0, under = 0]) => (under === 0 ? Number.NaN : over / under),
    seed,
    n,
  );

export const meanOf = (parts: readonly { readonly question: string; readonly value: number }[], seed: number): Figure =>
  quotientOf(
    parts.map(({ question, value }) => ({ question, over: value, under: 1 })),
    seed,
  );

const known = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** One row of sums a question, in the order in which the questions come. */
function sumsByQuestion(parts: readonly Part[]): Float64Array[] {
  const questions = new Map<string, Float64Array>();
  for (const { question, sums } of parts) {
    const own = questions.get(question);
    if (own) for (let i = 0; i < sums.length; i++) own[i] = (own[i] as number) + (sums[i] as number);
    else questions.set(question, Float64Array.from(sums));
  }
  return [...questions.values()];
}

function add(questions: readonly Float64Array[], drawn: Iterable<number>): number[] {
  const total = new Array<number>(questions[0]?.length ?? 0).fill(0);
  for (const at of drawn) {
    const own = questions[at] as Float64Array;
    for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + (own[i] as number);
  }
  return total;
}
