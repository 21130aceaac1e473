/**
 * Each kernel of native/kernels against a slow clear version of it: gradients against finite differences of its forward,
 * values against composed operators with libtorch's autograd, bf16 against the same kernel in float64. What all of them
 * keep to (strides, threads, instruction sets, refusals): kernel-contract.test.ts. No speed.
 */
import { describe, expect, it } from 'vitest';
import { fromFloat64, toFloat64 } from '../../src/torch/convert.ts';
import { grad } from '../../src/torch/grad.ts';
import * as kernels from '../../src/torch/kernels.ts';
import * as ops from '../../src/torch/ops.ts';
import { scope, type Tensor } from '../../src/torch/tensor.ts';
import { cases, epsilon, random, swiglu } from './kernel-cases.ts';
import {
  adamw,
  adamwStep,
  dtypes,
  expectClose,
  expectSameBytes,
  inputsOf,
  largest,
  runKernel,
  toFloat64s,
  tolerances,
} from './kernel-run.ts';

describe.each(cases)('$name', (kernel) => {
  it('has the gradients that finite differences of its forward have', () => {
    scope(() => {
      const inputs = inputsOf(kernel, 'float64');
      const { gradOut, grads } = runKernel(kernel, inputs);
      const weights = toFloat64(gradOut);
      inputs.slice(0, kernel.differentiable).forEach((input, index) => {
        const values = Array.from(toFloat64(input));
        const gradient = toFloat64(grads[index]!);
        const tolerance = 1e-6 * largest(gradient);
        const moved = (at: number, by: number) =>
          scope(() => {
            const other = fromFloat64(values.with(at, values[at]! + by), input.shape);
            return toFloat64(kernel.forward(...inputs.with(index, other))[0]!);
          });
        const stride = Math.ceil(values.length / 80); // all elements of small inputs, 80 of large ones, the last included
        for (let at = values.length - 1; at >= 0; at -= stride) {
          const [above, below] = [moved(at, 1e-5), moved(at, -1e-5)];
          const slope = weights.reduce((sum, weight, i) => sum + weight * (above[i]! - below[i]!), 0) / 2e-5;
          expect(Math.abs(slope - gradient[at]!)).toBeLessThanOrEqual(tolerance);
        }
      });
    });
  });

  it.each(['float64', 'float32'] as const)("is the composed operators and libtorch's autograd, %s", (dtype) => {
    scope(() => {
      const inputs = inputsOf(kernel, dtype);
      const { out, gradOut, grads } = runKernel(kernel, inputs);
      const leaves = toFloat64s(inputs).map((input) => ops.clone(input).requiresGrad());
      const composed = kernel.composed(...leaves);
      const expected = grad([composed], leaves.slice(0, kernel.differentiable), { gradOutputs: toFloat64s([gradOut]) });
      expectClose(out, composed, tolerances[dtype]);
      expected.forEach((gradient, i) => {
        expectClose(grads[i]!, gradient as Tensor, tolerances[dtype]);
      });
    });
  });

  it('rounds once in bfloat16', () => {
    scope(() => {
      const inputs = inputsOf(kernel, 'bfloat16');
      const { out, saved, gradOut, grads } = runKernel(kernel, inputs);
      const exact = toFloat64s(inputs);
      const expected = [
        kernel.forward(...exact)[0]!,
        ...kernel.backward(...(toFloat64s([gradOut, ...saved]) as [Tensor]), ...exact),
      ];
      [out, ...grads].forEach((actual, i) => {
        expectClose(actual, expected[i]!, tolerances[actual.dtype === 'bfloat16' ? 'bfloat16' : 'float32']);
      });
    });
  });
});

