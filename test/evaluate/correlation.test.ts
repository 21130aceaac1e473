import { describe, expect, it } from 'vitest';
import { bootstrapFigure } from '../../src/base/intervals.ts';
import { Rng } from '../../src/base/rng.ts';
import { type CorrelatedItem, correlate } from '../../src/evaluate/correlation.ts';

const itemsOf = (x: readonly number[], y: readonly number[]): CorrelatedItem[] =>
  x.map((one, i) => ({ x: one, y: y[i]!, group: i }));

describe('correlate', () => {
  it('is 1 − 6 Σd² / n (n² − 1) on ranks without ties', () => {
    // d = 0, −1, 1, 0: 1 − 12 / 60. The values are their ranks, so Pearson's is the same.
    expect(correlate(itemsOf([1, 2, 3, 4], [1, 3, 2, 4]))).toMatchObject({
      items: 4,
      groups: 4,
      pearson: { value: expect.closeTo(0.8, 12) as number },
      spearman: { value: expect.closeTo(0.8, 12) as number },
    });
    // A bent line has the same order: ρ is 1, r is not. x − 2: −1, 0, 1; y − 14/3; r = (9 − 1) / √(2 · 98 / 3).
    const bent = correlate(itemsOf([1, 2, 3], [1, 4, 9]));
    expect(bent.spearman.value).toBeCloseTo(1, 12);
    expect(bent.pearson.value).toBeCloseTo(8 / Math.sqrt((2 * 98) / 3), 12);
  });

  it('gives equal values the mean of their ranks', () => {
    // Ranks 1½, 1½, 3 and 1, 2, 3: 1.5 / √(1.5 · 2).
    expect(correlate(itemsOf([5, 5, 7], [10, 20, 21])).spearman.value).toBeCloseTo(1.5 / Math.sqrt(3), 12);
  });

  it('has no value where one of the two does not vary', () => {
    const none = { value: null, low: null, high: null };
    expect(correlate(itemsOf([0.1, 0.1, 0.1], [1, 2, 3]))).toMatchObject({ pearson: none, spearman: none });
    expect(correlate([])).toEqual({ items: 0, groups: 0, pearson: none, spearman: none });
  });

  it('draws groups: the same interval as items written out as often as their group is drawn', () => {
    const rng = new Rng('correlation test');
    const items = Array.from({ length: 24 }, (_, i): CorrelatedItem => {
      const x = rng.int(6);
      return { x, y: x + rng.int(8), group: Math.floor(i / 3) };
    });
    const naive = (values: readonly number[]) =>
      values.map((one) => values.filter((v) => v < one).length + (values.filter((v) => v === one).length + 1) / 2);
    const r = (x: readonly number[], y: readonly number[]) => {
      const mean = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length;
      const [mx, my] = [mean(x), mean(y)];
      const sum = (of: (i: number) => number) => x.reduce((a, _, i) => a + of(i), 0);
      return (
        sum((i) => (x[i]! - mx) * (y[i]! - my)) /
        Math.sqrt(sum((i) => (x[i]! - mx) ** 2) * sum((i) => (y[i]! - my) ** 2))
      );
    };
    const { low, high } = bootstrapFigure(
      8,
      (drawn) => {
        const out = [...drawn].flatMap((group) => items.filter((item) => item.group === group));
        return r(naive(out.map(({ x }) => x)), naive(out.map(({ y }) => y)));
      },
      { seed: 3 },
    );
    const { spearman } = correlate(items, { seed: 3 });
    expect(spearman.low).toBeCloseTo(low, 10);
    expect(spearman.high).toBeCloseTo(high, 10);
  });
});
