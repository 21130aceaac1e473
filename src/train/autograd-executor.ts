/**
 * One pack forward and backward by libtorch's autograd, block by block: every block's output is a graph of its own, so
 * that its memory is free as soon as its gradients are there. Where memory is short (`recompute`) only its input is kept
 * and its graph made in the backward. Any decoder on any device; the clear reference that the fused executor is held to.
 */
import { type Pack, packTokens } from '../data/pack.ts';
import { causalLoss } from '../loss/causal.ts';
import type { AdapterDropout } from '../model/adapter-dropout.ts';
import { PackedAttention } from '../model/attention.ts';
import type { Decoder, Lookup } from '../model/decoder.ts';
import { labelPositions } from '../text/labels.ts';
import { fromIntegers } from '../torch/convert.ts';
import { grad, noGrad } from '../torch/grad.ts';
import { detach, indexAddInto, toDtype, zeros } from '../torch/ops.ts';
import { releaseAll, scope, type Tensor } from '../torch/tensor.ts';
import type { Executor, ExecutorOptions, OnReady } from './executor.ts';
import type { Gradients } from './gradients.ts';

export class AutogradExecutor implements Executor {
  readonly decoder: Decoder;
  readonly #recompute: boolean;

  /** Takes the decoder over. */
  constructor(decoder: Decoder, { recompute = false }: Pick<ExecutorOptions, 'recompute'> = {}) {
    this.decoder = decoder;
    this.#recompute = recompute;
    for (const parameter of decoder.trainable.values()) parameter.requiresGrad();
  }

  forwardBackward(
    pack: Pack,
    gradients: Gradients,
    scale: number,
    onReady?: OnReady,
    dropout?: AdapterDropout,
  ): number {
    return forwardBackward(this.decoder, this.#recompute, pack, gradients, scale, onReady, dropout);
  }

  release(): void {
    this.decoder.release();
  }
}

/**
 * Adds the gradients of scale · Σ loss over the pack's labels to `gradients`; returns Σ loss in nats. The decoder's
 * parameters must require gradients.
 */
function forwardBackward(
  decoder: Decoder,
  recompute: boolean,
  pack: Pack,
  gradients: Gradients,
  scale: number,
  onReady?: OnReady,
  dropout?: AdapterDropout,
): number {
  return scope(() => {
    const lengths = pack.map((document) => document.ids.length);
    const ids = fromIntegers(
      pack.flatMap((document) => document.ids),
      [packTokens(pack)],
    );
    const attention = new PackedAttention(decoder, lengths);
    // With adapters nothing outside the blocks is trained.
    const frozen = decoder.adapters.size > 0;

    // Forward: each block starts from a detached leaf.
    const blocks: { input: Tensor; output: Tensor | undefined }[] = [];
    let hidden = noGrad(() => decoder.embed(ids, attention.positions)); // [tokens, hidden]
    for (let layer = 0; layer < decoder.numLayers; layer++) {
      const input = detach(hidden).requiresGrad();
      if (recompute) hidden.release(); // its memory is the input's
      const compute = () => scope(() => decoder.block(layer, input, attention, dropout));
      hidden = recompute ? noGrad(compute) : compute();
      blocks.push({ input, output: recompute ? undefined : hidden });
    }

    const loss = causalLoss(
      detach(hidden),
      (x) => decoder.finalNorm(x),
      decoder.finalNormParameters.map(({ tensor }) => tensor),
      decoder.headWeight,
      labelPositions(pack),
      scale,
      { frozen },
    );
    if (!frozen) {
      decoder.finalNormParameters.forEach(({ name }, i) => {
        gradients.add(name, loss.gradNorms[i] as Tensor);
      });
      gradients.add(decoder.headName, loss.gradHead as Tensor, true);
    }

    onReady?.(decoder.readyAfterLoss);

    // Backward: the last block first; a block's graph is gone before the next one's is used.
    let gradHidden = loss.gradHidden;
    for (let layer = decoder.numLayers - 1; layer >= 0; layer--) {
      const { input, output = scope(() => decoder.block(layer, input, attention, dropout)) } = blocks[
        layer
      ] as (typeof blocks)[0];
      const parameters = decoder.blockParameters(layer);
      const inputs = [input, ...parameters.map(({ tensor }) => tensor)];
      const [gradInput, ...gradParameters] = grad([output], inputs, { gradOutputs: [gradHidden] }) as Tensor[];
      releaseAll([gradHidden, output, input]);
      parameters.forEach(({ name }, i) => {
        gradients.add(name, gradParameters[i] as Tensor);
      });
      gradHidden = gradInput as Tensor;
      onReady?.(parameters.map(({ name }) => name));
    }
    if (frozen) return loss.lossSum;
    const lookups = decoder.lookups(ids, attention.positions);
    for (const lookup of lookups) addRows(gradients, lookup, gradHidden);
    onReady?.(lookups.map(({ name }) => name));
    return loss.lossSum;
  });
}

/** gradEmbedded [tokens, hidden] is that of the rows looked up. */
function addRows(gradients: Gradients, { name, table, rows }: Lookup, gradEmbedded: Tensor): void {
  if (!gradients.byName.has(name)) {
    gradients.add(
      name,
      scope(() => zeros(table.shape, 'float32')),
    );
  }
  const sum = gradients.byName.get(name) as Tensor;
  scope(() => indexAddInto(sum, 0, rows, toDtype(gradEmbedded, sum.dtype)));
}
