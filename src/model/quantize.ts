/**
 * Weights in 8 or 4 bits, for inference on the CPU: the linear layers of the blocks. Embedding, output head and norms stay
 * as they are. 8 bits: whole numbers from -127 to 127 and a scale for every output. 4 bits: whole numbers from 0 to 15 and,
 * for every 32 weights of an output, a scale and a zero: weight = (number - 8) · scale + zero. Not for training, and not a
 * file format: a model is quantized when it is loaded.
 *
 * libtorch's operators for such weights read a quarter or an eighth of the memory, and gain while few tokens are computed at
 * once. On x86 their vectorized kernels are for bf16 alone (in fp32 plain loops, slower than whole weights), so that
 * activations are rounded to bf16 before them, whatever the decoder computes in.
 *
 * 4 bits are coarse: of what fine-tuning had taught the demo's student (reference answers at 2.94 nats a token instead of
 * 3.18), 3.13 was left; 8 bits left 2.95.
 */
import { ConfigError } from '../base/errors.ts';
import { tensorOperator } from '../torch/operator.ts';
import { add, contiguous, div, linear, mul, mulScalar, permute, sub, toDtype, view, zeros } from '../torch/ops.ts';
import { keep, scope, type Tensor } from '../torch/tensor.ts';
import { adapterTargets } from './lora.ts';

export type WeightFormat = 'full' | 'int8' | 'int4';
type Quantized = Exclude<WeightFormat, 'full'>;

/** Weights of an output that share a scale and a zero in 4 bits. */
const groupSize = 32;
/** What the operators' kernels take at a time: of inputs by alignment or groups, of outputs by their packing. */
const multiples: Readonly<Record<Quantized, { readonly inputs: number; readonly outputs: number }>> = {
  int8: { inputs: 16, outputs: 1 },
  int4: { inputs: groupSize, outputs: 16 },
};
/** Beyond this, making 8-bit weights whole costs less than the operator, which unpacks them anew for every 4 tokens. */
const fewTokens = 16;

const int8Linear = tensorOperator<[Tensor, Tensor, Tensor]>('aten::_weight_int8pack_mm');
const int4Linear = tensorOperator<[Tensor, Tensor, number, Tensor]>('aten::_weight_int4pack_mm_for_cpu');
const pack4 = tensorOperator<[Tensor, number]>('aten::_convert_weight_to_int4pack_for_cpu');
const absolute = tensorOperator<[Tensor]>('aten::abs');
const largest = tensorOperator<[Tensor, readonly number[], boolean]>('aten::amax');
const smallest = tensorOperator<[Tensor, readonly number[], boolean]>('aten::amin');
const rounded = tensorOperator<[Tensor]>('aten::round');
const clamp = tensorOperator<[Tensor, number, number]>('aten::clamp');
const clampMin = tensorOperator<[Tensor, number]>('aten::clamp_min');
const addScalar = tensorOperator<[Tensor, number]>('aten::add.Scalar');
const stack = tensorOperator<[readonly Tensor[], number]>('aten::stack');

/** Weights of a row or group that are all alike have no step of their own. */
const leastScale = 1e-20;

/** The name of what belongs to a quantized NAME.weight. */
export const scalesName = (part: string): string => `${part}.scales`;

/**
 * A decoder's parameters with the linear layers of its blocks quantized: NAME.weight is then int8 [out, in] or packed uint8,
 * and NAME.scales joins it. Takes the parameters over: whole weights are released one by one. Throws ConfigError, with
 * nothing changed, where a layer has a shape the operators do not take or libtorch has no such operators.
 */
export function quantizeParameters(parameters: ReadonlyMap<string, Tensor>, format: Quantized): Map<string, Tensor> {
  const layers = adapterTargets(parameters.keys(), []);
  for (const layer of layers) expectFit(layer, parameters.get(`${layer}.weight`) as Tensor, format);
  expectOperators(format);
  const quantized = new Map(parameters);
  for (const layer of layers) {
    const weight = parameters.get(`${layer}.weight`) as Tensor;
    const made = keep(scope(() => quantize(weight, format)));
    weight.release();
    quantized.set(`${layer}.weight`, made.numbers);
    quantized.set(scalesName(layer), made.scales);
  }
  return quantized;
}

