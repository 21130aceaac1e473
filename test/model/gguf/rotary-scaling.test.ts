import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { packageRoot } from '../../../src/base/paths.ts';
import { parseModelConfig } from '../../../src/model/config.ts';
import { rotarySpectrum } from '../../../src/model/rotary-scaling.ts';
import { type Changes, constant, describeSmall, smallTensors } from './small-model.ts';
import { float32Bytes, type TensorSpec, type Typed } from './writer.ts';

/** By scripts/golden/gguf-families.py, from transformers: the scaling of published models, the last of none. */
const published = JSON.parse(readFileSync(join(packageRoot, 'test/golden/gguf-rotary.json'), 'utf8')) as {
  headDim: number;
  theta: number;
  rope_scaling: Record<string, number | string>;
  divisors: number[];
}[];
type Case = (typeof published)[number];
const unpublished = published.pop() as Case;
const [llama31, llama32] = published as [Case, Case];

const divisorTensor = (divisors: readonly number[]): TensorSpec => ({
  name: 'rope_freqs.weight',
  dimensions: [divisors.length],
  type: 0,
  data: float32Bytes(divisors),
});

/** The small model with heads as wide as a case's. */
function describeCase({ headDim, theta }: Case, divisors: readonly number[] | undefined, changes: Changes = {}) {
  const wide: Readonly<Record<string, TensorSpec>> = Object.fromEntries(
    [0, 1]
      .flatMap((block) => [
        constant(`blk.${block}.attn_q.weight`, [4, 2 * headDim]),
        constant(`blk.${block}.attn_k.weight`, [4, headDim]),
        constant(`blk.${block}.attn_v.weight`, [4, headDim]),
        constant(`blk.${block}.attn_output.weight`, [2 * headDim, 4]),
      ])
      .map((tensor) => [tensor.name, tensor]),
  );
  const tensors = smallTensors().map((tensor) => wide[tensor.name] ?? tensor);
  const metadata: Changes = {
    'llama.attention.key_length': ['u32', headDim],
    'llama.attention.value_length': ['u32', headDim],
    'llama.rope.freq_base': ['f32', theta],
    'llama.context_length': ['u32', 131_072],
    ...changes,
  };
  return describeSmall(metadata, [...tensors, ...(divisors ? [divisorTensor(divisors)] : [])]).config;
}

const scalingOf = (name: string, value: Typed): Changes => ({ [`llama.rope.scaling.${name}`]: value });
const linear = (factor: number): Changes => ({
  ...scalingOf('type', ['string', 'linear']),
  ...scalingOf('factor', ['f32', factor]),
});

describe('rope_freqs.weight', () => {
  it.each(published)('is $rope_scaling with heads of $headDim', (one) => {
    const config = describeCase(one, one.divisors);
    expect(config.rope_scaling).toEqual(one.rope_scaling);
    const { rotary, headDim } = parseModelConfig(config);
    const { frequencies } = rotarySpectrum(rotary!, headDim);
    for (const [i, divisor] of one.divisors.entries()) {
      const scaled = one.theta ** ((-2 * i) / headDim) / divisor;
      expect(frequencies[i]! / scaled).toBeCloseTo(1, 5);
    }
  });

  it('of all ones scales nothing, and the metadata count', () => {
    const ones = Array(llama31.headDim / 2).fill(1);
    expect(describeCase(llama31, ones).rope_scaling).toBeNull();
    expect(describeCase(llama31, ones, linear(2)).rope_scaling).toEqual({ rope_type: 'linear', factor: 2 });
  });

  it('of heads whose slowest pair is divided by less than the factor has a published one', () => {
    // 2π · 6,000^(6/8) = 4,285 positions: between 2,048 and 8,192. Of eight pairs the last alone is slower, so six are.
    const wavelength = 2 * Math.PI * 6000 ** (3 / 4);
    const smooth = (8192 / wavelength - 1) / 3;
    const divisors = [1, 1, 1, 1 / ((1 - smooth) / 8 + smooth)];
    expect(describeCase({ ...llama31, headDim: 8, theta: 6000 }, divisors).rope_scaling).toEqual(llama31.rope_scaling);
  });

  it('is still Llama 3.1’s beside metadata that scale nothing', () => {
    const none = { ...scalingOf('type', ['string', 'none']), ...scalingOf('factor', ['f32', 1]) };
    const early = { ...scalingOf('attn_factor', ['f32', 1]), ...scalingOf('finetuned', ['bool', true]) };
    for (const changes of [none, early, linear(1), scalingOf('original_context_length', ['u32', 131_072])])
      expect(describeCase(llama32, llama32.divisors, changes).rope_scaling).toEqual(llama32.rope_scaling);
  });

  it('of other settings is refused, and taken where the metadata name them', () => {
    const { divisors } = unpublished;
    expect(() => describeCase(unpublished, divisors)).toThrow(DataError);
    expect(() => describeCase(unpublished, divisors)).toThrow(
      "rope_freqs.weight: expected divisors by Llama 3.1's formula with factor 8 or 32, low_freq_factor 1",
    );
    const low = scalingOf('low_freq_factor', ['f32', 2]);
    expect(describeCase(unpublished, divisors, low).rope_scaling).toEqual(unpublished.rope_scaling);
  });

  it('is refused where a divisor is another by more than rounding, and where their number is wrong', () => {
    const off = (share: number) => llama31.divisors.map((divisor, i) => (i === 40 ? divisor * (1 + share) : divisor));
    expect(describeCase(llama31, off(5e-6)).rope_scaling).toEqual(llama31.rope_scaling);
    expect(() => describeCase(llama31, off(5e-5))).toThrow('rope_freqs.weight: expected divisors by');
    expect(() => describeCase(llama31, off(Number.NaN))).toThrow('rope_freqs.weight: expected divisors by');
    expect(() => describeCase(llama31, llama31.divisors.slice(1))).toThrow(
      'rope_freqs.weight: expected 64 divisors, one for a pair of a head, got 63',
    );
  });

  it('is refused beside another scaling', () => {
    expect(() => describeCase(llama31, llama31.divisors, linear(8))).toThrow(
      'rope_freqs.weight: scales what llama.rope.scaling.type scales already, as linear',
    );
  });
});

