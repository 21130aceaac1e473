/**
 * What a training will hold in memory and on disk, worked out from shapes and settings: nothing is loaded. Memory is what
 * the kernel counts as resident, mapped files included. Every figure is one function with its formula; they follow what
 * the executors, the optimizer and `train sft` allocate, and test/train/memory.test.ts holds them to peaks that happened.
 * Not counted: the rows of the data (some 30 bytes a token), oneDNN's and MKL's own copies.
 *
 * Legend: tokens = of the largest pack; b = bytes of the compute type; hidden, intermediate, vocab, layers;
 * queries = heads · dim, keys = keyValueHeads · dim.
 */
import type { ModelConfig } from '../model/config.ts';
import { type Decoder, parameterShapes } from '../model/decoder.ts';
import { adapterTargets } from '../model/lora.ts';
import { bytesPerElement, type Dtype } from '../torch/tensor.ts';
import { canFuse } from './fused-weights.ts';

export interface MemorySettings {
  readonly dtype: 'float32' | 'bfloat16';
  /** Of the weights in the model's files. */
  readonly storedDtype: Dtype;
  /** Last parts of the adapted layers' names; none: all linear layers of the blocks. */
  readonly lora?: { readonly rank: number; readonly targets: readonly string[] } | undefined;
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
  /** Most resident at once, and when. */
  readonly peak: number;
  readonly peakAt: 'loading' | 'training' | 'measuring the held-out loss' | 'saving';
  readonly disk: number;
}

/** Where the training runs: on a GPU no file is mapped, and the process is another one. */
export type MemoryDevice = 'cpu' | 'gpu';

export function planMemory(
  config: ModelConfig,
  settings: MemorySettings,
  sizes: PackSizes,
  device: MemoryDevice = 'cpu',
): MemoryPlan {
  const c: Case = {
    config,
    settings,
    sizes,
    device,
    counts: countElements(config, settings),
    b: bytesPerElement[settings.dtype],
  };
  const buffers = isFused(c) ? fusedBuffers(c) : { kept: [], scratch: [] };
  const parts = {
    weights: weightBytes(c),
    masters: masterBytes(c),
    moments: momentBytes(c),
    gradients: gradientBytes(c),
    activations: isFused(c) ? bufferBytes(buffers.kept) + rstdBytes(c) : graphBytes(c),
    scratch: bufferBytes(buffers.scratch) + blockScratchBytes(c),
    loss: lossBytes(c),
    slack: slackBytes([...buffers.kept, ...buffers.scratch]),
    process: processBytes(c),
  };
  const { weights, masters, moments, gradients, process } = parts;
  const rest = process + weights + masters + moments;
  const staying = isFused(c) ? bufferBytes([...buffers.kept, ...buffers.scratch]) + parts.slack : 0;
  const betweenSteps = rest + staying + stayingGradientBytes(c);
  const phases = [
    { peakAt: 'loading', peak: process + loadingBytes(c) },
    { peakAt: 'training', peak: rest + gradients + parts.activations + parts.scratch + parts.loss + parts.slack },
    { peakAt: 'measuring the held-out loss', peak: settings.heldOut ? betweenSteps + inferenceBytes(c) : 0 },
    { peakAt: 'saving', peak: betweenSteps + savingBytes(c) },
  ] as const;
  const highest = phases.reduce((most, one) => (one.peak > most.peak ? one : most));
  const { all, trained } = c.counts;
  return { parameters: all, trained, ...parts, ...highest, disk: diskBytes(c) };
}

interface Case {
  readonly config: ModelConfig;
  readonly settings: MemorySettings;
  readonly sizes: PackSizes;
  readonly device: MemoryDevice;
  readonly counts: Counts;
  readonly b: number;
}

/** Elements of parameters. */
interface Counts {
  readonly all: number;
  readonly trained: number;
  readonly blocks: number;
  /** Of those that fused blocks lay side by side: queries with keys and values, gate with up. */
  readonly joined: number;
  /** Of all tables outside the blocks: embeddings, and the output head where it is not tied. */
  readonly tables: number;
  readonly largest: number;
  /** Columns that go in and out of one block's adapted layers, all together. */
  readonly adapted: { readonly in: number; readonly out: number };
}

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
const elements = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

function countElements(config: ModelConfig, { lora }: MemorySettings): Counts {
  const shapes = parameterShapes(config);
  const count = (keep: (name: string, shape: readonly number[]) => boolean) =>
    sum([...shapes].filter(([name, shape]) => keep(name, shape)).map(([, shape]) => elements(shape)));
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
    largest: Math.max(...[...shapes.values()].map(elements)),
    adapted: { in: into / config.numLayers, out: out / config.numLayers },
  };
}

