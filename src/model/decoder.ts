/**
 * The Llama decoder (Touvron et al. 2023, arXiv 2302.13971): RMSNorm, rotary attention with grouped queries, SwiGLU.
 * Works on tokens side by side, [tokens, hidden]; which of them belong together is the Attention's business, so that
 * training, scoring, prefill and decoding run the same blocks. Blocks are separate calls: the training executor walks
 * them one by one.
 */
import { invariant } from '../base/errors.ts';
import { add, embedding, linear, mul, rmsNorm, silu, view } from '../torch/ops.ts';
import { type Dtype, releaseAll, scope, type Tensor } from '../torch/tensor.ts';
import type { Attention } from './attention.ts';
import type { ModelConfig } from './config.ts';
import { type Rotation, rotaryFrequencies, rotate, rotationAt } from './rotary.ts';

/** Parameter names as Hugging Face spells them, with their shapes, in the order of the forward pass. */
export function parameterShapes(config: ModelConfig): Map<string, readonly number[]> {
  const { hiddenSize, intermediateSize, numHeads, numKeyValueHeads, headDim, vocabSize } = config;
  const shapes = new Map<string, readonly number[]>([['model.embed_tokens.weight', [vocabSize, hiddenSize]]]);
  for (let layer = 0; layer < config.numLayers; layer++) {
    const block: Record<keyof BlockWeights, readonly number[]> = {
      inputNorm: [hiddenSize],
      query: [numHeads * headDim, hiddenSize],
      key: [numKeyValueHeads * headDim, hiddenSize],
      value: [numKeyValueHeads * headDim, hiddenSize],
      output: [hiddenSize, numHeads * headDim],
      postAttentionNorm: [hiddenSize],
      gate: [intermediateSize, hiddenSize],
      up: [intermediateSize, hiddenSize],
      down: [hiddenSize, intermediateSize],
    };
    for (const part of blockParts) shapes.set(blockParameterName(layer, part), block[part]);
  }
  shapes.set('model.norm.weight', [hiddenSize]);
  if (!config.tiedEmbeddings) shapes.set('lm_head.weight', [vocabSize, hiddenSize]);
  return shapes;
}

const blockNames = {
  inputNorm: 'input_layernorm',
  query: 'self_attn.q_proj',
  key: 'self_attn.k_proj',
  value: 'self_attn.v_proj',
  output: 'self_attn.o_proj',
  postAttentionNorm: 'post_attention_layernorm',
  gate: 'mlp.gate_proj',
  up: 'mlp.up_proj',
  down: 'mlp.down_proj',
} as const;

type BlockPart = keyof typeof blockNames;
export type BlockWeights = Readonly<Record<BlockPart, Tensor>>;
const blockParts = Object.keys(blockNames) as BlockPart[];
const blockParameterName = (layer: number, part: BlockPart): string =>
  `model.layers.${layer}.${blockNames[part]}.weight`;

export class Decoder {
  readonly config: ModelConfig;
  readonly dtype: Dtype;
  /** By Hugging Face name. Owned by the decoder: they live until `release`. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly #blocks: readonly BlockWeights[];
  readonly #frequencies: Float64Array;

  constructor(config: ModelConfig, parameters: ReadonlyMap<string, Tensor>) {
    this.config = config;
    this.parameters = parameters;
    this.dtype = this.embeddingWeight.dtype;
    this.#frequencies = rotaryFrequencies(config);
    this.#blocks = Array.from({ length: config.numLayers }, (_, layer) => {
      const weights = blockParts.map((part) => [part, this.parameter(blockParameterName(layer, part))]);
      return Object.fromEntries(weights) as BlockWeights;
    });
  }

  parameter(name: string): Tensor {
    const tensor = this.parameters.get(name);
    invariant(tensor, `the decoder has no parameter ${name}`);
    return tensor;
  }

  get numLayers(): number {
    return this.config.numLayers;
  }

  get embeddingWeight(): Tensor {
    return this.parameter('model.embed_tokens.weight');
  }

  get normWeight(): Tensor {
    return this.parameter('model.norm.weight');
  }

  /** [vocab, hidden]: the output head, which is the embedding where they are tied. */
  get headWeight(): Tensor {
    return this.config.tiedEmbeddings ? this.embeddingWeight : this.parameter('lm_head.weight');
  }

  blockParameters(layer: number): { name: string; tensor: Tensor }[] {
    return blockParts.map((part) => {
      const name = blockParameterName(layer, part);
      return { name, tensor: this.parameter(name) };
    });
  }

  rotation(positions: readonly number[]): Rotation {
    return rotationAt(positions, this.#frequencies, this.dtype);
  }

  /** tokens [tokens] int64 → [tokens, hidden] */
  embed(tokens: Tensor): Tensor {
    return embedding(this.embeddingWeight, tokens);
  }

  /** One block: x [tokens, hidden] → [tokens, hidden]. */
  block(layer: number, x: Tensor, attention: Attention): Tensor {
    const weights = this.#blocks[layer] as BlockWeights;
    const afterAttention = add(x, this.#attend(layer, weights, this.#norm(x, weights.inputNorm), attention));
    const normed = this.#norm(afterAttention, weights.postAttentionNorm);
    const gated = mul(silu(linear(normed, weights.gate)), linear(normed, weights.up)); // [tokens, intermediate]
    return add(afterAttention, linear(gated, weights.down));
  }

  /** x [tokens, hidden], after the last block → normed, ready for the head. */
  finalNorm(x: Tensor): Tensor {
    return this.#norm(x, this.normWeight);
  }

  /** normed [tokens, hidden] → logits [tokens, vocab], in the model's dtype. */
  logits(normed: Tensor): Tensor {
    return linear(normed, this.headWeight);
  }

  /** tokens [tokens] → normed hidden states [tokens, hidden]. For inference: a block's memory is free after it. */
  hidden(tokens: Tensor, attention: Attention): Tensor {
    let x = this.embed(tokens);
    for (let layer = 0; layer < this.numLayers; layer++) {
      const input = x;
      x = scope(() => this.block(layer, input, attention));
      input.release();
    }
    return this.finalNorm(x);
  }

  release(): void {
    releaseAll(this.parameters);
  }

  #norm(x: Tensor, weight: Tensor): Tensor {
    return rmsNorm(x, [this.config.hiddenSize], weight, this.config.normEpsilon);
  }

  #attend(layer: number, weights: BlockWeights, x: Tensor, attention: Attention): Tensor {
    const { headDim, numHeads, numKeyValueHeads } = this.config;
    const tokens = x.size(0);
    const query = rotate(view(linear(x, weights.query), [tokens, numHeads, headDim]), attention.rotation);
    const key = rotate(view(linear(x, weights.key), [tokens, numKeyValueHeads, headDim]), attention.rotation);
    const value = view(linear(x, weights.value), [tokens, numKeyValueHeads, headDim]);
    return linear(attention.attend(layer, query, key, value), weights.output);
  }
}
