/**
 * One pack forward and backward through fused blocks: everything a Llama-like model needs on the CPU, without autograd.
 * The arithmetic is autograd-executor.ts's, to which the tests hold it.
 */
import { type Pack, packTokens } from '../data/pack.ts';
import { fusedCausalLoss } from '../loss/fused-causal.ts';
import type { AdapterDropout } from '../model/adapter-dropout.ts';
import { packedPositions } from '../model/attention.ts';
import type { Decoder } from '../model/decoder.ts';
import type { Rotation } from '../model/rotary.ts';
import { labelPositions } from '../text/labels.ts';
import { fromIntegers } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { addInto, copyInto, indexAddInto, toDtype, zeroInto, zeros } from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';
import { Buffers } from './buffers.ts';
import type { Executor, ExecutorOptions, LargestPack, OnReady } from './executor.ts';
import { FusedBlock, type PackLayout } from './fused-block.ts';
import type { Dropping } from './fused-linear.ts';
import { fuseWeights } from './fused-weights.ts';
import type { Gradients } from './gradients.ts';

export class FusedExecutor implements Executor {
  readonly decoder: Decoder;
  readonly #release: () => void;
  readonly #blocks: readonly FusedBlock[];
  readonly #buffers = new Buffers();
  readonly #recompute: boolean;
  readonly #largest: LargestPack;
  /** With adapters nothing outside the blocks is trained. */
  readonly #frozen: boolean;

  /** Takes the decoder over. */
  constructor(decoder: Decoder, options: ExecutorOptions = {}) {
    const { recompute = false, shareGradients = false, largest = { tokens: 0, labels: 0 } } = options;
    const weights = fuseWeights(decoder);
    this.decoder = weights.decoder;
    this.#release = weights.release;
    this.#recompute = recompute;
    this.#largest = largest;
    this.#frozen = decoder.adapters.size > 0;
    this.#blocks = weights.layers.map(
      (layer, index) =>
        new FusedBlock(layer, index, decoder.config, this.#buffers, {
          recompute,
          shareGradients,
          frozen: this.#frozen,
          maxTokens: largest.tokens,
        }),
    );
  }

  forwardBackward(
    pack: Pack,
    gradients: Gradients,
    scale: number,
    onReady?: OnReady,
    dropout?: AdapterDropout,
  ): number {
    return noGrad(() => scope(() => this.#forwardBackward(pack, gradients, scale, onReady, dropout)));
  }

  release(): void {
    for (const block of this.#blocks) block.forget();
    this.#buffers.release();
    this.#release();
  }

  #forwardBackward(
    pack: Pack,
    gradients: Gradients,
    scale: number,
    onReady: OnReady | undefined,
    dropout: AdapterDropout | undefined,
  ): number {
    const lengths = pack.map((document) => document.ids.length);
    const positions = packedPositions(lengths);
    const tokens = packTokens(pack);
    const layout: PackLayout = {
      lengths,
      rotation: this.decoder.rotation(positions) as Rotation,
      dropping: dropout && this.#dropping(dropout, tokens),
    };
    const ids = fromIntegers(
      pack.flatMap((document) => document.ids),
      [tokens],
    );
    const width = this.decoder.config.hiddenSize;
    const room = this.#largest.tokens * width;
    const rows = (name: string) => this.#buffers.take(name, [tokens, width], this.decoder.dtype, room);

    // Forward: each block reads what the one before wrote.
    const inputs = this.#blocks.map((_, layer) => rows(`${layer} input`));
    const last = rows('output');
    scope(() => copyInto(inputs[0] as Tensor, this.decoder.embed(ids, positions)));
    this.#blocks.forEach((block, layer) => {
      block.forward(inputs[layer + 1] ?? last, inputs[layer] as Tensor, layout);
      if (this.#recompute) block.forget();
    });

    const gradHidden = rows('gradient');
    zeroInto(gradHidden);
    const lossSum = this.#loss(gradHidden, last, pack, gradients, scale);
    onReady?.(this.decoder.readyAfterLoss);

    // Backward: the gradient of a block's output becomes that of its input.
    for (let layer = this.#blocks.length - 1; layer >= 0; layer--) {
      const block = this.#blocks[layer] as FusedBlock;
      const input = inputs[layer] as Tensor;
      if (this.#recompute) block.forward(last, input, layout);
      block.backward(gradHidden, input, layout, gradients);
      onReady?.(this.decoder.blockParameters(layer).map(({ name }) => name));
    }
    if (this.#frozen) return lossSum;
    const lookups = this.decoder.lookups(ids, positions);
    for (const { name, table, rows: at } of lookups) {
      const sum = sumOf(gradients, name, table);
      scope(() => indexAddInto(sum, 0, at, toDtype(gradHidden, sum.dtype)));
    }
    onReady?.(lookups.map(({ name }) => name));
    return lossSum;
  }

  #dropping(dropout: AdapterDropout, tokens: number): Dropping {
    const widths = [...this.decoder.adapters.values()].map(({ down }) => down.size(1));
    const room = Math.max(tokens, this.#largest.tokens) * Math.max(0, ...widths);
    return { dropout, place: ({ shape, dtype }) => this.#buffers.take('seen', shape, dtype, room) };
  }

  #loss(gradHidden: Tensor, hidden: Tensor, pack: Pack, gradients: Gradients, scale: number): number {
    const { config, dtype, headName, headWeight, finalNormParameters } = this.decoder;
    const [norm] = finalNormParameters as [(typeof finalNormParameters)[number]];
    const loss = fusedCausalLoss(
      gradHidden,
      hidden,
      { weight: norm.tensor, epsilon: config.normEpsilon },
      headWeight,
      labelPositions(pack),
      scale,
      (name, shape, room) => this.#buffers.take(name, shape, dtype, room),
      this.#frozen ? undefined : (part) => addInto(sumOf(gradients, headName, headWeight), part),
      { maxLabels: this.#largest.labels },
    );
    if (!this.#frozen) gradients.add(norm.name, loss.gradNorm);
    return loss.lossSum;
  }
}

/** The fp32 sum of a table's gradients, which come in parts. */
function sumOf(gradients: Gradients, name: string, table: Tensor): Tensor {
  const sum = gradients.byName.get(name);
  if (sum) return sum;
  gradients.add(
    name,
    scope(() => zeros(table.shape, 'float32')),
  );
  return gradients.byName.get(name) as Tensor;
}
