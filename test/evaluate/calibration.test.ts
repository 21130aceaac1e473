import { expect, it } from 'vitest';
import { calibrate } from '../../src/evaluate/calibration.ts';

it('puts probabilities into bins and weighs what they miss by', () => {
  const items = [
    { predicted: 0.1, cameAbout: false },
    { predicted: 0.3, cameAbout: true },
    { predicted: 0.5, cameAbout: true },
    { predicted: 1, cameAbout: true },
  ];
  const { error, bins } = calibrate(items, 2);
  // Lower: 0.2 predicted, ½ came about; upper: 0.75 and 1. (2 · 0.3 + 2 · 0.25) / 4.
  expect(error).toBeCloseTo(0.275, 12);
  expect(bins).toEqual([
    { from: 0, to: 0.5, items: 2, predicted: expect.closeTo(0.2, 12), observed: 0.5 },
    { from: 0.5, to: 1, items: 2, predicted: 0.75, observed: 1 },
  ]);
});

it('has nothing to say without items', () => {
  const { error, bins } = calibrate([]);
  expect(error).toBeNull();
  expect(bins).toHaveLength(10);
  expect(bins[3]).toEqual({ from: 0.3, to: 0.4, items: 0, predicted: null, observed: null });
});
