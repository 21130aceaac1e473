/**
 * Causal attention within each document, or family of documents, and its gradient: PackedAttention's arithmetic without
 * autograd. Short families go through a kernel of our own all at once: by batched products a call would cost more than its
 * arithmetic. Long ones go by batched products and our softmax kernels, queries a few hundred at a time over the keys they
 * may see, so that memory grows with a document's length and not with its square. The softmax is computed again in the
 * backward.
 *
 * Legend: tokens = rows of the pack; queries, keys = those of one chunk; group = query heads per key/value head;
 * qkv [tokens, (heads + 2 · keyValueHeads) · dim] holds rotated queries, rotated keys, values side by side.
 */
import { type AttentionRows, type Family, familyRows } from '../model/family-attention.ts';
import {
  attendRunsBackwardInto,
  attendRunsInto,
  causalSoftmaxBackwardInto,
  causalSoftmaxInto,
} from '../torch/kernels.ts';
import { addInto, cat, copyInto, narrow, permute, reshape, toDtype, transpose, view, zeros } from '../torch/ops.ts';
import { bmm } from '../torch/products.ts';
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
  /** What they see, in order, in the pack; the last `queries` of them are their own. */
  readonly keys: readonly Span[];
}

interface Span {
  readonly from: number;
  readonly length: number;
}

/** Of the family that begins at `start`. */
function chunksOf(start: number, { trunk, branches }: Family, window: number | undefined): Chunk[] {
  let end = start + trunk;
  const ofBranches = branches.flatMap((length) => {
    end += length;
    return chunksOfRun({ from: start, length: trunk }, { from: end - length, length }, window);
  });
  return [...chunksOfRun({ from: start, length: 0 }, { from: start, length: trunk }, window), ...ofBranches];
}

/** Of rows that see themselves and, before them, all of `trunk`. */
function chunksOfRun(trunk: Span, own: Span, window: number | undefined): Chunk[] {
  return Array.from({ length: Math.ceil(own.length / chunkQueries) }, (_, i) => {
    const from = i * chunkQueries;
    const to = Math.min(own.length, from + chunkQueries);
    // Counted from the trunk's first.
    const firstKey = window === undefined ? 0 : Math.max(0, trunk.length + from - window + 1);
    const firstOwn = Math.max(0, firstKey - trunk.length);
    const keys = [
      { from: trunk.from + firstKey, length: trunk.length - firstKey },
      { from: own.from + firstOwn, length: to - firstOwn },
    ].filter(({ length }) => length > 0);
    return { from: own.from + from, queries: to - from, keys };
  });
}

/** qkv → out [tokens, heads · dim]. */
export function attendInto(
  out: Tensor,
  qkv: Tensor,
  { runs, long }: AttentionRows,
  shape: HeadShape,
  window: number | undefined,
): void {
  const { numHeads, numKeyValueHeads } = shape;
  if (runs) attendRunsInto(out, qkv, runs, numHeads, numKeyValueHeads, scaleOf(shape), window ?? null);
  for (const { start, family } of long) {
    for (const chunk of chunksOf(start, family, window)) {
      scope(() => {
        const { query, key, value } = split(qkv, chunk, shape);
        const weights = softmaxWeights(query, key, chunk, shape, window);
        copyInto(headsOf(narrow(out, 0, chunk.from, chunk.queries), shape), unstack(bmm(weights, value), shape));
      });
    }
  }
}

/** Gradient of `out` → gradQkv, of the rotated queries and keys and of the values. */
export function attendBackwardInto(
  gradQkv: Tensor,
  gradOut: Tensor,
  qkv: Tensor,
  { runs, long }: AttentionRows,
  shape: HeadShape,
  window: number | undefined,
): void {
  const { numHeads, numKeyValueHeads, headDim } = shape;
  if (runs) {
    attendRunsBackwardInto(gradQkv, gradOut, qkv, runs, numHeads, numKeyValueHeads, scaleOf(shape), window ?? null);
  }
  const gradKeyValues = narrow(gradQkv, 1, numHeads * headDim, 2 * numKeyValueHeads * headDim);
  for (const { start, family } of long) {
    const chunks = chunksOf(start, family, window);
    const length = familyRows(family);
    scope(() => {
      // Several chunks add to the same keys: in fp32, where bf16 would round each time.
      const sums = chunks.length > 1 ? zeros([length, 2 * numKeyValueHeads, headDim], 'float32') : undefined;
      for (const chunk of chunks) {
        scope(() => {
          const { gradQuery, gradKey, gradValue } = chunkGradients(gradOut, qkv, chunk, shape, window);
          const queries = narrow(narrow(gradQkv, 1, 0, numHeads * headDim), 0, chunk.from, chunk.queries);
          copyInto(headsOf(queries, shape), unstack(gradQuery, shape));
          const put = sums ? addInto : copyInto;
          let seen = 0;
          for (const { from, length: keys } of chunk.keys) {
            const place = sums
              ? narrow(sums, 0, from - start, keys)
              : view(narrow(gradKeyValues, 0, from, keys), [keys, 2 * numKeyValueHeads, headDim]);
            const part = (gradient: Tensor) => permute(narrow(gradient, 1, seen, keys), [1, 0, 2]);
            put(narrow(place, 1, 0, numKeyValueHeads), part(gradKey));
            put(narrow(place, 1, numKeyValueHeads, numKeyValueHeads), part(gradValue));
            seen += keys;
          }
        });
      }
      if (sums) {
        const rows = narrow(gradKeyValues, 0, start, length);
        copyInto(rows, toDtype(view(sums, [length, 2 * numKeyValueHeads * headDim]), gradQkv.dtype));
      }
    });
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

/** query [keyValueHeads, group · queries, dim]; key and value [keyValueHeads, keys, dim], looking into qkv where keys are one span. */
function split(qkv: Tensor, { from, queries, keys }: Chunk, shape: HeadShape) {
  const { numHeads, numKeyValueHeads, headDim } = shape;
  const part = (offset: number) => {
    const columns = narrow(qkv, 1, offset * headDim, numKeyValueHeads * headDim);
    const spans = keys.map((span) => narrow(columns, 0, span.from, span.length));
    const rows = spans.length === 1 ? (spans[0] as Tensor) : cat(spans, 0);
    return permute(view(rows, [rows.size(0), numKeyValueHeads, headDim]), [1, 0, 2]);
  };
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
