/** Percentile bootstrap (Efron 1979) for means and for differences of paired means. Seeded: same data, same interval. */
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
  const { weights, draws = 10_000, seed = 1 } = options;
  if (weights !== undefined && weights.length !== n)
    throw new RangeError(`bootstrapMean: ${n} values, ${weights.length} weights`);
  const rng = new Rng('bootstrap', seed);
  const average = (pick: (i: number) => number): number => {
    let sum = 0;
    let total = 0;
    for (let i = 0; i < n; i++) {
      const at = pick(i);
      const weight = weights?.[at] ?? 1;
      sum += (values[at] as number) * weight;
      total += weight;
    }
    return total === 0 ? Number.NaN : sum / total;
  };
  const means = Float64Array.from({ length: draws }, () => average(() => rng.int(n))).sort();
  const at = (quantile: number) => means[Math.min(draws - 1, Math.floor(quantile * draws))] as number;
  return { mean: average((i) => i), low: at(0.025), high: at(0.975), n };
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
