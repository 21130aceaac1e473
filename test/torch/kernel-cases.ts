/** What test/torch/kernels.test.ts runs: each kernel that has a backward, beside its slow clear version. */
import { Rng } from '../../src/base/rng.ts';
import { fromBooleans, fromFloat64, fromIntegers } from '../../src/torch/convert.ts';
import * as kernels from '../../src/torch/kernels.ts';
import * as ops from '../../src/torch/ops.ts';
import type { Dtype, Tensor } from '../../src/torch/tensor.ts';

export interface Kernel {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  /** Gradients are taken to that many of the inputs, the first ones. */
  readonly differentiable: number;
  /** The output, then what the backward needs of it. */
  forward(...inputs: readonly Tensor[]): Tensor[];
  /** The gradients, then what else it computes; arguments: gradient of the output, saved tensors, inputs. */
  backward(gradOut: Tensor, ...savedAndInputs: readonly Tensor[]): Tensor[];
  /** The same out of ATen's operators, for autograd. */
  composed(...inputs: readonly Tensor[]): Tensor;
}

/** Normally distributed, the same for the same key and shape; in large tensors over and over. */
export function random(shape: readonly number[], dtype: Dtype, ...key: readonly (string | number)[]): Tensor {
  const rng = new Rng('kernels', ...key, ...shape);
  const normal = () => Math.sqrt(-2 * Math.log(1 - rng.uniform())) * Math.cos(2 * Math.PI * rng.uniform());
  const count = shape.reduce((product, length) => product * length, 1);
  const values = Array.from({ length: Math.min(count, 4099) }, normal);
  const repeated = Array.from({ length: count }, (_, i) => values[i % 4099] as number);
  return ops.toDtype(fromFloat64(repeated, shape), dtype);
}

/** Large, so that its place in the formulas shows, and the gradient of a single column is no difference of near equals. */
export const epsilon = 0.1;

export const norm = (shape: readonly number[]): Kernel => ({
  name: `rms_norm [${shape.join(', ')}]`,
  shapes: [shape, shape.slice(-1)],
  differentiable: 2,
  forward: (x: Tensor, weight: Tensor) => kernels.rmsNormForward(x, weight, epsilon),
  backward(gradY: Tensor, rstd: Tensor, x: Tensor, weight: Tensor) {
    const gradX = ops.zerosLike(x);
    return [gradX, kernels.rmsNormBackwardInto(gradX, gradY, x, weight, rstd)];
  },
  composed: (x: Tensor, weight: Tensor) => ops.rmsNorm(x, shape.slice(-1), weight, epsilon),
});

export const swiglu = ([tokens, width]: readonly [number, number]): Kernel => ({
  name: `swiglu [${tokens}, ${width}]`,
  shapes: [[tokens, 2 * width]],
  differentiable: 1,
  forward(gateUp: Tensor) {
    const out = ops.zeros([tokens, width], gateUp.dtype);
    kernels.swigluInto(out, ops.narrow(gateUp, 1, 0, width), ops.narrow(gateUp, 1, width, width));
    return [out];
  },
  backward(gradOut: Tensor, gateUp: Tensor) {
    const [gradGateUp, out] = [ops.zerosLike(gateUp), ops.zerosLike(gradOut)];
    kernels.swigluBackwardInto(gradGateUp, out, gradOut, gateUp);
    return [gradGateUp, out];
  },
  composed: (gateUp: Tensor) => ops.mul(ops.silu(ops.narrow(gateUp, 1, 0, width)), ops.narrow(gateUp, 1, width, width)),
});

/** Cosine and sine are any numbers here: the backward is the transposed map, whatever they are. */
export const rotation = ([tokens, heads, dim]: readonly [number, number, number], sign: 1 | -1): Kernel => ({
  name: `rotate_ [${tokens}, ${heads}, ${dim}] by ${sign}`,
  shapes: [
    [tokens, heads, dim],
    [tokens, 1, dim / 2],
    [tokens, 1, dim / 2],
  ],
  differentiable: 1,
  forward(x: Tensor, cos: Tensor, sin: Tensor) {
    const out = ops.clone(x);
    kernels.rotateInto(out, cos, sin, sign);
    return [out];
  },
  backward(gradOut: Tensor, _x: Tensor, cos: Tensor, sin: Tensor) {
    const gradX = ops.clone(gradOut);
    kernels.rotateInto(gradX, cos, sin, -sign);
    return [gradX];
  },
  composed(x: Tensor, cos: Tensor, sin: Tensor) {
    const first = ops.narrow(x, 2, 0, dim / 2);
    const second = ops.narrow(x, 2, dim / 2, dim / 2);
    const turned = ops.mulScalar(sin, sign);
    return ops.cat(
      [ops.sub(ops.mul(first, cos), ops.mul(second, turned)), ops.add(ops.mul(second, cos), ops.mul(first, turned))],
      2,
    );
  },
});

