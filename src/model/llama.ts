/**
 * The Llama block (Touvron et al. 2023, arXiv 2302.13971): RMSNorm, rotary attention with grouped queries, SwiGLU.
 * Mistral has the same block with a sliding window, Qwen 2 with biases, Qwen 3 with a norm on every head.
 *
 * Legend: tokens = all of a pack or batch side by side; hidden; heads; dim = headDim; intermediate.
 */
import { add, mul, rmsNorm, silu, view } from '../torch/ops.ts';
import type { Tensor } from '../torch/tensor.ts';
import { type Architecture, type Describe, type Part, project } from './architecture.ts';
import type { Attention } from './attention.ts';
import type { ModelConfig } from './config.ts';
import { type Rotation, rotate } from './rotary.ts';

type BlockParts<Result> = ReturnType<typeof blockParts<Result>>;

/** By the names Hugging Face gives them. */
function blockParts<Result>(config: ModelConfig, describe: Describe<Result>) {
  const { hiddenSize, intermediateSize, headDim, biases, headNorms } = config;
  const queries = config.numHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  return {
    inputNorm: describe('input_layernorm', [hiddenSize]),
    query: describe('self_attn.q_proj', [queries, hiddenSize], biases.queryKeyValue),
    key: describe('self_attn.k_proj', [keys, hiddenSize], biases.queryKeyValue),
    value: describe('self_attn.v_proj', [keys, hiddenSize], biases.queryKeyValue),
    queryNorm: headNorms ? describe('self_attn.q_norm', [headDim]) : undefined,
    keyNorm: headNorms ? describe('self_attn.k_norm', [headDim]) : undefined,
    output: describe('self_attn.o_proj', [hiddenSize, queries], biases.output),
    postAttentionNorm: describe('post_attention_layernorm', [hiddenSize]),
    gate: describe('mlp.gate_proj', [intermediateSize, hiddenSize], biases.mlp),
    up: describe('mlp.up_proj', [intermediateSize, hiddenSize], biases.mlp),
    down: describe('mlp.down_proj', [hiddenSize, intermediateSize], biases.mlp),
  };
}

/** Over the last dimension, which is as long as the weight. */
const norm = (x: Tensor, { weight }: Part, { normEpsilon }: ModelConfig): Tensor =>
  rmsNorm(x, weight.shape, weight, normEpsilon);

function block(x: Tensor, parts: BlockParts<Part>, attention: Attention, layer: number, config: ModelConfig): Tensor {
  const attended = attend(norm(x, parts.inputNorm, config), parts, attention, layer, config);
  const afterAttention = add(x, project(attended, parts.output));
  const normed = norm(afterAttention, parts.postAttentionNorm, config);
  const gated = mul(silu(project(normed, parts.gate)), project(normed, parts.up)); // [tokens, intermediate]
  return add(afterAttention, project(gated, parts.down));
}

/** x [tokens, hidden] → [tokens, heads · dim] */
function attend(x: Tensor, parts: BlockParts<Part>, attention: Attention, layer: number, config: ModelConfig): Tensor {
  const rotation = attention.rotation as Rotation;
  const split = (part: Part) => view(project(x, part), [x.size(0), -1, config.headDim]); // [tokens, heads, dim]
  const turned = (heads: Tensor, part: Part | undefined) => rotate(part ? norm(heads, part, config) : heads, rotation);
  const query = turned(split(parts.query), parts.queryNorm);
  const key = turned(split(parts.key), parts.keyNorm);
  return attention.attend(layer, query, key, split(parts.value));
}

export const llama: Architecture = {
  root: 'model',
  tables: ({ vocabSize, hiddenSize }, describe) => [describe('embed_tokens', [vocabSize, hiddenSize])],
  rows: (tokens) => [tokens],
  blockParts,
  block,
  finalNormPart: ({ hiddenSize }, describe) => describe('norm', [hiddenSize]),
  norm,
};
