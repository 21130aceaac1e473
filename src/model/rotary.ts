/**
 * Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the half-split layout of Hugging Face's Llama:
 * element i of a head is rotated with element i + headDim/2. Angles are computed in float64 and rounded once.
 *
 * Legend: tokens = all tokens of the batch side by side, heads, dim = headDim.
 */
import { fromFloat32 } from '../torch/convert.ts';
import { add, cat, mul, narrow, sub, toDtype } from '../torch/ops.ts';
import type { Dtype, Tensor } from '../torch/tensor.ts';
import type { Llama3Scaling, ModelConfig } from './config.ts';

export interface Rotation {
  readonly cos: Tensor; // [tokens, 1, dim / 2]
  readonly sin: Tensor; // [tokens, 1, dim / 2]
}

/** Angular frequency of each of the dim/2 pairs, in radians per position. */
export function rotaryFrequencies(config: Pick<ModelConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>): Float64Array {
  const half = config.headDim / 2;
  return Float64Array.from({ length: half }, (_, i) => {
    const frequency = config.ropeTheta ** (-i / half);
    return config.ropeScaling ? scaleLlama3(frequency, config.ropeScaling) : frequency;
  });
}

/** Long wavelengths are slowed by `factor`, short ones kept, those between blended linearly. */
function scaleLlama3(frequency: number, scaling: Llama3Scaling): number {
  const wavelength = (2 * Math.PI) / frequency;
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions: original } = scaling;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return frequency / factor;
  const smooth = (original / wavelength - low) / (high - low);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

export function rotationAt(positions: readonly number[], frequencies: Float64Array, dtype: Dtype): Rotation {
  const half = frequencies.length;
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(positions.length * half);
  positions.forEach((position, row) => {
    for (let i = 0; i < half; i++) {
      const angle = position * frequencies[i]!;
      cos[row * half + i] = Math.cos(angle);
      sin[row * half + i] = Math.sin(angle);
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
