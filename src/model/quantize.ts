/**
 * Weights stored in fewer bits, for inference on the CPU: the linear layers of the blocks and the output head. Embeddings and
 * norms stay as they are. bf16: rounded. 8 bits: whole numbers from -127 to 127 and a scale for every output. 4 bits: whole
 * numbers from 0 to 15 and, for every 32 weights of an output, a scale and a low: weight = number · scale + low; the head,
 * which 4 bits would hurt most, has 8. Not for training, and not a file format: a model is quantized when it is loaded.
 *
 * Few rows are computed by our kernel, which reads the weights as they are stored, and nothing but the weights is rounded.
 */
import { ConfigError } from '../base/errors.ts';
import { tensorOperator } from '../torch/operator.ts';
import { add, cat, contiguous, div, mul, mulScalar, narrow, sub, toDtype, view } from '../torch/ops.ts';
import { type Dtype, keep, scope, type Tensor } from '../torch/tensor.ts';
import { adapterTargets } from './lora.ts';

export type WeightFormat = 'full' | 'bf16' | 'int8' | 'int4';
type Quantized = Exclude<WeightFormat, 'full'>;

/** Weights of an output that share a scale and a low in 4 bits. */
const groupSize = 32;

const absolute = tensorOperator<[Tensor]>('aten::abs');
const largest = tensorOperator<[Tensor, readonly number[], boolean]>('aten::amax');
const smallest = tensorOperator<[Tensor, readonly number[], boolean]>('aten::amin');
const rounded = tensorOperator<[Tensor]>('aten::round');
const clamp = tensorOperator<[Tensor, number, number]>('aten::clamp');
const clampMin = tensorOperator<[Tensor, number]>('aten::clamp_min');
const stack = tensorOperator<[readonly Tensor[], number]>('aten::stack');
const lowerBits = tensorOperator<[Tensor, number]>('aten::bitwise_and.Scalar');
const shiftedRight = tensorOperator<[Tensor, number]>('aten::__rshift__.Scalar');

/** Weights of a row or group that are all alike have no step of their own. */
const leastScale = 1e-20;

/** The name of what belongs to a quantized NAME.weight. */
export const scalesName = (part: string): string => `${part}.scales`;

/** The output head by its own name: a quantized model has one even where its head is its embedding. */
export const headPart = 'lm_head';

/** A weight [out, in] as it is stored. */
export interface StoredWeight {
  /** float32, bfloat16, int8 [out, in]; 4 bits: uint8 [out, in / 2], byte i of a group holding number i and, above it, 16 + i. */
  readonly numbers: Tensor;
  /** 8 bits: float32 [out]. 4 bits: bfloat16 [out, in / 32, 2], scale and low. */
  readonly scales: Tensor | undefined;
}

/**
 * A decoder's parameters with its linear layers quantized: NAME.weight is then stored so, and NAME.scales joins it. `head`
 * names the output head's weight; where that is the embedding, it stays, beside a head of its own. Takes the parameters
 * over: whole weights are released one by one. Throws ConfigError, with nothing changed, where a layer has a shape that
 * does not fit.
 */
export function quantizeParameters(
  parameters: ReadonlyMap<string, Tensor>,
  head: string,
  format: Quantized,
): Map<string, Tensor> {
  const layers = adapterTargets(parameters.keys(), []);
  for (const layer of layers) expectFit(layer, parameters.get(`${layer}.weight`) as Tensor, format);
  const quantized = new Map(parameters);
  const put = (part: string, { numbers, scales }: StoredWeight) => {
    quantized.set(`${part}.weight`, numbers);
    if (scales) quantized.set(scalesName(part), scales);
  };
  for (const layer of layers) {
    const weight = parameters.get(`${layer}.weight`) as Tensor;
    put(layer, keep(scope(() => quantize(weight, format))));
    weight.release();
  }
  const headWeight = parameters.get(head);
  if (headWeight) {
    put(headPart, keep(scope(() => quantize(headWeight, format === 'int4' ? 'int8' : format))));
    if (head === `${headPart}.weight`) headWeight.release();
  }
  return quantized;
}

/** weight [out, in] */
function quantize(weight: Tensor, format: Quantized): StoredWeight {
  if (format === 'bf16') return { numbers: toDtype(weight, 'bfloat16'), scales: undefined };
  return format === 'int8' ? quantize8(weight) : quantize4(weight);
}

function quantize8(weight: Tensor): StoredWeight {
  const values = toDtype(weight, 'float32');
  const range = largest(absolute(values), [1], true); // [out, 1]
  const scales = clampMin(mulScalar(range, 1 / 127), leastScale);
  const numbers = clamp(rounded(div(values, scales)), -127, 127);
  return { numbers: toDtype(numbers, 'int8'), scales: view(scales, [weight.size(0)]) };
}

/** What is left of values in bf16. Numbers are found with scales as they are stored: rounding these then costs nothing. */
const stored = (tensor: Tensor): Tensor => toDtype(toDtype(tensor, 'bfloat16'), 'float32');

function quantize4(weight: Tensor): StoredWeight {
  const [out, width] = weight.shape as [number, number];
  const count = width / groupSize;
  const groups = view(contiguous(toDtype(weight, 'float32')), [out, count, groupSize]);
  const least = smallest(groups, [2], true); // [out, groups, 1]
  const low = stored(least);
  const scale = stored(clampMin(mulScalar(sub(largest(groups, [2], true), least), 1 / 15), leastScale));
  const numbers = toDtype(clamp(rounded(div(sub(groups, low), scale)), 0, 15), 'uint8');
  const half = groupSize / 2;
  const bytes = add(narrow(numbers, 2, 0, half), mulScalar(narrow(numbers, 2, half, half), 16));
  return {
    numbers: view(contiguous(bytes), [out, width / 2]),
    scales: view(toDtype(stack([scale, low], 2), 'bfloat16'), [out, count, 2]),
  };
}

/** The weight [out, in] that is stored so: what our kernel computes with, by libtorch's operators. */
export function wholeWeight({ numbers, scales }: StoredWeight, dtype: Dtype): Tensor {
  if (!scales) return numbers.dtype === dtype ? numbers : toDtype(numbers, dtype);
  const out = numbers.size(0);
  if (numbers.dtype === 'int8') return toDtype(mul(toDtype(numbers, 'float32'), view(scales, [out, 1])), dtype);
  const [, count] = scales.shape as [number, number, number];
  const groups = view(numbers, [out, count, groupSize / 2]);
  const values = toDtype(cat([lowerBits(groups, 15), shiftedRight(groups, 4)], 2), 'float32');
  const [scale, low] = [0, 1].map((i) => toDtype(narrow(scales, 2, i, 1), 'float32')) as [Tensor, Tensor];
  return toDtype(view(add(mul(values, scale), low), [out, count * groupSize]), dtype);
}

function expectFit(layer: string, weight: Tensor, format: Quantized): void {
  const [out, width] = weight.shape as [number, number];
  if (format !== 'int4' || width % groupSize === 0) return;
  throw new ConfigError(
    `weights int4: expected layers whose inputs are a multiple of ${groupSize}, ${layer} is [${out}, ${width}]`,
    { hint: 'choose int8, bf16 or full weights' },
  );
}
