/**
 * A linear layer of a fused block, and its way back: one matrix that may hold several parameters, and the low-rank
 * adapters beside them.
 *
 * Legend: tokens = rows of the pack; rank of the adapters.
 */
import { type AdapterDropout, type DropMask, dropInto, dropMask } from '../model/adapter-dropout.ts';
import { adapterParameters } from '../model/lora.ts';
import { addInto, mulScalar, narrow, transpose } from '../torch/ops.ts';
import { addmmInto, mm, mmInto } from '../torch/products.ts';
import type { Tensor } from '../torch/tensor.ts';
import type { FusedLinear } from './fused-weights.ts';
import type { Gradients } from './gradients.ts';

/** Dropout before the adapters, and memory for what one of them sees of x, until the next one is looked at. */
export interface Dropping {
  readonly dropout: AdapterDropout;
  readonly place: (x: Tensor) => Tensor;
}

/** out = x · weightᵀ + bias + what the adapters add */
export function apply(out: Tensor, x: Tensor, linear: FusedLinear, dropping?: Dropping): void {
  const transposed = transpose(linear.weight, 0, 1);
  if (linear.bias) addmmInto(out, linear.bias, x, transposed);
  else mmInto(out, x, transposed);
  addAdapters(out, x, linear, dropping);
}

/** out += scale · seen · downᵀ · upᵀ, in each adapted parameter's columns; seen: x, where nothing is dropped */
export function addAdapters(out: Tensor, x: Tensor, { slices }: FusedLinear, dropping?: Dropping): void {
  for (const { adapter, name, from, rows } of slices) {
    if (!adapter) continue;
    const mask = dropping && dropMask(dropping.dropout, name);
    const low = mm(seenOf(x, mask, dropping), transpose(adapter.down, 0, 1)); // [tokens, rank]
    const part = narrow(out, 1, from, rows);
    addmmInto(part, part, low, transpose(adapter.up, 0, 1), scaleOf(adapter, mask));
  }
}

/** Gradients of what the adapters' lower products gave, [tokens, rank], by slice; of the slices that have none, nothing. */
type LowGradients = readonly (Tensor | undefined)[];

export interface BackwardContext {
  readonly gradients: Gradients;
  readonly dropping: Dropping | undefined;
  /** As `applyBackward` returned them. */
  readonly low: LowGradients;
}

/** gradX = gradOut · weight, and the same through the adapters, whose own gradients want what is returned. */
export function applyBackward(
  gradX: Tensor,
  gradOut: Tensor,
  { weight, slices }: FusedLinear,
  dropping?: Dropping,
): LowGradients {
  mmInto(gradX, gradOut, weight);
  return slices.map(({ adapter, name, from, rows }) => {
    if (!adapter) return undefined;
    const mask = dropping && dropMask(dropping.dropout, name);
    const gradLow = mulScalar(mm(narrow(gradOut, 1, from, rows), adapter.up), scaleOf(adapter, mask));
    if (mask) {
      const gradSeen = mm(gradLow, adapter.down);
      addInto(gradX, dropInto(gradSeen, gradSeen, mask));
    } else {
      addmmInto(gradX, gradX, gradLow, adapter.down);
    }
    return gradLow;
  });
}

export function addAdapterGradients(
  { slices }: FusedLinear,
  gradOut: Tensor,
  x: Tensor,
  { gradients, dropping, low: gradLows }: BackwardContext,
): void {
  for (const [i, { adapter, name, from, rows }] of slices.entries()) {
    const gradLow = gradLows[i];
    if (!adapter || !gradLow) continue;
    const mask = dropping && dropMask(dropping.dropout, name);
    const scale = scaleOf(adapter, mask);
    const seen = seenOf(x, mask, dropping);
    const low = mm(seen, transpose(adapter.down, 0, 1)); // [tokens, rank]
    const gradUp = mm(transpose(narrow(gradOut, 1, from, rows), 0, 1), low);
    const scaled = { down: mm(transpose(gradLow, 0, 1), seen), up: mulScalar(gradUp, scale), scale };
    for (const [parameter, gradient] of adapterParameters(new Map([[name, scaled]]))) {
      gradients.add(parameter, gradient);
    }
  }
}

const scaleOf = ({ scale }: { readonly scale: number }, mask: DropMask | undefined): number =>
  scale * (mask?.gain ?? 1);

/** Of x, what the adapter sees. */
const seenOf = (x: Tensor, mask: DropMask | undefined, dropping: Dropping | undefined): Tensor =>
  mask && dropping ? dropInto(dropping.place(x), x, mask) : x;
