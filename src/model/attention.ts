/**
 * Causal attention over documents that lie side by side without padding: no token sees another document. Short
 * documents use plain batched products (on CPU their backward is several times faster than flash attention's), long
 * ones libtorch's fused attention, whose memory grows linearly.
 *
 * Legend: tokens = Σ document lengths; seq = one document's length; group = query heads per key/value head.
 */

import { tensorOperator } from '../torch/operator.ts';
import {
  add,
  cat,
  contiguous,
  expand,
  full,
  matmul,
  mulScalar,
  narrow,
  permute,
  reshape,
  scaledDotProductAttention,
  softmax,
  unsqueeze,
  view,
} from '../torch/ops.ts';
import type { Dtype, Tensor } from '../torch/tensor.ts';
import type { Rotation } from './rotary.ts';

/** How the tokens of one forward belong together; the block asks it to attend and does not know the layout. */
export interface Attention {
  readonly rotation: Rotation;
  /** Rotated query [tokens, heads, dim], rotated key and value [tokens, keyValueHeads, dim] → [tokens, heads · dim]. */
  attend(layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor;
}

/** Positions of documents lying side by side: each counts from 0. */
export const packedPositions = (lengths: readonly number[]): number[] =>
  lengths.flatMap((length) => Array.from({ length }, (_, i) => i));

/** From here on the [seq, seq] scores cost more than the fused kernel's slower backward. */
const fusedFrom = 1024;

const upperTriangle = tensorOperator<[Tensor, number]>('aten::triu');

/** [seq, seq]: 0 where a token may look, −∞ at later tokens. */
const causalMask = (seq: number, dtype: Dtype): Tensor =>
  upperTriangle(full([seq, seq], Number.NEGATIVE_INFINITY, dtype), 1);

export class PackedAttention implements Attention {
  readonly rotation: Rotation;
  readonly #lengths: readonly number[];
  readonly #masks = new Map<number, Tensor>();

  /** Make it inside the scope that uses it: its masks belong to that scope. */
  constructor(lengths: readonly number[], rotation: Rotation, dtype: Dtype) {
    this.#lengths = lengths;
    this.rotation = rotation;
    for (const seq of lengths)
      if (seq < fusedFrom && !this.#masks.has(seq)) this.#masks.set(seq, causalMask(seq, dtype));
  }

  attend(_layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor {
    let start = 0;
    const parts = this.#lengths.map((seq) => {
      const [q, k, v] = [query, key, value].map((x) => narrow(x, 0, start, seq)) as [Tensor, Tensor, Tensor];
      start += seq;
      const mask = this.#masks.get(seq);
      return mask ? attendByProducts(q, k, v, mask) : attendFused(q, k, v);
    });
    return parts.length === 1 ? (parts[0] as Tensor) : cat(parts, 0); // [tokens, heads · dim]
  }
}

/** One document; `mask` is added to the scores. */
function attendByProducts(query: Tensor, key: Tensor, value: Tensor, mask: Tensor): Tensor {
  const [seq, heads, dim] = query.shape as [number, number, number];
  const keyValueHeads = key.size(1);
  const group = heads / keyValueHeads;
  const q = permute(view(mulScalar(query, dim ** -0.5), [seq, keyValueHeads, group, dim]), [1, 2, 0, 3]);
  const stacked = reshape(q, [keyValueHeads, group * seq, dim]);
  const scores = matmul(stacked, permute(key, [1, 2, 0])); // [keyValueHeads, group · seq, seq]
  const weights = softmax(add(view(scores, [keyValueHeads, group, seq, seq]), mask), -1);
  const mixed = matmul(view(weights, [keyValueHeads, group * seq, seq]), permute(value, [1, 0, 2]));
  const back = permute(view(mixed, [keyValueHeads, group, seq, dim]), [2, 0, 1, 3]);
  return reshape(back, [seq, heads * dim]);
}

function attendFused(query: Tensor, key: Tensor, value: Tensor): Tensor {
  const [seq, heads, dim] = query.shape as [number, number, number];
  const keyValueHeads = key.size(1);
  const group = heads / keyValueHeads;
  const repeat = (x: Tensor): Tensor => {
    const grouped = expand(unsqueeze(permute(x, [1, 0, 2]), 1), [keyValueHeads, group, seq, dim]);
    return reshape(grouped, [1, heads, seq, dim]);
  };
  const q = unsqueeze(permute(query, [1, 0, 2]), 0); // [1, heads, seq, dim]
  const mixed = scaledDotProductAttention(contiguous(q), repeat(key), repeat(value), null, 0, true);
  return reshape(permute(view(mixed, [heads, seq, dim]), [1, 0, 2]), [seq, heads * dim]);
}
