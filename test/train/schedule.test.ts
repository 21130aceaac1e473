import { expect, it } from 'vitest';
import { learningRateAt } from '../../src/train/schedule.ts';

// 11 steps, of which 2 warm up: the 9 others go down by tenths, from 9/10 to 1/10 on the straight line.
const settings = { learningRate: 10, warmupRatio: 0.1, minRatio: 0 };
const rates = (schedule: 'cosine' | 'linear' | 'constant', more = {}) =>
  Array.from({ length: 11 }, (_, i) => learningRateAt(i + 1, 11, { ...settings, ...more, schedule }));

it('warms up in a straight line, whatever follows', () => {
  for (const schedule of ['cosine', 'linear', 'constant'] as const) {
    expect(rates(schedule).slice(0, 2)).toEqual([5, 10]);
  }
});

it('goes down by a straight line, by half a cosine, or not at all', () => {
  rates('linear')
    .slice(2)
    .forEach((rate, i) => {
      expect(rate).toBeCloseTo(9 - i, 12);
    });
  const cosine = rates('cosine');
  expect(cosine[6]).toBeCloseTo(5, 12); // half way
  expect(cosine[2]! + cosine[10]!).toBeCloseTo(10, 12); // symmetric about it
  expect(cosine[2]).toBeCloseTo(9.7553, 4); // 5 · (1 + cos 18°)
  expect(new Set(rates('constant').slice(1))).toEqual(new Set([10]));
});

it('ends at a share of the peak where one is wanted', () => {
  expect(rates('linear', { minRatio: 0.5 }).at(-1)).toBeCloseTo(10 * (0.5 + 0.5 * 0.1), 12);
  expect(rates('cosine', { minRatio: 1 }).slice(1)).toEqual(Array(10).fill(10));
});
