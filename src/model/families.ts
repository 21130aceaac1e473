/**
 * The families of models, by `model_type`: how each one's `config.json` describes what ModelConfig says. Families with
 * Llama's block differ in a row of data; defaults are those of transformers 5.23.
 */
import { z } from 'zod';
import type { ModelConfig } from './config.ts';
import { parseRotaryScaling, type Rotary, rotarySchema } from './rotary-scaling.ts';

/** Throws. */
export type Refuse = (message: string) => never;
type Parse = <T>(schema: z.ZodType<T>, value: unknown) => T;
type FamilyConfig = Omit<ModelConfig, 'family' | 'scalarHead' | 'eosTokenIds' | 'source'>;
type Family = (file: Readonly<Record<string, unknown>>, parse: Parse, refuse: Refuse) => FamilyConfig;

const count = z.number().int().positive();

const llamaSchema = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  hidden_act: z.string().default('silu'),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: rotarySchema.nullish(),
  rope_parameters: rotarySchema.nullish(),
  partial_rotary_factor: z.number().nullish(),
  original_max_position_embeddings: z.number().positive().nullish(),
  max_position_embeddings: count,
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  sliding_window: count.nullish(),
  use_sliding_window: z.boolean().default(false),
  use_mrope: z.boolean().nullish(),
  max_window_layers: z.number().int().nonnegative().default(28),
  layer_types: z.array(z.string()).nullish(),
});

type LlamaFile = z.infer<typeof llamaSchema>;
type Traits = Pick<ModelConfig, 'biases' | 'headNorms' | 'windows'>;

/** A family with Llama's block: `defaults` of what a file leaves out, `traits` where the block's parts differ. */
const llamaLike =
  (defaults: Partial<LlamaFile>, traits: (raw: LlamaFile, refuse: Refuse) => Traits): Family =>
  (file, parse, refuse) => {
    const raw = parse(llamaSchema, { ...defaults, ...file });
    if (raw.hidden_act !== 'silu') refuse(`activation "${raw.hidden_act}" is not supported`);
    return {
      architecture: 'llama',
      vocabSize: raw.vocab_size,
      hiddenSize: raw.hidden_size,
      intermediateSize: raw.intermediate_size,
      numLayers: raw.num_hidden_layers,
      numHeads: raw.num_attention_heads,
      numKeyValueHeads: raw.num_key_value_heads ?? raw.num_attention_heads,
      headDim: raw.head_dim ?? raw.hidden_size / raw.num_attention_heads,
      normEpsilon: raw.rms_norm_eps,
      rotary: llamaRotary(raw, refuse),
      maxPositions: raw.max_position_embeddings,
      tiedEmbeddings: raw.tie_word_embeddings,
      ...traits(raw, refuse),
    };
  };

function llamaRotary(raw: LlamaFile, refuse: Refuse): Rotary {
  const rope = raw.rope_scaling ?? raw.rope_parameters ?? {};
  const part = rope.partial_rotary_factor ?? raw.partial_rotary_factor ?? 1;
  if (part !== 1) refuse(`rotating a part of each head (partial_rotary_factor: ${part}) is not supported`);
  const nested = Object.entries(rope).find(([, value]) => value !== null && typeof value === 'object');
  if (nested) refuse(`rotary settings by type of attention (${nested[0]}) are not supported`);
  // Beside the rotary settings it goes before the one inside them, as in transformers.
  const original = raw.original_max_position_embeddings ?? rope.original_max_position_embeddings;
  const settings = { ...rope, original_max_position_embeddings: original };
  return {
    theta: rope.rope_theta ?? raw.rope_theta ?? 10_000,
    scaling: parseRotaryScaling(settings, raw.max_position_embeddings, refuse),
  };
}

const noBiases = { queryKeyValue: false, output: false, mlp: false };

const everyBlock = (raw: LlamaFile, window: number | undefined): Traits['windows'] =>
  new Array(raw.num_hidden_layers).fill(window);

const llama = llamaLike({ max_position_embeddings: 2048 }, (raw) => ({
  biases: { queryKeyValue: raw.attention_bias, output: raw.attention_bias, mlp: raw.mlp_bias },
  headNorms: false,
  windows: everyBlock(raw, undefined),
}));

