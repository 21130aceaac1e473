/**
 * What an optimizer step computes: the gradient's size, and AdamW's update. In two ways: by our kernels, which go over
 * memory once, of any types, and are for the CPU; and by libtorch's operators, for every device. The tests hold one to the
 * other.
 */
import { fromFloat32 } from '../torch/convert.ts';
import * as kernels from '../torch/kernels.ts';
import { plainOperator, tensorOperator } from '../torch/operator.ts';
import { copyInto, item, mul, mulScalar, sum, toDtype } from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';

/** Of one parameter; all but the gradient are changed. */
export interface Updated {
  readonly master: Tensor;
  readonly gradient: Tensor;
  readonly first: Tensor;
  readonly second: Tensor;
  /** The copy that is computed with, where it is not the master itself. */
  readonly working: Tensor | null;
}

export interface UpdateNumbers {
  /** From 1. */
  readonly step: number;
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Multiplies the gradient: below 1 where its norm is clipped. */
  readonly scale: number;
}

export interface UpdateArithmetic {
  /** Over all elements of all tensors; not finite when any of them is not. */
  sumOfSquares(tensors: readonly Tensor[]): number;
  /** Outside of what autograd records. */
  adamw(updated: Updated, numbers: UpdateNumbers): void;
}

export const byKernels: UpdateArithmetic = {
  sumOfSquares: (tensors) => tensors.reduce((squares, tensor) => squares + kernels.sumOfSquares(tensor), 0),
  adamw({ master, gradient, first, second, working }, numbers) {
    const { step, learningRate, beta1, beta2, epsilon, weightDecay, scale } = numbers;
    const settings = [learningRate, beta1, beta2, epsilon, weightDecay, scale] as const;
    kernels.adamwInto(master, gradient, first, second, working, step, ...settings);
  },
};

const vectorNorm = tensorOperator<[Tensor, number, null, boolean, 'float64']>('aten::linalg_vector_norm');
const stack = tensorOperator<[readonly Tensor[], number]>('aten::stack');
type List = readonly Tensor[];
/** Weights, gradients, moments, none, steps; rate, β₁, β₂, decay, ε; AMSGrad, uphill. Of one type; only weights and moments change. */
const fusedAdamw = plainOperator<
  undefined,
  [List, List, List, List, List, List, number, number, number, number, number, boolean, boolean]
>('aten::_fused_adamw_');

export const byOperators: UpdateArithmetic = {
  /** In float64, for which libtorch makes a copy of one tensor after the other. The device is waited for once. */
  sumOfSquares: (tensors) =>
    scope(() => {
      if (tensors.length === 0) return 0;
      const norms = stack(
        tensors.map((tensor) => vectorNorm(tensor, 2, null, false, 'float64')),
        0,
      );
      return item(sum(mul(norms, norms)));
    }),
  adamw({ master, gradient, first, second, working }, numbers) {
    const { step, learningRate, beta1, beta2, epsilon, weightDecay, scale } = numbers;
    scope(() => {
      const whole = toDtype(gradient, master.dtype);
      const scaled = scale === 1 ? whole : mulScalar(whole, scale);
      const lists = [[master], [scaled], [first], [second], [], [fromFloat32([step], [])]] as const;
      fusedAdamw(...lists, learningRate, beta1, beta2, weightDecay, epsilon, false, false);
      if (working) copyInto(working, master);
    });
  },
};
