/**
 * One pack forward and backward through fused blocks: everything a Llama-like model needs on the CPU, without autograd.
 * The arithmetic is autograd-executor.ts's, to which the tests hold it.
 */
import type { Pack } from '../data/pack.ts';
import { documentsApart, documentsShared, type PackRows } from '../infer/pack-layout.ts';
import { fusedCausalLoss, type Take } from '../loss/fused-causal.ts';
import { fusedObjective, type HeadGradients, type OutputHeads, readOutputs } from '../loss/fused-objective.ts';
import type { Objective, Outputs, Readings } from '../loss/objective.ts';
import type { AdapterDropout } from '../model/adapter-dropout.ts';
import type { Decoder } from '../model/decoder.ts';
import { attentionRows } from '../model/family-attention.ts';
import type { Rotation } from '../model/rotary.ts';
import { type LabelPositions, labelPositions } from '../text/labels.ts';
import { fromIntegers } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { addInto, copyInto, indexAddInto, toDtype, zeroInto } from '../torch/ops.ts';
import { keep, scope, type Tensor } from '../torch/tensor.ts';
import { Buffers } from './buffers.ts';
import type { Executor, ExecutorOptions, LargestPack, OnReady, ReadOptions } from './executor.ts';
import { FusedBlock, type PackLayout } from './fused-block.ts';
import type { Dropping } from './fused-linear.ts';
import { fuseWeights } from './fused-weights.ts';
import type { Gradients } from './gradients.ts';

