import { describe, expect, it } from 'vitest';
import {
  type AdapterDropout,
  type DropMask,
  dropInto,
  dropMask,
  droppedByOperators,
} from '../../src/model/adapter-dropout.ts';
import { project } from '../../src/model/projection.ts';
import { fromFloat32, toBytes, toFloat32 } from '../../src/torch/convert.ts';
import { clone, emptyLike, full, toDtype } from '../../src/torch/ops.ts';
import { liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';

const layer = 'model.layers.0.self_attn.q_proj';
const dropoutOf = (rate: number, ...key: (string | number)[]): AdapterDropout => ({ rate, key });

/** Where ones are left: 1 seen, 0 dropped. */
const seenIn = (shape: readonly [number, number], mask: DropMask): Float32Array =>
  scope(() => {
    const ones = full(shape, 1, 'float32');
    return toFloat32(dropInto(ones, ones, mask));
  });

/** The rule of native/kernels/table.h in plain numbers. */
function seenByHand([rows, width]: readonly [number, number], { rowKey, columnKey, limit }: DropMask): number[] {
  const mixed = (bits: number): number => {
    const first = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
    return Math.imul(first ^ (first >>> 15), 0x846ca68b);
  };
  return Array.from({ length: rows * width }, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return Number(mixed(mixed(row ^ rowKey) ^ mixed(column ^ columnKey)) >= limit);
  });
}

const share = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe('which elements are dropped', () => {
  it.each([0.05, 0.5, 0.9])('is as many as the rate says, in all, in every row, in every column: %s', (rate) => {
    const [rows, width] = [400, 300];
    const seen = seenIn([rows, width], dropMask(dropoutOf(rate, 'count'), layer));
    const [ofRows, ofColumns] = [new Float64Array(rows), new Float64Array(width)];
    seen.forEach((value, i) => {
      ofRows[Math.floor(i / width)]! += value / width;
      ofColumns[i % width]! += value / rows;
    });
    const deviation = Math.sqrt(rate * (1 - rate));
    const furthest = (shares: ArrayLike<number>, count: number) =>
      Math.max(...Array.from(shares, (one) => (Math.abs(one - (1 - rate)) * Math.sqrt(count)) / deviation));
    expect(furthest([share(seen)], rows * width)).toBeLessThan(4);
    expect(furthest(ofRows, width)).toBeLessThan(5);
    expect(furthest(ofColumns, rows)).toBeLessThan(5);
  });

  it('says nothing about its neighbours', () => {
    const [rows, width, rate] = [400, 300, 0.3];
    const seen = seenIn([rows, width], dropMask(dropoutOf(rate, 'neighbours'), layer));
    for (const distance of [1, 2, width, 2 * width, width + 1]) {
      const both = share(Array.from(seen.subarray(distance), (one, i) => one * seen[i]!));
      expect(Math.abs(both - (1 - rate) ** 2)).toBeLessThan(0.006); // four standard deviations
    }
  });

  it('is the rule worked by hand, by the kernel and by operators, in every dtype and in place', () => {
    const shape = [37, 21] as const;
    const values = Float32Array.from({ length: 37 * 21 }, (_, i) => i - 400.5);
    const mask = dropMask(dropoutOf(0.4, 'by hand', 3), layer);
    const byHand = seenByHand(shape, mask);
    expect(new Set(byHand).size).toBe(2);
    for (const dtype of ['float32', 'float64', 'bfloat16'] as const) {
      scope(() => {
        const x = toDtype(fromFloat32(values, shape), dtype);
        const expected = Array.from(toFloat32(x), (value, i) => value * byHand[i]! || 0);
        const before = liveTensors();
        const out = dropInto(emptyLike(x), x, mask);
        expect(liveTensors()).toBe(before + 1);
        expect(Array.from(toFloat32(out))).toEqual(expected);
        expect(toBytes(droppedByOperators(x, mask))).toEqual(toBytes(out));
        expect(liveTensors()).toBe(before + 2);
        const place = clone(x);
        expect(dropInto(place, place, mask)).toBe(place);
        expect(toBytes(place)).toEqual(toBytes(out));
      });
    }
  });

  it('is the same for a key, and another for any other seed, step, pack or layer', () => {
    const shape = [64, 64] as const;
    const seen = (key: (string | number)[], name = layer) => seenIn(shape, dropMask(dropoutOf(0.5, ...key), name));
    const first = seen(['lora dropout', 1, 7, 0]);
    expect(seen(['lora dropout', 1, 7, 0])).toEqual(first);
    for (const other of [
      seen(['lora dropout', 2, 7, 0]),
      seen(['lora dropout', 1, 8, 0]),
      seen(['lora dropout', 1, 7, 1]),
      seen(['lora dropout', 1, 7, 0], 'model.layers.0.self_attn.k_proj'),
      seen(['lora dropout', 1, 7, 0], 'model.layers.1.self_attn.q_proj'),
    ]) {
      // Half of what is unrelated is alike.
      const alike = share(Array.from(first, (value, i) => Number(value === other[i])));
      expect(Math.abs(alike - 0.5)).toBeLessThan(0.04);
    }
  });

  it('is nothing at rate 0 and nearly all below 1', () => {
    const ends = [0, 1 - 1e-12].map((rate) => seenIn([50, 50], dropMask(dropoutOf(rate, 'ends'), layer)));
    expect(ends.map(share)).toEqual([1, 0]);
    expect(dropMask(dropoutOf(0, 'ends'), layer).gain).toBe(1);
  });
});

