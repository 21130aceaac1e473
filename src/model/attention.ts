/**
 * Causal attention over documents that lie side by side without padding: no token sees another document, nor, in blocks
 * with a sliding window, a token further back than the window. On CUDA in half precision all documents are one call
 * (flash-attention.ts). Elsewhere short documents use plain batched products (on the CPU their backward is several times
 * faster than flash attention's), long ones libtorch's fused attention, whose memory grows linearly.
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
import type { ModelConfig } from './config.ts';
import { attendFlash, type DocumentBounds, documentBounds, flashFits } from './flash-attention.ts';
import type { Rotation } from './rotary.ts';

/** How the tokens of one forward belong together; the block asks it to attend and does not know the layout. */
export interface Attention {
  /** Of each token in its document, from 0. */
  readonly positions: readonly number[];
  /** By these positions; undefined where the model has learned positions instead. */
  readonly rotation: Rotation | undefined;
  /** Query [tokens, heads, dim], key and value [tokens, keyValueHeads, dim], rotated → [tokens, heads · dim]. */
  attend(layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor;
}

/** What attention has to know of a decoder. */
export interface AttendingModel {
  readonly dtype: Dtype;
  readonly device: string;
  readonly config: Pick<ModelConfig, 'windows' | 'headDim'>;
  rotation(positions: readonly number[]): Rotation | undefined;
}

/** What every document continues: the same tokens, already computed. In inference only. */
export interface AttentionPrefix {
  readonly length: number;
  /** By block: keys, rotated where the model rotates, and values, [length, keyValueHeads, dim]. */
  readonly layers: readonly { readonly key: Tensor; readonly value: Tensor }[];
}

/** Positions of documents lying side by side: each counts from `start`. */
export const packedPositions = (lengths: readonly number[], start = 0): number[] =>
  lengths.flatMap((length) => Array.from({ length }, (_, i) => start + i));

/** From here on the [seq, seq] scores cost more than the fused kernel's slower backward. */
const fusedFrom = 1024;

const upperTriangle = tensorOperator<[Tensor, number]>('aten::triu');
const lowerTriangle = tensorOperator<[Tensor, number]>('aten::tril');

/** The window where it hides any of `total` tokens from the last. */
export const hidingWindow = (window: number | undefined, total: number): number | undefined =>
  window !== undefined && window < total ? window : undefined;

/** [seq, before + seq]: 0 where a token may look, −∞ at later tokens and at those its window has left behind. */
function causalMask(seq: number, before: number, window: number | undefined, dtype: Dtype): Tensor {
  const hidden = full([seq, before + seq], Number.NEGATIVE_INFINITY, dtype);
  const later = upperTriangle(hidden, before + 1);
  return window === undefined ? later : add(later, lowerTriangle(hidden, before - window));
}

export class PackedAttention implements Attention {
  readonly positions: readonly number[];
  readonly rotation: Rotation | undefined;
  readonly #lengths: readonly number[];
  readonly #windows: readonly (number | undefined)[];
  readonly #prefix: AttentionPrefix | undefined;
  readonly #masks = new Map<string, Tensor>();
  /** Where all documents are one call. */
  readonly #bounds: DocumentBounds | undefined;

  /** Make it inside the scope that uses it: its rotation and masks belong to that scope. */
  constructor(model: AttendingModel, lengths: readonly number[], prefix?: AttentionPrefix) {
    this.positions = packedPositions(lengths, prefix?.length);
    this.rotation = model.rotation(this.positions);
    this.#lengths = lengths;
    this.#windows = model.config.windows;
    this.#prefix = prefix;
    if (!prefix && flashFits(model.device, model.dtype, model.config.headDim)) {
      this.#bounds = documentBounds(lengths);
      return;
    }
    const before = prefix?.length ?? 0;
    for (const window of new Set(this.#windows)) {
      for (const seq of lengths) {
        const hiding = hidingWindow(window, before + seq);
        const name = maskName(seq, hiding);
        // libtorch's own causal mask knows no tokens before the first, and no window.
        const needed = prefix !== undefined || hiding !== undefined || seq < fusedFrom;
        if (needed && !this.#masks.has(name)) this.#masks.set(name, causalMask(seq, before, hiding, model.dtype));
      }
    }
  }

  attend(layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor {
    const window = this.#windows[layer];
    if (this.#bounds) return attendFlash(query, key, value, this.#bounds, hidingWindow(window, this.#bounds.longest));
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
      const total = k.size(0);
      const mask = this.#masks.get(maskName(seq, hidingWindow(window, total)));
      return mask && total < fusedFrom ? attendByProducts(q, k, v, mask) : attendFused(q, k, v, mask);
    });
    return parts.length === 1 ? (parts[0] as Tensor) : cat(parts, 0); // [tokens, heads · dim]
  }
}

const maskName = (seq: number, window: number | undefined): string => `${seq}/${window ?? ''}`;

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
