/**
 * The Llama block and its gradient written out, on kernels of our own: the arithmetic of src/model/llama.ts without
 * autograd. The forward keeps what the backward cannot cheaply make again (inputs of the two norms, queries with keys
 * and values, what attention gave, gate with up) and nothing else; products go into memory that stays. Where memory is
 * short (`recompute`) only a block's input is kept and its forward is done again.
 *
 * Legend: tokens = rows of the pack; hidden; intermediate; queries = heads · dim, keys = keyValueHeads · dim.
 */
import type { ModelConfig } from '../model/config.ts';
import type { AttentionRows } from '../model/family-attention.ts';
import type { Rotation } from '../model/rotary.ts';
import {
  rmsNormBackwardInto,
  rmsNormForward,
  rotateInto,
  swigluBackwardInto,
  swigluInto,
  transposeInto,
} from '../torch/kernels.ts';
import {
  copyInto,
  indexCopyInto,
  indexSelect,
  narrow,
  sumOver,
  transpose,
  view,
  zeroInto,
  zeros,
  zerosLike,
} from '../torch/ops.ts';
import { addmmInto, mmInto, wantsRowsAdjacent } from '../torch/products.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';
import type { Buffers } from './buffers.ts';
import { attendBackwardInto, attendInto } from './fused-attention.ts';
import {
  addAdapterGradients,
  addAdapters,
  apply,
  applyBackward,
  type BackwardContext,
  type Dropping,
} from './fused-linear.ts';
import { type FusedLayer, type FusedLinear, type Norm, withoutAdapters } from './fused-weights.ts';
import type { Gradients } from './gradients.ts';

/** How the tokens of a pack belong together, and what the adapters see of them. */
export interface PackLayout {
  readonly attention: AttentionRows;
  readonly rotation: Rotation;
  /** Whether the adapters add anything. */
  readonly adapters: boolean;
  readonly dropping: Dropping | undefined;
}

/**
 * What a block's forward leaves to its backward, besides its input. Of the last block nothing after attention but the rows that
 * are read.
 */
interface Kept {
  readonly rstd: Tensor; // [tokens]
  /** Before their norms and before rotation: only where heads are normed. */
  readonly plainHeads: Tensor | undefined; // [tokens, queries + keys]
  readonly headRstds: { readonly query: Tensor; readonly key: Tensor } | undefined;
  readonly qkv: Tensor; // [tokens, queries + 2 · keys], rotated
  readonly attended: Tensor; // [tokens, queries]
  readonly afterAttention: Tensor; // [tokens, hidden]
  readonly afterRstd: Tensor; // [tokens]
  readonly gateUp: Tensor; // [tokens, 2 · intermediate]
}

export class FusedBlock {
  readonly #layer: FusedLayer;
  readonly #config: ModelConfig;
  readonly #window: number | undefined;
  readonly #buffers: Buffers;
  /** Names the buffers of what is kept: the block's own, or the same for all where blocks are recomputed. */
  readonly #place: string;
  /** The same for the memory of weight gradients. */
  readonly #gradientPlace: string;
  /** Whether only adapters are trained. */
  readonly #frozen: boolean;
  /** Of the largest pack to come. */
  readonly #maxTokens: number;
  #kept: Kept | undefined;

  constructor(
    layer: FusedLayer,
    index: number,
    config: ModelConfig,
    buffers: Buffers,
    options: { recompute: boolean; shareGradients: boolean; frozen: boolean; maxTokens: number },
  ) {
    const { recompute, shareGradients, frozen, maxTokens } = options;
    this.#layer = layer;
    this.#config = config;
    this.#window = config.windows[index];
    this.#buffers = buffers;
    this.#place = recompute ? '' : `${index} `;
    this.#gradientPlace = shareGradients ? '' : `${index} `;
    this.#frozen = frozen;
    this.#maxTokens = maxTokens;
  }

  /** x [tokens, hidden] → y [tokens, hidden], written into `y`; or of the last block the rows that are read, int64 [read]. */
  forward(y: Tensor, x: Tensor, pack: PackLayout, read?: Tensor): void {
    this.forget();
    this.#kept = keep(scope(() => this.#forward(y, x, pack, read)));
  }

