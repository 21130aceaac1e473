/**
 * config.json of a GGUF file's metadata, for the families Llama, Mistral, Qwen2 and Qwen3. What it cannot say exactly
 * is refused: other architectures, experts, partial rotary embeddings, windows that differ by block.
 *
 * llama.cpp has no architecture for Mistral 7B: such files say "llama". One that names a sliding window is a Mistral
 * model here; without a window the two families compute the same, and it stays a Llama model.
 *
 * Source: convert_hf_to_gguf.py of llama.cpp and constants.py of gguf-py for the meaning of keys.
 */
import { showValue } from './cursor.ts';
import { float32Number, optionalId, refuse, wholeNumber } from './metadata.ts';
import type { Gguf } from './reader.ts';
import { type RotaryScalingJson, readRotaryScaling } from './rotary-scaling.ts';

const classNames = {
  llama: 'LlamaForCausalLM',
  mistral: 'MistralForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
} as const;

export type ModelType = keyof typeof classNames;

/** The members of config.json. `torch_dtype` is left to whoever saves the weights. */
export interface ModelConfigJson {
  readonly architectures: readonly [(typeof classNames)[ModelType]];
  readonly model_type: ModelType;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly hidden_act: 'silu';
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly rope_scaling: RotaryScalingJson | null;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  readonly tie_word_embeddings: boolean;
  /** Llama and Qwen3: of all four projections. Qwen2 has no such member: its q, k and v always have one, o never. */
  readonly attention_bias?: boolean;
  /** Mistral: tokens that a token attends to, itself among them; null: all before it. Qwen: always null. */
  readonly sliding_window?: number | null;
  /** Qwen alone. */
  readonly use_sliding_window?: false;
  readonly attention_dropout: 0;
  /** Llama alone. */
  readonly mlp_bias?: boolean;
  readonly initializer_range: 0.02;
  readonly use_cache: true;
  readonly bos_token_id: number | null;
  readonly eos_token_id: number | null;
  readonly pad_token_id: number | null;
}

export function describeConfig(gguf: Gguf): ModelConfigJson {
  const architecture = readArchitecture(gguf);
  const key = (name: string) => `${architecture}.${name}`;
  const window = readSlidingWindow(gguf, architecture);
  const modelType = architecture === 'llama' && window !== null ? 'mistral' : architecture;
  const hiddenSize = wholeNumber(gguf, key('embedding_length'));
  const numHeads = wholeNumber(gguf, key('attention.head_count'));
  const headDim = wholeNumber(gguf, key('attention.key_length'), hiddenSize / numHeads);
  refuseOtherShapes(gguf, architecture, headDim);
  const embedding = gguf.tensor('token_embd.weight');
  if (embedding?.shape.length !== 2) return refuse(gguf, 'token_embd.weight', 'expected a tensor [vocabulary, width]');
  // 10,000 is the format's default (Su et al. 2021, arXiv 2104.09864).
  const theta = float32Number(gguf, key('rope.freq_base'), 10_000);
  const maxPositions = wholeNumber(gguf, key('context_length'));
  return {
    architectures: [classNames[modelType]],
    model_type: modelType,
    hidden_size: hiddenSize,
    intermediate_size: wholeNumber(gguf, key('feed_forward_length')),
    num_hidden_layers: wholeNumber(gguf, key('block_count')),
    num_attention_heads: numHeads,
    num_key_value_heads: wholeNumber(gguf, key('attention.head_count_kv'), numHeads),
    head_dim: headDim,
    hidden_act: 'silu',
    rms_norm_eps: float32Number(gguf, key('attention.layer_norm_rms_epsilon')),
    rope_theta: theta,
    rope_scaling: readRotaryScaling(gguf, architecture, { theta, headDim, maxPositions }),
    vocab_size: embedding.shape[0] as number,
    max_position_embeddings: maxPositions,
    tie_word_embeddings: gguf.tensor('output.weight') === undefined,
    ...attentionMembers(gguf, modelType, window),
    attention_dropout: 0,
    ...(modelType === 'llama' ? { mlp_bias: hasTensor(gguf, '.ffn_up.bias') } : {}),
    initializer_range: 0.02,
    use_cache: true,
    bos_token_id: optionalId(gguf, 'tokenizer.ggml.bos_token_id'),
    eos_token_id: optionalId(gguf, 'tokenizer.ggml.eos_token_id'),
    pad_token_id: optionalId(gguf, 'tokenizer.ggml.padding_token_id'),
  };
}

function readArchitecture(gguf: Gguf): ModelType {
  const name = gguf.metadata.get('general.architecture');
  const known = Object.keys(classNames) as ModelType[];
  return (
    known.find((architecture) => architecture === name) ??
    refuse(
      gguf,
      'general.architecture',
      `architecture ${showValue(name)} is not supported; supported: ${known.join(', ')}`,
    )
  );
}

/** null where a token sees all before it. */
function readSlidingWindow(gguf: Gguf, architecture: ModelType): number | null {
  const pattern = `${architecture}.attention.sliding_window_pattern`;
  if (gguf.metadata.has(pattern)) refuse(gguf, pattern, 'a sliding window in some blocks only is not supported');
  const key = `${architecture}.attention.sliding_window`;
  if ((gguf.metadata.get(key) ?? 0) === 0) return null;
  const window = wholeNumber(gguf, key);
  // Qwen's config.json also says from which block on; GGUF has no key for that.
  if (architecture.startsWith('qwen'))
    refuse(gguf, key, `a sliding window (${window}) in a ${architecture} model is not supported`);
  return window;
}

function refuseOtherShapes(gguf: Gguf, architecture: ModelType, headDim: number): void {
  const { metadata } = gguf;
  const key = (name: string) => `${architecture}.${name}`;
  const experts = metadata.get(key('expert_count')) ?? 0;
  if (experts !== 0) refuse(gguf, key('expert_count'), `a mixture of ${showValue(experts)} experts is not supported`);
  for (const name of ['attention.value_length', 'rope.dimension_count']) {
    if (wholeNumber(gguf, key(name), headDim) !== headDim)
      refuse(gguf, key(name), `expected the width of a head, ${headDim}, got ${showValue(metadata.get(key(name)))}`);
  }
}

function attentionMembers(
  gguf: Gguf,
  modelType: ModelType,
  window: number | null,
): Pick<ModelConfigJson, 'attention_bias' | 'sliding_window' | 'use_sliding_window'> {
  switch (modelType) {
    case 'llama':
      return { attention_bias: hasTensor(gguf, '.attn_q.bias') };
    case 'mistral':
      return { sliding_window: window };
    case 'qwen2':
      return { use_sliding_window: false, sliding_window: null };
    case 'qwen3':
      return { attention_bias: false, use_sliding_window: false, sliding_window: null };
  }
}

const hasTensor = (gguf: Gguf, suffix: string): boolean => gguf.tensors.some((tensor) => tensor.name.endsWith(suffix));
