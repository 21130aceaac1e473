import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseModelConfig } from '../../src/model/config.ts';
import { rotarySpectrum } from '../../src/model/rotary-scaling.ts';

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
