/** Products of bf16 matrices where the processor multiplies none: by float32, piece by piece. No speed. */
import { expect, it } from 'vitest';
import { toFloat64 } from '../../src/torch/convert.ts';
import { bmmWidened, mmWidened, mmWidenedInto } from '../../src/torch/kernels.ts';
import { computesInBf16 } from '../../src/torch/machine.ts';
import * as ops from '../../src/torch/ops.ts';
import { addmmInto, bmm, isEmulated, mm, mmInto } from '../../src/torch/products.ts';
import { type Dtype, scope, type Tensor } from '../../src/torch/tensor.ts';
import { random } from './kernel-cases.ts';
import { expectClose, expectSameBytes, toFloat64s, tolerances } from './kernel-run.ts';

/** The product in float64, of which a float32 sum of so many differs by a little more than a rounding. */
const exact = (a: Tensor, b: Tensor) => ops.matmul(...(toFloat64s([a, b]) as [Tensor, Tensor]));

/** Rows, inner, columns: around the sizes of pieces, 4096, 2048 and 1024. */
const sizes = [
  [3, 5, 7],
  [1, 576, 1024],
  [4097, 3, 1025],
  [2, 2049, 1030],
  [5, 4100, 3],
  [0, 4, 4],
  [4, 0, 4],
] as const;

it.each(sizes)('multiplies [%i, %i] by %i columns, in every layout, rounding once', (rows, inner, columns) => {
  const factor = (r: number, c: number, dtype: Dtype, lies: string) =>
    lies === 'rows' ? random([r, c], dtype, lies) : ops.transpose(random([c, r], dtype, lies), 0, 1);
  for (const [left, right] of [
    ['rows', 'rows'],
    ['rows', 'columns'],
    ['columns', 'rows'],
    ['columns', 'columns'],
  ] as const) {
    scope(() => {
      const [a, b] = [factor(rows, inner, 'bfloat16', left), factor(inner, columns, 'bfloat16', right)];
      const product = mmWidened(a, b);
      expect(product.dtype).toBe('bfloat16');
      expectClose(product, exact(a, b), tolerances.bfloat16);
      const wide = ops.toDtype(a, 'float32');
      expectClose(mmWidened(wide, b), exact(a, b), tolerances.float32);
      expectSameBytes(ops.toDtype(mmWidened(wide, b), 'bfloat16'), product);
    });
  }
});

it('adds a row, a matrix or what is there already, and scales the product', () => {
  scope(() => {
    const [a, b] = [random([5, 40], 'bfloat16', 'a'), random([40, 1030], 'bfloat16', 'b')];
    const [row, matrix] = [random([1030], 'bfloat16', 'row'), random([5, 1030], 'bfloat16', 'matrix')];
    const scaled = ops.mulScalar(exact(a, b), 0.5);
    for (const addend of [row, matrix]) {
      const out = ops.zeros([5, 1030], 'bfloat16');
      mmWidenedInto(out, addend, a, b, 0.5);
      expectClose(out, ops.add(ops.toDtype(addend, 'float64'), scaled), tolerances.bfloat16);
    }
    const expected = ops.add(ops.toDtype(matrix, 'float64'), scaled);
    mmWidenedInto(matrix, matrix, a, b, 0.5);
    expectClose(matrix, expected, tolerances.bfloat16);
  });
});

it('writes into columns of a wider matrix, and leaves its others alone', () => {
  scope(() => {
    const [a, b, wide] = [
      random([5, 40], 'bfloat16', 'a'),
      random([40, 6], 'bfloat16', 'b'),
      ops.full([5, 9], 2, 'bfloat16'),
    ];
    mmWidenedInto(ops.narrow(wide, 1, 2, 6), null, a, b, 1);
    expectSameBytes(ops.contiguous(ops.narrow(wide, 1, 2, 6)), mmWidened(a, b));
    for (const column of [0, 1, 8]) expect(toFloat64(ops.select(wide, 1, column))).toEqual(new Float64Array(5).fill(2));
  });
});

it('carries NaN and infinity on', () => {
  scope(() => {
    const b = random([3, 4], 'bfloat16', 'b');
    const product = (value: number) => toFloat64(mmWidened(ops.full([2, 3], value, 'bfloat16'), b));
    expect(product(Number.NaN).every(Number.isNaN)).toBe(true);
    expect(product(Infinity).every(Number.isFinite)).toBe(false);
  });
});

it('multiplies the matrices of a batch', () => {
  scope(() => {
    const a = ops.transpose(random([3, 20, 8], 'bfloat16', 'a'), 1, 2);
    const b = random([3, 20, 5], 'bfloat16', 'b');
    expectClose(bmmWidened(a, b), exact(a, b), tolerances.bfloat16);
  });
});

it.each(['float32', 'bfloat16'] as const)('chooses by processor, and gives what libtorch gives: %s', (dtype) => {
  scope(() => {
    const [a, b, row] = [random([6, 30], dtype, 'a'), random([30, 8], dtype, 'b'), random([8], dtype, 'row')];
    expect(isEmulated(a)).toBe(dtype === 'bfloat16' && !computesInBf16());
    const expected = exact(a, b);
    const out = ops.zeros([6, 8], dtype);
    expectClose(mm(a, b), expected, tolerances[dtype]);
    expectClose(mmInto(out, a, b), expected, tolerances[dtype]);
    const sum = ops.add(ops.toDtype(row, 'float64'), ops.mulScalar(expected, 2));
    expectClose(addmmInto(out, row, a, b, 2), sum, tolerances[dtype]);
    const batch = [ops.unsqueeze(a, 0), ops.unsqueeze(b, 0)] as const;
    expectClose(bmm(...batch), ops.unsqueeze(expected, 0), tolerances[dtype]);
  });
});
