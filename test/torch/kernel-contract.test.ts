/**
 * What all kernels of native/kernels keep to: the same bits on any number of threads, NaN stays NaN, no memory of
 * their own, refusals in words, every instruction set. Their values: kernels.test.ts. No speed.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/base/paths.ts';
import { addon } from '../../src/native/load.ts';
import { fromFloat64, fromIntegers, toBytes, toFloat64 } from '../../src/torch/convert.ts';
import * as kernels from '../../src/torch/kernels.ts';
import { machine } from '../../src/torch/machine.ts';
import * as ops from '../../src/torch/ops.ts';
import { type Dtype, liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';
import { attention, crossEntropy, epsilon, norm, random, rotation, softmax, swiglu } from './kernel-cases.ts';
import { adamwStep, dtypes, expectClose, inputsOf, runKernel, tolerances } from './kernel-run.ts';

/** The bytes of every result of every kernel, at sizes that are shared out between threads. */
const everything = (dtype: Dtype): Uint8Array[] =>
  scope(() => {
    const large = [
      norm([60, 9, 64]),
      norm([500, 70]),
      swiglu([120, 300]),
      rotation([60, 9, 64], 1),
      softmax([4, 60, 150], 60),
      attention([[40, 30, 20, 25], [70], [10, 90]], { heads: [6, 2], dim: 24 }),
      crossEntropy([7, 1001]),
      crossEntropy([40_001, 2]),
    ];
    const bytes = large.flatMap((kernel) => {
      const { out, saved, grads } = runKernel(kernel, inputsOf(kernel, dtype));
      return [out, ...saved, ...grads].map(toBytes);
    });
    const values = random([99_699], dtype);
    const out = ops.zeros([501, 199], dtype);
    kernels.transposeInto(out, ops.view(values, [199, 501]));
    const partly = ops.zeros([501, 199], dtype);
    kernels.dropInto(partly, out, 7, 2 ** 32 - 1, 0);
    const master = random([99_699], dtype === 'float64' ? dtype : 'float32', 'master');
    const moments = [ops.zerosLike(master), ops.zerosLike(master)] as const;
    const copy = dtype === 'float64' ? null : ops.zeros([99_699], 'bfloat16');
    adamwStep(master, values, moments, copy, 1);
    bytes.push(...[out, partly, master, ...moments, ...(copy ? [copy] : [])].map(toBytes));
    return [...bytes, new Uint8Array(Float64Array.of(kernels.sumOfSquares(values)).buffer)];
  });

it.each(dtypes)('gives the same bits on any number of threads, %s', (dtype) => {
  const { threads } = machine();
  const on = (count: number) => {
    addon().setThreads(count);
    expect(kernels.threadsUsed(10_000)).toBe(count);
    return everything(dtype);
  };
  try {
    const alone = on(1);
    for (const count of [2, 3]) {
      on(count).forEach((bytes, i) => {
        expect(Buffer.compare(bytes, alone[i]!), `result ${i}`).toBe(0);
      });
    }
  } finally {
    addon().setThreads(threads);
  }
});

it.each(dtypes)('carries NaN on, and infinity as softmax means it, %s', (dtype) => {
  scope(() => {
    for (const at of [0, 3, 70]) {
      const row = (value: number) => {
        const values = Array.from(toFloat64(random([71], 'float32'))).with(at, value);
        return ops.toDtype(fromFloat64(values, [1, 71]), dtype);
      };
      const all = (tensor: Tensor | undefined) => toFloat64(tensor!).every(Number.isNaN);
      for (const value of [Number.NaN, Infinity]) {
        const scores = row(value);
        kernels.causalSoftmaxInto(scores, 1, 1);
        expect(all(scores)).toBe(true);
        const logits = row(value);
        expect(toFloat64(kernels.tokenLogprobs(logits, fromIntegers([1], [1])))[0]).toBeNaN();
        expect(kernels.crossEntropyInto(logits, fromIntegers([1], [1]), scales(dtype, 1))).toBeNaN();
        expect(all(logits)).toBe(true);
      }
      const scores = row(-Infinity);
      kernels.causalSoftmaxInto(scores, 1, 1);
      expect(toFloat64(scores)[at]).toBe(0);
      expectClose(scores, ops.softmax(ops.toDtype(row(-Infinity), 'float64'), -1), tolerances[dtype]);
      expect(all(kernels.rmsNormForward(row(Number.NaN), random([71], dtype), epsilon)[0])).toBe(true);
      expect(kernels.sumOfSquares(row(Number.NaN))).toBeNaN();
    }
    const { out, grads } = runKernel(swiglu([1, 40]), [ops.fullLike(random([1, 80], dtype), Number.NaN)]);
    for (const tensor of [out, ...grads]) expect(toFloat64(tensor).every(Number.isNaN)).toBe(true);
  });
});

