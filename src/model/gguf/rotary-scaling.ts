/**
 * How a GGUF file says that rotary frequencies are scaled, as `rope_scaling` of config.json. Linear and YaRN stand in
 * the metadata. Llama 3.1's scaling does not: the tensor `rope_freqs.weight` holds what each frequency is divided by, and
 * the settings it was computed from are found by trying those that published models have. A scaling that no such
 * settings give exactly is refused, and so are two at once. What the settings compute is ../rotary-scaling.ts's.
 *
 * Source: convert_hf_to_gguf.py of llama.cpp for what is written, llama-model.cpp for the defaults of what is not.
 */
import { rotarySpectrum } from '../rotary-scaling.ts';
import { showValue } from './cursor.ts';
import { float32Number, refuse, wholeNumber } from './metadata.ts';
import type { Gguf } from './reader.ts';

export type RotaryScalingJson = LinearJson | Llama3Json | YarnJson;

interface LinearJson {
  readonly rope_type: 'linear';
  readonly factor: number;
}

interface Llama3Json {
  readonly rope_type: 'llama3';
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

interface YarnJson {
  readonly rope_type: 'yarn';
  readonly factor: number;
  readonly original_max_position_embeddings: number;
  readonly beta_fast?: number;
  readonly beta_slow?: number;
  readonly attention_factor?: number;
}

interface RotaryShape {
  readonly theta: number;
  readonly headDim: number;
  readonly maxPositions: number;
}

const tensorName = 'rope_freqs.weight';
const advice = 'use the model as a Hugging Face directory instead';

/** null where nothing is scaled. Throws DataError that names the key or tensor. */
export function readRotaryScaling(gguf: Gguf, architecture: string, shape: RotaryShape): RotaryScalingJson | null {
  const settings = settingsOf(gguf, architecture);
  const divisors = readDivisors(gguf, shape.headDim);
  const type = settings.value('type') ?? 'linear'; // of factor 1 where there is none
  if (divisors && type === 'llama3') return llama3Of(gguf, settings, divisors, shape);
  const scaling = byMetadata(gguf, settings, type, shape);
  // Llama 2 has the tensor with all ones.
  if (!divisors?.some((divisor) => divisor !== 1)) return scaling;
  if (scaling) refuse(gguf, tensorName, `scales what ${settings.key('type')} scales already, as ${type}`, advice);
  return llama3Of(gguf, settings, divisors, shape);
}

interface Settings {
  readonly key: (name: string) => string;
  readonly value: (name: string) => unknown;
  readonly has: (name: string) => boolean;
  readonly number: (name: string, fallback?: number) => number;
}

/** What has a counterpart in config.json, or changes nothing. */
const known = [
  ...['type', 'factor', 'original_context_length', 'finetuned', 'low_freq_factor', 'high_freq_factor'],
  ...['yarn_attn_factor', 'yarn_beta_fast', 'yarn_beta_slow'],
];

/** What has none, by the value that changes nothing. */
const neutral: ReadonlyMap<string, number> = new Map([
  ['attn_factor', 1],
  ['yarn_ext_factor', 1],
  ['yarn_log_multiplier', 0],
]);

function settingsOf(gguf: Gguf, architecture: string): Settings {
  const prefix = `${architecture}.rope.scaling.`;
  const { metadata } = gguf;
  for (const [name, value] of metadata) {
    if (!name.startsWith(prefix)) continue;
    const setting = name.slice(prefix.length);
    if (known.includes(setting) || neutral.get(setting) === value) continue;
    refuse(gguf, name, `this setting of rotary scaling is not supported, got ${showValue(value)}`, advice);
  }
  const key = (name: string) => prefix + name;
  return {
    key,
    value: (name) => metadata.get(key(name)),
    has: (name) => metadata.has(key(name)),
    number: (name, fallback) => float32Number(gguf, key(name), fallback),
  };
}

function byMetadata(gguf: Gguf, settings: Settings, type: unknown, shape: RotaryShape): RotaryScalingJson | null {
  const { key, number, has } = settings;
  switch (type) {
    case 'none':
      return null;
    case 'linear': {
      const older = key('factor').replace('.scaling.factor', '.scale_linear');
      const factor = has('factor') ? number('factor') : float32Number(gguf, older, 1);
      return factor === 1 ? null : { rope_type: type, factor };
    }
    case 'llama3':
      return {
        rope_type: type,
        factor: number('factor'),
        low_freq_factor: number('low_freq_factor'),
        high_freq_factor: number('high_freq_factor'),
        original_max_position_embeddings: wholeNumber(gguf, key('original_context_length')),
      };
    case 'yarn':
      return {
        rope_type: type,
        factor: number('factor'),
        original_max_position_embeddings: wholeNumber(gguf, key('original_context_length'), shape.maxPositions),
        ...(has('yarn_beta_fast') && { beta_fast: number('yarn_beta_fast') }),
        ...(has('yarn_beta_slow') && { beta_slow: number('yarn_beta_slow') }),
        ...(has('yarn_attn_factor') && { attention_factor: number('yarn_attn_factor') }),
      };
    default:
      return refuse(
        gguf,
        key('type'),
        `rotary scaling ${showValue(gguf.metadata.get(key('type')))} is not supported; supported: none, linear, yarn, llama3`,
        advice,
      );
  }
}

/** Of each pair of a head, in order. */
function readDivisors(gguf: Gguf, headDim: number): Float32Array | undefined {
  const tensor = gguf.tensor(tensorName);
  if (!tensor) return undefined;
  const divisors = gguf.readFloat32(tensor);
  if (divisors.length !== headDim / 2)
    refuse(gguf, tensorName, `expected ${headDim / 2} divisors, one for a pair of a head, got ${divisors.length}`);
  return divisors;
}

/** Divisors were computed in float32, whose rounding the formula enlarges by up to the factor. */
const tolerance = 1e-5;

/**
 * The settings that give `divisors`. Low and high factor and original length say no more than two wavelengths: a multiple
 * of all three would give the same. Where the metadata do not name them, they are those that Meta publishes.
 */
function llama3Of(gguf: Gguf, settings: Settings, divisors: Float32Array, shape: RotaryShape): Llama3Json {
  const { has, key, number, value } = settings;
  const isNamed = value('type') === 'llama3';
  const largest = Number(Math.max(...divisors).toPrecision(7));
  // Of Llama 3.1, of Llama 3.2, or whatever the slowest pair is divided by.
  const factors = isNamed && has('factor') ? [number('factor')] : [...new Set([8, 32, largest])];
  const originals = [
    ...(has('original_context_length') ? [wholeNumber(gguf, key('original_context_length'))] : []),
    ...(isNamed && has('original_context_length') ? [] : [8192]),
  ];
  const low = number('low_freq_factor', 1);
  const high = number('high_freq_factor', 4);
  const candidates = originals.flatMap((original_max_position_embeddings) =>
    factors.map((factor): Llama3Json => {
      const wavelengths = { low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings };
      return { rope_type: 'llama3', factor, ...wavelengths };
    }),
  );
  return (
    candidates.find((scaling) => gives(scaling, divisors, shape)) ??
    refuse(
      gguf,
      tensorName,
      `expected divisors by Llama 3.1's formula with factor ${factors.join(' or ')}, low_freq_factor ${low}, ` +
        `high_freq_factor ${high} and original length ${originals.join(' or ')}, got others, the largest ${largest}`,
      advice,
    )
  );
}

function gives(scaling: Llama3Json, divisors: Float32Array, { theta, headDim }: RotaryShape): boolean {
  const scaled = {
    kind: scaling.rope_type,
    factor: scaling.factor,
    lowFrequencyFactor: scaling.low_freq_factor,
    highFrequencyFactor: scaling.high_freq_factor,
    originalMaxPositions: scaling.original_max_position_embeddings,
  };
  const plain = rotarySpectrum({ theta, scaling: undefined }, headDim).frequencies;
  const slowed = rotarySpectrum({ theta, scaling: scaled }, headDim).frequencies;
  return divisors.every((divisor, i) => Math.abs((divisor * slowed[i]!) / plain[i]! - 1) <= tolerance);
}
