/**
 * The Llama block (Touvron et al. 2023, arXiv 2302.13971): RMSNorm, rotary attention with grouped queries, SwiGLU.
 * Mistral has the same block with a sliding window, Qwen 2 with biases, Qwen 3 with a norm on every head. In inference
 * norms and rotations are kernels of our own, which know nothing of autograd: ten calls less a block.
 *
 * Legend: tokens = all of a pack or batch side by side; hidden; heads; dim = headDim; intermediate.
 */
import { rmsNormForward, rotateInto, swigluInto } from '../torch/kernels.ts';
import { add, emptyLike, mul, rmsNorm, silu, view } from '../torch/ops.ts';
import type { Tensor } from '../torch/tensor.ts';
import type { Architecture, Describe, Part } from './architecture.ts';
import type { Attention } from './attention.ts';
import type { ModelConfig } from './config.ts';
import { project, projectForInference } from './projection.ts';
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

/** What of a block can be done in several ways. */
interface Arithmetic {
  readonly norm: typeof norm;
  /** x [tokens, heads, dim], which nothing else needs, rotated by each token's position. */
  turn(x: Tensor, rotation: Rotation): Tensor;
  readonly project: typeof project;
  /** silu(gate) · up */
  swiglu(gate: Tensor, up: Tensor): Tensor;
}

const recorded: Arithmetic = { norm, turn: rotate, project, swiglu: (gate, up) => mul(silu(gate), up) };

const inference: Arithmetic = {
  norm: (x, { weight }, { normEpsilon }) => rmsNormForward(x, weight, normEpsilon)[0] as Tensor,
  turn(x, { cos, sin }) {
    rotateInto(x, cos, sin, 1);
    return x;
  },
  project: projectForInference,
  swiglu(gate, up) {
    const out = emptyLike(gate);
    swigluInto(out, gate, up);
    return out;
  },
};

const blockBy =
  (arithmetic: Arithmetic) =>
  (x: Tensor, parts: BlockParts<Part>, attention: Attention, layer: number, config: ModelConfig): Tensor => {
    const { norm: normOf, project: apply, swiglu } = arithmetic;
    const normed = normOf(x, parts.inputNorm, config);
    const [query, key, value] = heads(normed, parts, attention.rotation as Rotation, config, arithmetic);
    const attended = attention.attend(layer, query, key, value); // [tokens, heads · dim]
    const afterAttention = add(x, apply(attended, parts.output));
    const afterNormed = normOf(afterAttention, parts.postAttentionNorm, config);
    const gated = swiglu(apply(afterNormed, parts.gate), apply(afterNormed, parts.up)); // [tokens, intermediate]
    return add(afterAttention, apply(gated, parts.down));
  };

/** x [tokens, hidden] → query, key and value heads, [tokens, heads, dim] each */
function heads(
  x: Tensor,
  parts: BlockParts<Part>,
  rotation: Rotation,
  config: ModelConfig,
  { norm: normed, turn, project: apply }: Arithmetic,
): [Tensor, Tensor, Tensor] {
  const split = (part: Part) => view(apply(x, part), [x.size(0), -1, config.headDim]);
  const turned = (plain: Tensor, part: Part | undefined) => turn(part ? normed(plain, part, config) : plain, rotation);
  const query = turned(split(parts.query), parts.queryNorm);
  const key = turned(split(parts.key), parts.keyNorm);
  return [query, key, split(parts.value)];
}

export const llama: Architecture = {
  root: 'model',
  tables: ({ vocabSize, hiddenSize }, describe) => [describe('embed_tokens', [vocabSize, hiddenSize])],
  rows: (tokens) => [tokens],
  blockParts,
  block: blockBy(recorded),
  inferenceBlock: blockBy(inference),
  finalNormPart: ({ hiddenSize }, describe) => describe('norm', [hiddenSize]),
  norm,
};
