import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.ts';
import { chooseItem, chooseOrder, comparisonsLeft, isCheckPosition } from '../../../studio/server/assignment.ts';

const rng = () => new Rng('test');

describe('chooseItem', () => {
  it('takes one of those with fewest raters', () => {
    const candidates = [
      { item: 'a', ab: 1, ba: 1 },
      { item: 'b', ab: 0, ba: 1 },
      { item: 'c', ab: 1, ba: 1 },
    ];
    for (let seed = 0; seed < 20; seed++) {
      expect(chooseItem(candidates, 0, new Rng(seed))).toEqual({ item: 'b', order: 'AB' });
    }
  });

  it('mends an item’s balance before the rater’s, and prefers an item that mends both', () => {
    const wantsBa = { item: 'a', ab: 1, ba: 0 };
    const wantsAb = { item: 'b', ab: 0, ba: 1 };
    expect(chooseItem([wantsBa, wantsAb], 1, rng())).toEqual({ item: 'a', order: 'BA' });
    expect(chooseItem([wantsBa, wantsAb], -1, rng())).toEqual({ item: 'b', order: 'AB' });
    expect(chooseItem([wantsBa], -3, rng())).toEqual({ item: 'a', order: 'BA' });
  });

  it('has nothing to choose where there is nothing', () => {
    expect(chooseItem([], 0, rng())).toBeUndefined();
  });
});

it('chooseOrder leaves to chance what neither wants', () => {
  const orders = Array.from({ length: 200 }, (_, seed) => chooseOrder(0, 0, new Rng(seed)));
  expect(orders.filter((order) => order === 'AB').length).toBeGreaterThan(70);
  expect(orders.filter((order) => order === 'BA').length).toBeGreaterThan(70);
  expect(chooseOrder(0, 2, rng())).toBe('BA');
  expect(chooseOrder(-1, -2, rng())).toBe('AB');
});

describe('attention checks', () => {
  const plan = { seed: 1, share: 0.1 };
  const places = (rater: string, upTo: number) =>
    Array.from({ length: upTo }, (_, i) => i + 1).filter((position) => isCheckPosition(plan, rater, position));

  it('stand one in each block of ten, never first of all, elsewhere for another rater', () => {
    for (const rater of ['anna', 'bo', 'cy', 'di']) {
      const found = places(rater, 100);
      expect(found.map((position) => Math.floor((position - 1) / 10))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(found[0]).toBeGreaterThan(1);
    }
    expect(places('anna', 100)).not.toEqual(places('bo', 100));
  });

  it('are none at a share of 0, every other at ½', () => {
    expect(isCheckPosition({ seed: 1, share: 0 }, 'anna', 2)).toBe(false);
    const half = Array.from({ length: 20 }, (_, i) => isCheckPosition({ seed: 1, share: 0.5 }, 'anna', i + 1));
    expect(half.filter(Boolean)).toHaveLength(10);
    expect(half[0]).toBe(false);
  });

  it('are counted into what is left, while there are any', () => {
    const [first, second] = places('anna', 20) as [number, number];
    const left = (real: number, checks: number) => comparisonsLeft(plan, 'anna', { position: 1, real, checks });
    // Up to just before the first check all are real.
    expect(left(first - 1, 5)).toBe(first - 1);
    expect(left(first, 5)).toBe(first + 1);
    expect(left(second - 1, 5)).toBe(second + 1);
    expect(left(second - 1, 1)).toBe(second);
    expect(left(50, 0)).toBe(50);
    // One by one, from anywhere.
    for (const position of [1, 2, first, first + 1, 10, 11, second, 25]) {
      for (let real = 0; real < 45; real++) {
        let [shown, toShow, checksLeft] = [0, real, 3];
        for (; toShow > 0; shown++) {
          if (checksLeft > 0 && isCheckPosition(plan, 'anna', position + shown)) checksLeft -= 1;
          else toShow -= 1;
        }
        expect(comparisonsLeft(plan, 'anna', { position, real, checks: 3 }), `${real} from ${position}`).toBe(shown);
      }
    }
  });
});
