/**
 * Attention within families of documents that begin alike (answers to one prompt), side by side, the common beginning once;
 * without gradients, and for short ones: all of a pack are one call of our kernel (native/kernels/attend-runs.h). By
 * batched products a short document's calls would cost more than its arithmetic.
 */
import { ShapeError } from '../base/errors.ts';
import { fromIntegers } from '../torch/convert.ts';
import { attendRunsInto } from '../torch/kernels.ts';
import { cat, emptyLike, reshape, view } from '../torch/ops.ts';
import type { Tensor } from '../torch/tensor.ts';
import {
  type AttendingModel,
  type Attention,
  type AttentionPrefix,
  PackedAttention,
  packedPositions,
} from './attention.ts';
import type { Rotation } from './rotary.ts';

/** Rows that no others see: a trunk, which is causal, and branches, each of which sees the trunk and itself. */
export interface Family {
  /** Tokens; a document alone is nothing else. */
  readonly trunk: number;
  readonly branches: readonly number[];
}

export const familyRows = ({ trunk, branches }: Family): number => branches.reduce((sum, own) => sum + own, trunk);

/** Rows of the largest family that is short. */
export const shortRows = 512;

/** Who of a pack's rows belongs together, as attention takes it. */
export interface AttentionRows {
  /** Of short families, as the kernel wants them: int64 [runs, 3], first row, rows, 1 where a family begins. */
  readonly runs: Tensor | undefined;
  readonly long: readonly { readonly start: number; readonly family: Family }[];
}

/** Of families side by side. */
export function attentionRows(families: readonly Family[]): AttentionRows {
  const runs: number[] = [];
  const long: { start: number; family: Family }[] = [];
  let start = 0;
  for (const family of families) {
    const { trunk, branches } = family;
    if (familyRows(family) > shortRows) {
      long.push({ start, family });
    } else {
      let row = start;
      for (const [i, length] of [trunk, ...branches].entries()) {
        if (length > 0) runs.push(row, length, Number(i === 0));
        row += length;
      }
    }
    start += familyRows(family);
  }
  return { runs: runs.length === 0 ? undefined : fromIntegers(runs, [runs.length / 3, 3]), long };
}

export class FamilyAttention implements Attention {
  readonly positions: readonly number[];
  readonly rotation: Rotation | undefined;
  readonly #windows: readonly (number | undefined)[];
  readonly #runs: Tensor;

  /** Of rows, at least one, at these positions of their documents, in short families. Make it inside the scope that uses it. */
  constructor(model: AttendingModel, positions: readonly number[], families: readonly Family[]) {
    const { runs, long } = attentionRows(families);
    if (!runs || long.length > 0) throw new ShapeError(`expected families of 1 to ${shortRows} rows`);
    this.positions = positions;
    this.rotation = model.rotation(positions);
    this.#windows = model.config.windows;
    this.#runs = runs;
  }

  attend(layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor {
    const [tokens, heads, dim] = query.shape as [number, number, number];
    const packed = view(cat([query, key, value], 1), [tokens, -1]);
    const out = emptyLike(reshape(query, [tokens, heads * dim]));
    attendRunsInto(out, packed, this.#runs, heads, key.size(1), dim ** -0.5, this.#windows[layer] ?? null);
    return out;
  }
}

/**
 * Documents side by side, each for itself behind the prefix, if any, without gradients: by our kernel where it computes, all
 * are short and nothing is before them.
 */
export const attentionApart = (
  model: AttendingModel & { readonly ownKernels: boolean },
  lengths: readonly number[],
  prefix?: AttentionPrefix,
): Attention =>
  model.ownKernels && !prefix && lengths.every((length) => length <= shortRows)
    ? new FamilyAttention(
        model,
        packedPositions(lengths),
        lengths.map((trunk) => ({ trunk, branches: [] })),
      )
    : new PackedAttention(model, lengths, prefix);
