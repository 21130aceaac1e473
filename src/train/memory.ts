/**
 * What a training will hold in memory and on disk, worked out from shapes and settings: nothing is loaded. Memory is what
 * the kernel counts as resident, mapped files included. Every figure is one function with its formula; they follow what
 * the executors, the optimizer and `train sft` allocate, and test/train/memory.test.ts holds them to peaks that happened.
 * Fused models came within 5 %, those by autograd within 16. Not counted: the copies that libtorch's libraries make.
 *
 * Legend: tokens = of the largest pack; b = bytes of the compute type; queries = heads · dim, keys = keyValueHeads · dim.
 */
import type { ModelConfig } from '../model/config.ts';
import { parameterShapes } from '../model/decoder.ts';
import { shortRows } from '../model/family-attention.ts';
import { adapterTargets } from '../model/lora.ts';
import { bytesPerElement, type Dtype } from '../torch/tensor.ts';
import { canFuse } from './fused-weights.ts';

export interface MemorySettings {
  readonly dtype: 'float32' | 'bfloat16';
  /** Of the weights in the model's files. */
  readonly storedDtype: Dtype;
  /** Last parts of the adapted layers' names; none: all linear layers of the blocks. */
  readonly lora?:
    | { readonly rank: number; readonly targets: readonly string[]; readonly dropout?: number | undefined }
    | undefined;
  readonly recompute: boolean;
  readonly stepInBackward: boolean;
  /** Whether rows are held out to measure the loss on. */
  readonly heldOut: boolean;
  readonly keepCheckpoints: number;
}

/** The largest of each, over the packs of the training. */
export interface PackSizes {
  readonly tokens: number;
  /** Tokens of the longest document. */
  readonly longest: number;
  /** Tokens to be predicted. */
  readonly labels: number;
  /** Whether a step takes several packs. */
  readonly accumulates: boolean;
  /** Of all rows together; 0: not known, and not counted. */
  readonly dataTokens: number;
}

/** Bytes, but for the counts. */
export interface MemoryPlan {
  readonly parameters: number;
  readonly trained: number;
  readonly weights: number;
  readonly masters: number;
  readonly moments: number;
  readonly gradients: number;
  readonly activations: number;
  readonly scratch: number;
  readonly loss: number;
  readonly slack: number;
  readonly process: number;
  /** Most at once, and when. */
  readonly peak: number;
  readonly peakAt: 'loading' | 'training' | 'measuring the held-out loss' | 'saving';
  readonly disk: number;
}

/** On a GPU no file is mapped, and the process is another one. */
export type MemoryDevice = 'cpu' | 'gpu';

export function planMemory(
  config: ModelConfig,
  settings: MemorySettings,
  sizes: PackSizes,
  device: MemoryDevice = 'cpu',
): MemoryPlan {
  const counts = countElements(config, settings);
  const [queries, keys] = [config.numHeads * config.headDim, config.numKeyValueHeads * config.headDim];
  const c: Case = { config, settings, sizes, device, counts, b: bytesPerElement[settings.dtype], queries, keys };
  const parts = {
    weights: weightBytes(c),
    masters: masterBytes(c),
    moments: momentBytes(c),
    gradients: gradientBytes(c),
    activations: activationBytes(c),
    scratch: scratchBytes(c),
    loss: lossBytes(c),
    slack: slackBytes(c),
    process: processBytes(c),
  };
  const { gradients, activations, scratch, loss, slack, process } = parts;
  const rest = process + parts.weights + parts.masters + parts.moments;
  const staying = isFused(c) ? activations + scratch + loss + slack + stayingGradientBytes(c) : 0;
  const betweenSteps = rest + staying;
  // A graph is freed block by block while the gradients come: both ends of the backward. Sums are there from the first pack on.
  const before = activations + loss;
  const isOneEnd = isFused(c) || sizes.accumulates;
  const during = isOneEnd ? before + gradients : Math.max(before + tableGradientBytes(c), gradients);
  const phases = [
    { peakAt: 'loading', peak: process + loadingBytes(c) },
    { peakAt: 'training', peak: rest + during + scratch + slack },
    { peakAt: 'measuring the held-out loss', peak: settings.heldOut ? betweenSteps + inferenceBytes(c) : 0 },
    { peakAt: 'saving', peak: betweenSteps + savingBytes(c) },
  ] as const;
  const highest = phases.reduce((most, one) => (one.peak > most.peak ? one : most));
  return { parameters: counts.all, trained: counts.trained, ...parts, ...highest, disk: diskBytes(c) };
}

