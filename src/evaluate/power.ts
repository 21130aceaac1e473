/**
 * How many items it takes to see a difference, and what difference so many items can show: for the mean of one value an
 * item (a win rate; a paired difference) by a two-sided t-test. Closed form: n = (z₁₋α/₂ + z_power)² (sd / d)² + z₁₋α/₂² / 2,
 * whose last term stands for t instead of z (Guenther 1981, The American Statistician 35, 243–244).
 */
import { normalQuantile } from './distributions.ts';

export interface PowerOptions {
  /** Two-sided level. Default 0.05. */
  readonly alpha?: number;
  /** Probability to see the difference where it is there. Default 0.8. */
  readonly power?: number;
}

/** `sd`: of the value over items, in the unit of `difference`. Both above 0. */
export function itemsNeeded(difference: number, sd: number, options: PowerOptions = {}): number {
  const { both, level } = quantiles(options);
  // Two items are the least that have a standard deviation.
  return Math.max(2, Math.ceil((both * sd) ** 2 / difference ** 2 + level ** 2 / 2));
}

/** undefined for fewer than three items, where the closed form means nothing. */
export function detectableDifference(items: number, sd: number, options: PowerOptions = {}): number | undefined {
  const { both, level } = quantiles(options);
  const effective = items - level ** 2 / 2;
  return items < 3 || effective <= 0 ? undefined : (both * sd) / Math.sqrt(effective);
}

function quantiles({ alpha = 0.05, power = 0.8 }: PowerOptions): { both: number; level: number } {
  const level = normalQuantile(1 - alpha / 2);
  return { level, both: level + normalQuantile(power) };
}

/**
 * Standard deviation of 1 for a win, ½ for a tie, 0 for a loss, where the mean is `rate` and `ties` of all are ties: both
 * shares from 0 to 1. undefined where there can be no such shares.
 */
export function rateDeviation(rate: number, ties = 0): number | undefined {
  const wins = rate - ties / 2;
  if (!(ties >= 0 && ties <= 1 && wins > -1e-12 && wins + ties < 1 + 1e-12)) return undefined;
  return Math.sqrt(Math.max(0, rate * (1 - rate) - ties / 4));
}

/** Of a sample, by n − 1; undefined for fewer than two values. */
export function sampleDeviation(values: readonly number[]): number | undefined {
  const n = values.length;
  if (n < 2) return undefined;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
}