it.each(dtypes)('attention keeps NaN within its family, whatever its memory held before, %s', (dtype) => {
  scope(() => {
    // On one thread each piece of work takes the memory of the one before, here of a larger family with NaN.
    const { threads } = machine();
    addon().setThreads(1);
    try {
      const [heads, keyValueHeads, dim] = [4, 2, 5];
      const table = fromIntegers([0, 70, 1, 70, 33, 0, 103, 20, 1, 123, 9, 0], [4, 3]);
      const packed = random([132, (heads + 2 * keyValueHeads) * dim], dtype, 'packed');
      const gradOut = random([132, heads * dim], dtype, 'gradient');
      const behind = (x: Tensor) => ops.contiguous(ops.narrow(x, 0, 103, 29));
      const computed = (input: Tensor, gradient: Tensor) => {
        const out = ops.zeros([132, heads * dim], dtype);
        kernels.attendRunsInto(out, input, table, heads, keyValueHeads, 0.3);
        const grad = ops.zerosLike(input);
        kernels.attendRunsBackwardInto(grad, gradient, input, table, heads, keyValueHeads, 0.3);
        return [out, grad].map((x) => toBytes(behind(x)));
      };
      const clean = computed(packed, gradOut);
      const poisoned = [packed, gradOut].map((x) =>
        ops.cat([ops.fullLike(ops.narrow(x, 0, 0, 103), Number.NaN), ops.narrow(x, 0, 103, 29)], 0),
      ) as [Tensor, Tensor];
      computed(...poisoned).forEach((bytes, i) => {
        expect(Buffer.compare(bytes, clean[i]!)).toBe(0);
      });
    } finally {
      addon().setThreads(threads);
    }
  });
});

const floats = (...shape: number[]) => random(shape, 'float32');
const doubles = (...shape: number[]) => random(shape, 'float64');
const halves = (...shape: number[]) => random(shape, 'bfloat16');
const whole = (...shape: number[]) => ops.toDtype(random(shape, 'float32'), 'int64');
/** Its elements do not lie side by side. */
const slanted = (...shape: [number, number]) => ops.transpose(random(shape, 'float32'), 0, 1);
const targets = (...values: number[]) => fromIntegers(values, [values.length]);
const scales = (dtype: Dtype, rows: number) => ops.full([rows], 1, dtype === 'float64' ? dtype : 'float32');

it('in-place kernels make no tensors', () => {
  scope(() => {
    const [x, y, wide, weight] = [floats(4, 8), floats(4, 8), floats(4, 16), floats(8)];
    const up = floats(4, 8);
    const [gradWide, flipped, labels] = [floats(4, 16), floats(8, 4), targets(0, 1, 2, 3)];
    const [angles, rstd, copy] = [floats(4, 4), floats(4), halves(4, 8)];
    const moments = [ops.zerosLike(x), ops.zerosLike(x)] as const;
    const ones = scales('float32', 4);
    const before = liveTensors();
    kernels.swigluInto(x, y, up);
    kernels.swigluBackwardInto(gradWide, x, y, wide);
    kernels.rotateInto(x, angles, angles, 1);
    kernels.causalSoftmaxInto(x, 4, 1);
    kernels.causalSoftmaxBackwardInto(y, x, 4, 1);
    kernels.crossEntropyInto(x, labels, ones);
    kernels.sumOfSquares(x);
    kernels.transposeInto(flipped, x);
    kernels.dropInto(x, y, 1, 2, 3);
    adamwStep(x, y, moments, copy, 1);
    expect(liveTensors()).toBe(before);
    kernels.rmsNormBackwardInto(x, y, y, weight, rstd).release();
    expect(liveTensors()).toBe(before);
  });
});