interface QuantizedWeight {
  readonly numbers: Tensor;
  /** bf16. 8 bits: [out]. 4 bits: [in / 32, out, 2], scale and zero. */
  readonly scales: Tensor;
}

/** weight [out, in] */
const quantize = (weight: Tensor, format: Quantized): QuantizedWeight =>
  format === 'int8' ? quantize8(weight) : quantize4(weight);

/** What is left of values in bf16. Numbers are found with scales as they are stored: rounding these then costs nothing. */
const stored = (tensor: Tensor): Tensor => toDtype(toDtype(tensor, 'bfloat16'), 'float32');

function quantize8(weight: Tensor): QuantizedWeight {
  const values = toDtype(weight, 'float32');
  const range = largest(absolute(values), [1], true); // [out, 1]
  const scales = stored(clampMin(mulScalar(range, 1 / 127), leastScale));
  const numbers = clamp(rounded(div(values, scales)), -127, 127);
  return { numbers: toDtype(numbers, 'int8'), scales: view(toDtype(scales, 'bfloat16'), [weight.size(0)]) };
}

function quantize4(weight: Tensor): QuantizedWeight {
  const [out, width] = weight.shape as [number, number];
  const groups = view(contiguous(toDtype(weight, 'float32')), [out, width / groupSize, groupSize]);
  const low = smallest(groups, [2], true); // [out, groups, 1]
  const scale = stored(clampMin(mulScalar(sub(largest(groups, [2], true), low), 1 / 15), leastScale));
  const zero = stored(add(low, mulScalar(scale, 8)));
  const numbers = clamp(addScalar(rounded(div(sub(groups, zero), scale)), 8), 0, 15);
  const scales = permute(stack([scale, zero], 3), [1, 0, 2, 3]); // [groups, out, 1, 2]
  return {
    numbers: pack4(view(toDtype(numbers, 'int32'), [out, width]), 2),
    scales: view(contiguous(toDtype(scales, 'bfloat16')), [width / groupSize, out, 2]),
  };
}

/** x [tokens, in] → [tokens, out] by what `quantizeParameters` made of a weight. */
export function projectQuantized(x: Tensor, numbers: Tensor, scales: Tensor): Tensor {
  const isInt8 = numbers.dtype === 'int8';
  if (isInt8 && x.size(0) > fewTokens) return mul(linear(x, toDtype(numbers, x.dtype)), scales);
  const half = toDtype(x, 'bfloat16');
  const y = isInt8 ? int8Linear(half, numbers, scales) : int4Linear(half, numbers, groupSize, scales);
  return toDtype(y, x.dtype);
}

function expectFit(layer: string, weight: Tensor, format: Quantized): void {
  const [out, width] = weight.shape as [number, number];
  const { inputs, outputs } = multiples[format];
  if (width % inputs === 0 && out % outputs === 0) return;
  throw new ConfigError(
    `weights ${format}: expected layers whose inputs are a multiple of ${inputs} and outputs of ${outputs}, ` +
      `${layer} is [${out}, ${width}]`,
    { hint: format === 'int4' ? 'choose int8 or full weights' : 'choose full weights' },
  );
}

/** Older versions of libtorch, and some processors, lack them. */
function expectOperators(format: Quantized): void {
  try {
    scope(() => {
      const { numbers, scales } = quantize(zeros([16, groupSize], 'bfloat16'), format);
      projectQuantized(zeros([1, groupSize], 'bfloat16'), numbers, scales);
    });
  } catch (error) {
    throw new ConfigError(`weights ${format}: this libtorch cannot compute with them: ${(error as Error).message}`, {
      hint: 'choose full weights',
      cause: error,
    });
  }
}