interface Case {
  readonly config: ModelConfig;
  readonly settings: MemorySettings;
  readonly sizes: PackSizes;
  readonly device: MemoryDevice;
  readonly counts: Counts;
  readonly b: number;
  readonly queries: number;
  readonly keys: number;
}

/** Elements of parameters. */
interface Counts {
  readonly all: number;
  readonly trained: number;
  readonly blocks: number;
  /** Those that fused blocks lay side by side: queries with keys and values, gate with up. */
  readonly joined: number;
  /** All tables outside the blocks: embeddings, and the output head where it is not tied. */
  readonly tables: number;
  /** Columns that go in and out of one block's adapted layers, all together, and the most that go into one. */
  readonly adapted: { readonly in: number; readonly out: number; readonly widest: number };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function countElements(config: ModelConfig, { lora }: MemorySettings): Counts {
  const shapes = parameterShapes(config);
  const count = (isMeant: (name: string, shape: readonly number[]) => boolean) =>
    sum([...shapes].map(([name, shape]) => (isMeant(name, shape) ? shape.reduce((n, length) => n * length, 1) : 0)));
  const inBlock = (name: string) => /\.layers\.\d+\./.test(name);
  const layers = lora ? adapterTargets(shapes.keys(), lora.targets) : [];
  const sides = layers.map((layer) => shapes.get(`${layer}.weight`) as readonly [number, number]);
  const [out, into] = [0, 1].map((side) => sum(sides.map((shape) => shape[side] as number))) as [number, number];
  const all = count(() => true);
  return {
    all,
    trained: lora ? lora.rank * (into + out) : all,
    blocks: count(inBlock),
    joined: count((name) => /\.(q_proj|k_proj|v_proj|gate_proj|up_proj)\./.test(name)),
    tables: count((name, shape) => !inBlock(name) && shape.length === 2),
    adapted: {
      in: into / config.numLayers,
      out: out / config.numLayers,
      widest: sides.reduce((most, [, width]) => Math.max(most, width), 0),
    },
  };
}

const isFused = ({ config, settings, device }: Case): boolean =>
  device === 'cpu' && canFuse({ config, dtype: settings.dtype });
const headElements = ({ config }: Case): number => config.vocabSize * config.hiddenSize;

/**
 * What is computed with: b · parameters, and b · adapters. Weights that need no converting are mapped; where fused blocks
 * copy some of them side by side, the pages they were read from stay resident.
 */
function weightBytes(c: Case): number {
  const { counts, settings, device, b } = c;
  const isMapped = device === 'cpu' && settings.storedDtype === settings.dtype && (settings.lora || b === 4);
  return b * counts.all + (settings.lora ? b * counts.trained : 0) + (isMapped && isFused(c) ? b * counts.joined : 0);
}

/** 4 · trained; where fp32 is computed in they are the weights themselves. */
const masterBytes = ({ counts, settings }: Case): number => (settings.dtype === 'float32' ? 0 : 4 * counts.trained);

/** Two fp32 numbers for each that is trained. */
const momentBytes = ({ counts }: Case): number => 8 * counts.trained;

/**
 * Blocks: in the compute type, of all blocks or, stepping in the backward, of one; where packs are summed, all in fp32
 * and one block's in the compute type.
 */
function gradientBytes(c: Case): number {
  const { config, counts, settings, sizes, b } = c;
  if (settings.lora) return (sizes.accumulates ? 4 : b) * counts.trained;
  const oneBlock = (b * counts.blocks) / config.numLayers;
  const allBlocks = sizes.accumulates ? 4 * counts.blocks + oneBlock : b * counts.blocks;
  return (settings.stepInBackward ? oneBlock : allBlocks) + tableGradientBytes(c);
}

/** An fp32 sum for each table (a head that is stepped early makes room for the next); what is added to the head's. */
function tableGradientBytes(c: Case): number {
  const { config, counts, settings, b } = c;
  if (settings.lora) return 0;
  const stepped = settings.stepInBackward && !config.tiedEmbeddings ? headElements(c) : 0;
  return 4 * (counts.tables - stepped) + b * headElements(c);
}

/** Of the fused executor's gradients, the memory that stays for the next step: all but sums. */
function stayingGradientBytes(c: Case): number {
  if (c.settings.lora) return 0;
  const blocks = c.sizes.accumulates ? 0 : gradientBytes(c) - tableGradientBytes(c);
  return blocks + c.b * headElements(c);
}

/**
 * Buffers, in bytes, all [tokens, …] in the compute type. Kept: the blocks' inputs, the last output and its gradient; of
 * every block, or one where they are recomputed, queries with keys and values, what attention gave, its sum with the
 * input, gate and up. Scratch, for all blocks: gated, its gradient, those of gate with up, of norms, of attention.
 */
function fusedBuffers({ config, settings, sizes, b, queries, keys }: Case): { kept: number[]; scratch: number[] } {
  const { hiddenSize: hidden, intermediateSize: intermediate, numLayers: layers, headNorms } = config;
  const ofBlock = [queries + 2 * keys, queries, hidden, 2 * intermediate, ...(headNorms ? [queries + keys] : [])];
  const kept = Array.from({ length: settings.recompute ? 1 : layers }, () => ofBlock).flat();
  const ends = Array.from({ length: layers + 2 }, () => hidden);
  // bf16 products want the gradient laid out anew: the widest of them.
  const transposed = settings.dtype === 'bfloat16' && !settings.lora ? [2 * intermediate] : [];
  const scratch = [intermediate, intermediate, 2 * intermediate, hidden, queries, queries + 2 * keys, ...transposed];
  const inBytes = (widths: number[]) => widths.map((width) => b * sizes.tokens * width);
  return { kept: inBytes([...ends, ...kept]), scratch: inBytes(scratch) };
}

/**
 * Kept buffers, and of each token the fp32 factor of every norm; or every block's graph, or its input and one graph. Where
 * dropout is before adapters a graph has what each of them sees and one byte an element for what it does not.
 */
function activationBytes(c: Case): number {
  const { config, settings, sizes } = c;
  const { numLayers, headNorms, numHeads, numKeyValueHeads } = config;
  if (!isFused(c)) {
    const graph = operatorBytes(c, sizes.tokens, 1) + (drops(c) ? (c.b + 1) * sizes.tokens * c.counts.adapted.in : 0);
    return settings.recompute ? numLayers * c.b * sizes.tokens * config.hiddenSize + graph : numLayers * graph;
  }
  const factors = 2 + (headNorms ? numHeads + numKeyValueHeads : 0);
  return sum(fusedBuffers(c).kept) + 4 * sizes.tokens * factors * (settings.recompute ? 1 : numLayers);
}

const drops = ({ settings }: Case): boolean => (settings.lora?.dropout ?? 0) > 0;

/**
 * Fused: buffers; two norms' outputs; what adapters add to each product, and its gradient, and, with dropout, what one of
 * them sees; of attention in long documents, scores and their gradients [heads, 256 queries, keys] (fused-attention.ts),
 * copies of the heads, fp32 sums; in short ones, next to nothing; in bf16, pieces of a product in fp32. By operators: one
 * block's tensors, of which adapters make three more for each product, and dropout two of 32 bits for one of its masks.
 */
function scratchBytes(c: Case): number {
  const { config, counts, settings, b, queries, keys } = c;
  const { tokens, longest } = c.sizes;
  if (!isFused(c)) {
    const bits = drops(c) ? 2 * 4 * tokens * counts.adapted.widest : 0;
    return operatorBytes(c, tokens, 3) + (settings.lora ? 3 * b * tokens * counts.adapted.out : 0) + bits;
  }
  const rows = Math.min(256, longest);
  const scores = 2 * config.numHeads * rows * longest;
  const heads = 3 * queries * rows + 2 * keys * longest;
  const attention = longest > shortRows ? b * (scores + heads) + 4 * 2 * keys * longest : 0;
  const adapters = settings.lora ? Math.max(2 * counts.adapted.out, counts.adapted.in) : 0;
  const seen = drops(c) ? counts.adapted.widest : 0;
  const wide = tokens * (2 * config.hiddenSize + adapters + seen);
  return sum(fusedBuffers(c).scratch) + b * wide + attention + (b === 4 ? 0 : widenedBytes(c));
}

/**
 * In fp32, of a product of bf16 matrices: up to 4,096 rows of 2,048 numbers of its left factor, 1,024 columns of its right
 * one, and their sums (native/kernels/products.cpp). On processors that multiply bf16 themselves: nothing, but it is little.
 */
function widenedBytes({ config, sizes }: Case): number {
  const widest = Math.max(sizes.tokens, config.intermediateSize * 2);
  const [rows, inner] = [Math.min(4096, widest), Math.min(2048, widest)];
  return 4 * (rows * inner + inner * 1024 + rows * 1024);
}

/**
 * [tokens, …] of one block by operators: its input, norms' outputs, queries, keys and values before and after they are
 * turned or scaled, what attention gave, its sum with the input; of the MLP one tensor, with a gate four; and scores
 * [heads, tokens, longest], so many times; for documents from 1,024 tokens on libtorch's fused attention makes none, nor
 * does flash attention on a GPU.
 */
function operatorBytes({ config, sizes, device, b, queries, keys }: Case, tokens: number, scores: number): number {
  const { hiddenSize: hidden, intermediateSize: intermediate, numHeads } = config;
  const width =
    config.architecture === 'opt'
      ? 4 * hidden + 2 * queries + 2 * keys + intermediate
      : 6 * hidden + 3 * queries + 3 * keys + 4 * intermediate;
  const hasScores = sizes.longest < 1024 && !(device === 'gpu' && b === 2);
  return b * tokens * (width + (hasScores ? scores * numHeads * sizes.longest : 0));
}

/**
 * Rows of the labels with their norm and both gradients, 4 · b · labels · hidden; logits of 512 at once, which become their
 * gradient in place and in bf16 are laid out anew once more. By autograd: in fp32, with their logarithms and gradients.
 */
function lossBytes(c: Case): number {
  const { config, settings, sizes, b } = c;
  const rows = 4 * b * sizes.labels * config.hiddenSize;
  const logits = Math.min(512, sizes.labels) * config.vocabSize;
  if (!isFused(c)) return rows + logits * (3 * 4 + (b === 4 ? 0 : 2 * b));
  return rows + logits * b * (b === 4 || settings.lora ? 1 : 2);
}

/**
 * Buffers grow whenever a pack is larger than all before, and the allocator (glibc's) cannot give the place of the
 * smaller ones to larger ones, nor below 32 MiB back to the system: measured between nothing and half of them. With
 * graphs, whose tensors differ from pack to pack, the same.
 */
function slackBytes(c: Case): number {
  if (!isFused(c)) return 0.25 * activationBytes(c);
  const { kept, scratch } = fusedBuffers(c);
  return 0.25 * sum([...kept, ...scratch].filter((bytes) => bytes < 2 ** 25));
}

/** Node, libtorch's code and threads; 1 kB a word of the tokenizer; 80 bytes a token of the data. A GPU's: assumed. */
const processBytes = ({ config, sizes, device }: Case): number =>
  device === 'gpu' ? 1e9 : 200e6 + 1000 * config.vocabSize + 80 * sizes.dataTokens;

/**
 * The file's pages and the fp32 weights made from them, or these and the rounded ones; beside adapters the pages and what is
 * computed with. What is mapped counts once.
 */
function loadingBytes({ counts, settings, device, b }: Case): number {
  if (device === 'gpu') return 0;
  if (settings.lora) {
    const pages = settings.storedDtype === settings.dtype ? 0 : bytesPerElement[settings.storedDtype];
    return (pages + b) * counts.all;
  }
  const file = settings.storedDtype === 'float32' ? 0 : bytesPerElement[settings.storedDtype];
  const rounded = settings.dtype === 'float32' ? 0 : b;
  return (4 + Math.max(file, rounded)) * counts.all;
}

/**
 * The largest table on its way to the file: its bytes in fp32, or in bf16 beside the tensor they were rounded in. The best
 * checkpoint, where that is saved, is mapped: pages that the system takes back when it needs them.
 */
const savingBytes = (c: Case): number => (c.settings.lora ? 0 : 4 * headElements(c));

/** One block's tensors in packs of 1,024 tokens (src/infer/logprobs.ts); logits in fp32, their exponentials, and in bf16. */
function inferenceBytes(c: Case): number {
  const tokens = Math.max(c.sizes.longest, 1024);
  return operatorBytes(c, tokens, 3) + 512 * c.config.vocabSize * (8 + (c.b === 4 ? 0 : c.b));
}

/** As `train sft` asks for before it starts: masters and moments of each kept checkpoint, one on its way, and the model. */
function diskBytes({ counts, settings }: Case): number {
  const checkpoints = settings.keepCheckpoints + 1 + (settings.heldOut ? 1 : 0);
  return (12 * checkpoints + 4) * counts.trained;
}