describe('a linear layer with an adapter', () => {
  // weight 3, bias 1, down 2, up 5, scale 0.5: y = 3x + 1 + 0.5 · 5 · 2 · x, of which the last term sees x or nothing.
  const part = (): { weight: Tensor; bias: Tensor; adapter: { down: Tensor; up: Tensor; scale: number } } => ({
    weight: fromFloat32([3], [1, 1]),
    bias: fromFloat32([1], [1]),
    adapter: { down: fromFloat32([2], [1, 1]), up: fromFloat32([5], [1, 1]), scale: 0.5 },
  });

  it('sees all of its input, and its adapter x / (1 − rate) or nothing', () => {
    scope(() => {
      const mask = dropMask(dropoutOf(0.75, 'scaling'), layer);
      const seen = seenByHand([8, 1], mask);
      expect(new Set(seen).size).toBe(2);
      const x = fromFloat32([1, 2, 3, 4, 5, 6, 7, 8], [8, 1]);
      const y = toFloat32(project(x, { ...part(), mask }));
      expect(Array.from(y)).toEqual(seen.map((isSeen, i) => 3 * (i + 1) + 1 + (isSeen ? (5 * (i + 1)) / 0.25 : 0)));
      expect(Array.from(toFloat32(project(x, part())))).toEqual(seen.map((_, i) => 8 * (i + 1) + 1));
    });
  });

  it('gives in the mean over steps what it gives without dropout', () => {
    const steps = 1000;
    const rate = 0.4;
    const sum = new Float64Array(6);
    scope(() => {
      const x = fromFloat32([1, -2, 0.5, 3, 1, -1], [6, 1]);
      const plain = toFloat32(project(x, part()));
      for (let step = 0; step < steps; step++) {
        const y = scope(() => toFloat32(project(x, { ...part(), mask: dropMask(dropoutOf(rate, step), layer) })));
        y.forEach((value, i) => {
          sum[i]! += value / steps;
        });
      }
      // The adapter's term is 5x/(1 − rate) with probability 1 − rate: its deviation is 5|x| · √(rate / (1 − rate)).
      toFloat32(x).forEach((value, i) => {
        const deviation = (5 * Math.abs(value) * Math.sqrt(rate / (1 - rate))) / Math.sqrt(steps);
        expect(Math.abs(sum[i]! - plain[i]!)).toBeLessThan(4 * deviation);
      });
    });
  });
});
