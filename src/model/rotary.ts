/**
 * Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the half-split layout of Hugging Face's models:
 * element i of a head is rotated with element i + headDim/2. Angles are computed in float64 and rounded once.
 *
 * Legend: tokens = all tokens of the batch side by side, heads, dim = headDim.
 */
import { fromFloat32 } from '../torch/convert.ts';
import { add, cat, mul, narrow, sub, toDtype } from '../torch/ops.ts';
import type { Dtype, Tensor } from '../torch/tensor.ts';
import type { RotarySpectrum } from './rotary-scaling.ts';

export interface Rotation {
  readonly cos: Tensor; // [tokens, 1, dim / 2]
  readonly sin: Tensor; // [tokens, 1, dim / 2]
}

export function rotationAt(positions: readonly number[], spectrum: RotarySpectrum, dtype: Dtype): Rotation {
  const half = spectrum.frequencies.length;
  const longest = positions.reduce((most, position) => Math.max(most, position), -1) + 1;
  const known = anglesUpTo(longest, spectrum);
  const rows = (table: Float32Array): Float32Array => {
    const chosen = new Float32Array(positions.length * half);
    positions.forEach((position, row) => {
      chosen.set(table.subarray(position * half, (position + 1) * half), row * half);
    });
    return chosen;
  };
  const shape = [positions.length, 1, half];
  const [cos, sin] = [rows(known.cos), rows(known.sin)];
  return { cos: toDtype(fromFloat32(cos, shape), dtype), sin: toDtype(fromFloat32(sin, shape), dtype) };
}

/** By position: documents of a pack have the same ones, and packs too. */
interface Angles {
  readonly cos: Float32Array; // [positions, dim / 2]
  readonly sin: Float32Array; // [positions, dim / 2]
}

const computed = new WeakMap<RotarySpectrum, Angles>();

/** At least these positions. */
function anglesUpTo(length: number, spectrum: RotarySpectrum): Angles {
  const { frequencies, magnitude } = spectrum;
  const half = frequencies.length;
  const before = computed.get(spectrum) ?? { cos: new Float32Array(), sin: new Float32Array() };
  const from = before.cos.length / half;
  if (length <= from) return before;
  const to = Math.max(length, 2 * from);
  const grown = { cos: new Float32Array(to * half), sin: new Float32Array(to * half) };
  grown.cos.set(before.cos);
  grown.sin.set(before.sin);
  for (let position = from; position < to; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * frequencies[i]!;
      grown.cos[position * half + i] = magnitude * Math.cos(angle);
      grown.sin[position * half + i] = magnitude * Math.sin(angle);
    }
  }
  computed.set(spectrum, grown);
  return grown;
}

/** x [tokens, heads, dim] → the same, rotated by each token's position. */
export function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  const half = x.size(2) / 2;
  const first = narrow(x, 2, 0, half);
  const second = narrow(x, 2, half, half);
  return cat([sub(mul(first, cos), mul(second, sin)), add(mul(second, cos), mul(first, sin))], 2);
}
