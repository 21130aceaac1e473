/**
 * A linear layer applied, in two ways. By libtorch's operators, which autograd records and which every device has. In
 * inference on the CPU, where few rows are computed, by our kernel, which reads the weights as they are stored (quantize.ts)
 * and gives a row the same bits in whatever company; more rows by libtorch's products, on weights made whole for them.
 */
import { linearOfFewRows } from '../torch/kernels.ts';
import { tensorOperator } from '../torch/operator.ts';
import { add, mulScalar, transpose } from '../torch/ops.ts';
import { isEmulated, mm } from '../torch/products.ts';
import type { Tensor } from '../torch/tensor.ts';
import { type DropMask, droppedByOperators } from './adapter-dropout.ts';
import type { Adapter } from './lora.ts';
import { type StoredWeight, wholeWeight } from './quantize.ts';

export interface LinearPart {
  /** [out, in], or as quantize.ts stores it. */
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly adapter?: Adapter | undefined;
  /** Of what the adapter sees: in training alone. */
  readonly mask?: DropMask | undefined;
  readonly scales?: Tensor | undefined;
}

const linear = tensorOperator<[Tensor, Tensor, Tensor | null]>('aten::linear');

/** x [tokens, in] → [tokens, out] by weight [out, in] and the adapter, if any */
export function project(x: Tensor, { weight, bias, adapter, mask, scales }: LinearPart): Tensor {
  return withAdapter(linear(x, wholeWeight({ numbers: weight, scales }, x.dtype), bias), x, adapter, mask);
}

/** The same without gradients, on the CPU. */
export function projectForInference(x: Tensor, { weight, bias, adapter, scales }: LinearPart): Tensor {
  const y = product(x, { numbers: weight, scales });
  return withAdapter(bias ? add(y, bias) : y, x, adapter);
}

function withAdapter(y: Tensor, x: Tensor, adapter: Adapter | undefined, mask?: DropMask): Tensor {
  if (!adapter) return y;
  const { down, up, scale } = adapter;
  const seen = mask ? droppedByOperators(x, mask) : x;
  return add(y, mulScalar(linear(linear(seen, down, null), up, null), scale * (mask?.gain ?? 1)));
}

/** Up to as many rows our kernel is the faster one: measured in fp32 on AVX2, docs/log.md. */
const fewRows = 64;

function product(x: Tensor, weight: StoredWeight): Tensor {
  if (x.size(0) <= fewRows && ownKernelFits(x, weight)) {
    return linearOfFewRows(x, weight.numbers, weight.scales ?? null);
  }
  if (!weight.scales && isEmulated(weight.numbers) && x.dtype !== 'float64')
    return mm(x, transpose(weight.numbers, 0, 1));
  return linear(x, wholeWeight(weight, x.dtype), null);
}

const ownKernelFits = (x: Tensor, { numbers }: StoredWeight): boolean =>
  x.dtype === 'bfloat16' || (x.dtype === 'float32' && numbers.dtype !== 'float64' && numbers.dtype !== 'float16');