export class FusedExecutor implements Executor {
  readonly decoder: Decoder;
  readonly #release: () => void;
  readonly #blocks: readonly FusedBlock[];
  readonly #buffers = new Buffers();
  readonly #take: Take = (name, shape, room) => this.#buffers.take(name, shape, this.decoder.dtype, room);
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
    let lossSum = 0;
    const labels = labelPositions(pack);
    const rows = documentsApart(pack);
    const read = rowsRead(rows, labels.positions, this.#drops(dropout));
    const own = { ...labels, positions: read.placesOf(labels.positions) };
    const loss: LossPass = (gradHidden, hidden) => {
      lossSum = this.#causalLoss(gradHidden, hidden, own, gradients, scale);
    };
    noGrad(() => scope(() => this.#learn(rows, read, gradients, loss, onReady, dropout)));
    return lossSum;
  }

  learn(pack: Pack, gradients: Gradients, objective: Objective, onReady?: OnReady, dropout?: AdapterDropout): void {
    // What adapters are not to see is drawn for every document by itself.
    const rows = dropout ? documentsApart(pack) : documentsShared(pack);
    const { read, labels, readings } = readingsOn(rows, pack, objective, this.#drops(dropout));
    const own = { ...readings, derive: objective.derive };
    const loss: LossPass = (gradHidden, hidden) =>
      fusedObjective(gradHidden, hidden, this.#heads, labels, own, this.#take, this.#headGradients(gradients));
    noGrad(() => scope(() => this.#learn(rows, read, gradients, loss, onReady, dropout)));
  }

  read(pack: Pack, readings: Readings, { adapters = true }: ReadOptions = {}): Outputs {
    return noGrad(() =>
      scope(() => {
        const rows = documentsShared(pack);
        const own = readingsOn(rows, pack, readings, false);
        const { last } = this.#forward(rows, own.read, { adapters });
        return readOutputs(last, this.#heads, own.labels, own.readings, this.#take);
      }),
    );
  }

  release(): void {
    for (const block of this.#blocks) block.forget();
    this.#buffers.release();
    this.#release();
  }

  /** Each block reads what the one before wrote. */
  #forward(
    { ids: tokenIds, positions, families }: PackRows,
    read: RowsRead,
    { adapters, dropout }: { readonly adapters: boolean; readonly dropout?: AdapterDropout | undefined },
  ): ForwardPass {
    const tokens = tokenIds.length;
    const layout: PackLayout = {
      attention: attentionRows(families),
      rotation: this.decoder.rotation(positions) as Rotation,
      adapters,
      dropping: dropout && this.#dropping(dropout, tokens),
    };
    const ids = fromIntegers(tokenIds, [tokens]);
    const inputs = this.#blocks.map((_, layer) => this.#rows(`${layer} input`, tokens));
    const last = this.#rows('output', read.rows?.length ?? tokens);
    const lastRows = read.rows && fromIntegers(read.rows, [read.rows.length]);
    scope(() => copyInto(inputs[0] as Tensor, this.decoder.embed(ids, positions)));
    this.#blocks.forEach((block, layer) => {
      const next = inputs[layer + 1];
      block.forward(next ?? last, inputs[layer] as Tensor, layout, next ? undefined : lastRows);
      if (this.#recompute) block.forget();
    });
    return { layout, ids, inputs, last, lastRows };
  }

  #learn(
    rows: PackRows,
    read: RowsRead,
    gradients: Gradients,
    loss: LossPass,
    onReady: OnReady | undefined,
    dropout: AdapterDropout | undefined,
  ): void {
    const { layout, ids, inputs, last, lastRows } = this.#forward(rows, read, { adapters: true, dropout });
    const gradHidden = this.#rows('gradient', rows.ids.length);
    const gradLast = lastRows ? this.#rows('gradient of the output', last.size(0)) : gradHidden;
    zeroInto(gradLast);
    loss(gradLast, last);
    onReady?.(this.decoder.readyAfterLoss);

    // Backward: the gradient of a block's output becomes that of its input.
    for (let layer = this.#blocks.length - 1; layer >= 0; layer--) {
      const block = this.#blocks[layer] as FusedBlock;
      const input = inputs[layer] as Tensor;
      const isLast = layer === this.#blocks.length - 1;
      const its = isLast ? lastRows : undefined;
      // Nobody reads what the block gives a second time.
      if (this.#recompute) block.forward(isLast ? last : this.#rows('output', rows.ids.length), input, layout, its);
      block.backward(gradHidden, isLast ? gradLast : gradHidden, input, layout, gradients, its);
      onReady?.(this.decoder.blockParameters(layer).map(({ name }) => name));
    }
    if (this.#frozen) return;
    const lookups = this.decoder.lookups(ids, rows.positions);
    for (const { name, table, rows: at } of lookups) {
      const sum = this.#sumOf(gradients, name, table);
      scope(() => indexAddInto(sum, 0, at, toDtype(gradHidden, sum.dtype)));
    }
    onReady?.(lookups.map(({ name }) => name));
  }

  /** [tokens, hidden] */
  #rows(name: string, tokens: number): Tensor {
    const width = this.decoder.config.hiddenSize;
    return this.#buffers.take(name, [tokens, width], this.decoder.dtype, this.#largest.tokens * width);
  }

  /** The fp32 sum of a table's gradients, which come in parts: in memory that stays, for a table has many pages. */
  #sumOf(gradients: Gradients, name: string, table: Tensor): Tensor {
    const sum = gradients.byName.get(name);
    if (sum) return sum;
    const own = keep(scope(() => zeroInto(this.#buffers.take(`gradient of ${name}`, table.shape, 'float32'))));
    gradients.add(name, own);
    return gradients.byName.get(name) as Tensor;
  }

  #drops(dropout: AdapterDropout | undefined): boolean {
    return dropout !== undefined && this.#frozen;
  }

  #dropping(dropout: AdapterDropout, tokens: number): Dropping {
    const widths = [...this.decoder.adapters.values()].map(({ down }) => down.size(1));
    const room = Math.max(tokens, this.#largest.tokens) * Math.max(0, ...widths);
    return { dropout, place: ({ shape, dtype }) => this.#buffers.take('seen', shape, dtype, room) };
  }

  #causalLoss(gradHidden: Tensor, hidden: Tensor, labels: LabelPositions, gradients: Gradients, scale: number): number {
    const { norm } = this.#heads;
    const { addNorm, addHead } = this.#headGradients(gradients);
    const most = { maxLabels: this.#largest.labels };
    const { headWeight } = this.decoder;
    const loss = fusedCausalLoss(gradHidden, hidden, norm, headWeight, labels, scale, this.#take, addHead, most);
    addNorm?.(loss.gradNorm);
    return loss.lossSum;
  }

  get #heads(): OutputHeads {
    const { config, finalNormParameters, hasHead, scalarHead } = this.decoder;
    const [norm] = finalNormParameters as [(typeof finalNormParameters)[number]];
    return {
      norm: { weight: norm.tensor, epsilon: config.normEpsilon },
      head: hasHead ? this.decoder.headWeight : undefined,
      scalar: scalarHead?.tensor,
    };
  }

  #headGradients(gradients: Gradients): HeadGradients {
    const { decoder } = this;
    const { finalNormParameters, scalarHead } = decoder;
    const [norm] = finalNormParameters as [(typeof finalNormParameters)[number]];
    const addScalar = (part: Tensor) => scalarHead && gradients.add(scalarHead.name, part);
    if (this.#frozen) return { addScalar };
    return {
      addScalar,
      addNorm: (part) => gradients.add(norm.name, part),
      addHead: (part) => addInto(this.#sumOf(gradients, decoder.headName, decoder.headWeight), part),
    };
  }
}

/** Rows of the last block's output that something is read from: of it nothing else is computed after attention. */
interface RowsRead {
  /** In order; undefined: all. */
  readonly rows: readonly number[] | undefined;
  /** Where they stand among those that are read. */
  placesOf(rows: readonly number[]): number[];
}

/** All, where few are spared, or where dropout knows rows by their places. */
function rowsRead({ ids }: PackRows, wanted: readonly number[], drops: boolean): RowsRead {
  const rows = [...new Set(wanted)].sort((a, b) => a - b);
  if (drops || rows.length === 0 || rows.length > 0.9 * ids.length) {
    return { rows: undefined, placesOf: (same) => [...same] };
  }
  const places = new Map(rows.map((row, place) => [row, place]));
  return { rows, placesOf: (some) => some.map((row) => places.get(row) as number) };
}

/** Labels and values by the places of the rows that say them. */
function readingsOn(
  all: PackRows,
  pack: Pack,
  { logprobs, valuesAt }: Readings,
  drops: boolean,
): { read: RowsRead; labels: LabelPositions; readings: Readings } {
  const { positions, targets } = labelPositions(pack);
  const ofLabels = all.rowsOf(positions);
  const ofValues = valuesAt && all.rowsOf(valuesAt);
  const read = rowsRead(all, [...(logprobs ? ofLabels : []), ...(ofValues ?? [])], drops);
  const readings = { ...(logprobs && { logprobs }), ...(ofValues && { valuesAt: read.placesOf(ofValues) }) };
  return {
    read,
    labels: { positions: logprobs ? read.placesOf(ofLabels) : [], targets: logprobs ? targets : [] },
    readings,
  };
}

type LossPass = (gradHidden: Tensor, hidden: Tensor) => void;

interface ForwardPass {
  readonly layout: PackLayout;
  readonly ids: Tensor;
  /** Of each block, [tokens, hidden]. */
  readonly inputs: readonly Tensor[];
  readonly last: Tensor;
  /** The rows it is of; undefined: all. */
  readonly lastRows: Tensor | undefined;
}