const isFused = ({ config, settings }: Case): boolean => canFuse({ config, dtype: settings.dtype } as Decoder);
const headElements = ({ config }: Case): number => config.vocabSize * config.hiddenSize;

/**
 * What is computed with: b · parameters, and b · adapters. Weights that the file has in fp32 are mapped; where fused
 * blocks copy some of them side by side, the pages they were read from stay resident.
 */
function weightBytes(c: Case): number {
  const { counts, settings, device, b } = c;
  const isMapped = device === 'cpu' && settings.dtype === 'float32' && settings.storedDtype === 'float32';
  return b * counts.all + (settings.lora ? b * counts.trained : 0) + (isMapped && isFused(c) ? 4 * counts.joined : 0);
}

/** 4 · trained; where fp32 is computed in they are the weights themselves. */
const masterBytes = ({ counts, settings }: Case): number => (settings.dtype === 'float32' ? 0 : 4 * counts.trained);

/** Two fp32 numbers for each that is trained. */
const momentBytes = ({ counts }: Case): number => 8 * counts.trained;

/**
 * Blocks: in the compute type, of all blocks or, stepping in the backward, of one; where packs are summed, all in fp32
 * and one block's in the compute type. Tables: an fp32 sum, and the head's gradient in the compute type to add to it.
 */
function gradientBytes(c: Case): number {
  const { config, counts, settings, sizes, b } = c;
  if (settings.lora) return (sizes.accumulates ? 4 : b) * counts.trained;
  const oneBlock = (b * counts.blocks) / config.numLayers;
  const blocks = sizes.accumulates
    ? 4 * counts.blocks + oneBlock
    : settings.stepInBackward
      ? oneBlock
      : b * counts.blocks;
  const tables = settings.stepInBackward && !config.tiedEmbeddings ? counts.tables - headElements(c) : counts.tables;
  return blocks + 4 * tables + b * headElements(c);
}

/** Of the gradients, the memory that is used again in the next step. */
function stayingGradientBytes(c: Case): number {
  if (c.settings.lora || !isFused(c)) return 0;
  const { sizes, counts, b } = c;
  return b * headElements(c) + (sizes.accumulates ? 0 : gradientBytes(c) - 4 * counts.tables - b * headElements(c));
}

interface Buffers {
  readonly bytes: number;
  readonly count: number;
}

const bufferBytes = (buffers: readonly Buffers[]): number => sum(buffers.map(({ bytes, count }) => bytes * count));

/**
 * Kept, [tokens, …] in the compute type: the blocks' inputs, the last output and its gradient; and of every block, or
 * one where they are recomputed, queries with keys and values, what attention gave, its sum with the input, gate and up.
 * Scratch of all blocks: gated, its gradient, those of gate with up, of the norms' outputs, of attention.
 */
function fusedBuffers({ config, settings, sizes, b }: Case): { kept: Buffers[]; scratch: Buffers[] } {
  const { hiddenSize: hidden, intermediateSize: intermediate, numLayers: layers, headNorms } = config;
  const { queries, keys } = headWidths(config);
  const each = settings.recompute ? 1 : layers;
  const wide = (width: number, count = 1): Buffers => ({ bytes: b * sizes.tokens * width, count });
  // bf16 products want the gradient laid out anew: the widest of them.
  const transposed = settings.dtype === 'bfloat16' && !settings.lora ? [wide(Math.max(2 * intermediate, hidden))] : [];
  return {
    kept: [
      wide(hidden, layers + 2),
      ...[queries + 2 * keys, queries, hidden, 2 * intermediate].map((width) => wide(width, each)),
      ...(headNorms ? [wide(queries + keys, each)] : []),
    ],
    scratch: [
      ...[intermediate, intermediate, 2 * intermediate, hidden, queries, queries + 2 * keys].map((width) =>
        wide(width),
      ),
      ...transposed,
    ],
  };
}

const headWidths = ({ numHeads, numKeyValueHeads, headDim }: ModelConfig) => ({
  queries: numHeads * headDim,
  keys: numKeyValueHeads * headDim,
});

/** Of each token the fp32 factor of every norm. */
function rstdBytes({ config, settings, sizes }: Case): number {
  const { numLayers, headNorms, numHeads, numKeyValueHeads } = config;
  return 4 * sizes.tokens * (settings.recompute ? 1 : numLayers) * (2 + (headNorms ? numHeads + numKeyValueHeads : 0));
}

/** What autograd keeps of every block: see `blockWidth`. It recomputes nothing. */
const graphBytes = (c: Case): number => c.config.numLayers * blockTensorBytes(c, c.sizes.tokens);

/** Queries of one product with all keys they see (fused-attention.ts). */
const chunkQueries = 256;

/**
 * What one block needs besides, in fused blocks: two norms' outputs; what adapters add to each product, and its gradient;
 * scores and their gradients [heads, 256 queries, keys]. In autograd's: a block's tensors and their gradients.
 */
