import { describe, expect, it } from 'vitest';
import { LengthCounts, roundWidth } from '../../src/data/statistics-lengths.ts';

function counts(lengths: readonly number[]): LengthCounts {
  const all = new LengthCounts();
  for (const length of lengths) all.add(length);
  return all;
}

describe('LengthCounts', () => {
  it('has nearest-rank quantiles and a mean to two decimals', () => {
    // 3, 3, 5, 10: ranks 2 and 4 of 4; 21 / 4 = 5.25.
    expect(counts([10, 3, 5, 3]).summary()).toEqual({ mean: 5.25, median: 3, p95: 10, max: 10 });
    // 1 to 20: the 10th and the 19th.
    const twenty = Array.from({ length: 20 }, (_, i) => 20 - i);
    expect(counts(twenty).summary()).toEqual({ mean: 10.5, median: 10, p95: 19, max: 20 });
    expect(counts([1, 1, 2]).summary().mean).toBe(1.33);
    expect(counts([]).summary()).toEqual({ mean: 0, median: 0, p95: 0, max: 0 });
  });

  it('agrees with sorting, whatever the lengths', () => {
    const lengths = Array.from({ length: 997 }, (_, i) => (i * i * 31) % 211);
    const sorted = [...lengths].sort((a, b) => a - b);
    for (const share of [0.001, 0.1, 0.5, 0.95, 0.999, 1]) {
      expect(counts(lengths).quantile(share), `${share}`).toBe(sorted[Math.ceil(share * 997) - 1]);
    }
  });

  it('puts every length into one bin, the long ones into the last', () => {
    const bins = counts([0, 4, 5, 9, 10, 14, 15, 99]).bins(5, 3);
    expect(bins).toEqual([
      { from: 0, to: 4, count: 2 },
      { from: 5, to: 9, count: 2 },
      { from: 10, to: 14, count: 2 },
      { from: 15, count: 2 },
    ]);
    expect(counts([1]).bins(1, 2)).toEqual([
      { from: 0, to: 0, count: 0 },
      { from: 1, to: 1, count: 1 },
    ]);
  });
});

it('a round width reaches the longest in as few bins as are asked for', () => {
  expect([0, 9, 10, 24, 25, 499, 500].map((longest) => roundWidth(longest, 10))).toEqual([1, 1, 2, 5, 5, 50, 100]);
});
