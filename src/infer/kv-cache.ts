/**
 * Key/value cache for a batch of rows of unequal length. Prompts are computed packed, without padding, and copied in;
 * afterwards every row grows by one token a step at its own position. A prompt may take the place of a row that is done:
 * nothing else moves. A row's unused tail, where older keys may lie, is masked, and so is what a sliding window has left
 * behind (it stays in memory).
 *
 * Legend: rows = sequences being decoded; capacity ≥ the longest row; group = query heads per key/value head.
 */
import { type Attention, type AttentionPrefix, hidingWindow, PackedAttention } from '../model/attention.ts';
import type { Decoder } from '../model/decoder.ts';
import { attentionApart, type FamilyAttention } from '../model/family-attention.ts';
import { fromFloat32, fromIntegers } from '../torch/convert.ts';
import { attendStep } from '../torch/kernels.ts';
import { tensorOperator } from '../torch/operator.ts';
import {
  cat,
  expand,
  indexCopyInto,
  indexSelect,
  narrow,
  reshape,
  scaledDotProductAttention,
  toDtype,
  view,
  zeros,
} from '../torch/ops.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';

const scatterInto = tensorOperator<[Tensor, number, Tensor, Tensor]>('aten::scatter_.src');

/** Grown in steps: reallocating every token would copy the whole cache each time. */
const growth = 128;
const roundUp = (length: number): number => Math.ceil(length / growth) * growth;

interface Layer {
  key: Tensor; // [rows, keyValueHeads, capacity, dim]
  value: Tensor; // [rows, keyValueHeads, capacity, dim]
}

/** Query [rows, heads, dim], key and value [rows, keyValueHeads, dim] of a new token a row → [rows, heads · dim]. */
type AttendStep = (layer: number, cache: Layer, query: Tensor, key: Tensor, value: Tensor) => Tensor;

export class KeyValueCache {
  readonly #decoder: Decoder;
  readonly #layers: Layer[];
  readonly #ownKernels: boolean;
  #lengths: number[];
  #capacity: number;

  /** Empty rows; lives until `release`. `ownKernels`: default as the decoder has it. */
  constructor(decoder: Decoder, rows: number, capacity: number, { ownKernels = decoder.ownKernels } = {}) {
    this.#decoder = decoder;
    this.#ownKernels = ownKernels;
    this.#lengths = new Array<number>(rows).fill(0);
    this.#capacity = roundUp(capacity);
    const { numKeyValueHeads, headDim } = decoder.config;
    const shape = [rows, numKeyValueHeads, this.#capacity, headDim];
    this.#layers = keep(
      Array.from({ length: decoder.numLayers }, () => ({
        key: zeros(shape, decoder.dtype),
        value: zeros(shape, decoder.dtype),
      })),
    );
  }

  /** Tokens each row holds. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  /** Attention for prompts laid side by side: the prefix, if any, and prompt i become all that `rows[i]` holds. */
  prefill(rows: readonly number[], lengths: readonly number[], prefix?: AttentionPrefix): Attention {
    const packed = this.#ownKernels
      ? attentionApart(this.#decoder, lengths, prefix)
      : new PackedAttention(this.#decoder, lengths, prefix);
    let start = 0;
    const prompts = lengths.map((length) => {
      start += length;
      return Array.from({ length }, (_, i) => start - length + i);
    });
    return this.#filling(rows, prompts, packed, prefix);
  }

  /** The same for families, which our kernel takes: prompt i is the tokens `prompts[i]` of the forward. */
  prefillFamilies(
    rows: readonly number[],
    prompts: readonly (readonly number[])[],
    attention: FamilyAttention,
  ): Attention {
    return this.#filling(rows, prompts, attention, undefined);
  }

  #filling(
    rows: readonly number[],
    prompts: readonly (readonly number[])[],
    packed: Attention,
    prefix: AttentionPrefix | undefined,
  ): Attention {
    const before = prefix?.length ?? 0;
    rows.forEach((row, i) => {
      this.#lengths[row] = before + (prompts[i] as readonly number[]).length;
    });
    this.#reserve(Math.max(...rows.map((row) => this.#lengths[row] as number)));
    const own = this.#copying(rows, prompts, before);
    const beginning = Array.from({ length: before }, (_, i) => i);
    const shared = this.#copying(
      rows,
      rows.map(() => beginning),
      0,
    );
    return {
      positions: packed.positions,
      rotation: packed.rotation,
      attend: (layer, query, key, value) => {
        const cache = this.#layers[layer] as Layer;
        const ofPrefix = prefix?.layers[layer];
        if (ofPrefix) {
          shared(cache.key, ofPrefix.key);
          shared(cache.value, ofPrefix.value);
        }
        own(cache.key, key);
        own(cache.value, value);
        return packed.attend(layer, query, key, value);
      },
    };
  }

