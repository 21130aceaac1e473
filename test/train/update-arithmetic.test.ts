import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { fromFloat32, toFloat64 } from '../../src/torch/convert.ts';
import { toDtype } from '../../src/torch/ops.ts';
import { type Dtype, scope, type Tensor } from '../../src/torch/tensor.ts';
import { byKernels, byOperators, type UpdateArithmetic, type Updated } from '../../src/train/update-arithmetic.ts';

const size = 10_007; // not a multiple of a vector's length

function random(name: string, dtype: Dtype = 'float32'): Tensor {
  const rng = new Rng('update', 1, name);
  const values = Float32Array.from({ length: size }, () => 2 * rng.uniform() - 1);
  return toDtype(fromFloat32(values, [size]), dtype);
}

/** The largest difference, where values are about 1. */
function difference(a: Tensor, b: Tensor): number {
  const other = toFloat64(b);
  return toFloat64(a).reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
}

const numbers = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };

describe.each([
  ['float32', false],
  ['float32', true],
  ['bfloat16', true],
] as const)('AdamW by operators: gradients in %s, a working copy: %s', (dtype, copied) => {
  it('is that of our kernel', () => {
    scope(() => {
      const start = (): Omit<Updated, 'gradient'> => {
        const master = random('weights');
        return {
          master,
          first: fromFloat32(new Float32Array(size), [size]),
          second: fromFloat32(new Float32Array(size), [size]),
          working: copied ? toDtype(master, 'bfloat16') : null,
        };
      };
      const [ours, clear] = [start(), start()];
      for (let step = 1; step <= 5; step++) {
        const gradient = random(`gradient ${step}`, dtype);
        const before = toFloat64(gradient);
        const scale = step === 2 ? 0.3 : 1;
        byKernels.adamw({ ...ours, gradient }, { ...numbers, step, scale });
        byOperators.adamw({ ...clear, gradient }, { ...numbers, step, scale });
        expect(toFloat64(gradient)).toEqual(before);
      }
      expect(difference(ours.master, random('weights'))).toBeGreaterThan(0.01); // it has moved
      for (const part of ['master', 'first', 'second'] as const) {
        expect(difference(clear[part], ours[part])).toBeLessThan(1e-6);
      }
      if (copied) expect(toFloat64(clear.working as Tensor)).toEqual(toFloat64(toDtype(clear.master, 'bfloat16')));
    });
  });
});

describe('the sum of squares', () => {
  const both: [string, UpdateArithmetic][] = [
    ['kernels', byKernels],
    ['operators', byOperators],
  ];

  it.each(both)('is over all tensors, whatever their types: by %s', (_, { sumOfSquares }) => {
    scope(() => {
      const tensors = [random('a'), random('b', 'bfloat16'), fromFloat32([3, 4], [2])];
      const expected = tensors.reduce((sum, tensor) => sum + toFloat64(tensor).reduce((s, x) => s + x * x, 0), 0);
      expect(Math.abs(sumOfSquares(tensors) / expected - 1)).toBeLessThan(1e-6);
      expect(sumOfSquares([])).toBe(0);
    });
  });

  it.each(both)('is not finite when one element is not: by %s', (_, { sumOfSquares }) => {
    scope(() => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const values = new Float32Array(size);
        values[size - 1] = bad;
        expect(Number.isFinite(sumOfSquares([random('a'), fromFloat32(values, [size])]))).toBe(false);
      }
    });
  });
});