const { rmsNormForward, rmsNormBackwardInto, swigluInto, swigluBackwardInto, rotateInto, sumOfSquares } = kernels;
const { causalSoftmaxInto, causalSoftmaxBackwardInto, crossEntropyInto, transposeInto, dropInto } = kernels;
const { linearOfFewRows, attendStep } = kernels;
const moments = (size: number) => [floats(size), floats(size)] as const;

const step = (
  changes: Partial<Record<'query' | 'key' | 'value' | 'cacheValue' | 'held', Tensor> & { window: number }>,
) => {
  const {
    query = floats(2, 4, 4),
    key = floats(2, 2, 4),
    value = floats(2, 2, 4),
    cacheValue = floats(2, 2, 5, 4),
  } = changes;
  return attendStep(
    query,
    key,
    value,
    floats(2, 2, 5, 4),
    cacheValue,
    changes.held ?? targets(0, 1),
    1,
    changes.window,
  );
};

const runs = (...values: number[]) => fromIntegers(values, [values.length / 3, 3]);
const attend = (
  changes: Partial<Record<'out' | 'packed' | 'runs', Tensor> & { heads: number; window: number }>,
): undefined =>
  kernels.attendRunsInto(
    changes.out ?? floats(2, 16),
    changes.packed ?? floats(2, 32),
    changes.runs ?? runs(0, 2, 1),
    changes.heads ?? 4,
    2,
    1,
    changes.window,
  );
const attendBackward = (gradient: Tensor): undefined =>
  kernels.attendRunsBackwardInto(gradient, floats(2, 16), floats(2, 32), runs(0, 2, 1), 4, 2, 1);