function blockScratchBytes(c: Case): number {
  const { config, counts, settings, sizes, b } = c;
  if (!isFused(c)) return 2 * blockTensorBytes(c, sizes.tokens);
  const { queries, keys } = headWidths(config);
  const rows = Math.min(chunkQueries, sizes.longest);
  const scores = 2 * config.numHeads * rows * sizes.longest;
  const heads = 3 * queries * rows + 2 * keys * sizes.longest;
  const sums = sizes.longest > chunkQueries ? 4 * 2 * keys * sizes.longest : 0;
  const adapters = settings.lora ? Math.max(2 * counts.adapted.out, counts.adapted.in) : 0;
  return b * (sizes.tokens * (2 * config.hiddenSize + adapters) + scores + heads) + sums;
}

/** The longest document whose scores are one product; longer ones go through libtorch's fused attention. */
const longestProduct = 1023;

/**
 * [tokens, …] of one block by operators: its input, norms' outputs, queries, keys and values before and after they are
 * turned or scaled, what attention gave, its sum with the input; of the MLP one tensor, with a gate four; and the scores
 * [heads, tokens, longest].
 */
function blockTensorBytes({ config, sizes, b }: Case, tokens: number): number {
  const { hiddenSize: hidden, intermediateSize: intermediate, architecture, numHeads } = config;
  const { queries, keys } = headWidths(config);
  const width =
    architecture === 'opt'
      ? 4 * hidden + 2 * queries + 2 * keys + intermediate
      : 6 * hidden + 3 * queries + 3 * keys + 4 * intermediate;
  return b * tokens * (width + (sizes.longest > longestProduct ? 0 : numHeads * sizes.longest));
}

/** Logits at once (src/loss). */
const chunkRows = 512;

/**
 * Rows of the labels with their norm and both gradients, 4 · b · labels · hidden; a chunk's logits, which become their
 * gradient in place and in bf16 are laid out anew once more. By autograd: in fp32, with their logarithms and gradients.
 */
function lossBytes(c: Case): number {
  const { config, settings, sizes, b } = c;
  const rows = 4 * b * sizes.labels * config.hiddenSize;
  const logits = Math.min(chunkRows, sizes.labels) * config.vocabSize;
  if (!isFused(c)) return rows + logits * (3 * 4 + (b === 4 ? 0 : 2 * b));
  return rows + logits * b * (b === 4 || settings.lora ? 1 : 2);
}

/**
 * Buffers grow whenever a pack is larger than all before, and the allocator (glibc's) cannot give the place of the
 * smaller ones to larger ones, nor back to the system below 32 MiB. Between nothing and half of them, measured.
 */
const slackBytes = (buffers: readonly Buffers[]): number =>
  0.25 * bufferBytes(buffers.filter(({ bytes }) => bytes < 2 ** 25));

/** Node, libtorch's code and threads; the tokenizer, 1 kB a word. A GPU's context and its libraries: assumed. */
const processBytes = ({ config, device }: Case): number => (device === 'gpu' ? 1e9 : 200e6 + 1000 * config.vocabSize);

/** The file's pages and the fp32 weights made from them, or these and the rounded ones. Mapped fp32 counts once. */
function loadingBytes({ counts, settings, device, b }: Case): number {
  if (device === 'gpu') return 0;
  const file = settings.storedDtype === 'float32' ? 0 : bytesPerElement[settings.storedDtype];
  const rounded = settings.dtype === 'float32' ? 0 : b;
  return (4 + Math.max(file, rounded)) * counts.all;
}

/** The rounded copy that a whole model is saved from, and the bytes of the largest tensor on their way to the file. */
function savingBytes({ counts, settings, device, b }: Case): number {
  const copy = settings.dtype !== 'float32' && !settings.lora ? b * counts.all : 0;
  const largest = device === 'gpu' ? 0 : 4 * Math.min(counts.largest, counts.trained);
  return copy + largest;
}

/** Packs of inference (src/infer/logprobs.ts). */
const inferenceTokens = 1024;

/** One block's tensors; logits in fp32 with their exponentials, and in bf16 where that is computed in. */
function inferenceBytes(c: Case): number {
  const tokens = Math.max(c.sizes.longest, Math.min(inferenceTokens, c.sizes.tokens));
  return blockTensorBytes(c, tokens) + chunkRows * c.config.vocabSize * (8 + (c.b === 4 ? 0 : c.b));
}

/** As `train sft` asks for before it starts: masters and moments of each kept checkpoint, one on its way, and the model. */
function diskBytes({ counts, settings }: Case): number {
  const checkpoints = settings.keepCheckpoints + 1 + (settings.heldOut ? 1 : 0);
  return (12 * checkpoints + 4) * counts.trained;
}
