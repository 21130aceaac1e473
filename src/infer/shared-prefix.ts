/**
 * Sequences that begin alike (shown examples, a judge's instructions) have their common beginning computed once: its
 * keys and values in every block, which the rest of each sequence then attends to.
 */
import { type AttentionPrefix, PackedAttention } from '../model/attention.ts';
import type { Decoder } from '../model/decoder.ts';
import { fromIntegers } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { clone } from '../torch/ops.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';

export interface SharedPrefix extends AttentionPrefix {
  release(): void;
}

/** A few tokens (a template's fixed beginning) cost less than handling them apart. */
export const worthSharing = (length: number): boolean => length >= 32;

/** How many tokens all the sequences begin with alike. */
export function commonLength(sequences: readonly (readonly number[])[]): number {
  const [first = [], ...others] = sequences;
  return others.reduce((length, other) => {
    const different = first.findIndex((id, i) => i >= length || id !== other[i]);
    return different === -1 ? Math.min(length, other.length) : Math.min(length, different);
  }, first.length);
}

/** The first `length` of these tokens; undefined where sharing that many gains nothing. Its owner releases it. */
export function computePrefix(decoder: Decoder, tokens: readonly number[], length: number): SharedPrefix | undefined {
  if (!worthSharing(length)) return undefined;
  const layers: { key: Tensor; value: Tensor }[] = [];
  scope(() =>
    noGrad(() => {
      const packed = new PackedAttention(decoder, [length]);
      decoder.hidden(fromIntegers(tokens.slice(0, length), [length]), {
        positions: packed.positions,
        rotation: packed.rotation,
        attend: (layer, query, key, value) => {
          layers.push(keep({ key: clone(key), value: clone(value) }));
          return packed.attend(layer, query, key, value);
        },
      });
    }),
  );
  return { length, layers, release: () => releaseAll(layers) };
}