describe('metadata', () => {
  const named: Changes = {
    ...scalingOf('type', ['string', 'llama3']),
    ...scalingOf('factor', ['f32', 32]),
    ...scalingOf('low_freq_factor', ['f32', 1]),
    ...scalingOf('high_freq_factor', ['f32', 4]),
    ...scalingOf('original_context_length', ['u32', 8192]),
  };

  it('name Llama 3.1’s scaling, with the tensor or without; both must agree', () => {
    expect(describeCase(llama32, undefined, named).rope_scaling).toEqual(llama32.rope_scaling);
    expect(describeCase(llama32, llama32.divisors, named).rope_scaling).toEqual(llama32.rope_scaling);
    const other = { ...named, ...scalingOf('factor', ['f32', 8]) };
    expect(() => describeCase(llama32, llama32.divisors, other)).toThrow('with factor 8, low_freq_factor 1');
    const ones = Array(llama32.headDim / 2).fill(1);
    expect(() => describeCase(llama32, ones, named)).toThrow('got others, the largest 1');
    const half = { ...named, 'llama.rope.scaling.high_freq_factor': undefined };
    expect(() => describeCase(llama32, undefined, half)).toThrow(
      'llama.rope.scaling.high_freq_factor: expected a number above 0, got nothing',
    );
  });

  const scaling = (changes: Changes) => describeSmall(changes).config.rope_scaling;
  const yarn: Changes = { ...scalingOf('type', ['string', 'yarn']), ...scalingOf('factor', ['f32', 4]) };

  it('scale linearly, under the older key too, and where no type is named', () => {
    expect(scaling(linear(2.5))).toEqual({ rope_type: 'linear', factor: 2.5 });
    expect(scaling(scalingOf('factor', ['f32', 4]))).toEqual({ rope_type: 'linear', factor: 4 });
    expect(scaling({ 'llama.rope.scale_linear': ['f32', 4] })).toEqual({ rope_type: 'linear', factor: 4 });
    expect(scaling({ ...linear(1), 'llama.rope.scale_linear': ['f32', 4] })).toBeNull();
    expect(scaling({ ...linear(4), ...scalingOf('type', ['string', 'none']) })).toBeNull();
    expect(parseModelConfig(describeSmall(linear(4)).config).rotary).toEqual({
      theta: 1e4,
      scaling: { kind: 'linear', factor: 4 },
    });
  });

  it('scale by YaRN, whose original length is the model’s own where none is named', () => {
    const plain = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64 };
    expect(scaling(yarn)).toEqual(plain);
    const changes: Changes = {
      ...yarn,
      ...scalingOf('original_context_length', ['u32', 16]),
      ...scalingOf('yarn_beta_fast', ['f32', 16]),
      ...scalingOf('yarn_beta_slow', ['f32', 2]),
      ...scalingOf('yarn_attn_factor', ['f32', 1.1]),
      ...scalingOf('yarn_ext_factor', ['f32', 1]),
    };
    const { config } = describeSmall(changes);
    const settings = { beta_fast: 16, beta_slow: 2, attention_factor: 1.1 };
    expect(config.rope_scaling).toEqual({ ...plain, original_max_position_embeddings: 16, ...settings });
    const read = { factor: 4, betaFast: 16, betaSlow: 2, truncate: true, originalMaxPositions: 16, magnitude: 1.1 };
    expect(parseModelConfig(config).rotary?.scaling).toEqual({ kind: 'yarn', ...read });
  });

  // biome-ignore format: one fault a line
  const faults: [what: string, changes: Changes, message: string][] = [
    ['a kind that is not known', scalingOf('type', ['string', 'longrope']), 'llama.rope.scaling.type: rotary scaling "longrope" is not supported; supported: none, linear, yarn, llama3'],
    ['a setting that is not known', scalingOf('alpha', ['f32', 1000]), 'llama.rope.scaling.alpha: this setting of rotary scaling is not supported, got 1000'],
    ['sharper attention', scalingOf('attn_factor', ['f32', 1.5]), 'llama.rope.scaling.attn_factor: this setting of rotary scaling is not supported, got 1.5'],
    ['YaRN with less extrapolation', { ...yarn, ...scalingOf('yarn_ext_factor', ['f32', 0.5]) }, 'llama.rope.scaling.yarn_ext_factor: this setting'],
    ['YaRN without a factor', scalingOf('type', ['string', 'yarn']), 'llama.rope.scaling.factor: expected a number above 0, got nothing'],
    ['a factor of 0', linear(0), 'llama.rope.scaling.factor: expected a number above 0, got 0'],
  ];

  it.each(faults)('are refused by name: %s', (_, changes, message) => {
    expect(() => describeSmall(changes)).toThrow(DataError);
    expect(() => describeSmall(changes)).toThrow(message);
  });
});
