/**
 * One pack forward and backward by libtorch's autograd, block by block: every block's output is a graph of its own, so
 * that its memory is free as soon as its gradients are there. Where memory is short (`recompute`) only its input is kept
 * and its graph made in the backward. Any decoder on any device; the clear reference that the fused executor is held to.
 */
import { type Pack, packTokens } from '../data/pack.ts';
import {
  autogradObjective,
  type LossGradients,
  type ReferenceHeads,
  readByOperators,
} from '../loss/autograd-objective.ts';
import { causalLoss } from '../loss/causal.ts';
import type { Objective, Outputs, Readings } from '../loss/objective.ts';
import type { AdapterDropout } from '../model/adapter-dropout.ts';
import { PackedAttention } from '../model/attention.ts';
import { scalarHeadName } from '../model/config.ts';
import { Decoder, type Lookup } from '../model/decoder.ts';
import { labelPositions } from '../text/labels.ts';
import { fromIntegers } from '../torch/convert.ts';
import { grad, noGrad } from '../torch/grad.ts';
import { detach, indexAddInto, toDtype, zeros } from '../torch/ops.ts';
import { releaseAll, scope, type Tensor } from '../torch/tensor.ts';
import type { Executor, ExecutorOptions, OnReady, ReadOptions } from './executor.ts';
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
    const { decoder } = this;
    let lossSum = 0;
    this.#learn(
      pack,
      gradients,
      (hidden) => {
        const loss = causalLoss(
          hidden,
          (x) => decoder.finalNorm(x),
          decoder.finalNormParameters.map(({ tensor }) => tensor),
          decoder.headWeight,
          labelPositions(pack),
          scale,
          { frozen: this.#frozen },
        );
        lossSum = loss.lossSum;
        return loss;
      },
      onReady,
      dropout,
    );
    return lossSum;
  }

  learn(pack: Pack, gradients: Gradients, objective: Objective, onReady?: OnReady, dropout?: AdapterDropout): void {
    const labels = labelPositions(pack);
    this.#learn(
      pack,
      gradients,
      (hidden) => autogradObjective(hidden, this.#heads, labels, objective, { frozen: this.#frozen }),
      onReady,
      dropout,
    );
  }

  read(pack: Pack, readings: Readings, { adapters = true }: ReadOptions = {}): Outputs {
    return noGrad(() =>
      scope(() => {
        const { config, parameters } = this.decoder;
        const decoder = adapters ? this.decoder : new Decoder(config, parameters);
        const attention = new PackedAttention(
          decoder,
          pack.map((document) => document.ids.length),
        );
        let hidden = decoder.embed(idsOf(pack), attention.positions);
        for (let layer = 0; layer < decoder.numLayers; layer++) {
          hidden = scope(() => decoder.block(layer, hidden, attention));
        }
        return readByOperators(hidden, this.#heads, labelPositions(pack), readings);
      }),
    );
  }

  release(): void {
    this.decoder.release();
  }

  /** With adapters nothing outside the blocks is trained but a scalar head. */
  get #frozen(): boolean {
    return this.decoder.adapters.size > 0;
  }

  get #heads(): ReferenceHeads {
    const { decoder } = this;
    return {
      norm: (x) => decoder.finalNorm(x),
      normParameters: decoder.finalNormParameters.map(({ tensor }) => tensor),
      head: decoder.hasHead ? decoder.headWeight : undefined,
      scalar: decoder.scalarHead?.tensor,
    };
  }

  /** Adds the gradients of a loss of the last block's output [tokens, hidden], detached. */
  #learn(
    pack: Pack,
    gradients: Gradients,
    loss: (hidden: Tensor) => LossGradients,
    onReady: OnReady | undefined,
    dropout: AdapterDropout | undefined,
  ): void {
    const { decoder } = this;
    scope(() => {
      const attention = new PackedAttention(
        decoder,
        pack.map((document) => document.ids.length),
      );
      const ids = idsOf(pack);

      // Forward: each block starts from a detached leaf.
      const blocks: { input: Tensor; output: Tensor | undefined }[] = [];
      let hidden = noGrad(() => decoder.embed(ids, attention.positions)); // [tokens, hidden]
      for (let layer = 0; layer < decoder.numLayers; layer++) {
        const input = detach(hidden).requiresGrad();
        if (this.#recompute) hidden.release(); // its memory is the input's
        const compute = () => scope(() => decoder.block(layer, input, attention, dropout));
        hidden = this.#recompute ? noGrad(compute) : compute();
        blocks.push({ input, output: this.#recompute ? undefined : hidden });
      }

      const { gradNorms, gradHead, gradScalar, ...ofLoss } = loss(detach(hidden));
      decoder.finalNormParameters.forEach(({ name }, i) => {
        if (gradNorms[i]) gradients.add(name, gradNorms[i]);
      });
      if (gradHead) gradients.add(decoder.headName, gradHead, true);
      if (gradScalar) gradients.add(scalarHeadName, gradScalar);
      onReady?.(decoder.readyAfterLoss);

      // Backward: the last block first; a block's graph is gone before the next one's is used.
      let { gradHidden } = ofLoss;
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
      if (this.#frozen) return;
      const lookups = decoder.lookups(ids, attention.positions);
      for (const lookup of lookups) addRows(gradients, lookup, gradHidden);
      onReady?.(lookups.map(({ name }) => name));
    });
  }
}

const idsOf = (pack: Pack): Tensor =>
  fromIntegers(
    pack.flatMap((document) => document.ids),
    [packTokens(pack)],
  );

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
