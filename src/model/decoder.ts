/**
 * A decoder: parameters by name, and the way from token ids to logits. What a block computes is its architecture's
 * business (llama.ts, opt.ts). Works on tokens side by side, [tokens, hidden]; which of them belong together is the
 * Attention's business, so that training, scoring, prefill and decoding run the same blocks. Blocks are separate calls:
 * the training executor walks them one by one.
 */
import { invariant } from '../base/errors.ts';
import { add, embedding } from '../torch/ops.ts';
import { type Dtype, releaseAll, scope, type Tensor } from '../torch/tensor.ts';
import { type AdapterDropout, dropMask } from './adapter-dropout.ts';
import type { Architecture, Describe, Part } from './architecture.ts';
import type { Attention } from './attention.ts';
import { type ModelConfig, scalarHeadName } from './config.ts';
import { llama } from './llama.ts';
import { type Adapters, adapterParameters } from './lora.ts';
import { opt } from './opt.ts';
import { project, projectForInference } from './projection.ts';
import { headPart, scalesName } from './quantize.ts';
import { type Rotation, rotationAt } from './rotary.ts';
import { type RotarySpectrum, rotarySpectrum } from './rotary-scaling.ts';

const architectures: Readonly<Record<ModelConfig['architecture'], Architecture>> = { llama, opt };

const headName = `${headPart}.weight`;
const blockRoot = ({ root }: Architecture, layer: number): string => `${root}.layers.${layer}`;

/** Parameter names as Hugging Face spells them, with their shapes, in the order of the forward pass. */
export function parameterShapes(config: ModelConfig): Map<string, readonly number[]> {
  const architecture = architectures[config.architecture];
  const shapes = new Map<string, readonly number[]>();
  const within =
    (root: string): Describe<void> =>
    (name, weight, bias) => {
      shapes.set(`${root}.${name}.weight`, weight);
      if (bias) shapes.set(`${root}.${name}.bias`, weight.slice(0, 1));
    };
  architecture.tables(config, within(architecture.root));
  for (let layer = 0; layer < config.numLayers; layer++) {
    architecture.blockParts(config, within(blockRoot(architecture, layer)));
  }
  architecture.finalNormPart(config, within(architecture.root));
  if (config.scalarHead) shapes.set(scalarHeadName, [1, config.hiddenSize]);
  else if (!config.tiedEmbeddings) shapes.set(headName, [config.vocabSize, config.hiddenSize]);
  return shapes;
}

export interface Parameter {
  readonly name: string;
  readonly tensor: Tensor;
}

/** A table of the embedding, and which row each token takes: int64 [tokens]. */
export interface Lookup {
  readonly name: string;
  readonly table: Tensor;
  readonly rows: Tensor;
}

type Parts = Readonly<Record<string, Part | undefined>>;

interface Block {
  readonly parts: Parts;
  readonly parameters: readonly Parameter[];
}

export class Decoder {
  readonly config: ModelConfig;
  readonly dtype: Dtype;
  /** Where the parameters are: `cpu`, `cuda:0`. */
  readonly device: string;
  /** Whether inference is by kernels of our own: they are for the CPU, and know no float16. */
  readonly ownKernels: boolean;
  /** By Hugging Face name. Owned by the decoder: they live until `release`. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Where there are any, they alone are to be trained. Owned as the parameters are. */
  readonly adapters: Adapters;
  readonly finalNormParameters: readonly Parameter[];
  /** Of the output head's weight, which is the token embedding where they are tied. */
  readonly headName: string;
  readonly #architecture: Architecture;
  readonly #tables: readonly Parameter[];
  readonly #blocks: readonly Block[];
  readonly #finalNorm: Part;
  readonly #spectrum: RotarySpectrum | undefined;

  constructor(config: ModelConfig, parameters: ReadonlyMap<string, Tensor>, adapters: Adapters = new Map()) {
    this.config = config;
    this.parameters = parameters;
    this.adapters = adapters;
    const architecture = architectures[config.architecture];
    this.#architecture = architecture;
    const tables: Parameter[] = [];
    architecture.tables(config, this.#partsWithin(architecture.root, tables));
    this.#tables = tables;
    this.#blocks = Array.from({ length: config.numLayers }, (_, layer) => {
      const ofBlock: Parameter[] = [];
      const parts = architecture.blockParts(config, this.#partsWithin(blockRoot(architecture, layer), ofBlock));
      return { parts, parameters: ofBlock };
    });
    const ofNorm: Parameter[] = [];
    this.#finalNorm = architecture.finalNormPart(config, this.#partsWithin(architecture.root, ofNorm));
    this.finalNormParameters = ofNorm;
    const [tokens] = tables as [Parameter];
    this.headName = config.tiedEmbeddings && !parameters.has(headName) ? tokens.name : headName;
    this.dtype = tokens.tensor.dtype;
    this.device = tokens.tensor.device;
    this.ownKernels = this.device === 'cpu' && this.dtype !== 'float16';
    this.#spectrum = config.rotary && rotarySpectrum(config.rotary, config.headDim);
  }

  parameter(name: string): Tensor {
    const tensor = this.parameters.get(name);
    invariant(tensor, `the decoder has no parameter ${name}`);
    return tensor;
  }

