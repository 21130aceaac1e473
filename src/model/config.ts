/**
 * What a model is, read from a Hugging Face `config.json`. The Llama family only; every setting that would change
 * the arithmetic and that we do not compute is refused by name, never ignored.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError, DataError } from '../base/errors.ts';
import { readJson } from '../base/jsonl.ts';

/** Rotary frequencies stretched as Llama 3.1 does (Dubey et al. 2024, arXiv 2407.21783). */
export interface Llama3Scaling {
  readonly factor: number;
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  readonly originalMaxPositions: number;
}

export interface ModelConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  readonly ropeScaling: Llama3Scaling | undefined;
  readonly maxPositions: number;
  readonly tiedEmbeddings: boolean;
  readonly eosTokenIds: readonly number[];
  /** The whole file, so that saving keeps what we do not use. */
  readonly source: Readonly<Record<string, unknown>>;
}

const count = z.number().int().positive();
const tokenIds = z.union([z.number().int(), z.array(z.number().int())]).nullish();
const ropeSchema = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  factor: z.number().optional(),
  low_freq_factor: z.number().optional(),
  high_freq_factor: z.number().optional(),
  original_max_position_embeddings: count.optional(),
});

const configSchema = z.looseObject({
  architectures: z.array(z.string()).optional(),
  model_type: z.string(),
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.optional(),
  head_dim: count.nullish(),
  hidden_act: z.string().default('silu'),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().optional(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
  max_position_embeddings: count.default(2048),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  eos_token_id: tokenIds,
});

export function readModelConfig(folder: string): ModelConfig {
  const file = join(folder, 'config.json');
  if (!existsSync(folder)) {
    throw new ConfigError(`no such model: ${folder}`, {
      hint: 'give a folder with config.json and model.safetensors, or `builtin` for the embedded SmolLM2-135M-Instruct',
    });
  }
  if (!existsSync(file)) {
    throw new ConfigError(`${folder} is not a model folder: config.json is missing`, {
      hint: 'a model folder holds config.json, *.safetensors and tokenizer.json, as Hugging Face writes them',
    });
  }
  return parseModelConfig(readJson(file), file);
}

export function parseModelConfig(value: unknown, file = 'config.json'): ModelConfig {
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) {
    throw new DataError(
      file,
      parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
    );
  }
  const raw = parsed.data;
  const refuse = (message: string): never => {
    throw new DataError(file, { message }, { hint: 'supported: the Llama family (Llama 2 and 3, SmolLM2, TinyLlama)' });
  };
  if (raw.model_type !== 'llama') refuse(`model type "${raw.model_type}" is not supported`);
  if (raw.hidden_act !== 'silu') refuse(`activation "${raw.hidden_act}" is not supported`);
  if (raw.attention_bias || raw.mlp_bias) refuse('biases in attention or MLP are not supported');
  const numKeyValueHeads = raw.num_key_value_heads ?? raw.num_attention_heads;
  if (raw.num_attention_heads % numKeyValueHeads !== 0) {
    refuse(`${raw.num_attention_heads} heads cannot share ${numKeyValueHeads} key/value heads evenly`);
  }
  const rope = raw.rope_parameters ?? raw.rope_scaling ?? {};
  return {
    vocabSize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    numLayers: raw.num_hidden_layers,
    numHeads: raw.num_attention_heads,
    numKeyValueHeads,
    headDim: raw.head_dim ?? raw.hidden_size / raw.num_attention_heads,
    normEpsilon: raw.rms_norm_eps,
    ropeTheta: rope.rope_theta ?? raw.rope_theta ?? 10_000,
    ropeScaling: parseScaling(rope, refuse),
    maxPositions: raw.max_position_embeddings,
    tiedEmbeddings: raw.tie_word_embeddings,
    eosTokenIds: asList(raw.eos_token_id),
    source: value as Record<string, unknown>,
  };
}

export const asList = (ids: number | readonly number[] | null | undefined): readonly number[] =>
  ids === null || ids === undefined ? [] : typeof ids === 'number' ? [ids] : ids;

function parseScaling(rope: z.infer<typeof ropeSchema>, refuse: (message: string) => never): Llama3Scaling | undefined {
  const kind = rope.rope_type ?? rope.type ?? 'default';
  if (kind === 'default') return undefined;
  if (kind !== 'llama3') return refuse(`rotary scaling "${kind}" is not supported (known: default, llama3)`);
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = rope;
  if (factor === undefined || low === undefined || high === undefined || original === undefined) {
    return refuse(
      'llama3 rotary scaling needs factor, low_freq_factor, high_freq_factor and original_max_position_embeddings',
    );
  }
  return { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions: original };
}
