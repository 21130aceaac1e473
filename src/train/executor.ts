/**
 * One pack forward and backward, block by block: every block's output is a graph of its own, so that its memory is
 * free as soon as its gradients are there, and so that sharding, recomputing or stepping inside the backward can be
 * put between blocks. Gradients of several packs add up.
 */
import { type Pack, packTokens } from '../data/pack.ts';
import { causalLoss } from '../loss/causal.ts';
import { PackedAttention, packedPositions } from '../model/attention.ts';
import type { Decoder } from '../model/decoder.ts';
import { labelPositions } from '../text/labels.ts';
import { fromIntegers } from '../torch/convert.ts';
import { grad, noGrad } from '../torch/grad.ts';
import { inPlaceOperator } from '../torch/operator.ts';
import { addInto, contiguous, detach, toDtype, zeros } from '../torch/ops.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';

/** Deterministic on CPU: rows are added in order. */
const indexAddInto = inPlaceOperator<[Tensor, number, Tensor, Tensor]>('aten::index_add_');

/** Parameters whose gradient adds up over tokens even in one pack: in bf16 small addends would vanish. */
const many = new Set(['model.embed_tokens.weight', 'lm_head.weight']);

/** Summed gradients by parameter name: in fp32, whatever the compute type, wherever something is added. */
export class Gradients {
  readonly byName = new Map<string, Tensor>();
  readonly #accumulates: boolean;

  constructor(options: { accumulates: boolean }) {
    this.#accumulates = options.accumulates;
  }

  /** Takes over `gradient`. */
  add(name: string, gradient: Tensor): void {
    const sum = this.byName.get(name);
    if (sum) {
      scope(() => addInto(sum, toDtype(gradient, sum.dtype)));
      if (sum !== gradient) gradient.release();
      return;
    }
    const sums = this.#accumulates || many.has(name);
    const own = scope(() => contiguous(sums ? toDtype(gradient, 'float32') : gradient));
    if (own !== gradient) gradient.release();
    this.byName.set(name, keep(own));
  }

  release(): void {
    releaseAll(this.byName);
    this.byName.clear();
  }
}

/**
 * Adds the gradients of scale · Σ loss over the pack's labels to `gradients`; returns Σ loss in nats. The decoder's
 * parameters must require gradients.
 */
export function forwardBackward(decoder: Decoder, pack: Pack, gradients: Gradients, scale: number): number {
  return scope(() => {
    const lengths = pack.map((document) => document.ids.length);
    const ids = fromIntegers(
      pack.flatMap((document) => document.ids),
      [packTokens(pack)],
    );
    const attention = new PackedAttention(lengths, decoder.rotation(packedPositions(lengths)), decoder.dtype);

    // Forward: each block starts from a detached leaf.
    const blocks: { input: Tensor; output: Tensor }[] = [];
    let hidden = noGrad(() => decoder.embed(ids)); // [tokens, hidden]
    for (let layer = 0; layer < decoder.numLayers; layer++) {
      const input = detach(hidden).requiresGrad();
      hidden = scope(() => decoder.block(layer, input, attention));
      blocks.push({ input, output: hidden });
    }

    const loss = causalLoss(
      detach(hidden),
      (x) => decoder.finalNorm(x),
      decoder.normWeight,
      decoder.headWeight,
      labelPositions(pack),
      scale,
    );
    gradients.add('model.norm.weight', loss.gradNorm);
    const headName = decoder.config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
    gradients.add(headName, loss.gradHead);

    // Backward: the last block first; a block's graph is gone before the next one's is used.
    let gradHidden = loss.gradHidden;
    for (let layer = decoder.numLayers - 1; layer >= 0; layer--) {
      const { input, output } = blocks[layer] as { input: Tensor; output: Tensor };
      const parameters = decoder.blockParameters(layer);
      const inputs = [input, ...parameters.map(({ tensor }) => tensor)];
      const [gradInput, ...gradParameters] = grad([output], inputs, { gradOutputs: [gradHidden] }) as Tensor[];
      releaseAll([gradHidden, output, input]);
      parameters.forEach(({ name }, i) => {
        gradients.add(name, gradParameters[i] as Tensor);
      });
      gradHidden = gradInput as Tensor;
    }
    addEmbeddingGradient(decoder, ids, gradHidden, gradients);
    return loss.lossSum;
  });
}

function addEmbeddingGradient(decoder: Decoder, ids: Tensor, gradEmbedded: Tensor, gradients: Gradients): void {
  const name = 'model.embed_tokens.weight';
  if (!gradients.byName.has(name)) {
    const { shape } = decoder.embeddingWeight;
    gradients.add(
      name,
      scope(() => zeros(shape, 'float32')),
    );
  }
  const sum = gradients.byName.get(name) as Tensor;
  scope(() => indexAddInto(sum, 0, ids, toDtype(gradEmbedded, sum.dtype)));
}
