/**
 * Which tensor of a GGUF file is which of a Hugging Face directory, and whether all are there.
 *
 * Source: tensor_mapping.py and constants.py of gguf-py for the names.
 */
import { DataError, type DataIssue } from '../../base/errors.ts';
import type { ModelConfigJson, ModelType } from './config.ts';
import type { Gguf } from './reader.ts';

const titles: Readonly<Record<ModelType, string>> = {
  llama: 'Llama',
  mistral: 'Mistral',
  qwen2: 'Qwen2',
  qwen3: 'Qwen3',
};

interface Expected {
  /** Hugging Face's name. */
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * GGUF tensor name → Hugging Face tensor name, in the file's order. Throws DataError that names every tensor which is
 * missing, misshapen or none of the model's.
 */
export function mapTensors(gguf: Gguf, config: ModelConfigJson): Map<string, string> {
  const expected = expectedTensors(config);
  const issues: DataIssue[] = [];
  const names = new Map<string, string>();
  for (const { name, shape } of gguf.tensors) {
    if (name === 'rope_freqs.weight') continue;
    const known = expected.get(name);
    if (!known) issues.push({ path: name, message: `no tensor of a ${titles[config.model_type]} model has this name` });
    else if (known.shape.join() !== shape.join())
      issues.push({ path: name, message: `expected shape [${known.shape.join(', ')}], got [${shape.join(', ')}]` });
    else names.set(name, known.name);
    expected.delete(name);
  }
  for (const name of expected.keys()) issues.push({ path: name, message: 'the tensor is missing' });
  if (issues.length > 0) throw new DataError(gguf.path, issues);
  return names;
}

function expectedTensors(config: ModelConfigJson): Map<string, Expected> {
  const { hidden_size: width, vocab_size: vocabulary } = config;
  const tensors = new Map<string, Expected>([
    ['token_embd.weight', { name: 'model.embed_tokens.weight', shape: [vocabulary, width] }],
    ['output_norm.weight', { name: 'model.norm.weight', shape: [width] }],
  ]);
  if (!config.tie_word_embeddings) tensors.set('output.weight', { name: 'lm_head.weight', shape: [vocabulary, width] });
  const parts = blockParts(config);
  for (let block = 0; block < config.num_hidden_layers; block++) {
    for (const [part, { name: within, shape }] of Object.entries(parts)) {
      const name = `model.layers.${block}.${within}`;
      tensors.set(`blk.${block}.${part}.weight`, { name: `${name}.weight`, shape });
      if (hasBias(config, part))
        tensors.set(`blk.${block}.${part}.bias`, { name: `${name}.bias`, shape: shape.slice(0, 1) });
    }
  }
  return tensors;
}

/** Weights of one block by llama.cpp's name. */
function blockParts(config: ModelConfigJson): Record<string, Expected> {
  const { hidden_size: width, intermediate_size: inner, head_dim: headDim } = config;
  const queries = config.num_attention_heads * headDim;
  const keys = config.num_key_value_heads * headDim;
  const headNorms = {
    attn_q_norm: { name: 'self_attn.q_norm', shape: [headDim] },
    attn_k_norm: { name: 'self_attn.k_norm', shape: [headDim] },
  };
  return {
    attn_norm: { name: 'input_layernorm', shape: [width] },
    attn_q: { name: 'self_attn.q_proj', shape: [queries, width] },
    attn_k: { name: 'self_attn.k_proj', shape: [keys, width] },
    attn_v: { name: 'self_attn.v_proj', shape: [keys, width] },
    attn_output: { name: 'self_attn.o_proj', shape: [width, queries] },
    ...(config.model_type === 'qwen3' ? headNorms : {}),
    ffn_norm: { name: 'post_attention_layernorm', shape: [width] },
    ffn_gate: { name: 'mlp.gate_proj', shape: [inner, width] },
    ffn_up: { name: 'mlp.up_proj', shape: [inner, width] },
    ffn_down: { name: 'mlp.down_proj', shape: [width, inner] },
  };
}

const attention = ['attn_q', 'attn_k', 'attn_v', 'attn_output'];
const feedForward = ['ffn_gate', 'ffn_up', 'ffn_down'];

function hasBias(config: ModelConfigJson, part: string): boolean {
  if (config.model_type === 'qwen2') return attention.includes(part) && part !== 'attn_output';
  return (
    (config.attention_bias === true && attention.includes(part)) ||
    (config.mlp_bias === true && feedForward.includes(part))
  );
}