/** shape […, rows, keys], rows a multiple of `queries`. */
export function softmax(shape: readonly number[], queries: number, window: number | null = null): Kernel {
  const scale = 0.7;
  const keys = shape.at(-1) as number;
  const rows = shape.reduce((product, length) => product * length, 1) / keys;
  const hidden = Uint8Array.from({ length: rows * keys }, (_, at) => {
    const own = keys - queries + (Math.floor(at / keys) % queries);
    return Number(at % keys > own || (window !== null && at % keys <= own - window));
  });
  return {
    name: `causal_softmax_ [${shape.join(', ')}] of ${queries} queries, window ${window}`,
    shapes: [shape],
    differentiable: 1,
    forward(scores: Tensor) {
      const weights = ops.clone(scores);
      kernels.causalSoftmaxInto(weights, queries, scale, window);
      return [weights, weights];
    },
    backward(gradWeights: Tensor, weights: Tensor) {
      const gradScores = ops.clone(gradWeights);
      kernels.causalSoftmaxBackwardInto(gradScores, weights, queries, scale, window);
      return [gradScores];
    },
    composed: (scores: Tensor) =>
      ops.softmax(ops.maskedFill(ops.mulScalar(scores, scale), fromBooleans(hidden, shape), -Infinity), -1),
  };
}

interface Attention {
  readonly heads: readonly [query: number, keyValue: number];
  readonly dim: number;
  readonly window?: number;
}

/** Families of runs side by side, the first run of each its trunk. */
export function attention(
  families: readonly (readonly number[])[],
  { heads: [heads, keyValueHeads], dim, window }: Attention,
): Kernel {
  const scale = 0.3;
  let rows = 0;
  const runs = families.flatMap((lengths) => {
    const trunk = rows;
    return lengths.map((length, i) => {
      rows += length;
      return { from: rows - length, length, trunk, trunkRows: lengths[0] as number, begins: i === 0 };
    });
  });
  const table = () => {
    const columns = runs.flatMap(({ from, length, begins }) => [from, length, Number(begins)]);
    return fromIntegers(columns, [runs.length, 3]);
  };
  const placeOf = (row: number) => {
    const run = runs.find(({ from, length }) => row >= from && row < from + length) as (typeof runs)[number];
    return { run, place: row - run.from + (run.begins ? 0 : run.trunkRows) };
  };
  const sees = (query: number, key: number): boolean => {
    const [asking, asked] = [placeOf(query), placeOf(key)];
    const related = asked.run === asking.run || asked.run.from === asking.run.trunk;
    const distance = asking.place - asked.place;
    return related && distance >= 0 && distance < (window ?? Infinity);
  };
  const hidden = Uint8Array.from({ length: rows * rows }, (_, at) => Number(!sees(Math.floor(at / rows), at % rows)));
  const shared = [heads, keyValueHeads, scale, window ?? null] as const;
  const width = (heads + 2 * keyValueHeads) * dim;
  return {
    name: `attend_runs_ ${JSON.stringify(families)}, ${heads} heads on ${keyValueHeads} of ${dim}, window ${window}`,
    shapes: [[rows, width]],
    differentiable: 1,
    forward(packed: Tensor) {
      const out = ops.zeros([rows, heads * dim], packed.dtype);
      kernels.attendRunsInto(out, packed, table(), ...shared);
      return [out];
    },
    backward(gradOut: Tensor, packed: Tensor) {
      const gradPacked = ops.zerosLike(packed);
      kernels.attendRunsBackwardInto(gradPacked, gradOut, packed, table(), ...shared);
      return [gradPacked];
    },
    composed(packed: Tensor) {
      const part = (from: number, count: number) =>
        ops.permute(ops.view(ops.narrow(packed, 1, from * dim, count * dim), [rows, count, dim]), [1, 0, 2]);
      const group = heads / keyValueHeads;
      const shareOf = (head: number) => Math.floor(head / group);
      const mixed = Array.from({ length: heads }, (_, head) => {
        const query = ops.select(part(0, heads), 0, head);
        const key = ops.select(part(heads, keyValueHeads), 0, shareOf(head));
        const value = ops.select(part(heads + keyValueHeads, keyValueHeads), 0, shareOf(head));
        const scores = ops.mulScalar(ops.matmul(query, ops.transpose(key, 0, 1)), scale);
        const masked = ops.maskedFill(scores, fromBooleans(hidden, [rows, rows]), -Infinity);
        return ops.matmul(ops.softmax(masked, -1), value);
      });
      return ops.cat(mixed, 1);
    },
  };
}

