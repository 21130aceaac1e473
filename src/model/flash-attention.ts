/**
 * Causal attention over documents that lie side by side, all of them in one call: FlashAttention-2 (Dao 2023, arXiv
 * 2307.08691) by libtorch's operator for sequences of unequal length. It has kernels for CUDA alone, in half precision;
 * its gradient is libtorch's. No GPU has run it here: that the call fits the operator is tested, its values are not.
 *
 * Legend: tokens = Σ document lengths; group = query heads per key/value head.
 */
import { fromIntegers } from '../torch/convert.ts';
import { tensorsOperator } from '../torch/operator.ts';
import { reshape, toDtype } from '../torch/ops.ts';
import type { Dtype, Tensor } from '../torch/tensor.ts';

/** Where documents begin and end. */
export interface DocumentBounds {
  /** int32 [documents + 1]: where each begins, and where the last ends. */
  readonly offsets: Tensor;
  readonly longest: number;
}

/** Made on the device, in the scope that uses it. */
export function documentBounds(lengths: readonly number[]): DocumentBounds {
  let end = 0;
  const offsets = [0, ...lengths.map((length) => (end += length))];
  return { offsets: toDtype(fromIntegers(offsets, [offsets.length]), 'int32'), longest: Math.max(...lengths) };
}

/** Whether the kernels take it: their widest head is 256, and they read eight elements at a time. */
export const flashFits = (device: string, dtype: Dtype, headDim: number): boolean =>
  device.startsWith('cuda') && (dtype === 'bfloat16' || dtype === 'float16') && headDim % 8 === 0 && headDim <= 256;

/**
 * query, key, value; cumulative lengths of queries and of keys; the longest of each; dropout, causal, debug mask; scale;
 * how many tokens before and after its own a query sees, -1 for all.
 */
const flashForward = tensorsOperator<
  [Tensor, Tensor, Tensor, Tensor, Tensor, number, number, number, boolean, boolean, number, number, number]
>('aten::_flash_attention_forward');

/**
 * Query [tokens, heads, dim], key and value [tokens, keyValueHeads, dim] → [tokens, heads · dim]. A query sees the last
 * `window` tokens of its document up to its own. Heads of a group read the same keys: nothing is copied for them.
 */
export function attendFlash(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { offsets, longest }: DocumentBounds,
  window: number | undefined,
): Tensor {
  const [tokens, heads, dim] = query.shape as [number, number, number];
  // With a window the operator wants causality said by the window: none after the query's own token.
  const causal = window === undefined;
  const before = causal ? -1 : window - 1;
  const both = [offsets, offsets, longest, longest] as const;
  const [mixed] = flashForward(query, key, value, ...both, 0, causal, false, dim ** -0.5, before, 0) as [Tensor];
  return reshape(mixed, [tokens, heads * dim]);
}
