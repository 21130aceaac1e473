/**
 * The OPT block (Zhang et al. 2022, arXiv 2205.01068): LayerNorm before attention and MLP, plain attention, ReLU;
 * positions are learned. Not the 350m, which norms afterwards and has narrower embeddings.
 *
 * Legend: tokens = all of a pack or batch side by side; hidden; heads; dim = headDim; intermediate.
 */
import { fromIntegers } from '../torch/convert.ts';
import { tensorOperator } from '../torch/operator.ts';
import { add, view } from '../torch/ops.ts';
import type { Tensor } from '../torch/tensor.ts';
import type { Architecture, Describe, Part } from './architecture.ts';
import type { Attention } from './attention.ts';
import type { ModelConfig } from './config.ts';
import { project, projectForInference } from './projection.ts';

type BlockParts<Result> = ReturnType<typeof blockParts<Result>>;

/** By the names Hugging Face gives them; each block has a `final_layer_norm`, as the model has one. */
function blockParts<Result>(config: ModelConfig, describe: Describe<Result>) {
  const { hiddenSize, intermediateSize, biases } = config;
  return {
    attentionNorm: describe('self_attn_layer_norm', [hiddenSize], true),
    query: describe('self_attn.q_proj', [hiddenSize, hiddenSize], biases.queryKeyValue),
    key: describe('self_attn.k_proj', [hiddenSize, hiddenSize], biases.queryKeyValue),
    value: describe('self_attn.v_proj', [hiddenSize, hiddenSize], biases.queryKeyValue),
    output: describe('self_attn.out_proj', [hiddenSize, hiddenSize], biases.output),
    mlpNorm: describe('final_layer_norm', [hiddenSize], true),
    up: describe('fc1', [intermediateSize, hiddenSize], biases.mlp),
    down: describe('fc2', [hiddenSize, intermediateSize], biases.mlp),
  };
}

const layerNorm = tensorOperator<[Tensor, readonly number[], Tensor, Tensor | null, number]>('aten::layer_norm');
const relu = tensorOperator<[Tensor]>('aten::relu');

const norm = (x: Tensor, { weight, bias }: Part, { normEpsilon }: ModelConfig): Tensor =>
  layerNorm(x, weight.shape, weight, bias, normEpsilon);

const blockBy =
  (apply: typeof project) =>
  (x: Tensor, parts: BlockParts<Part>, attention: Attention, layer: number, config: ModelConfig): Tensor => {
    const normed = norm(x, parts.attentionNorm, config);
    const split = (part: Part) => view(apply(normed, part), [x.size(0), -1, config.headDim]); // [tokens, heads, dim]
    const attended = attention.attend(layer, split(parts.query), split(parts.key), split(parts.value));
    const afterAttention = add(x, apply(attended, parts.output));
    const activated = relu(apply(norm(afterAttention, parts.mlpNorm, config), parts.up)); // [tokens, intermediate]
    return add(afterAttention, apply(activated, parts.down));
  };

/** Rows of the table before position 0: a relic of padding in the implementation OPT was trained with. */
const positionOffset = 2;

export const opt: Architecture = {
  root: 'model.decoder',
  tables: ({ vocabSize, hiddenSize, maxPositions }, describe) => [
    describe('embed_tokens', [vocabSize, hiddenSize]),
    describe('embed_positions', [maxPositions + positionOffset, hiddenSize]),
  ],
  rows: (tokens, positions) => [
    tokens,
    fromIntegers(
      positions.map((position) => position + positionOffset),
      [positions.length],
    ),
  ],
  blockParts,
  block: blockBy(project),
  inferenceBlock: blockBy(projectForInference),
  finalNormPart: ({ hiddenSize }, describe) => describe('final_layer_norm', [hiddenSize], true),
  norm,
};