/** The output is the summed loss [1]; the gradient of it is the kernel's scale. */
export function crossEntropy([rows, vocab]: readonly [number, number]): Kernel {
  const targets = () =>
    fromIntegers(
      Array.from({ length: rows }, (_, row) => (row * 5 + vocab - 1) % vocab),
      [rows],
    );
  const scales = (like: Tensor, scale: number) =>
    ops.full([rows], scale, like.dtype === 'float64' ? 'float64' : 'float32');
  return {
    name: `cross_entropy_ [${rows}, ${vocab}]`,
    shapes: [[rows, vocab]],
    differentiable: 1,
    forward: (logits: Tensor) => [
      fromFloat64([kernels.crossEntropyInto(ops.clone(logits), targets(), scales(logits, 1))], [1]),
    ],
    backward(gradLoss: Tensor, logits: Tensor) {
      const gradLogits = ops.clone(logits);
      kernels.crossEntropyInto(gradLogits, targets(), scales(logits, ops.item(gradLoss)));
      return [gradLogits];
    },
    composed: (logits: Tensor) => ops.view(ops.crossEntropy(logits, targets(), null, 2), [1]),
  };
}

const norms = [
  [1, 1],
  [1, 7],
  [3, 1],
  [0, 8],
  [3, 64],
  [2, 100],
  [131, 19],
  [2, 576],
  [5, 3, 20],
  [30, 9, 64],
];
const swiglus = [
  [1, 1],
  [3, 7],
  [0, 8],
  [2, 64],
  [3, 100],
  [2, 576],
] as const;
const rotations = [
  [1, 1, 2],
  [3, 2, 14],
  [2, 3, 64],
  [3, 1, 100],
  [0, 2, 8],
  [2, 2, 576],
] as const;
const losses = [
  [1, 1],
  [3, 2],
  [0, 5],
  [5, 7],
  [3, 64],
  [2, 100],
  [2, 576],
] as const;

/** Widths that fill no vector, one row, one column, no row; and widths of whole vectors with and without a rest. */
export const cases: readonly Kernel[] = [
  ...norms.map(norm),
  ...swiglus.map(swiglu),
  ...rotations.map((shape) => rotation(shape, 1)),
  ...rotations.map((shape) => rotation(shape, -1)),
  softmax([1, 1, 1], 1),
  softmax([2, 3, 3], 3),
  softmax([37, 37], 37),
  softmax([2, 5, 64], 5), // more keys than queries
  softmax([4, 1, 100], 1),
  softmax([2, 21, 7], 7), // three heads that share their keys, one above the other
  softmax([3, 15, 40], 5, 9),
  softmax([2, 40, 40], 40, 1),
  softmax([1, 3, 576], 3, 100),
  softmax([1, 3, 20], 3, 1000),
  attention([[1]], { heads: [1, 1], dim: 1 }),
  attention([[5], [1], [7]], { heads: [2, 1], dim: 6 }),
  attention(
    [
      [3, 2, 4],
      [2, 1],
    ],
    { heads: [4, 2], dim: 8 },
  ), // answers to one prompt
  attention([[9, 5, 3], [6]], { heads: [2, 2], dim: 20, window: 4 }), // the window ends within the trunk, or before it
  attention(
    [
      [50, 49],
      [3, 60],
    ],
    { heads: [3, 1], dim: 64 },
  ), // more queries than are taken at a time
  ...losses.map(crossEntropy),
];
