/**
 * Tests of whether two models differ, on the same items. All are two-sided, take after − before item by item, and assume that
 * items are independent of one another: several rows of one question have to be made one before. What p-values do not
 * say, how large the difference is, statistics.ts puts beside them.
 *
 *   McNemar       0/1 values: are the items that only one got right shared out as by a fair coin? (McNemar 1947; exact)
 *   Wilcoxon      signed ranks: is the difference as often and as far above 0 as below? (Wilcoxon 1945; ties by
 *                 mid-ranks, zeros left out)
 *   permutation   does the mean difference stand out among those with random signs? (Fisher 1935)
 */
import { Rng } from '../base/rng.ts';
import { fairCoinAtMost, normalTail } from './distributions.ts';

export interface McNemarResult {
  /** Items right in the second only, and in the first only. */
  readonly gained: number;
  readonly lost: number;
  readonly p: number;
}

/** Values are 0 or 1. */
export function mcnemar(before: readonly number[], after: readonly number[]): McNemarResult {
  const differences = differencesOf(before, after);
  if ([...before, ...after].some((value) => value !== 0 && value !== 1))
    throw new RangeError('mcnemar: expected values of 0 and 1 alone');
  const gained = differences.filter((difference) => difference > 0).length;
  const lost = differences.filter((difference) => difference < 0).length;
  const p = gained === lost ? 1 : Math.min(1, 2 * fairCoinAtMost(Math.min(gained, lost), gained + lost));
  return { gained, lost, p };
}

export interface WilcoxonResult {
  /** Items whose values differ: the only ones ranked. */
  readonly n: number;
  /** Sums of the ranks of positive and of negative differences. */
  readonly positive: number;
  readonly negative: number;
  readonly p: number;
  /** `exact`: over all 2ⁿ signs, ties included; `normal`: by the normal curve, with continuity correction. */
  readonly method: 'exact' | 'normal';
}

/** Up to so many items all signs are counted; beyond, the normal curve is right to the third place. */
const exactRanks = 50;

export function wilcoxon(before: readonly number[], after: readonly number[]): WilcoxonResult {
  const differences = differencesOf(before, after).filter((difference) => difference !== 0);
  const n = differences.length;
  const { ranks, ties } = midRanks(differences.map(Math.abs));
  const positive = ranks.reduce((sum, rank, i) => sum + (differences[i]! > 0 ? rank : 0), 0);
  const negative = (n * (n + 1)) / 2 - positive;
  const smaller = Math.min(positive, negative);
  if (n <= exactRanks) {
    const p = Math.min(1, 2 * rankSumAtMost(smaller, ranks));
    return { n, positive, negative, p, method: 'exact' };
  }
  const expected = (n * (n + 1)) / 4;
  const tied = ties.reduce((sum, size) => sum + size ** 3 - size, 0);
  const deviation = Math.sqrt((n * (n + 1) * (2 * n + 1) - tied / 2) / 24);
  const z = Math.max(0, expected - smaller - 0.5) / deviation;
  return { n, positive, negative, p: Math.min(1, 2 * normalTail(z)), method: 'normal' };
}

/** Ranks from 1, equal values sharing the mean of theirs; and how many are equal, group by group. */
function midRanks(values: readonly number[]): { ranks: number[]; ties: number[] } {
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  const ranks = new Array<number>(values.length);
  const ties: number[] = [];
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end += 1;
    for (const at of order.slice(start, end)) ranks[at] = (start + 1 + end) / 2;
    ties.push(end - start);
    start = end;
  }
  return { ranks, ties };
}

/** P(sum of the ranks with a plus ≤ `limit`), each sign a fair coin. */
function rankSumAtMost(limit: number, ranks: readonly number[]): number {
  // Mid-ranks are halves: twice each is whole.
  const doubled = ranks.map((rank) => 2 * rank);
  const probability = new Float64Array(doubled.reduce((sum, rank) => sum + rank, 0) + 1);
  probability[0] = 1;
  let reached = 0;
  for (const rank of doubled) {
    reached += rank;
    for (let sum = reached; sum >= 0; sum--) {
      probability[sum] = (probability[sum]! + (sum >= rank ? probability[sum - rank]! : 0)) / 2;
    }
  }
  return probability.subarray(0, 2 * limit + 1).reduce((sum, one) => sum + one, 0);
}

export interface PermutationResult {
  readonly p: number;
  /** `exact`: all 2ⁿ signs; `drawn`: so many random ones, the data's own counted among them. */
  readonly method: 'exact' | 'drawn';
  readonly permutations: number;
}

const exactSigns = 16;

/** Numbers added in all draws together, so that many items take no longer than few. */
const addedInAll = 2e8;

export function signPermutation(
  before: readonly number[],
  after: readonly number[],
  { draws, seed = 1 }: { draws?: number; seed?: number } = {},
): PermutationResult {
  const differences = Float64Array.from(differencesOf(before, after).filter((difference) => difference !== 0));
  const n = differences.length;
  const observed = Math.abs(differences.reduce((sum, one) => sum + one, 0));
  // Signs that give the same sum must count as the same, however it was rounded.
  const reached = observed - 1e-12 * differences.reduce((sum, one) => sum + Math.abs(one), 0);
  if (n <= exactSigns) {
    const permutations = 2 ** n;
    let count = 0;
    for (let signs = 0; signs < permutations; signs++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += (signs >>> i) & 1 ? differences[i]! : -differences[i]!;
      if (Math.abs(sum) >= reached) count += 1;
    }
    return { p: count / permutations, method: 'exact', permutations };
  }
  const permutations = draws ?? Math.max(1000, Math.min(10_000, Math.floor(addedInAll / n)));
  const rng = new Rng('sign permutation', seed);
  let count = 0;
  for (let draw = 0; draw < permutations; draw++) {
    let sum = 0;
    let signs = 0;
    for (let i = 0; i < n; i++) {
      if (i % 32 === 0) signs = rng.bits();
      sum += (signs >>> (i % 32)) & 1 ? differences[i]! : -differences[i]!;
    }
    if (Math.abs(sum) >= reached) count += 1;
  }
  return { p: (count + 1) / (permutations + 1), method: 'drawn', permutations };
}

/**
 * After − before, on a grid of 2⁻⁴⁰ of the largest value: 0.3 − 0.1 and 0.4 − 0.2 are the same difference, whatever rounding
 * made of them, or ties would be ranked by chance.
 */
function differencesOf(before: readonly number[], after: readonly number[]): number[] {
  if (before.length !== after.length)
    throw new RangeError(`paired test: ${before.length} values before, ${after.length} after`);
  const largest = [...before, ...after].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) return before.map(() => 0);
  const grid = 2 ** (Math.ceil(Math.log2(largest)) - 40);
  return before.map((value, i) => Math.round((after[i]! - value) / grid) * grid);
}
