/**
 * Percentile bootstrap (Efron 1979) for means, differences of paired means, and any other figure over items. Seeded: same
 * data, same interval.
 */
import { Rng } from './rng.ts';

export interface Interval {
  readonly mean: number;
  /** Bounds of the 95 % interval; equal to the mean where there is one value only. */
  readonly low: number;
  readonly high: number;
  /** How many values the mean is over. */
  readonly n: number;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Mean with its 95 % bootstrap interval; undefined for no values. With `weights` the mean is Σwx / Σw and each draw
 * takes the value with its weight: a per-token loss over documents, for example.
 */
export function bootstrapMean(
  values: readonly number[],
  options: { weights?: readonly number[]; draws?: number; seed?: number } = {},
): Interval | undefined {
  const n = values.length;
  if (n === 0) return undefined;
  const { weights } = options;
  if (weights !== undefined && weights.length !== n)
    throw new RangeError(`bootstrapMean: ${n} values, ${weights.length} weights`);
  const average = (drawn: Uint32Array): number => {
    let sum = 0;
    let total = 0;
    for (const at of drawn) {
      const weight = weights?.[at] ?? 1;
      sum += (values[at] as number) * weight;
      total += weight;
    }
    return total === 0 ? Number.NaN : sum / total;
  };
  const { low, high } = bootstrapFigure(n, average, options);
  return { mean: average(Uint32Array.from({ length: n }, (_, i) => i)), low, high, n };
}

export interface FigureBounds {
  /** Of the 95 % interval; NaN where no draw had a figure. */
  readonly low: number;
  readonly high: number;
  /** Draws that had no figure (NaN). They are left out of the interval, which then speaks only of those that have one. */
  readonly undefinedDraws: number;
}

/**
 * Interval of any figure over `n` items, such as a ratio of sums or a coefficient of agreement. `figure` gets the positions
 * of the items of one draw, `n` of them with repetitions, in an array that is used again for the next draw.
 */
export function bootstrapFigure(
  n: number,
  figure: (drawn: Uint32Array) => number,
  options: { draws?: number; seed?: number } = {},
): FigureBounds {
  const { draws = 10_000, seed = 1 } = options;
  const rng = new Rng('bootstrap', seed);
  const drawn = new Uint32Array(n);
  const figures = Float64Array.from({ length: draws }, () => {
    for (let i = 0; i < n; i++) drawn[i] = rng.int(n);
    return figure(drawn);
  })
    .filter((value) => !Number.isNaN(value))
    .sort();
  const last = figures.length - 1;
  const at = (quantile: number) => figures[Math.min(last, Math.floor(quantile * figures.length))] ?? Number.NaN;
  return { low: at(0.025), high: at(0.975), undefinedDraws: draws - figures.length };
}

/** Interval of mean(after − before) over the same items: the paired bootstrap. */
export function pairedDifference(
  before: readonly number[],
  after: readonly number[],
  options: { weights?: readonly number[]; draws?: number; seed?: number } = {},
): Interval | undefined {
  if (before.length !== after.length)
    throw new RangeError(`pairedDifference: ${before.length} values before, ${after.length} after`);
  return bootstrapMean(
    before.map((value, i) => (after[i] as number) - value),
    options,
  );
}