const mistral = llamaLike(
  { max_position_embeddings: 131_072, num_key_value_heads: 8, sliding_window: 4096 },
  (raw, refuse) => {
    if (raw.layer_types) refuse('layer_types of a Mistral model are not supported: its blocks have one window');
    return { biases: noBiases, headNorms: false, windows: everyBlock(raw, raw.sliding_window ?? undefined) };
  },
);

const qwenDefaults = { max_position_embeddings: 32_768, num_key_value_heads: 32, sliding_window: 4096 };

const qwen2 = llamaLike(qwenDefaults, (raw, refuse) => ({
  biases: { queryKeyValue: true, output: false, mlp: false },
  headNorms: false,
  windows: qwenWindows(raw, refuse),
}));

const qwen3 = llamaLike({ ...qwenDefaults, head_dim: 128 }, (raw, refuse) => ({
  biases: { queryKeyValue: raw.attention_bias, output: raw.attention_bias, mlp: false },
  headNorms: true,
  windows: qwenWindows(raw, refuse),
}));

function qwenWindows(raw: LlamaFile, refuse: Refuse): Traits['windows'] {
  if (raw.use_mrope) refuse('rotary embeddings of several axes (use_mrope) are not supported');
  const window = raw.use_sliding_window ? (raw.sliding_window ?? undefined) : undefined;
  const sliding = (layer: number) => window !== undefined && layer >= raw.max_window_layers;
  const types =
    raw.layer_types ??
    everyBlock(raw, undefined).map((_, layer) => (sliding(layer) ? 'sliding_attention' : 'full_attention'));
  if (types.length !== raw.num_hidden_layers) {
    refuse(`layer_types: expected ${raw.num_hidden_layers}, one a block, got ${types.length}`);
  }
  return types.map((type) => {
    if (type === 'full_attention') return undefined;
    if (type !== 'sliding_attention') return refuse(`attention of type "${type}" (layer_types) is not supported`);
    return window ?? refuse('layer_types has sliding_attention, but sliding_window or use_sliding_window is not set');
  });
}

const optSchema = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  ffn_dim: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  max_position_embeddings: count.default(2048),
  activation_function: z.string().default('relu'),
  do_layer_norm_before: z.boolean().default(true),
  _remove_final_layer_norm: z.boolean().default(false),
  layer_norm_elementwise_affine: z.boolean().default(true),
  enable_bias: z.boolean().default(true),
  word_embed_proj_dim: count.nullish(),
  tie_word_embeddings: z.boolean().default(true),
});

const opt: Family = (file, parse, refuse) => {
  const raw = parse(optSchema, file);
  const { hidden_size: hiddenSize, enable_bias: bias } = raw;
  const width = raw.word_embed_proj_dim ?? hiddenSize;
  if (raw.activation_function !== 'relu') refuse(`activation "${raw.activation_function}" is not supported`);
  if (!raw.do_layer_norm_before)
    refuse('norms after attention and MLP (do_layer_norm_before: false) are not supported');
  if (raw._remove_final_layer_norm) refuse('a model without its last norm (_remove_final_layer_norm) is not supported');
  if (!raw.layer_norm_elementwise_affine) refuse('norms without weights are not supported');
  if (width !== hiddenSize) refuse(`embeddings of another width (word_embed_proj_dim: ${width}) are not supported`);
  return {
    architecture: 'opt',
    vocabSize: raw.vocab_size,
    hiddenSize,
    intermediateSize: raw.ffn_dim,
    numLayers: raw.num_hidden_layers,
    numHeads: raw.num_attention_heads,
    numKeyValueHeads: raw.num_attention_heads,
    headDim: hiddenSize / raw.num_attention_heads,
    normEpsilon: 1e-5,
    biases: { queryKeyValue: bias, output: bias, mlp: bias },
    headNorms: false,
    windows: new Array(raw.num_hidden_layers).fill(undefined),
    rotary: undefined,
    maxPositions: raw.max_position_embeddings,
    tiedEmbeddings: raw.tie_word_embeddings,
  };
};

export const families: ReadonlyMap<string, Family> = new Map([
  ['llama', llama],
  ['mistral', mistral],
  ['qwen2', qwen2],
  ['qwen3', qwen3],
  ['opt', opt],
]);

export const supportedFamilies =
  'llama (Llama 1 to 3, SmolLM2, TinyLlama), mistral, qwen2 (Qwen 2 and 2.5), qwen3, opt (but the 350m)';
