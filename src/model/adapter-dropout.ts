/**
 * Dropout before low-rank adapters (Hinton et al. 2012, arXiv 1207.0580; inverted, as PEFT has it): of its layer's input an
 * adapter sees each element with probability 1 − rate, then divided by that, and else zero; the layer itself sees it all.
 * For training alone: where no dropout is given there is none, and evaluation and decoding give none.
 *
 * Which elements are dropped depends on a key, the layer's name, row and column: on no generator, order or device. So a mask
 * is made again wherever it is needed (in the backward, in a block computed again, in a run gone on with) and never kept.
 * What is left is exact in every dtype: 1 / (1 − rate) goes into the adapter's scale, and not over each element.
 *
 * Legend: tokens = rows of a pack; width = the layer's inputs.
 */
import { Rng } from '../base/rng.ts';
import * as kernels from '../torch/kernels.ts';
import { inPlaceOperator, tensorOperator } from '../torch/operator.ts';
import { maskedFill, view } from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';

/** Of one pack. */
export interface AdapterDropout {
  /** From 0 up to, and without, 1. */
  readonly rate: number;
  /** Of the run, the step, and the pack in it: equal keys drop the same. */
  readonly key: readonly (string | number)[];
}

/** Which elements of a layer's input an adapter does not see: native/kernels/table.h says how these numbers decide it. */
export interface DropMask {
  /** 32 bits each, unsigned. */
  readonly rowKey: number;
  readonly columnKey: number;
  /** 32 bits, signed: rate · 2³² − 2³¹. */
  readonly limit: number;
  /** What is seen counts so many times: 1 / (1 − rate). */
  readonly gain: number;
}

/** `layer`: the linear layer's name, such as `model.layers.0.self_attn.q_proj`. */
export function dropMask({ rate, key }: AdapterDropout, layer: string): DropMask {
  const rng = new Rng(...key, layer);
  const [rowKey, columnKey] = [rng.bits(), rng.bits()];
  const limit = Math.min(Math.round(rate * 2 ** 32), 2 ** 32 - 1) - 2 ** 31;
  return { rowKey, columnKey, limit, gain: 1 / (1 - rate) };
}

/** out = x [tokens, width], zero where dropped: on the CPU, and not recorded by autograd. `out` may be x. */
export function dropInto(out: Tensor, x: Tensor, { rowKey, columnKey, limit }: DropMask): Tensor {
  kernels.dropInto(out, x, rowKey, columnKey, limit);
  return out;
}

/** The same by libtorch's operators, on any device; autograd keeps one byte an element of it. */
export const droppedByOperators = (x: Tensor, mask: DropMask): Tensor =>
  scope(() => maskedFill(x, isDropped(x.shape as [number, number], mask), 0));

const countTo = tensorOperator<[number, 'int32']>('aten::arange');
const xor = tensorOperator<[Tensor, Tensor]>('aten::bitwise_xor.Tensor');
const xorInto = inPlaceOperator<[Tensor, Tensor]>('aten::bitwise_xor_.Tensor');
const xorNumberInto = inPlaceOperator<[Tensor, number]>('aten::bitwise_xor_.Scalar');
const andNumberInto = inPlaceOperator<[Tensor, number]>('aten::bitwise_and_.Scalar');
const shiftedRight = tensorOperator<[Tensor, number]>('aten::__rshift__.Scalar');
const multiplyInto = inPlaceOperator<[Tensor, number]>('aten::mul_.Scalar');
const lessThan = tensorOperator<[Tensor, number]>('aten::lt.Scalar');

/** bool [tokens, width] */
function isDropped([tokens, width]: readonly [number, number], { rowKey, columnKey, limit }: DropMask): Tensor {
  const places = (count: number, key: number) => mixInto(xorNumberInto(countTo(count, 'int32'), key | 0));
  const ofRows = view(places(tokens, rowKey), [tokens, 1]);
  return lessThan(mixInto(xor(ofRows, places(width, columnKey))), limit);
}

/** The kernel's `mixed`, in place, on int32, whose products wrap as unsigned ones do. */
function mixInto(bits: Tensor): Tensor {
  foldInto(bits, 16);
  multiplyInto(bits, 0x7feb352d);
  foldInto(bits, 15);
  return multiplyInto(bits, 0x846ca68b | 0);
}

/** bits ^= bits >>> by: int32 is shifted with its sign, which is then taken away. */
const foldInto = (bits: Tensor, by: number): Tensor =>
  scope(() => xorInto(bits, andNumberInto(shiftedRight(bits, by), 0xffff_ffff >>> by)));