  /** What was kept, other than memory that stays. */
  forget(): void {
    if (this.#kept) releaseAll(this.#kept);
    this.#kept = undefined;
  }

  /** The gradient of y → gradX, which may be gradY where all rows are read; x and `read` are what the forward was given. */
  backward(gradX: Tensor, gradY: Tensor, x: Tensor, pack: PackLayout, gradients: Gradients, read?: Tensor): void {
    const kept = this.#kept as Kept;
    scope(() => this.#backward(gradX, gradY, x, kept, pack, gradients, read));
    this.forget();
  }

  #forward(y: Tensor, x: Tensor, { attention, rotation, adapters, dropping }: PackLayout, read?: Tensor): Kept {
    const layer = adapters ? this.#layer : withoutAdapters(this.#layer);
    const { inputNorm, queryKeyValue, output, postAttentionNorm, gateUp: gateUpLinear, down } = layer;
    const tokens = x.size(0);
    const [normed, rstd] = this.#norm(x, inputNorm);
    const qkv = this.#own('qkv', tokens, queryKeyValue.weight.size(0), x);
    apply(qkv, normed, queryKeyValue, dropping);
    const heads = this.#normHeads(qkv);
    rotateInto(this.#heads(qkv, 'turned'), rotation.cos, rotation.sin, 1);
    const ofAll = this.#own('attended', tokens, output.weight.size(1), x);
    attendInto(ofAll, qkv, attention, this.#config, this.#window);
    const attended = read ? indexSelect(ofAll, 0, read) : ofAll;
    const rows = attended.size(0);
    const afterAttention = this.#own('after attention', rows, x.size(1), x);
    addmmInto(afterAttention, read ? indexSelect(x, 0, read) : x, attended, transpose(output.weight, 0, 1));
    addAdapters(afterAttention, attended, output, dropping);
    const [afterNormed, afterRstd] = this.#norm(afterAttention, postAttentionNorm);
    const gateUp = this.#own('gate up', rows, gateUpLinear.weight.size(0), x);
    apply(gateUp, afterNormed, gateUpLinear, dropping);
    const gated = this.#scratch('gated', rows, down.weight.size(1), x);
    const width = gated.size(1);
    swigluInto(gated, narrow(gateUp, 1, 0, width), narrow(gateUp, 1, width, width));
    addmmInto(y, afterAttention, gated, transpose(down.weight, 0, 1));
    addAdapters(y, gated, down, dropping);
    return { rstd, ...heads, qkv, attended, afterAttention, afterRstd, gateUp };
  }

  #backward(
    gradX: Tensor,
    grad: Tensor,
    x: Tensor,
    kept: Kept,
    pack: PackLayout,
    gradients: Gradients,
    read: Tensor | undefined,
  ): void {
    const { inputNorm, queryKeyValue, output, postAttentionNorm, gateUp: gateUpLinear, down } = this.#layer;
    const { rstd, qkv, attended, afterAttention, afterRstd, gateUp } = kept;
    const { attention, rotation, dropping } = pack;
    const shared = { gradients, dropping };
    const [tokens, rows] = [x.size(0), grad.size(0)];

    // y = afterAttention + down(swiglu(gateUp(norm(afterAttention))))
    const gradGated = this.#scratch('grad gated', rows, down.weight.size(1), x);
    const downLow = applyBackward(gradGated, grad, down, dropping);
    const gradGateUp = this.#scratch('grad gate up', rows, gateUp.size(1), x);
    const gated = this.#scratch('gated', rows, down.weight.size(1), x);
    swigluBackwardInto(gradGateUp, gated, gradGated, gateUp);
    this.#addWeightGradients('down', down, grad, gated, { ...shared, low: downLow });
    const gradNormed = this.#scratch('grad normed', rows, x.size(1), x);
    const gateUpLow = applyBackward(gradNormed, gradGateUp, gateUpLinear, dropping);
    const [afterNormed] = this.#norm(afterAttention, postAttentionNorm);
    this.#addWeightGradients('gate up', gateUpLinear, gradGateUp, afterNormed, { ...shared, low: gateUpLow });
    this.#addNormGradient(gradients, normBackward(postAttentionNorm, grad, gradNormed, afterAttention, afterRstd));

    // afterAttention = x + output(attention(rotate(norm(queryKeyValue(norm(x))))))
    const gradRead = this.#scratch('grad attended', rows, attended.size(1), x);
    const outputLow = applyBackward(gradRead, grad, output, dropping);
    this.#addWeightGradients('output', output, grad, attended, { ...shared, low: outputLow });
    const gradAttended = read
      ? spread(gradRead, read, this.#scratch('grad all attended', tokens, attended.size(1), x))
      : gradRead;
    if (read) spread(grad, read, gradX);
    const gradQkv = this.#scratch('grad qkv', tokens, qkv.size(1), x);
    attendBackwardInto(gradQkv, gradAttended, qkv, attention, this.#config, this.#window);
    rotateInto(this.#heads(gradQkv, 'turned'), rotation.cos, rotation.sin, -1);
    this.#normHeadsBackward(gradQkv, kept, gradients);
    const gradOfAll = this.#scratch('grad normed', tokens, x.size(1), x);
    const qkvLow = applyBackward(gradOfAll, gradQkv, queryKeyValue, dropping);
    const [normed] = this.#norm(x, inputNorm);
    this.#addWeightGradients('qkv', queryKeyValue, gradQkv, normed, { ...shared, low: qkvLow });
    this.#addNormGradient(gradients, normBackward(inputNorm, gradX, gradOfAll, x, rstd));
  }

  #norm(x: Tensor, { weight }: Norm): [Tensor, Tensor] {
    return rmsNormForward(x, weight, this.#config.normEpsilon) as [Tensor, Tensor];
  }

  /** The query and key heads of a qkv row, seen as [tokens, heads, dim]; together they are what is turned. */
  #heads(qkv: Tensor, which: 'query' | 'key' | 'turned'): Tensor {
    const { numHeads, numKeyValueHeads, headDim } = this.#config;
    const [from, count] = {
      query: [0, numHeads],
      key: [numHeads, numKeyValueHeads],
      turned: [0, numHeads + numKeyValueHeads],
    }[which] as [number, number];
    return view(narrow(qkv, 1, from * headDim, count * headDim), [qkv.size(0), count, headDim]);
  }

  #normHeads(qkv: Tensor): Pick<Kept, 'plainHeads' | 'headRstds'> {
    const { queryNorm, keyNorm } = this.#layer;
    if (!queryNorm || !keyNorm) return { plainHeads: undefined, headRstds: undefined };
    const { numHeads, numKeyValueHeads, headDim } = this.#config;
    const turned = (numHeads + numKeyValueHeads) * headDim;
    const plainHeads = copyInto(this.#own('plain heads', qkv.size(0), turned, qkv), narrow(qkv, 1, 0, turned));
    const normed = (which: 'query' | 'key', norm: Norm): Tensor => {
      const [values, rstd] = this.#norm(this.#heads(qkv, which), norm);
      copyInto(this.#heads(qkv, which), values);
      return rstd;
    };
    return { plainHeads, headRstds: { query: normed('query', queryNorm), key: normed('key', keyNorm) } };
  }

  #normHeadsBackward(gradQkv: Tensor, { plainHeads, headRstds }: Kept, gradients: Gradients): void {
    const { queryNorm, keyNorm } = this.#layer;
    if (!queryNorm || !keyNorm || !plainHeads || !headRstds) return;
    for (const [which, norm] of [
      ['query', queryNorm],
      ['key', keyNorm],
    ] as const) {
      const place = this.#heads(gradQkv, which);
      const gradHeads = zeros(place.shape, place.dtype);
      this.#addNormGradient(
        gradients,
        normBackward(norm, gradHeads, place, this.#heads(plainHeads, which), headRstds[which]),
      );
      copyInto(place, gradHeads);
    }
  }

  /** weight gradient = gradOutᵀ · x, for each parameter the matrix holds; or those of its adapters. */
  #addWeightGradients(
    role: 'down' | 'gate up' | 'output' | 'qkv',
    linear: FusedLinear,
    gradOut: Tensor,
    x: Tensor,
    context: BackwardContext,
  ): void {
    if (this.#frozen) {
      addAdapterGradients(linear, gradOut, x, context);
      return;
    }
    const { gradients } = context;
    const { weight, bias, slices } = linear;
    // What is added to sums is copied there or becomes a sum itself: memory that stays must not.
    const total = gradients.accumulates
      ? zerosLike(weight)
      : this.#buffers.take(`${this.#gradientPlace}gradient of ${role}`, weight.shape, weight.dtype);
    mmInto(total, this.#transposed(gradOut), x);
    const gradBias = bias && sumOver(gradOut, [0], false, 'float32');
    for (const slice of slices) {
      gradients.add(`${slice.name}.weight`, narrow(total, 0, slice.from, slice.rows));
      if (gradBias) gradients.add(`${slice.name}.bias`, narrow(gradBias, 0, slice.from, slice.rows));
    }
  }

  #addNormGradient(gradients: Gradients, { name, gradient }: { name: string; gradient: Tensor }): void {
    if (!this.#frozen) gradients.add(name, gradient);
  }

  /** [columns, rows]: laid out anew where products want it. */
  #transposed(x: Tensor): Tensor {
    if (!wantsRowsAdjacent(x)) return transpose(x, 0, 1);
    const [tokens, width] = x.shape as [number, number];
    const { queryKeyValue, output, gateUp, down } = this.#layer;
    const widest = Math.max(...[queryKeyValue, output, gateUp, down].map(({ weight }) => weight.size(0)));
    const out = this.#buffers.take('transposed', [width, tokens], x.dtype, this.#maxTokens * widest);
    transposeInto(out, x);
    return out;
  }

  #own(name: string, tokens: number, width: number, like: Tensor): Tensor {
    return this.#scratch(this.#place + name, tokens, width, like);
  }

  /** Shared by all blocks: its contents last as long as a forward or a backward. */
  #scratch(name: string, tokens: number, width: number, like: Tensor): Tensor {
    return this.#buffers.take(name, [tokens, width], like.dtype, this.#maxTokens * width);
  }
}

/** gradX += the gradient through the norm; that of its weight. */
function normBackward(
  { name, weight }: Norm,
  gradX: Tensor,
  gradY: Tensor,
  x: Tensor,
  rstd: Tensor,
): { name: string; gradient: Tensor } {
  return { name, gradient: rmsNormBackwardInto(gradX, gradY, x, weight, rstd) };
}

/** Rows → their places among all, which are 0 elsewhere. */
function spread(rows: Tensor, places: Tensor, all: Tensor): Tensor {
  zeroInto(all);
  return indexCopyInto(all, 0, places, rows);
}
