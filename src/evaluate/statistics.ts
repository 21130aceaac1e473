/**
 * Two models on the same items, and several against a first: the difference with its interval, the test that fits the
 * values, and what could have been seen at all. Which test decides is settled by the kind of values before looking at any
 * p: McNemar's for 0/1 values, else that of random signs, which is about the mean difference that is shown. Wilcoxon's
 * stands beside it. The formulas are in paired-tests.ts, multiplicity.ts and power.ts.
 */
import { bootstrapMean, type Interval, pairedDifference } from '../base/intervals.ts';
import { benjaminiHochberg, holm } from './multiplicity.ts';
import {
  type McNemarResult,
  mcnemar,
  type PermutationResult,
  signPermutation,
  type WilcoxonResult,
  wilcoxon,
} from './paired-tests.ts';
import { detectableDifference, sampleDeviation } from './power.ts';

export interface PairedComparison {
  /** Items with a value of both; everything is over these. */
  readonly n: number;
  readonly first: Interval;
  readonly second: Interval;
  /** Second − first: mean, and 95 % interval by paired bootstrap. */
  readonly difference: Interval;
  /** Items where the second's value is higher, lower, the same. */
  readonly higher: number;
  readonly lower: number;
  readonly equal: number;
  /** The test that decides, and its p. */
  readonly test: 'mcnemar' | 'permutation';
  readonly p: number;
  /** undefined unless all values are 0 or 1. */
  readonly mcnemar: McNemarResult | undefined;
  readonly permutation: PermutationResult;
  readonly wilcoxon: WilcoxonResult;
  /**
   * The least mean difference that so many items as variable as these show with 80 % power at α = 0.05; undefined for
   * fewer than three items.
   */
  readonly detectable: number | undefined;
}

/** Values of the same items in the same order; undefined for none. */
export function comparePaired(
  first: readonly number[],
  second: readonly number[],
  options: { draws?: number; seed?: number } = {},
): PairedComparison | undefined {
  const n = first.length;
  const draws = options.draws ?? Math.max(1000, Math.min(10_000, Math.floor(drawnInAll / Math.max(1, n))));
  const bootstrap = { ...options, draws };
  const difference = pairedDifference(first, second, bootstrap);
  if (!difference) return undefined;
  const isBinary = [...first, ...second].every((value) => value === 0 || value === 1);
  const differences = first.map((value, i) => second[i]! - value);
  const higher = differences.filter((one) => one > 0).length;
  const lower = differences.filter((one) => one < 0).length;
  const binary = isBinary ? mcnemar(first, second) : undefined;
  const permutation = signPermutation(first, second, options);
  const deviation = sampleDeviation(differences);
  return {
    n,
    first: bootstrapMean(first, bootstrap)!,
    second: bootstrapMean(second, bootstrap)!,
    difference,
    higher,
    lower,
    equal: n - higher - lower,
    test: binary ? 'mcnemar' : 'permutation',
    p: (binary ?? permutation).p,
    mcnemar: binary,
    permutation,
    wilcoxon: wilcoxon(first, second),
    detectable: deviation === undefined ? undefined : detectableDifference(n, deviation),
  };
}

/** Numbers drawn for an interval, so that many items take no longer than few. */
const drawnInAll = 2e7;

export interface AdjustedPs {
  readonly holm: number;
  readonly benjaminiHochberg: number;
}

/** The p-values of comparisons made together, adjusted for their number; in order. */
export function adjustForMany(ps: readonly number[]): AdjustedPs[] {
  const byHolm = holm(ps);
  const byRate = benjaminiHochberg(ps);
  return ps.map((_, i) => ({ holm: byHolm[i]!, benjaminiHochberg: byRate[i]! }));
}

/**
 * `second` against `first` in plain words: how much, how sure, and what it means; p is the adjusted one where there were
 * several comparisons. `write` writes a value in its unit, without a sign.
 */
export function inWords(
  { n, difference, equal, detectable, p: own }: PairedComparison,
  { first, second, p, write }: { first: string; second: string; p: number; write: (value: number) => string },
): string {
  const items = `${n} ${n === 1 ? 'item' : 'items'}`;
  if (n === 1) return `One item says nothing about others: ${second} against ${first} needs more of them.`;
  const chance = `${percentOf(p)} of such comparisons${p === own ? '' : ', corrected for their number'}`;
  const amount = Math.abs(difference.mean);
  const direction = difference.mean > 0 ? 'higher' : 'lower';
  if (p < 0.05) {
    const [least, most] = [difference.low, difference.high].map(Math.abs).sort((a, b) => a - b) as [number, number];
    const range =
      difference.low * difference.high > 0
        ? `; for items like these, most likely between ${write(least)} and ${write(most)}`
        : '; the interval still reaches across 0, so its size is uncertain';
    return `On ${items} ${second} is ${write(amount)} ${direction} than ${first}${range}. Were the two alike, a difference as large would come about in ${chance}.`;
  }
  if (equal === n) return `On ${items} the two do not differ once: whether they would on others, these cannot say.`;
  const seen =
    difference.mean === 0
      ? `${second} is no higher or lower than ${first}`
      : `${second} is ${write(amount)} ${direction} than ${first}`;
  const reach = detectable
    ? `so many items would reliably show a difference from about ${write(detectable)} on`
    : 'so few could not have shown anything else';
  return `On ${items} ${seen}, which chance alone explains: two that are alike show as much in ${chance}. That is no proof that they are alike: ${reach}.`;
}

const percentOf = (p: number): string => (p < 0.001 ? 'fewer than 0.1 %' : `${(100 * p).toFixed(p < 0.1 ? 1 : 0)} %`);