// Queries and keys lie in one buffer [tokens, q + 2 · kv]: here q, of three heads, between two others.
describe.each(dtypes)('part of a wider buffer, %s', (dtype) => {
  const [tokens, heads, dim] = [5, 3, 20];
  const inner = heads * dim;
  const rows = (buffer: Tensor) => ops.narrow(buffer, 1, dim, inner);
  const headRows = (buffer: Tensor) => ops.view(rows(buffer), [tokens, heads, dim]);
  const buffer = (name: string) => random([tokens, inner + 2 * dim], dtype, name);
  /** The buffer with its part replaced. */
  const around = (whole: Tensor, part: Tensor) =>
    ops.cat([ops.narrow(whole, 1, 0, dim), ops.view(part, [tokens, inner]), ops.narrow(whole, 1, dim + inner, dim)], 1);

  it.each([
    ['[tokens, dim]', rows],
    ['[tokens, heads, dim]', headRows],
  ])('rms_norm and its backward, which adds: %s', (_, part) => {
    scope(() => {
      const [x, gradY, gradX] = ['x', 'gradY', 'gradX'].map((name) => buffer(name)) as [Tensor, Tensor, Tensor];
      const before = ops.clone(gradX);
      const weight = random([part(x).size(-1)], dtype);
      const [y, rstd] = kernels.rmsNormForward(part(x), weight, epsilon) as [Tensor, Tensor];
      const gradWeight = kernels.rmsNormBackwardInto(part(gradX), part(gradY), part(x), weight, rstd);
      const copy = ops.contiguous(part(x));
      const [expectedY, expectedRstd] = kernels.rmsNormForward(copy, weight, epsilon) as [Tensor, Tensor];
      const gradCopy = ops.contiguous(part(gradY));
      const added = ops.clone(ops.contiguous(part(before)));
      expectSameBytes(y, expectedY);
      expectSameBytes(rstd, expectedRstd);
      expectSameBytes(gradWeight, kernels.rmsNormBackwardInto(added, gradCopy, copy, weight, rstd));
      expectSameBytes(gradX, around(before, added));
      const exact = toFloat64s([gradCopy, copy, weight, rstd]) as [Tensor, Tensor, Tensor, Tensor];
      const alone = ops.zerosLike(exact[0]);
      kernels.rmsNormBackwardInto(alone, ...exact);
      expectClose(added, ops.add(part(before), alone), tolerances[dtype]);
    });
  });

  it.each([
    ['[tokens, dim]', rows],
    ['[tokens, heads, dim]', headRows],
  ])('rotate_: %s', (_, part) => {
    scope(() => {
      const x = buffer('x');
      const copy = ops.clone(ops.contiguous(part(x)));
      const before = ops.clone(x);
      const [cos, sin] = ['cos', 'sin'].map((name) => random([tokens, copy.size(-1) / 2], dtype, name)) as [
        Tensor,
        Tensor,
      ];
      kernels.rotateInto(copy, cos, sin, 1);
      kernels.rotateInto(part(x), cos, sin, 1);
      expectSameBytes(x, around(before, copy));
    });
  });
});

it.each(['float64', 'float32'] as const)('swiglu_backward_ gives the output once more, %s', (dtype) => {
  scope(() => {
    const { out, grads } = runKernel(swiglu([3, 100]), [random([3, 200], dtype)]);
    expectClose(grads[1]!, out, tolerances[dtype]);
  });
});

it.each(dtypes)('swiglu at gates far from zero, %s', (dtype) => {
  scope(() => {
    const gates = Array.from({ length: 37 }, (_, i) => (i - 18) * 40);
    const gateUp = ops.toDtype(fromFloat64([...gates, ...gates.map(() => 1)], [1, 74]), dtype);
    const { out, gradOut, grads } = runKernel(swiglu([1, 37]), [gateUp]);
    const exact = toFloat64s([gateUp, gradOut]) as [Tensor, Tensor];
    expectClose(out, swiglu([1, 37]).forward(exact[0])[0]!, tolerances[dtype]);
    expectClose(grads[0]!, swiglu([1, 37]).backward(exact[1], exact[0])[0]!, tolerances[dtype]);
  });
});

