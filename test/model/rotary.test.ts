import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseModelConfig } from '../../src/model/config.ts';
import { rotationAt } from '../../src/model/rotary.ts';
import { rotarySpectrum } from '../../src/model/rotary-scaling.ts';
import { toFloat32 } from '../../src/torch/convert.ts';
import { scope } from '../../src/torch/tensor.ts';

/** Golden file by scripts/golden/families.py: transformers' own frequencies. */
const cases = JSON.parse(readFileSync(join(import.meta.dirname, '../golden/rotary.json'), 'utf8')) as {
  config: { rope_scaling: { rope_type: string } };
  frequencies: number[];
  magnitude: number;
}[];

it.each(cases)("has transformers' frequencies: $config.rope_scaling", ({ config, frequencies, magnitude }) => {
  const sizes = { model_type: 'llama', vocab_size: 9, intermediate_size: 8, num_hidden_layers: 1 };
  const { rotary, headDim } = parseModelConfig({ ...sizes, ...config });
  const spectrum = rotarySpectrum(rotary!, headDim);
  expect(spectrum.magnitude).toBeCloseTo(magnitude, 6);
  expect(spectrum.frequencies.length).toBe(frequencies.length);
  for (const [i, frequency] of frequencies.entries()) expect(spectrum.frequencies[i]! / frequency).toBeCloseTo(1, 5);
});

it('turns a token by its position, whatever positions came before', () => {
  const spectrum = { frequencies: Float64Array.from([1, 0.1]), magnitude: 2 };
  for (const positions of [[3, 0, 3], [7], [1, 20, 8]]) {
    scope(() => {
      const { cos, sin } = rotationAt(positions, spectrum, 'float32');
      const angles = positions.flatMap((position) => [position, position * 0.1]);
      expect(cos.shape).toEqual([positions.length, 1, 2]);
      expect(toFloat32(cos)).toEqual(Float32Array.from(angles, (angle) => 2 * Math.cos(angle)));
      expect(toFloat32(sin)).toEqual(Float32Array.from(angles, (angle) => 2 * Math.sin(angle)));
    });
  }
});
