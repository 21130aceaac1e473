/**
 * Causal attention within each document and its gradient, by batched products and our softmax kernels: PackedAttention's
 * arithmetic without autograd. Queries go a few hundred at a time over the keys they may see, so that memory grows with
 * a document's length and not with its square; the softmax is computed again in the backward.
 *
 * Legend: tokens = Σ document lengths; queries, keys = those of one chunk; group = query heads per key/value head;
 * qkv [tokens, (heads + 2 · keyValueHeads) · dim] holds rotated queries, rotated keys, values side by side.
 */
import { causalSoftmaxBackwardInto, causalSoftmaxInto } from '../torch/kernels.ts';
import { addInto, bmm, copyInto, narrow, permute, reshape, toDtype, transpose, view, zeros } from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';

export interface HeadShape {
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
}

/** Queries at once: enough for the products to be efficient, few enough for scores of long documents to stay small. */
const chunkQueries = 256;

interface Chunk {
  /** Of the first query, in the pack. */
  readonly from: number;
  readonly queries: number;
  /** Of the first key that any of them sees, in the pack. */
  readonly firstKey: number;
  readonly keys: number;
}

/** Of the document of `length` tokens that begins at `start`. */
function chunksOf(start: number, length: number, window: number | undefined): Chunk[] {
  return Array.from({ length: Math.ceil(length / chunkQueries) }, (_, i) => {
    const from = i * chunkQueries;
    const to = Math.min(length, from + chunkQueries);
    const firstKey = window === undefined ? 0 : Math.max(0, from - window + 1);
    return { from: start + from, queries: to - from, firstKey: start + firstKey, keys: to - firstKey };
  });
}

/** qkv → out [tokens, heads · dim]. */
export function attendInto(
  out: Tensor,
  qkv: Tensor,
  lengths: readonly number[],
  shape: HeadShape,
  window: number | undefined,
): void {
  let start = 0;
  for (const length of lengths) {
    for (const chunk of chunksOf(start, length, window)) {
      scope(() => {
        const { query, key, value } = split(qkv, chunk, shape);
        const weights = softmaxWeights(query, key, chunk, shape, window);
        copyInto(headsOf(narrow(out, 0, chunk.from, chunk.queries), shape), unstack(bmm(weights, value), shape));
      });
    }
    start += length;
  }
}

/** Gradient of `out` → gradQkv, of the rotated queries and keys and of the values. */
export function attendBackwardInto(
  gradQkv: Tensor,
  gradOut: Tensor,
  qkv: Tensor,
  lengths: readonly number[],
  shape: HeadShape,
  window: number | undefined,
): void {
  const { numHeads, numKeyValueHeads, headDim } = shape;
  const gradKeyValues = narrow(gradQkv, 1, numHeads * headDim, 2 * numKeyValueHeads * headDim);
  let start = 0;
  for (const length of lengths) {
    const chunks = chunksOf(start, length, window);
    scope(() => {
      // Several chunks add to the same keys: in fp32, where bf16 would round each time.
      const sums = chunks.length > 1 ? zeros([length, 2 * numKeyValueHeads, headDim], 'float32') : undefined;
      for (const chunk of chunks) {
        scope(() => {
          const { gradQuery, gradKey, gradValue } = chunkGradients(gradOut, qkv, chunk, shape, window);
          const queries = narrow(narrow(gradQkv, 1, 0, numHeads * headDim), 0, chunk.from, chunk.queries);
          copyInto(headsOf(queries, shape), unstack(gradQuery, shape));
          const place = sums
            ? narrow(sums, 0, chunk.firstKey - start, chunk.keys)
            : view(narrow(gradKeyValues, 0, chunk.firstKey, chunk.keys), [chunk.keys, 2 * numKeyValueHeads, headDim]);
          const put = sums ? addInto : copyInto;
          put(narrow(place, 1, 0, numKeyValueHeads), permute(gradKey, [1, 0, 2]));
          put(narrow(place, 1, numKeyValueHeads, numKeyValueHeads), permute(gradValue, [1, 0, 2]));
        });
      }
      if (sums) {
        const rows = narrow(gradKeyValues, 0, start, length);
        copyInto(rows, toDtype(view(sums, [length, 2 * numKeyValueHeads * headDim]), gradQkv.dtype));
      }
    });
    start += length;
  }
}

/** gradQuery [keyValueHeads, group · queries, dim], gradKey and gradValue [keyValueHeads, keys, dim]. */
function chunkGradients(
  gradOut: Tensor,
  qkv: Tensor,
  chunk: Chunk,
  shape: HeadShape,
  window: number | undefined,
): { gradQuery: Tensor; gradKey: Tensor; gradValue: Tensor } {
  const { query, key, value } = split(qkv, chunk, shape);
  const weights = softmaxWeights(query, key, chunk, shape, window);
  const gradMixed = stack(narrow(gradOut, 0, chunk.from, chunk.queries), shape);
  const gradValue = bmm(transpose(weights, 1, 2), gradMixed);
  const gradScores = bmm(gradMixed, transpose(value, 1, 2));
  causalSoftmaxBackwardInto(gradScores, weights, chunk.queries, scaleOf(shape), window ?? null);
  return { gradQuery: bmm(gradScores, key), gradKey: bmm(transpose(gradScores, 1, 2), query), gradValue };
}

const scaleOf = ({ headDim }: HeadShape): number => headDim ** -0.5;

/** [keyValueHeads, group · queries, keys] */
function softmaxWeights(
  query: Tensor,
  key: Tensor,
  { queries }: Chunk,
  shape: HeadShape,
  window: number | undefined,
): Tensor {
  const scores = bmm(query, transpose(key, 1, 2));
  causalSoftmaxInto(scores, queries, scaleOf(shape), window ?? null);
  return scores;
}

/** query [keyValueHeads, group · queries, dim]; key and value [keyValueHeads, keys, dim], looking into qkv. */
function split(qkv: Tensor, { from, queries, firstKey, keys }: Chunk, shape: HeadShape) {
  const { numHeads, numKeyValueHeads, headDim } = shape;
  const rows = narrow(qkv, 0, firstKey, keys);
  const part = (offset: number) =>
    permute(
      view(narrow(rows, 1, offset * headDim, numKeyValueHeads * headDim), [keys, numKeyValueHeads, headDim]),
      [1, 0, 2],
    );
  return {
    query: stack(narrow(narrow(qkv, 1, 0, numHeads * headDim), 0, from, queries), shape),
    key: part(numHeads),
    value: part(numHeads + numKeyValueHeads),
  };
}

/** rows [queries, heads · dim], seen as [queries, keyValueHeads, group, dim] */
const headsOf = (rows: Tensor, { numHeads, numKeyValueHeads, headDim }: HeadShape): Tensor =>
  view(rows, [rows.size(0), numKeyValueHeads, numHeads / numKeyValueHeads, headDim]);

/** rows [queries, heads · dim] → [keyValueHeads, group · queries, dim], copied */
const stack = (rows: Tensor, shape: HeadShape): Tensor =>
  reshape(permute(headsOf(rows, shape), [1, 2, 0, 3]), [shape.numKeyValueHeads, -1, shape.headDim]);

/** The way back: [keyValueHeads, group · queries, dim], seen as [queries, keyValueHeads, group, dim] */
const unstack = (stacked: Tensor, { numHeads, numKeyValueHeads, headDim }: HeadShape): Tensor =>
  permute(view(stacked, [numKeyValueHeads, numHeads / numKeyValueHeads, -1, headDim]), [2, 0, 1, 3]);