  /** What is to be trained, by name: the adapters where there are any, with the scalar head; else all parameters. */
  get trainable(): ReadonlyMap<string, Tensor> {
    if (this.adapters.size === 0) return this.parameters;
    const { scalarHead: head } = this;
    return new Map([...adapterParameters(this.adapters), ...(head ? [[head.name, head.tensor] as const] : [])]);
  }

  /** [1, hidden]: of a reward model, or of values beside a policy. Trained even where only adapters are. */
  get scalarHead(): Parameter | undefined {
    const tensor = this.parameters.get(scalarHeadName);
    return tensor && { name: scalarHeadName, tensor };
  }

  /** Whether tokens can be predicted: a reward model of untied embeddings has no output head. */
  get hasHead(): boolean {
    return this.parameters.has(this.headName);
  }

  /** What is trained outside the blocks and has its whole gradient once the loss has: a tied head is an embedding too. */
  get readyAfterLoss(): string[] {
    const scalar = this.scalarHead ? [this.scalarHead.name] : [];
    if (this.adapters.size > 0) return scalar;
    const norms = this.finalNormParameters.map(({ name }) => name);
    const own = this.config.tiedEmbeddings || !this.hasHead ? [] : [this.headName];
    return [...norms, ...own, ...scalar];
  }

  get numLayers(): number {
    return this.config.numLayers;
  }

  /** [vocab, hidden] */
  get headWeight(): Tensor {
    return this.parameter(this.headName);
  }

  /** What of a block is to be trained. */
  blockParameters(layer: number): readonly Parameter[] {
    const { parameters } = this.#blocks[layer] as Block;
    if (this.adapters.size === 0) return parameters;
    const root = `${blockRoot(this.#architecture, layer)}.`;
    const ofBlock = new Map([...this.adapters].filter(([name]) => name.startsWith(root)));
    return [...adapterParameters(ofBlock)].map(([name, tensor]) => ({ name, tensor }));
  }

  /** undefined where positions are learned. */
  rotation(positions: readonly number[]): Rotation | undefined {
    return this.#spectrum && rotationAt(positions, this.#spectrum, this.dtype);
  }

  /** tokens int64 [tokens]: the rows that add up to their embedding. */
  lookups(tokens: Tensor, positions: readonly number[]): Lookup[] {
    const rows = this.#architecture.rows(tokens, positions);
    return this.#tables.map(({ name, tensor }, i) => ({ name, table: tensor, rows: rows[i] as Tensor }));
  }

  /** tokens int64 [tokens] → [tokens, hidden] */
  embed(tokens: Tensor, positions: readonly number[]): Tensor {
    return this.lookups(tokens, positions)
      .map(({ table, rows }) => embedding(table, rows))
      .reduce((sum, embedded) => add(sum, embedded));
  }

  /** One block: x [tokens, hidden] → [tokens, hidden]. `dropout`: before the adapters, in training. */
  block(layer: number, x: Tensor, attention: Attention, dropout?: AdapterDropout): Tensor {
    const { parts } = this.#blocks[layer] as Block;
    const masked = dropout ? withMasks(parts, dropout) : parts;
    return this.#architecture.block(x, masked, attention, layer, this.config);
  }

  /** x [tokens, hidden], after the last block → normed, ready for the head. */
  finalNorm(x: Tensor): Tensor {
    return this.#architecture.norm(x, this.#finalNorm, this.config);
  }

  /** normed [tokens, hidden] → logits [tokens, vocab], in the model's dtype. For inference, as `hidden` is. */
  logits(normed: Tensor): Tensor {
    const apply = this.ownKernels ? projectForInference : project;
    return apply(normed, {
      weight: this.headWeight,
      bias: null,
      scales: this.parameters.get(scalesName(headPart)),
    });
  }

  /**
   * tokens [tokens] → normed hidden states [tokens, hidden]. For inference, inside `noGrad`: a block's memory is free after
   * it, and nothing is recorded.
   */
  hidden(tokens: Tensor, attention: Attention): Tensor {
    const { block, inferenceBlock } = this.#architecture;
    const compute = inferenceBlock && this.ownKernels ? inferenceBlock : block;
    let x = scope(() => this.embed(tokens, attention.positions));
    for (let layer = 0; layer < this.numLayers; layer++) {
      const input = x;
      x = scope(() => compute(input, (this.#blocks[layer] as Block).parts, attention, layer, this.config));
      input.release();
    }
    return this.finalNorm(x);
  }

  release(): void {
    releaseAll([this.parameters, this.adapters]);
  }

  /** Finds the parameters of the parts described to it, and lists them in `found`. */
  #partsWithin(root: string, found: Parameter[]): Describe<Part> {
    const find = (name: string): Tensor => {
      const tensor = this.parameter(name);
      found.push({ name, tensor });
      return tensor;
    };
    return (name, _weight, bias) => {
      const part = `${root}.${name}`;
      return {
        name: part,
        weight: find(`${part}.weight`),
        bias: bias ? find(`${part}.bias`) : null,
        adapter: this.adapters.get(part),
        scales: this.parameters.get(scalesName(part)),
      };
    };
  }
}

const withMasks = (parts: Parts, dropout: AdapterDropout): Parts =>
  Object.fromEntries(
    Object.entries(parts).map(([role, part]) => [
      role,
      part?.adapter ? { ...part, mask: dropMask(dropout, part.name) } : part,
    ]),
  );
