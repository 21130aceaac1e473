import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';

interface Golden {
  key: (string | number)[];
  bits: number[];
  uniforms: number[];
  far: number;
}
const golden = JSON.parse(readFileSync(new URL('../golden/rng.json', import.meta.url), 'utf8')) as Golden[];

describe('Rng', () => {
  it.each(golden)(
    'gives the stream of the same generator in Python for the key $key',
    ({ key, bits, uniforms, far }) => {
      const rng = new Rng(...key);
      const drawn = Array.from({ length: 10_000 }, () => rng.bits());
      expect(drawn.slice(0, 8)).toEqual(bits);
      expect(drawn.at(-1)).toBe(far);
      const fresh = new Rng(...key);
      expect(uniforms.map(() => fresh.uniform())).toEqual(uniforms);
    },
  );

  it('tells keys apart that look alike', () => {
    const keys = [['ab', 'c'], ['a', 'bc'], ['abc'], ['1'], [1], ['1,2'], [1, 2], []];
    const firsts = keys.map((key) => new Rng(...key).bits());
    expect(new Set(firsts).size).toBe(keys.length);
  });

  it('is uniform, roughly: 100,000 draws in 10 bins, χ² below the 99.9 % quantile of 9 degrees of freedom', () => {
    const rng = new Rng('uniformity');
    const bins = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) bins[Math.floor(rng.uniform() * 10)]! += 1;
    const chiSquare = bins.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(27.88);
  });

  it('gives unrelated streams for neighbouring keys: correlation of 10,000 pairs within 4 standard errors of 0', () => {
    const a = new Rng('row', 1);
    const b = new Rng('row', 2);
    let sum = 0;
    for (let i = 0; i < 10_000; i++) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5);
    const correlation = sum / 10_000 / (1 / 12);
    expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(10_000));
  });

  it('keeps whole numbers below their bound, up to 2^32, and reaches both ends of a small one', () => {
    const rng = new Rng('int');
    const drawn = Array.from({ length: 1000 }, () => rng.int(3));
    expect(new Set(drawn)).toEqual(new Set([0, 1, 2]));
    expect(Array.from({ length: 100 }, () => rng.int(1)).every((value) => value === 0)).toBe(true);
    const large = Array.from({ length: 1000 }, () => rng.int(2 ** 32));
    expect(large.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32)).toBe(true);
    expect(Math.max(...large)).toBeGreaterThan(2 ** 31);
    expect(() => rng.int(0)).toThrow(/bound 0/);
    expect(() => rng.int(2 ** 32 + 1)).toThrow(/bound/);
  });

  it('shuffles into a permutation, leaving the original as it was, the same for the same key', () => {
    const items = Array.from({ length: 50 }, (_, i) => i);
    const shuffled = new Rng('s', 1).shuffle(items);
    expect(shuffled).not.toEqual(items);
    expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
    expect(items[0]).toBe(0);
    expect(new Rng('s', 1).shuffle(items)).toEqual(shuffled);
    expect(new Rng('s', 2).shuffle(items)).not.toEqual(shuffled);
    expect(new Rng('s').shuffle([])).toEqual([]);
  });

  it('shuffles fairly: all 6 orders of 3 items about equally often', () => {
    const rng = new Rng('fair');
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = rng.shuffle(['a', 'b', 'c']).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    // 1000 expected, standard deviation 29.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });

  it('samples different items, all of them where there are fewer', () => {
    const sampled = new Rng('sample').sample([1, 2, 3, 4, 5], 3);
    expect(sampled).toHaveLength(3);
    expect(new Set(sampled).size).toBe(3);
    expect([...new Rng('sample').sample([1, 2], 5)].sort()).toEqual([1, 2]);
  });
});
