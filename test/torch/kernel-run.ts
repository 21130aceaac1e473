/** How test/torch/kernels.test.ts and kernel-contract.test.ts call the kernels, and compare what they give. */
import { expect } from 'vitest';
import { toBytes, toFloat64 } from '../../src/torch/convert.ts';
import { adamwInto } from '../../src/torch/kernels.ts';
import * as ops from '../../src/torch/ops.ts';
import type { Dtype, Tensor } from '../../src/torch/tensor.ts';
import { type Kernel, random } from './kernel-cases.ts';

export const dtypes = ['float64', 'float32', 'bfloat16'] as const;
/** How far a result may be off: by so much of its own value, and of the largest value of its row. */
export interface Tolerance {
  readonly ofValue: number;
  readonly ofRow: number;
}
/** exp is good to 20 units in the last place of float32; one rounding to bf16 changes a value by up to 2⁻⁸ of it. */
export const tolerances: Readonly<Record<(typeof dtypes)[number], Tolerance>> = {
  float64: { ofValue: 1e-12, ofRow: 1e-13 },
  float32: { ofValue: 1e-5, ofRow: 5e-6 },
  bfloat16: { ofValue: 2 ** -8, ofRow: 5e-6 },
};

export const largest = (values: Float64Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** A row that has all but cancelled counts as a hundredth of the largest of all. */
export function expectClose(actual: Tensor, expected: Tensor, { ofValue, ofRow }: Tolerance): void {
  expect(actual.shape).toEqual(expected.shape);
  const width = Math.max(1, actual.shape.at(-1) ?? 1);
  const [a, e] = [toFloat64(actual), toFloat64(expected)];
  const least = largest(e) / 100;
  let worst = 0; // in tolerances
  for (let row = 0; row < e.length; row += width) {
    const scale = Math.max(least, largest(e.subarray(row, row + width)));
    for (let i = row; i < row + width; i++) {
      const difference = Math.abs(a[i]! - e[i]!);
      if (difference !== 0) worst = Math.max(worst, difference / (ofValue * Math.abs(e[i]!) + ofRow * scale));
    }
  }
  expect(worst).toBeLessThanOrEqual(1);
}

export const expectSameBytes = (actual: Tensor, expected: Tensor) =>
  expect(Buffer.compare(toBytes(actual), toBytes(expected))).toBe(0);

export const inputsOf = (kernel: Kernel, dtype: Dtype) =>
  kernel.shapes.map((shape, i) => random(shape, dtype, kernel.name, i));
export const toFloat64s = (tensors: readonly Tensor[]) => tensors.map((tensor) => ops.toDtype(tensor, 'float64'));

/** Forward and backward: output, what was saved, gradients. */
export function runKernel(kernel: Kernel, inputs: readonly Tensor[]) {
  const [out, ...saved] = kernel.forward(...inputs) as [Tensor, ...Tensor[]];
  const gradOut = random(out.shape, out.dtype, kernel.name, 'gradient');
  return { out, saved, gradOut, grads: kernel.backward(gradOut, ...saved, ...inputs) };
}

/** Every setting large enough that its place in the formula shows. */
export const adamw = { rate: 0.05, beta1: 0.9, beta2: 0.95, epsilon: 0.01, decay: 0.1, scale: 0.5 };

export function adamwStep(
  master: Tensor,
  gradient: Tensor,
  moments: readonly [Tensor, Tensor],
  copy: Tensor | null,
  step: number,
) {
  const { rate, beta1, beta2, epsilon, decay, scale } = adamw;
  adamwInto(master, gradient, ...moments, copy, step, rate, beta1, beta2, epsilon, decay, scale);
}
