/**
 * Rotary embeddings as numbers: the settings of a `config.json`, and the angular frequencies they give. Settings we do
 * not compute are refused by name. No tensors here: configurations are checked without libtorch.
 */
import { z } from 'zod';

/** How positions turn queries and keys. */
export interface Rotary {
  readonly theta: number;
  readonly scaling: RotaryScaling | undefined;
}

/** How frequencies are stretched so that texts may be longer than those of pretraining. */
export type RotaryScaling = LinearScaling | Llama3Scaling | YarnScaling;

/** Position interpolation (Chen et al. 2023, arXiv 2306.15595): all alike. */
interface LinearScaling {
  readonly kind: 'linear';
  readonly factor: number;
}

/** As Llama 3.1 does (Dubey et al. 2024, arXiv 2407.21783): slow ones only. */
interface Llama3Scaling {
  readonly kind: 'llama3';
  readonly factor: number;
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  readonly originalMaxPositions: number;
}

/** YaRN (Peng et al. 2023, arXiv 2309.00071): slow ones only, and attention is sharpened. */
interface YarnScaling {
  readonly kind: 'yarn';
  readonly factor: number;
  /** Turns over the original length: from `betaFast` on a frequency is kept, up to `betaSlow` it is stretched fully. */
  readonly betaFast: number;
  readonly betaSlow: number;
  /** Whether the ramp between them begins and ends at whole pairs. */
  readonly truncate: boolean;
  readonly originalMaxPositions: number;
  readonly magnitude: number;
}

export const rotarySchema = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().positive().nullish(),
  partial_rotary_factor: z.number().nullish(),
  factor: z.number().positive().nullish(),
  original_max_position_embeddings: z.number().positive().nullish(),
  low_freq_factor: z.number().positive().nullish(),
  high_freq_factor: z.number().positive().nullish(),
  attention_factor: z.number().positive().nullish(),
  beta_fast: z.number().nonnegative().nullish(),
  beta_slow: z.number().nonnegative().nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().nullish(),
});

type RawRotary = z.infer<typeof rotarySchema>;

/** `refuse` throws. Defaults are those of transformers. */
export function parseRotaryScaling(
  raw: RawRotary,
  maxPositions: number,
  refuse: (message: string) => never,
): RotaryScaling | undefined {
  const kind = raw.rope_type ?? raw.type ?? 'default';
  // `dynamic` stretches by a text's own length, and only texts longer than `maxPositions`: those are refused anyway.
  if (kind === 'default' || kind === 'dynamic') return undefined;
  const needed = <Key extends keyof RawRotary>(key: Key): NonNullable<RawRotary[Key]> =>
    raw[key] ?? refuse(`rotary scaling "${kind}" needs ${String(key)}`);
  const originalMaxPositions = raw.original_max_position_embeddings ?? maxPositions;
  switch (kind) {
    case 'linear':
      return { kind, factor: needed('factor') };
    case 'llama3':
      return {
        kind,
        factor: needed('factor'),
        lowFrequencyFactor: needed('low_freq_factor'),
        highFrequencyFactor: needed('high_freq_factor'),
        originalMaxPositions,
      };
    case 'yarn': {
      const factor = raw.factor ?? maxPositions / originalMaxPositions;
      return {
        kind,
        factor,
        betaFast: raw.beta_fast || 32,
        betaSlow: raw.beta_slow || 1,
        truncate: raw.truncate ?? true,
        originalMaxPositions,
        magnitude: raw.attention_factor ?? yarnMagnitude(factor, raw),
      };
    }
    default:
      return refuse(`rotary scaling "${kind}" is not supported (known: default, linear, dynamic, llama3, yarn)`);
  }
}

/** DeepSeek's configurations divide two magnitudes; the paper's is the first with a weight of 1. */
function yarnMagnitude(factor: number, { mscale, mscale_all_dim: all }: RawRotary): number {
  const magnitude = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  return mscale && all ? magnitude(mscale) / magnitude(all) : magnitude(1);
}

export interface RotarySpectrum {
  /** Of each of the headDim / 2 pairs, in radians per position. */
  readonly frequencies: Float64Array;
  /** Multiplies cosine and sine, and so both query and key. */
  readonly magnitude: number;
}

export const rotarySpectrum = (rotary: Rotary, headDim: number): RotarySpectrum => ({
  frequencies: rotaryFrequencies(rotary, headDim),
  magnitude: rotary.scaling?.kind === 'yarn' ? rotary.scaling.magnitude : 1,
});

function rotaryFrequencies({ theta, scaling }: Rotary, headDim: number): Float64Array {
  const half = headDim / 2;
  const plain = Float64Array.from({ length: half }, (_, i) => theta ** (-i / half));
  if (scaling === undefined) return plain;
  switch (scaling.kind) {
    case 'linear':
      return plain.map((frequency) => frequency / scaling.factor);
    case 'llama3':
      return plain.map((frequency) => scaleLlama3(frequency, scaling));
    case 'yarn':
      return scaleYarn(plain, theta, scaling);
  }
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

/** Like Llama 3's, but blended along the pair's number: a ramp from the pair of `betaFast` to that of `betaSlow`. */
function scaleYarn(frequencies: Float64Array, theta: number, scaling: YarnScaling): Float64Array {
  const { factor, betaFast, betaSlow, truncate, originalMaxPositions: original } = scaling;
  const half = frequencies.length;
  /** The pair, as a real number, that turns so often over the original length. */
  const pairOf = (turns: number) => (half * Math.log(original / (turns * 2 * Math.PI))) / Math.log(theta);
  const [fast, slow] = [pairOf(betaFast), pairOf(betaSlow)];
  const from = Math.max(truncate ? Math.floor(fast) : fast, 0);
  const to = Math.min(truncate ? Math.ceil(slow) : slow, 2 * half - 1);
  const width = to === from ? 0.001 : to - from;
  return frequencies.map((frequency, i) => {
    const stretched = Math.min(1, Math.max(0, (i - from) / width));
    return (frequency / factor) * stretched + frequency * (1 - stretched);
  });
}