const refusals: Readonly<Record<string, readonly (readonly [says: string, call: () => unknown])[]>> = {
  rms_norm: [
    ['weight: expected contiguous Float [8]', () => rmsNormForward(floats(2, 8), floats(7), 1)],
    ['weight: expected contiguous BFloat16 [8]', () => rmsNormForward(halves(2, 8), floats(8), 1)],
    ['expected float32, float64 or bfloat16, got Long', () => rmsNormForward(whole(2, 8), whole(8), 1)],
    ['expected [tokens, dim] or [tokens, heads, dim]', () => rmsNormForward(floats(8), floats(8), 1)],
    ['with adjacent elements', () => rmsNormForward(slanted(8, 2), floats(8), 1)],
  ],
  rms_norm_backward_: [
    [
      'expected Float [2, 8]',
      () => rmsNormBackwardInto(floats(2, 8), floats(3, 8), floats(2, 8), floats(8), floats(2)),
    ],
    [
      'expected Float [2, 8]',
      () => rmsNormBackwardInto(halves(2, 8), floats(2, 8), floats(2, 8), floats(8), floats(2)),
    ],
    ['weight: ', () => rmsNormBackwardInto(floats(2, 8), floats(2, 8), floats(2, 8), floats(2), floats(2))],
    ['rstd: ', () => rmsNormBackwardInto(floats(2, 8), floats(2, 8), floats(2, 8), floats(8), floats(3))],
    ['rstd: ', () => rmsNormBackwardInto(halves(2, 8), halves(2, 8), halves(2, 8), halves(8), halves(2))],
    ['adjacent', () => rmsNormBackwardInto(slanted(8, 2), floats(2, 8), floats(2, 8), floats(8), floats(2))],
  ],
  swiglu_: [
    ['up: expected Float [2, 4]', () => swigluInto(floats(2, 4), floats(2, 4), floats(2, 3))],
    ['up: expected Float [2, 4]', () => swigluInto(floats(2, 4), floats(2, 4), halves(2, 4))],
    ['out: expected contiguous Float [2, 4]', () => swigluInto(floats(2, 3), floats(2, 4), floats(2, 4))],
    ['out: expected contiguous Float [2, 4]', () => swigluInto(halves(2, 4), floats(2, 4), floats(2, 4))],
    ['with adjacent elements', () => swigluInto(floats(2, 4), slanted(4, 2), floats(2, 4))],
    ['got Long', () => swigluInto(whole(2, 4), whole(2, 4), whole(2, 4))],
  ],
  swiglu_backward_: [
    ['expected [tokens, 2 · width]', () => swigluBackwardInto(floats(2, 7), floats(2, 3), floats(2, 3), floats(2, 7))],
    ['gradGateUp: ', () => swigluBackwardInto(floats(2, 7), floats(2, 4), floats(2, 4), floats(2, 8))],
    ['out: ', () => swigluBackwardInto(floats(2, 8), halves(2, 4), floats(2, 4), floats(2, 8))],
    ['gradOut: ', () => swigluBackwardInto(floats(2, 8), floats(2, 4), slanted(4, 2), floats(2, 8))],
    ['got Long', () => swigluBackwardInto(whole(2, 8), whole(2, 4), whole(2, 4), whole(2, 8))],
  ],
  rotate_: [
    ['expected cos and sin of [tokens, dim / 2]', () => rotateInto(floats(2, 1, 7), floats(2, 3), floats(2, 3), 1)],
    ['expected cos and sin of [tokens, dim / 2]', () => rotateInto(floats(2, 1, 8), floats(1, 4), floats(2, 4), 1)],
    ['in the type of x', () => rotateInto(halves(2, 1, 8), halves(2, 4), floats(2, 4), 1)],
    ['expected [tokens, dim] or', () => rotateInto(floats(1, 2, 1, 8), floats(2, 4), floats(2, 4), 1)],
    ['got Long', () => rotateInto(whole(2, 1, 8), whole(2, 4), whole(2, 4), 1)],
  ],
  causal_softmax_: [
    ['5 queries do not fit scores of [5, 4]', () => causalSoftmaxInto(floats(5, 4), 5, 1)],
    ['2 queries do not fit scores of [5, 4]', () => causalSoftmaxInto(floats(5, 4), 2, 1)],
    ['0 queries', () => causalSoftmaxInto(floats(5, 4), 0, 1)],
    ['expected a window of at least 1', () => causalSoftmaxInto(floats(2, 4), 2, 1, 0)],
    ['expected contiguous scores', () => causalSoftmaxInto(slanted(4, 2), 2, 1)],
    ['[..., queries, keys]', () => causalSoftmaxInto(floats(4), 1, 1)],
    ['got Long', () => causalSoftmaxInto(whole(2, 4), 2, 1)],
  ],
  causal_softmax_backward_: [
    ['3 queries do not fit', () => causalSoftmaxBackwardInto(floats(2, 4), floats(2, 4), 3, 1)],
    ['expected contiguous Float [2, 4]', () => causalSoftmaxBackwardInto(floats(2, 4), floats(4, 2), 2, 1)],
    ['expected contiguous Float [2, 4]', () => causalSoftmaxBackwardInto(floats(2, 4), halves(2, 4), 2, 1)],
    ['expected a window of at least 1', () => causalSoftmaxBackwardInto(floats(2, 4), floats(2, 4), 2, 1, -1)],
    ['got Long', () => causalSoftmaxBackwardInto(whole(2, 4), whole(2, 4), 2, 1)],
  ],
  cross_entropy_: [
    ['target 5 is not in a vocabulary of 5', () => crossEntropyInto(floats(2, 5), targets(0, 5), scales('float32', 2))],
    ['target -1 is not in', () => crossEntropyInto(floats(2, 5), targets(-1, 0), scales('float32', 2))],
    ['targets: expected contiguous Long [2]', () => crossEntropyInto(floats(2, 5), targets(1), scales('float32', 2))],
    [
      'targets: expected contiguous Long [2]',
      () => crossEntropyInto(floats(2, 5), ops.zeros([2], 'int32'), scales('float32', 2)),
    ],
    [
      'expected contiguous logits [rows, vocab]',
      () => crossEntropyInto(floats(1, 2, 5), targets(0, 0), scales('float32', 2)),
    ],
    ['expected contiguous logits', () => crossEntropyInto(slanted(5, 2), targets(0, 0), scales('float32', 2))],
    ['got Long', () => crossEntropyInto(whole(2, 5), targets(0, 0), scales('float32', 2))],
    [
      'scales: expected contiguous Float [2]',
      () => crossEntropyInto(floats(2, 5), targets(0, 0), scales('float32', 1)),
    ],
    ['scales: expected contiguous Float [2]', () => crossEntropyInto(halves(2, 5), targets(0, 0), halves(2))],
  ],
  token_logprobs: [
    ['target 5 is not in a vocabulary of 5', () => kernels.tokenLogprobs(floats(2, 5), targets(0, 5))],
    ['expected contiguous Long [2]', () => kernels.tokenLogprobs(floats(2, 5), targets(1))],
    ['expected contiguous logits', () => kernels.tokenLogprobs(slanted(5, 2), targets(0, 0))],
    ['got Long', () => kernels.tokenLogprobs(whole(2, 5), targets(0, 0))],
  ],
  sum_of_squares: [
    ['expected a contiguous CPU tensor', () => sumOfSquares(slanted(2, 3))],
    ['got Long', () => sumOfSquares(whole(3))],
  ],
  transpose_: [
    ['out: expected contiguous Float [3, 2]', () => transposeInto(floats(2, 3), floats(2, 3))],
    ['out: expected contiguous Float [3, 2]', () => transposeInto(halves(3, 2), floats(2, 3))],
    ['in: expected contiguous', () => transposeInto(floats(3, 2), slanted(3, 2))],
    ['expected [rows, columns]', () => transposeInto(floats(3, 2), floats(6))],
    ['got Long', () => transposeInto(whole(3, 2), whole(2, 3))],
  ],
  drop_: [
    ['out: expected contiguous Float [2, 3]', () => dropInto(floats(3, 2), floats(2, 3), 0, 0, 0)],
    ['out: expected contiguous Float [2, 3]', () => dropInto(halves(2, 3), floats(2, 3), 0, 0, 0)],
    ['x: expected contiguous', () => dropInto(floats(3, 2), slanted(2, 3), 0, 0, 0)],
    ['expected [rows, width]', () => dropInto(floats(6), floats(6), 0, 0, 0)],
    ['expected unsigned keys', () => dropInto(floats(2, 3), floats(2, 3), -1, 0, 0)],
    ['expected unsigned keys', () => dropInto(floats(2, 3), floats(2, 3), 0, 2 ** 32, 0)],
    ['a signed limit of 32 bits', () => dropInto(floats(2, 3), floats(2, 3), 0, 0, 2 ** 31)],
    ['got Long', () => dropInto(whole(2, 3), whole(2, 3), 0, 0, 0)],
  ],
  linear: [
    ['expected x [rows, in] and weight [out, in]', () => linearOfFewRows(floats(4), floats(2, 4), null)],
    ['weight: expected contiguous Float [2, 5]', () => linearOfFewRows(floats(3, 5), floats(2, 4), null)],
    ['weight: expected contiguous', () => linearOfFewRows(floats(3, 4), slanted(2, 4), null)],
    ['expected scales with weights of 8 and 4 bits', () => linearOfFewRows(floats(3, 4), floats(2, 4), floats(2))],
    ['expected scales with', () => linearOfFewRows(floats(3, 4), ops.zeros([2, 4], 'int8'), null)],
    [
      'scales: expected contiguous Float [2]',
      () => linearOfFewRows(floats(3, 4), ops.zeros([2, 4], 'int8'), floats(3)),
    ],
    ['4 bits go by 32 inputs', () => linearOfFewRows(floats(3, 48), ops.zeros([2, 24], 'uint8'), halves(2, 1, 2))],
    ['BFloat16 [2, 2, 2]', () => linearOfFewRows(floats(3, 64), ops.zeros([2, 32], 'uint8'), halves(2, 1, 2))],
    ['got Long', () => linearOfFewRows(floats(3, 4), whole(2, 4), null)],
  ],
  mm_widened: [
    ['expected matrices of float32 or bfloat16', () => kernels.mmWidened(doubles(2, 3), doubles(3, 4))],
    ['expected matrices of', () => kernels.mmWidened(halves(2, 3, 4), halves(4, 3))],
    ['whose rows or columns are adjacent', () => kernels.mmWidened(ops.select(halves(2, 3, 4), 2, 1), halves(3, 4))],
    ['matrices of [2, 3] and [4, 3] have no product', () => kernels.mmWidened(halves(2, 3), halves(4, 3))],
  ],
  mm_widened_: [
    ['does not fit [2, 3]', () => kernels.mmWidenedInto(halves(2, 3), null, halves(2, 3), halves(3, 4), 1)],
    [
      'expected an addend of [2, 4]',
      () => kernels.mmWidenedInto(halves(2, 4), halves(2), halves(2, 3), halves(3, 4), 1),
    ],
  ],
  bmm_widened: [
    ['have no product', () => kernels.bmmWidened(halves(2, 3, 4), halves(3, 4, 5))],
    ['expected matrices of', () => kernels.bmmWidened(halves(3, 4), halves(4, 5))],
  ],
  attend_step: [
    ['expected query [rows, heads, dim]', () => step({ query: floats(2, 4) })],
    ['key and value: expected contiguous Float [2, 2, 4]', () => step({ key: floats(2, 4, 4) })],
    ['key and value: expected contiguous Float', () => step({ value: halves(2, 2, 4) })],
    ['cache: expected contiguous Float [2, 2, 5, 4]', () => step({ cacheValue: floats(2, 2, 6, 4) })],
    ['held: expected contiguous Long [2]', () => step({ held: targets(1) })],
    ['row 1 holds 5 tokens of 5', () => step({ held: targets(1, 5) })],
    ['3 heads do not share 2', () => step({ query: floats(2, 3, 4) })],
    ['a window of at least 1', () => step({ window: 0 })],
  ],
  attend_runs_: [
    ['runs: expected contiguous Long [3, 3]', () => attend({ runs: targets(0, 2, 1) })],
    ['run 0 of 3 rows from row 0 is not among 2 rows', () => attend({ runs: runs(0, 3, 1) })],
    ['run 0 of 0 rows', () => attend({ runs: runs(0, 0, 1) })],
    ['rows, or has no family', () => attend({ runs: runs(0, 2, 0) })],
    ['3 heads do not share 2', () => attend({ heads: 3 })],
    ['expected rows of 4 queries and 2 keys and values', () => attend({ packed: floats(2, 33) })],
    ['rows of heads: expected contiguous Float [2, 16]', () => attend({ out: floats(2, 32) })],
    ['rows of heads: expected contiguous Float [2, 16]', () => attend({ out: halves(2, 16) })],
    ['a window of at least 1', () => attend({ window: 0 })],
    ['got Long', () => attend({ packed: whole(2, 32), out: whole(2, 16) })],
  ],
  attend_runs_backward_: [
    ['gradient: expected Float [2, 32]', () => attendBackward(floats(3, 32))],
    ['expected rows of adjacent elements', () => attendBackward(slanted(32, 2))],
  ],
  adamw_: [
    ['of equal size', () => adamwStep(floats(4), floats(3), moments(4), null, 1)],
    ['of equal size', () => adamwStep(floats(4), floats(4), moments(3), null, 1)],
    ['expected contiguous', () => adamwStep(floats(6), slanted(2, 3), moments(6), null, 1)],
    ["moments of the master weights' type", () => adamwStep(doubles(4), doubles(4), moments(4), null, 1)],
    ['bfloat16 working copy', () => adamwStep(floats(4), floats(4), moments(4), floats(4), 1)],
    ['bfloat16 working copy', () => adamwStep(floats(4), floats(4), moments(4), halves(3), 1)],
    ['no kernel', () => adamwStep(doubles(4), doubles(4), [doubles(4), doubles(4)], halves(4), 1)],
    ['no kernel', () => adamwStep(floats(4), doubles(4), moments(4), null, 1)],
    ['steps count from 1', () => adamwStep(floats(4), floats(4), moments(4), null, 0)],
    ['got Long', () => adamwStep(whole(4), floats(4), [whole(4), whole(4)], null, 1)],
  ],
};

it.each(Object.entries(refusals))('%s says what it refuses', (name, calls) => {
  scope(() => {
    for (const [says, call] of calls) {
      let message = 'accepted';
      try {
        call();
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).toContain(`: understudy::${name}: `);
      expect(message).toContain(says);
    }
  });
});

/** What libtorch can be told to do without, by what it chose. */
const lesser: Readonly<Record<string, string>> = { AVX512: 'avx2', AVX2: 'default' };

describe('instruction sets', () => {
  const told = process.env['ATEN_CPU_CAPABILITY'];
  it.runIf(told)('runs with the one that was asked for', () => {
    expect(machine().cpuCapability.toLowerCase()).toBe(told);
  });

  const next = lesser[machine().cpuCapability];
  it.runIf(next)(`passes these tests with the next lesser one too: ${next}`, async () => {
    const vitest = join(packageRoot, 'node_modules/vitest/vitest.mjs');
    const env = { ...process.env, ATEN_CPU_CAPABILITY: next };
    await promisify(execFile)(process.execPath, [vitest, 'run', 'test/torch/kernel'], { cwd: packageRoot, env });
  });
});