describe.each(dtypes)('%s', (dtype) => {
  it.each([0, 1, 5, 64, 16_387, 40_000])('sum_of_squares of %i', (count) => {
    scope(() => {
      const values = random([count], dtype);
      const expected = toFloat64(values).reduce((sum, value) => sum + value * value, 0);
      expect(Math.abs(kernels.sumOfSquares(values) - expected)).toBeLessThanOrEqual(
        expected * (dtype === 'float64' ? 1e-13 : 1e-5),
      );
    });
  });

  it.each([
    [1, 1],
    [0, 3],
    [1, 7],
    [7, 1],
    [32, 64],
    [33, 65],
    [100, 576],
  ])('transpose_ of [%i, %i]', (rows, columns) => {
    scope(() => {
      const values = random([rows, columns], dtype);
      const out = ops.zeros([columns, rows], dtype);
      kernels.transposeInto(out, values);
      expectSameBytes(out, ops.contiguous(ops.transpose(values, 0, 1)));
    });
  });
});

describe.each([
  ['float64', 'float64', false],
  ['float32', 'float32', false],
  ['float32', 'float32', true],
  ['float32', 'bfloat16', true],
] as const)('adamw_, %s weights, %s gradients, bf16 copy: %s', (dtype, gradientDtype, withCopy) => {
  it.each([1, 7, 64, 581])('three steps of %i weights', (count) => {
    scope(() => {
      const master = random([count], dtype);
      const moments = [ops.zerosLike(master), ops.zerosLike(master)] as const;
      const copy = withCopy ? ops.zeros([count], 'bfloat16') : null;
      const [w, m, v] = [toFloat64(master), new Float64Array(count), new Float64Array(count)];
      for (let step = 1; step <= 3; step++) {
        const gradient = random([count], gradientDtype, step);
        adamwStep(master, gradient, moments, copy, step);
        toFloat64(gradient).forEach((raw, i) => {
          const g = raw * adamw.scale;
          m[i] = adamw.beta1 * m[i]! + (1 - adamw.beta1) * g;
          v[i] = adamw.beta2 * v[i]! + (1 - adamw.beta2) * g * g;
          const [first, second] = [m[i]! / (1 - adamw.beta1 ** step), v[i]! / (1 - adamw.beta2 ** step)];
          w[i] = w[i]! * (1 - adamw.rate * adamw.decay) - (adamw.rate * first) / (Math.sqrt(second) + adamw.epsilon);
        });
      }
      [master, ...moments].forEach((actual, i) => {
        expectClose(actual, fromFloat64(Array.from([w, m, v][i]!), [count]), tolerances[dtype]);
      });
      if (copy) expectSameBytes(copy, ops.toDtype(master, 'bfloat16'));
    });
  });

  it('moves what had a gradient once, and leaves what never had one to the bit, without decay', () => {
    scope(() => {
      const [rows, width] = [4, 160];
      const master = random([rows, width], dtype);
      const before = toFloat64(master);
      const moments = [ops.zerosLike(master), ops.zerosLike(master)] as const;
      const copy = withCopy ? ops.toDtype(master, 'bfloat16') : null;
      const expected = Float64Array.from(before);
      const [m, v] = [new Float64Array(rows * width), new Float64Array(rows * width)];
      for (let step = 1; step <= 3; step++) {
        // Row 0 in the first step, row 1 in the second; rows 2 and 3 never.
        const gradient = ops.zeros([rows, width], gradientDtype);
        if (step < 3) ops.copyInto(ops.narrow(gradient, 0, step - 1, 1), random([1, width], gradientDtype, step));
        kernels.adamwInto(master, gradient, ...moments, copy, step, 0.05, 0.9, 0.95, 0.01, 0, 1);
        toFloat64(gradient).forEach((g, i) => {
          m[i] = 0.9 * m[i]! + 0.1 * g;
          v[i] = 0.95 * v[i]! + 0.05 * g * g;
          expected[i]! -= (0.05 * m[i]!) / (1 - 0.9 ** step) / (Math.sqrt(v[i]! / (1 - 0.95 ** step)) + 0.01);
        });
      }
      expectClose(master, fromFloat64(Array.from(expected), [rows, width]), tolerances[dtype]);
      expect(toFloat64(master).slice(2 * width)).toEqual(before.slice(2 * width));
      if (copy) expectSameBytes(copy, ops.toDtype(master, 'bfloat16'));
    });
  });
});