  /** What copies tokens `prompts[i]` of a tensor [tokens, keyValueHeads, dim] into row `rows[i]`, from place `at` on. */
  #copying(
    rows: readonly number[],
    prompts: readonly (readonly number[])[],
    at: number,
  ): (cache: Tensor, source: Tensor) => void {
    const { numKeyValueHeads: heads, headDim: dim } = this.#decoder.config;
    const from: number[] = [];
    const to: number[] = [];
    for (const [i, row] of rows.entries()) {
      for (const [j, token] of (prompts[i] as readonly number[]).entries()) {
        for (let head = 0; head < heads; head++) {
          from.push(token * heads + head);
          to.push((row * heads + head) * this.#capacity + at + j);
        }
      }
    }
    const [sources, places] = [from, to].map((list) => fromIntegers(list, [list.length])) as [Tensor, Tensor];
    return (cache, source) =>
      scope(() => {
        const copied = indexSelect(reshape(source, [-1, dim]), 0, sources);
        indexCopyInto(view(cache, [-1, dim]), 0, places, copied);
      });
  }

  /** Attention for one new token a row, which is appended to it. */
  step(): Attention {
    const positions = [...this.#lengths];
    this.#lengths = positions.map((length) => length + 1);
    this.#reserve(Math.max(...this.#lengths));
    const attend = this.#ownKernels ? this.#attendByKernel(positions) : this.#attendByOperators(positions);
    return {
      positions,
      rotation: this.#decoder.rotation(positions),
      attend: (layer, query, key, value) => attend(layer, this.#layers[layer] as Layer, query, key, value),
    };
  }

  #attendByKernel(positions: readonly number[]): AttendStep {
    const { numHeads, headDim, windows } = this.#decoder.config;
    const held = fromIntegers(positions, [positions.length]);
    const scale = headDim ** -0.5;
    return (layer, cache, query, key, value) => {
      const mixed = attendStep(query, key, value, cache.key, cache.value, held, scale, windows[layer] ?? null);
      return view(mixed, [positions.length, numHeads * headDim]);
    };
  }

  /** By libtorch's operators, on any device: the reference the kernel is held to. */
  #attendByOperators(positions: readonly number[]): AttendStep {
    const rows = positions.length;
    const longest = Math.max(...this.#lengths);
    const { numHeads, numKeyValueHeads: heads, headDim: dim, windows } = this.#decoder.config;
    const at = expand(view(fromIntegers(positions, [rows]), [rows, 1, 1, 1]), [rows, heads, 1, dim]);
    const masks = new Map([...new Set(windows)].map((window) => [window, this.#mask(longest, window)]));
    return (layer, cache, query, key, value) => {
      scatterInto(cache.key, 2, at, view(key, [rows, heads, 1, dim]));
      scatterInto(cache.value, 2, at, view(value, [rows, heads, 1, dim]));
      // The queries of a group look at the same keys: as if they were one head's queries at different places.
      const grouped = view(query, [rows, heads, numHeads / heads, dim]);
      const [keys, values] = [narrow(cache.key, 2, 0, longest), narrow(cache.value, 2, 0, longest)];
      const mixed = scaledDotProductAttention(grouped, keys, values, masks.get(windows[layer]) ?? null, 0, false);
      return reshape(mixed, [rows, numHeads * dim]); // from [rows, heads, group, dim]
    };
  }

  /** Forgets all rows but these, which are numbered anew, and the memory no row of theirs needs. All is copied. */
  keepRows(rows: readonly number[]): void {
    this.#lengths = rows.map((row) => this.#lengths[row] as number);
    this.#capacity = roundUp(Math.max(...this.#lengths));
    const places = fromIntegers(rows, [rows.length]);
    this.#replace((tensor) => indexSelect(narrow(tensor, 2, 0, this.#capacity), 0, places));
    places.release();
  }

  release(): void {
    releaseAll(this.#layers);
  }

  /** [rows, 1, 1, longest]: −∞ where a row's new token may not look; undefined where all of them may look everywhere. */
  #mask(longest: number, window: number | undefined): Tensor | undefined {
    const rows = this.#lengths.length;
    const hiding = hidingWindow(window, longest);
    if (hiding === undefined && this.#lengths.every((length) => length === longest)) return undefined;
    const mask = new Float32Array(rows * longest);
    this.#lengths.forEach((length, row) => {
      const own = mask.subarray(row * longest, (row + 1) * longest);
      own.fill(Number.NEGATIVE_INFINITY, length);
      own.fill(Number.NEGATIVE_INFINITY, 0, Math.max(0, length - (hiding ?? length)));
    });
    return toDtype(fromFloat32(mask, [rows, 1, 1, longest]), this.#decoder.dtype);
  }

  #reserve(length: number): void {
    if (length <= this.#capacity) return;
    const extra = roundUp(length) - this.#capacity;
    this.#capacity += extra;
    this.#replace((tensor) => {
      const [rows, heads, , dim] = tensor.shape as [number, number, number, number];
      return cat([tensor, zeros([rows, heads, extra, dim], tensor.dtype)], 2);
    });
  }

  #replace(change: (tensor: Tensor) => Tensor): void {
    for (const layer of this.#layers) {
      for (const part of ['key', 'value'] as const) {
        const old = layer[part];
        layer[part] = keep(scope(() => change(old)));
        old.release();
      }
    }
  }
}
