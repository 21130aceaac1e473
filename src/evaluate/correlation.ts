/**
 * Correlation of two numbers over items that come in groups (answers to one prompt, say), with a 95 % bootstrap interval
 * that draws whole groups: items of one group are not independent of one another. Pearson's r says how straight the
 * relation is, Spearman's ρ (Spearman 1904) how far the orders agree: r of the ranks, equal values sharing the mean of
 * theirs. A draw is a weight for every item, so nothing is sorted again.
 */
import { bootstrapFigure } from '../base/intervals.ts';

export interface CorrelationFigure {
  /** −1 to 1; null where one of the two does not vary. */
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

export interface Correlation {
  readonly items: number;
  readonly groups: number;
  readonly pearson: CorrelationFigure;
  readonly spearman: CorrelationFigure;
}

/** An item: its two numbers and the group it belongs to, from 0. */
export interface CorrelatedItem {
  readonly x: number;
  readonly y: number;
  readonly group: number;
}

/** Item-by-item work of all draws together, so that many items take no longer than few. */
const workInAll = 4e6;

export function correlate(items: readonly CorrelatedItem[], { seed = 1 }: { seed?: number } = {}): Correlation {
  const groups = items.reduce((most, { group }) => Math.max(most, group + 1), 0);
  const [x, y] = [Float64Array.from(items, (item) => item.x), Float64Array.from(items, (item) => item.y)];
  const [rankX, rankY] = [weightedRanks(x), weightedRanks(y)];
  const draws = Math.max(1000, Math.min(10_000, Math.floor(workInAll / Math.max(1, items.length))));
  const figure = (of: (weights: Float64Array) => number): CorrelationFigure => {
    const value = of(new Float64Array(items.length).fill(1));
    if (Number.isNaN(value)) return { value: null, low: null, high: null };
    const counts = new Float64Array(groups);
    const weights = new Float64Array(items.length);
    const { low, high } = bootstrapFigure(
      groups,
      (drawn) => {
        counts.fill(0);
        for (const group of drawn) counts[group]! += 1;
        for (let i = 0; i < items.length; i++) weights[i] = counts[items[i]!.group]!;
        return of(weights);
      },
      { draws, seed },
    );
    return { value, low, high };
  };
  return {
    items: items.length,
    groups,
    pearson: figure((weights) => pearson(x, y, weights)),
    spearman: figure((weights) => pearson(rankX(weights), rankY(weights), weights)),
  };
}

/** NaN where one of the two does not vary. */
function pearson(x: Float64Array, y: Float64Array, weights: Float64Array): number {
  let [total, sumX, sumY] = [0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    total += weights[i]!;
    sumX += weights[i]! * x[i]!;
    sumY += weights[i]! * y[i]!;
  }
  const [meanX, meanY] = [sumX / total, sumY / total];
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    const [dx, dy] = [x[i]! - meanX, y[i]! - meanY];
    xx += weights[i]! * dx * dx;
    yy += weights[i]! * dy * dy;
    xy += weights[i]! * dx * dy;
  }
  // What is left of rounding where all values are one is no variation.
  const varies = xx > 1e-24 * total * meanX * meanX && yy > 1e-24 * total * meanY * meanY;
  return varies ? Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy))) : Number.NaN;
}

/** Ranks from 1 of values that stand there as often as their weights say. The array is used again by the next call. */
function weightedRanks(values: Float64Array): (weights: Float64Array) => Float64Array {
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Float64Array(values.length);
  return (weights) => {
    let before = 0;
    for (let start = 0; start < order.length; ) {
      let end = start;
      let weight = 0;
      for (; end < order.length && values[order[end]!] === values[order[start]!]; end++)
        weight += weights[order[end]!]!;
      for (let at = start; at < end; at++) ranks[order[at]!] = before + (weight + 1) / 2;
      before += weight;
      start = end;
    }
    return ranks;
  };
}
