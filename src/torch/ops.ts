/** Typed wrappers of the operators in use, named as libtorch names them. Semantics: https://docs.pytorch.org/docs. */
import { inPlaceOperator, plainOperator, tensorOperator, tensorsOperator } from './operator.ts';
import type { Dtype, Tensor } from './tensor.ts';

type Shape = readonly number[];

// Making
export const zeros = tensorOperator<[Shape, Dtype]>('aten::zeros');
export const full = tensorOperator<[Shape, number, Dtype]>('aten::full');
export const zerosLike = tensorOperator<[Tensor]>('aten::zeros_like');
export const emptyLike = tensorOperator<[Tensor]>('aten::empty_like');
export const fullLike = tensorOperator<[Tensor, number]>('aten::full_like');
export const clone = tensorOperator<[Tensor]>('aten::clone');
export const detach = tensorOperator<[Tensor]>('aten::detach');
export const contiguous = tensorOperator<[Tensor]>('aten::contiguous');
export const toDtype = tensorOperator<[Tensor, Dtype]>('aten::to.dtype');

// Views
export const view = tensorOperator<[Tensor, Shape]>('aten::view');
export const reshape = tensorOperator<[Tensor, Shape]>('aten::reshape');
export const transpose = tensorOperator<[Tensor, number, number]>('aten::transpose.int');
export const permute = tensorOperator<[Tensor, Shape]>('aten::permute');
export const unsqueeze = tensorOperator<[Tensor, number]>('aten::unsqueeze');
export const expand = tensorOperator<[Tensor, Shape]>('aten::expand');
export const narrow = tensorOperator<[Tensor, number, number, number]>('aten::narrow');
export const select = tensorOperator<[Tensor, number, number]>('aten::select.int');

// Joining and choosing
export const cat = tensorOperator<[readonly Tensor[], number]>('aten::cat');
export const indexSelect = tensorOperator<[Tensor, number, Tensor]>('aten::index_select');
export const gather = tensorOperator<[Tensor, number, Tensor]>('aten::gather');
export const scatter = tensorOperator<[Tensor, number, Tensor, Tensor]>('aten::scatter.src');
export const embedding = tensorOperator<[Tensor, Tensor]>('aten::embedding');
export const where = tensorOperator<[Tensor, Tensor, Tensor]>('aten::where.self');
export const maskedFill = tensorOperator<[Tensor, Tensor, number]>('aten::masked_fill.Scalar');
export const topk = tensorsOperator<[Tensor, number, number]>('aten::topk');
export const argmax = tensorOperator<[Tensor, number]>('aten::argmax');

// Arithmetic
export const add = tensorOperator<[Tensor, Tensor]>('aten::add.Tensor');
export const sub = tensorOperator<[Tensor, Tensor]>('aten::sub.Tensor');
export const mul = tensorOperator<[Tensor, Tensor]>('aten::mul.Tensor');
export const div = tensorOperator<[Tensor, Tensor]>('aten::div.Tensor');
export const mulScalar = tensorOperator<[Tensor, number]>('aten::mul.Scalar');
export const silu = tensorOperator<[Tensor]>('aten::silu');
export const greaterThan = tensorOperator<[Tensor, Tensor]>('aten::gt.Tensor');

// Reducing
export const sum = tensorOperator<[Tensor]>('aten::sum');
/** Over these dimensions, in this dtype. */
export const sumOver = tensorOperator<[Tensor, Shape, boolean, Dtype]>('aten::sum.dim_IntList');
/** Running sums along a dimension, in `dtype`. */
export const cumsum = tensorOperator<[Tensor, number, Dtype]>('aten::cumsum');
/** Of sorted rows [rows, n]: how many are at most each value [rows, values]; int64. */
export const searchSorted = (sorted: Tensor, values: Tensor): Tensor => searchSortedRight(sorted, values, false, true);
const searchSortedRight = tensorOperator<[Tensor, Tensor, boolean, boolean]>('aten::searchsorted.Tensor');
export const softmax = tensorOperator<[Tensor, number]>('aten::softmax.int');
export const logsumexp = tensorOperator<[Tensor, Shape, boolean]>('aten::logsumexp');

// Layers
export const matmul = tensorOperator<[Tensor, Tensor]>('aten::matmul');
export const linear = tensorOperator<[Tensor, Tensor]>('aten::linear');
export const rmsNorm = tensorOperator<[Tensor, Shape, Tensor, number]>('aten::rms_norm');
/** query, key, value [batch, heads, seq, dim]; mask; dropout; causal. */
export const scaledDotProductAttention = tensorOperator<[Tensor, Tensor, Tensor, Tensor | null, number, boolean]>(
  'aten::scaled_dot_product_attention',
);
/** reduction: 0 none, 1 mean, 2 sum. */
export const crossEntropy = tensorOperator<[Tensor, Tensor, null, number]>('aten::cross_entropy_loss');

// In place
export const copyInto = inPlaceOperator<[Tensor, Tensor]>('aten::copy_');
/** self, dimension, index, source. Deterministic on the CPU: rows are added in order. */
export const indexAddInto = inPlaceOperator<[Tensor, number, Tensor, Tensor]>('aten::index_add_');
export const indexCopyInto = inPlaceOperator<[Tensor, number, Tensor, Tensor]>('aten::index_copy_');
export const zeroInto = inPlaceOperator<[Tensor]>('aten::zero_');
export const addInto = inPlaceOperator<[Tensor, Tensor]>('aten::add_.Tensor');

/** The value of a tensor with one element. Waits for the device. */
export const item = plainOperator<number, [Tensor]>('aten::item');
