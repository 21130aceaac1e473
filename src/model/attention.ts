/**
 * Causal attention over documents that lie side by side without padding: no token sees another document. Short
 * documents use plain batched products (on CPU their backward is several times faster than flash attention's), long
 * ones libtorch's fused attention, whose memory grows linearly.
 *
 * Legend: tokens = Σ document lengths; seq = one document's length; total = seq and the prefix before it; group = query
 * heads per key/value head.
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

/** What every document continues: the same tokens, already computed. In inference only. */
export interface AttentionPrefix {
  readonly length: number;
  /** By block: rotated keys, and values, [length, keyValueHeads, dim]. */
  readonly layers: readonly { readonly key: Tensor; readonly value: Tensor }[];
}

/** Positions of documents lying side by side: each counts from `start`. */
export const packedPositions = (lengths: readonly number[], start = 0): number[] =>
  lengths.flatMap((length) => Array.from({ length }, (_, i) => start + i));

/** From here on the [seq, seq] scores cost more than the fused kernel's slower backward. */
const fusedFrom = 1024;

const upperTriangle = tensorOperator<[Tensor, number]>('aten::triu');

/** [seq, before + seq]: 0 where a token may look, −∞ at later tokens. */
const causalMask = (seq: number, before: number, dtype: Dtype): Tensor =>
  upperTriangle(full([seq, before + seq], Number.NEGATIVE_INFINITY, dtype), before + 1);

export class PackedAttention implements Attention {
  readonly rotation: Rotation;
  readonly #lengths: readonly number[];
  readonly #prefix: AttentionPrefix | undefined;
  readonly #masks = new Map<number, Tensor>();

  /** Make it inside the scope that uses it: its masks belong to that scope. */
  constructor(lengths: readonly number[], rotation: Rotation, dtype: Dtype, prefix?: AttentionPrefix) {
    this.#lengths = lengths;
    this.rotation = rotation;
    this.#prefix = prefix;
    for (const seq of lengths) {
      // libtorch's own causal mask knows no tokens before the first.
      if ((prefix || seq < fusedFrom) && !this.#masks.has(seq)) {
        this.#masks.set(seq, causalMask(seq, prefix?.length ?? 0, dtype));
      }
    }
  }

  attend(layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor {
    const before = this.#prefix?.layers[layer];
    let start = 0;
    const parts = this.#lengths.map((seq) => {
      const [q, ownKey, ownValue] = [query, key, value].map((x) => narrow(x, 0, start, seq)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      start += seq;
      const k = before ? cat([before.key, ownKey], 0) : ownKey;
      const v = before ? cat([before.value, ownValue], 0) : ownValue;
      const mask = this.#masks.get(seq);
      return mask && k.size(0) < fusedFrom ? attendByProducts(q, k, v, mask) : attendFused(q, k, v, mask);
    });
    return parts.length === 1 ? (parts[0] as Tensor) : cat(parts, 0); // [tokens, heads · dim]
  }
}

/** One document; `mask` [seq, total] is added to the scores. */
function attendByProducts(query: Tensor, key: Tensor, value: Tensor, mask: Tensor): Tensor {
  const [seq, heads, dim] = query.shape as [number, number, number];
  const [total, keyValueHeads] = key.shape as [number, number];
  const group = heads / keyValueHeads;
  const q = permute(view(mulScalar(query, dim ** -0.5), [seq, keyValueHeads, group, dim]), [1, 2, 0, 3]);
  const stacked = reshape(q, [keyValueHeads, group * seq, dim]);
  const scores = matmul(stacked, permute(key, [1, 2, 0])); // [keyValueHeads, group · seq, total]
  const weights = softmax(add(view(scores, [keyValueHeads, group, seq, total]), mask), -1);
  const mixed = matmul(view(weights, [keyValueHeads, group * seq, total]), permute(value, [1, 0, 2]));
  const back = permute(view(mixed, [keyValueHeads, group, seq, dim]), [2, 0, 1, 3]);
  return reshape(back, [seq, heads * dim]);
}

function attendFused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | undefined): Tensor {
  const [seq, heads, dim] = query.shape as [number, number, number];
  const [total, keyValueHeads] = key.shape as [number, number];
  const group = heads / keyValueHeads;
  const repeat = (x: Tensor): Tensor => {
    const grouped = expand(unsqueeze(permute(x, [1, 0, 2]), 1), [keyValueHeads, group, total, dim]);
    return reshape(grouped, [1, heads, total, dim]);
  };
  const q = unsqueeze(permute(query, [1, 0, 2]), 0); // [1, heads, seq, dim]
  const mixed = scaledDotProductAttention(contiguous(q), repeat(key), repeat(value), mask ?? null, 0, !mask);
  return reshape(permute(view(mixed, [heads, seq, dim]), [1, 0, 2]), [seq, heads * dim]);
}
