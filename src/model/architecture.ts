/**
 * What kinds of decoders have in common, so that training, decoding and scoring know one decoder: parts with their
 * parameters, an embedding that adds up rows of tables, a block, a norm. A kind is in a file of its own (llama.ts,
 * opt.ts) and holds no tensors; decoder.ts gives it those of a model.
 *
 * Legend: tokens = all of a pack or batch side by side; hidden.
 */
import type { Tensor } from '../torch/tensor.ts';
import type { Attention } from './attention.ts';
import type { ModelConfig } from './config.ts';
import type { LinearPart } from './projection.ts';

/** A linear layer, a norm or a table. */
export interface Part extends LinearPart {
  /** Its parameters', less `.weight` and `.bias`. */
  readonly name: string;
}

/**
 * Makes something of a part's description: its parameters are NAME.weight, of this shape, and where it has one
 * NAME.bias, as long as the weight's first dimension.
 */
export type Describe<Result> = (name: string, weight: readonly number[], bias?: boolean) => Result;

type BlockArguments = [x: Tensor, parts: Parts<Part>, attention: Attention, layer: number, config: ModelConfig];

export interface Architecture {
  /** What all names but the output head's begin with. */
  readonly root: string;
  /** Tables whose rows add up to a token's embedding. */
  tables<Result>(config: ModelConfig, describe: Describe<Result>): readonly Result[];
  /** Which row of each table, by token: int64 [tokens]. */
  rows(tokens: Tensor, positions: readonly number[]): readonly Tensor[];
  /** A block's parts in the order of its forward pass; undefined: not in this family. */
  blockParts<Result>(config: ModelConfig, describe: Describe<Result>): Parts<Result>;
  /** x [tokens, hidden] → [tokens, hidden] */
  block(...args: BlockArguments): Tensor;
  /** The same but for rounding, faster and without gradients: float32, float64 or bfloat16, on the CPU. */
  inferenceBlock?(...args: BlockArguments): Tensor;
  finalNormPart<Result>(config: ModelConfig, describe: Describe<Result>): Result;
  norm(x: Tensor, part: Part, config: ModelConfig): Tensor;
}

type Parts<Result> = Readonly<Record<string, Result | undefined>>;
