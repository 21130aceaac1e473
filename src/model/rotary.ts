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
  const { frequencies, magnitude } = spectrum;
  const half = frequencies.length;
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(positions.length * half);
  positions.forEach((position, row) => {
    for (let i = 0; i < half; i++) {
      const angle = position * frequencies[i]!;
      cos[row * half + i] = magnitude * Math.cos(angle);
      sin[row * half + i] = magnitude * Math.sin(angle);
    }
  });
  const shape = [positions.length, 1, half];
  return { cos: toDtype(fromFloat32(cos, shape), dtype), sin: toDtype(fromFloat32(sin, shape), dtype) };
}

/** x [tokens, heads, dim] → the same, rotated by each token's position. */
export function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  const half = x.size(2) / 2;
  const first = narrow(x, 2, 0, half);
  const second = narrow(x, 2, half, half);
  return cat([sub(mul(first, cos), mul(second, sin)), add(mul(second, cos), mul(first, sin))], 2);
}
