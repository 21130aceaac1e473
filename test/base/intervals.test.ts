import { describe, expect, it } from 'vitest';
import { bootstrapFigure, bootstrapMean, mean, pairedDifference } from '../../src/base/intervals.ts';
import { Rng } from '../../src/base/rng.ts';

describe('bootstrapMean', () => {
  it('is undefined for no values and a point for one, or for equal ones', () => {
    expect(bootstrapMean([])).toBeUndefined();
    expect(bootstrapMean([4.5])).toEqual({ mean: 4.5, low: 4.5, high: 4.5, n: 1 });
    expect(bootstrapMean([2, 2, 2])).toEqual({ mean: 2, low: 2, high: 2, n: 3 });
  });

  it('has the quantiles worked by hand for two values: draws of 0, ½ and 1 with ¼, ½, ¼', () => {
    expect(bootstrapMean([0, 1])).toEqual({ mean: 0.5, low: 0, high: 1, n: 2 });
  });

  it('has the quantiles worked by hand for a share of 10 out of 20', () => {
    // The mean of a draw is Binomial(20, ½) / 20: P(≤ 5) = 0.0207, P(≤ 6) = 0.0577; so the 2.5 % quantile is 6/20, and
    // by symmetry the 97.5 % quantile 14/20.
    const values = Array.from({ length: 20 }, (_, i) => i % 2);
    expect(bootstrapMean(values)).toEqual({ mean: 0.5, low: 0.3, high: 0.7, n: 20 });
  });

  it('takes the mean as Σwx / Σw, and every draw with its weights', () => {
    const weighted = bootstrapMean([3, 2], { weights: [10, 30] })!;
    expect(weighted.mean).toBe(90 / 40);
    expect([weighted.low, weighted.high]).toEqual([2, 3]);
    // Draws of three values with weights 1, 1, 2: a ratio of sums, such as (0+0+2·6)/(1+1+2) = 3, not a mean of ratios.
    const means = new Set<number>();
    for (let seed = 1; seed <= 200; seed++) {
      means.add(bootstrapMean([0, 0, 6], { weights: [1, 1, 2], draws: 1, seed })!.low);
    }
    // The third value drawn 0, 1, 2 or 3 times: 0, 12/4, 24/5, 36/6.
    expect([...means].sort()).toEqual([0, 3, 24 / 5, 6]);
  });

  it('is not moved by a common factor of the weights', () => {
    const values = [1, 4, 2, 8];
    expect(bootstrapMean(values, { weights: [2, 2, 2, 2] })).toEqual(bootstrapMean(values));
  });

  it('is the same for the same data and seed, another for another seed', () => {
    const values = Array.from({ length: 30 }, (_, i) => Math.sin(i));
    expect(bootstrapMean(values)).toEqual(bootstrapMean(values));
    expect(bootstrapMean(values, { seed: 2 })?.low).not.toBe(bootstrapMean(values)?.low);
    expect(bootstrapMean(values, { seed: 2 })?.mean).toBe(bootstrapMean(values)?.mean);
  });

  it('refuses weights of another length', () => {
    expect(() => bootstrapMean([1, 2], { weights: [1] })).toThrow(/2 values, 1 weights/);
  });

  it('covers the true mean about 95 times in 100', () => {
    const rng = new Rng('coverage');
    const rounds = 400;
    let covered = 0;
    for (let round = 0; round < rounds; round++) {
      // A lopsided distribution with mean 1: the exponential.
      const values = Array.from({ length: 60 }, () => -Math.log(1 - rng.uniform()));
      const { low, high } = bootstrapMean(values, { draws: 400, seed: round })!;
      if (low <= 1 && 1 <= high) covered += 1;
    }
    // The percentile bootstrap covers a little less than it says on 60 lopsided values; 3 standard errors are 0.033.
    expect(covered / rounds).toBeGreaterThan(0.95 - 0.02 - 0.033);
    expect(covered / rounds).toBeLessThan(0.95 + 0.033);
  });

  it('covers a ratio of sums, where heavy values differ from light ones', () => {
    const rng = new Rng('ratio');
    let covered = 0;
    for (let round = 0; round < 400; round++) {
      // Weight 1 or 3, value = weight + noise of mean 0: the true ratio is (1·1 + 3·3) / (1 + 3) = 2.5.
      const weights = Array.from({ length: 80 }, () => (rng.int(2) === 0 ? 1 : 3));
      const values = weights.map((weight) => weight + rng.uniform() - 0.5);
      const { low, high } = bootstrapMean(values, { weights, draws: 400, seed: round })!;
      if (low <= 2.5 && 2.5 <= high) covered += 1;
    }
    expect(covered / 400).toBeGreaterThan(0.95 - 0.02 - 0.033);
    expect(covered / 400).toBeLessThan(0.95 + 0.033);
  });
});

describe('bootstrapFigure', () => {
  const values = Array.from({ length: 30 }, (_, i) => Math.sin(i));
  const average = (drawn: Uint32Array) => mean([...drawn].map((at) => values[at]!));

  it('has the interval of the mean where the figure is the mean', () => {
    const { low, high } = bootstrapMean(values)!;
    const bounds = bootstrapFigure(values.length, average);
    expect(bounds.low).toBeCloseTo(low, 12);
    expect(bounds.high).toBeCloseTo(high, 12);
    expect(bounds.undefinedDraws).toBe(0);
  });

  it('leaves out draws without a figure, and counts them', () => {
    // Two items, draws (0,0), (0,1), (1,0), (1,1): the first has none.
    const { low, high, undefinedDraws } = bootstrapFigure(2, ([a = 0, b = 0]) => (a + b === 0 ? Number.NaN : a + b));
    expect([low, high]).toEqual([1, 2]);
    expect(undefinedDraws / 10_000).toBeCloseTo(0.25, 1);
    expect(bootstrapFigure(2, () => Number.NaN, { draws: 5 })).toEqual({
      low: Number.NaN,
      high: Number.NaN,
      undefinedDraws: 5,
    });
  });
});

describe('pairedDifference', () => {
  it('is the interval of after − before', () => {
    const before = [1, 5, 9];
    const after = [2, 4, 12];
    expect(pairedDifference(before, after)).toEqual(bootstrapMean([1, -1, 3]));
    expect(pairedDifference(before, after, { weights: [1, 2, 3] })?.mean).toBeCloseTo((1 - 2 + 9) / 6, 12);
    expect(pairedDifference([], [])).toBeUndefined();
  });

  it('is narrow where items differ much and each changed by the same', () => {
    const before = [1, 10, 100, 1000];
    expect(
      pairedDifference(
        before,
        before.map((value) => value + 2),
      ),
    ).toEqual({ mean: 2, low: 2, high: 2, n: 4 });
  });

  it('refuses lists of different lengths', () => {
    expect(() => pairedDifference([1], [1, 2])).toThrow(/1 values before, 2 after/);
  });

  it('finds a change where there is none at most about 5 times in 100', () => {
    const rng = new Rng('null');
    let found = 0;
    for (let round = 0; round < 400; round++) {
      const before = Array.from({ length: 60 }, () => rng.uniform());
      const after = Array.from({ length: 60 }, () => rng.uniform());
      const { low, high } = pairedDifference(before, after, { draws: 400, seed: round })!;
      if (low > 0 || high < 0) found += 1;
    }
    expect(found / 400).toBeLessThan(0.05 + 0.033 + 0.01);
    expect(found).toBeGreaterThan(0);
  });
});

describe('mean', () => {
  it('is the arithmetic mean', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(mean([])).toBeNaN();
  });
});
