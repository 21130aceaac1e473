/**
 * What a fine-tuning will need, before anything is loaded: memory, disk and time, on this machine or on a GPU by its
 * name, and where it does not fit the nearest settings that do. Needs no libtorch: config.json and the weights' header;
 * with data the tokenizer too, and then packs and tokens are those that training will have. The formulas of memory are
 * src/train/memory.ts's. No GPU path has been run: what is said of GPUs is arithmetic alone.
 */
import { existsSync, readdirSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, DataError } from '../src/base/errors.ts';
import { readConversations } from '../src/data/formats.ts';
import { encodeDocuments, holdOut, packTokens, planTraining } from '../src/data/pack.ts';
import { type ModelConfig, readModelConfig } from '../src/model/config.ts';
import { parameterShapes } from '../src/model/decoder.ts';
import { tokenizerWith } from '../src/text/add-tokens.ts';
import { loadChatTemplate } from '../src/text/chat-template.ts';
import { loadTokenizer } from '../src/text/tokenizer.ts';
import { readHeader } from '../src/torch/safetensors.ts';
import type { Dtype } from '../src/torch/tensor.ts';
import { canFuse } from '../src/train/fused-weights.ts';
import { type MemoryDevice, type MemoryPlan, type PackSizes, planMemory } from '../src/train/memory.ts';
import type { EngineMachine } from './engine.ts';
import { targetFor } from './plan-device.ts';
import { type ComputeType, computeType, type Target } from './plan-target.ts';
import { type SftConfig, sftSchema } from './sft-config.ts';
import { checkSettings, checkTemplate, checkTrainable } from './sft-input.ts';
import type { resultFiles } from './training-config.ts';

/** As for `train sft`, but that data and output may be left out. */
export const planSchema = sftSchema.extend({
  data: z.array(z.string()).default([]),
  output: z.string().optional(),
});
export type PlanConfig = z.infer<typeof planSchema>;

/** What decides the memory, but for the data. */
type Deciding = 'lora' | 'recompute' | 'packTokens' | 'batchTokens' | 'stepInBackward';

export interface TrainPlan {
  readonly model: string;
  readonly target: Target;
  readonly settings: { readonly dtype: ComputeType } & Readonly<Pick<PlanConfig, Deciding>>;
  /** Of data, or as large as the settings allow. */
  readonly packs: PackSizes & { readonly from: 'data' | 'settings' };
  /** With data: all of the training, every epoch. */
  readonly training: { readonly steps: number; readonly tokens: number } | null;
  readonly memory: MemoryPlan;
  /** `free`: where the output goes; null without one. */
  readonly disk: { readonly neededBytes: number; readonly freeBytes: number | null };
  readonly time: TrainTime | null;
  readonly fits: boolean;
  /** Where it does not: the nearest settings that do, as flags of `train sft`; null: none. */
  readonly nearest: { readonly flags: readonly string[]; readonly peakBytes: number } | null;
}

export interface TrainTime {
  readonly secondsPerThousandTokens: number;
  readonly seconds: number | null;
  /** What the estimate takes for granted. */
  readonly assuming: string;
}

/** Throws ConfigError and DataError for what `train sft` would refuse too. */
export function planTrain(config: PlanConfig, target: Target): TrainPlan {
  checkTemplate(config.template);
  checkSettings(config);
  checkTrainable(config.model);
  const model = readModelConfig(config.model);
  if (config.maxTokens > model.maxPositions) {
    throw new ConfigError(`maxTokens: the model has ${model.maxPositions} positions, got ${config.maxTokens}`);
  }
  const work = config.data.length > 0 ? workOfData(config) : workOfSettings;
  const storedDtype = storedDtypeOf(config.model, model);
  const freeBytes = config.output === undefined ? null : freeDisk(config.output);

  const attempt = (settings: PlanConfig) => {
    const dtype = computeType(settings.dtype, target);
    const { packs, training } = work(settings);
    const { lora, recompute, stepInBackward, evalShare, keepCheckpoints } = settings;
    const memory = planMemory(
      model,
      {
        dtype,
        storedDtype,
        lora: lora && { ...lora, targets: lora.targets === 'all' ? [] : lora.targets },
        recompute: recompute === 'always',
        stepInBackward,
        heldOut: evalShare > 0,
        keepCheckpoints,
      },
      packs,
      target.device,
    );
    const fits = memory.peak <= target.availableBytes && memory.disk <= (freeBytes ?? Number.POSITIVE_INFINITY);
    return { dtype, packs, training, memory, fits };
  };

  const wanted = attempt(config);
  const { dtype, packs, training, memory, fits } = wanted;
  if (config.stepInBackward && packs.accumulates) {
    throw new ConfigError('stepInBackward: a step must be one pack, and here some are several', {
      hint: `set batchTokens (${config.batchTokens}) no larger than packTokens (${config.packTokens})`,
    });
  }
  const nearest = fits
    ? undefined
    : alternatives(config, { dtype, longest: packs.longest, mayRound: canRound(model, target) })
        .map((changes) => ({ changes, ...attempt({ ...config, ...changes }) }))
        .find((one) => one.fits && !(one.packs.accumulates && one.changes.stepInBackward));
  const { lora, recompute, packTokens: tokens, batchTokens, stepInBackward } = config;
  return {
    model: config.model,
    target,
    settings: { dtype, lora, recompute, packTokens: tokens, batchTokens, stepInBackward },
    packs,
    training,
    memory,
    disk: { neededBytes: memory.disk, freeBytes },
    time: timeOf(model, config, { dtype, tokens: training?.tokens, target }),
    fits,
    nearest: nearest ? { flags: flagsOf(nearest.changes), peakBytes: nearest.memory.peak } : null,
  };
}

type Work = (settings: PlanConfig) => Pick<TrainPlan, 'packs' | 'training'>;

/** Nothing is known of the documents: full packs, every token a label. */
const workOfSettings: Work = ({ packTokens: pack, maxTokens, batchTokens }) => {
  const tokens = Math.max(pack, maxTokens);
  const sizes = { tokens, longest: maxTokens, labels: tokens, accumulates: batchTokens > pack, dataTokens: 0 };
  return { packs: { ...sizes, from: 'settings' }, training: null };
};

/** The very packs of the training, by what `train sft` does before it loads weights. */
function workOfData(config: PlanConfig): Work {
  const own = loadTokenizer(config.model);
  const template = loadChatTemplate(config.model, own, config.template);
  const { tokenizer } = tokenizerWith(config.model, own, config.addTokens);
  const conversations = config.data.flatMap((file) => readConversations(file));
  const { documents, receipt } = encodeDocuments(conversations, tokenizer, template, config.maxTokens);
  if (documents.length === 0) {
    const issues = receipt.dropped.length > 0 ? receipt.dropped : [{ message: 'no rows' }];
    throw new DataError(config.data.join(', '), issues, { hint: 'nothing is left to train on; raise --max-tokens' });
  }
  const { training } = holdOut(documents, config.evalShare, config.seed);
  return (settings) => {
    const steps = planTraining(training, settings);
    const packs = steps.flatMap((step) => step.packs);
    const sizes = {
      tokens: largest(packs, packTokens),
      longest: largest(documents, ({ ids }) => ids.length),
      labels: largest(packs, (pack) => pack.reduce((sum, { labelTokens }) => sum + labelTokens, 0)),
      accumulates: steps.some((step) => step.packs.length > 1),
      dataTokens: receipt.tokens,
    };
    const tokens = packs.reduce((sum, pack) => sum + packTokens(pack), 0);
    return { packs: { ...sizes, from: 'data' }, training: { steps: steps.length, tokens } };
  };
}

const largest = <T>(items: readonly T[], size: (item: T) => number): number =>
  items.reduce((most, item) => Math.max(most, size(item)), 0);

/** Of the first tensor; without a safetensors file, what config.json says. */
function storedDtypeOf(folder: string, { source }: ModelConfig): Dtype {
  const [file] = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  const [entry] = file === undefined ? [] : readHeader(join(folder, file)).entries.values();
  const said = String(source['dtype'] ?? source['torch_dtype'] ?? 'float32');
  return entry?.dtype ?? (said === 'bfloat16' || said === 'float16' ? said : 'float32');
}

function freeDisk(output: string): number {
  let folder = resolve(output);
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

type Changes = Partial<Pick<PlanConfig, 'recompute' | 'packTokens' | 'dtype' | 'stepInBackward' | 'clip' | 'lora'>>;

/** Whether bf16 costs no time: fused blocks are as fast on processors that have no bf16 (src/torch/products.ts). */
const canRound = (config: ModelConfig, { device, computesInBf16 }: Target): boolean =>
  computesInBf16 || (device === 'cpu' && canFuse({ config, dtype: 'bfloat16' }));

/**
 * Settings that take less, those that change the training least first: computing again what was kept; smaller packs, not
 * below the longest document; bf16 where it costs no time; steps inside the backward; adapters.
 */
function alternatives(
  config: PlanConfig,
  { dtype, longest, mayRound }: { dtype: ComputeType; longest: number; mayRound: boolean },
): Changes[] {
  const smaller: Changes[] = [];
  for (let tokens = Math.floor(config.packTokens / 2); tokens >= longest; tokens = Math.floor(tokens / 2)) {
    smaller.push({ packTokens: tokens });
  }
  const canStep = config.onNonFinite === 'stop' && !config.lora && !config.stepInBackward;
  const choices: Changes[][] = [
    config.recompute === 'never' ? [{ recompute: 'always' }] : [],
    config.stepInBackward ? [] : smaller,
    dtype === 'float32' && mayRound ? [{ dtype: 'bfloat16' }] : [],
    canStep ? [{ stepInBackward: true, clip: 'block' }] : [],
    config.lora ? [] : [{ lora: sftSchema.shape.lora.parse({}) }],
  ];
  return choices.reduce<Changes[]>(
    (all, more) => [{}, ...more].flatMap((change) => all.map((before) => ({ ...before, ...change }))),
    [{}],
  );
}

const flagsOf = ({ recompute, packTokens: tokens, dtype, stepInBackward, lora }: Changes): string[] => [
  ...(recompute ? [`--recompute ${recompute}`] : []),
  ...(tokens ? [`--pack-tokens ${tokens}`] : []),
  ...(dtype ? [`--dtype ${dtype}`] : []),
  ...(stepInBackward ? ['--step-in-backward', '--clip block'] : []),
  ...(lora ? [`--lora-rank ${lora.rank}`] : []),
];

/** What training reaches of the speed of bare products: on this kind of machine measured, on GPUs what others report. */
const efficiency: Readonly<Record<MemoryDevice, number>> = { cpu: 0.5, gpu: 0.35 };

/**
 * Products alone, of the blocks and the output head: 2 operations a parameter and token forward, 2 for the gradient of
 * the input, 2 for that of the weight (not with adapters), 2 more where the forward is done again. Attention is left out.
 */
function timeOf(
  model: ModelConfig,
  { lora, recompute }: PlanConfig,
  { dtype, tokens, target }: { dtype: ComputeType; tokens: number | undefined; target: Target },
): TrainTime | null {
  const speed = target.speed?.[dtype];
  if (speed === undefined) return null;
  const matrices = [...parameterShapes(model)].filter(([name, shape]) => /\.layers\./.test(name) && shape.length === 2);
  const inBlocks = matrices.reduce((sum, [, [rows = 0, columns = 0]]) => sum + rows * columns, 0);
  const parameters = inBlocks + model.vocabSize * model.hiddenSize;
  const operations = (lora ? 4 : 6) + (recompute === 'always' ? 2 : 0);
  const share = efficiency[target.device];
  const perToken = (operations * parameters) / (speed * share);
  const rate = speed >= 1e12 ? `${(speed / 1e12).toFixed(0)} TFLOP/s` : `${(speed / 1e9).toFixed(0)} GFLOP/s`;
  return {
    secondsPerThousandTokens: 1000 * perToken,
    seconds: tokens === undefined ? null : tokens * perToken,
    assuming: `${operations} operations a parameter and token, at ${100 * share} % of ${rate} in ${dtype}`,
  };
}

const placeOf = ({ device, name }: Target): string => (device === 'gpu' ? `on one ${name}` : 'here');

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1)} GB`;

/** Flags as whoever is told may give them. */
type Spelling = (flags: readonly string[]) => string;
const asFlags: Spelling = (flags) => flags.join(' ');

/** As settings in a section of a file: `--lora-rank 8` is `loraRank: 8`. */
export const inSection =
  (section: string): Spelling =>
  (flags) => {
    const settings = flags.map((flag) => {
      const [name = '', value = 'true'] = flag.replace(/^--/, '').split(' ');
      return `${name.replaceAll(/-./g, (dash) => dash.slice(1).toUpperCase())}: ${value}`;
    });
    return `${settings.join(', ')} under ${section}`;
  };

/** In words, what is missing and what would fit; undefined where all fits. */
export function shortage(
  { target, memory, disk, fits, nearest }: TrainPlan,
  spelling: Spelling = asFlags,
): { what: string; hint: string } | undefined {
  if (fits) return undefined;
  const isMemory = memory.peak > target.availableBytes;
  const what = isMemory
    ? `this training needs about ${gigabytes(memory.peak)} of memory; ${gigabytes(target.availableBytes)} are available ${placeOf(target)}`
    : `this training needs ${gigabytes(disk.neededBytes)} of disk; ${gigabytes(disk.freeBytes ?? 0)} are free`;
  const hint = nearest
    ? `the nearest that fits, with ${gigabytes(nearest.peakBytes)}: ${spelling(nearest.flags)}`
    : 'no setting here makes it fit: choose a smaller model';
  return { what, hint };
}

/** The peak that happens may be so much less than the one that is planned. */
const uncertainty = 1.15;

interface MemoryTalk {
  readonly askEngine: () => Promise<EngineMachine>;
  readonly onDoubt: (text: string) => void;
  readonly spelling?: Spelling;
}

/**
 * For `train` and `run` before they load anything: refuses what is clearly beyond the memory it will have, says what
 * may be. Rows are not looked at: no document is taken to be longer than a pack. A run that is done, as `resultFile` in its
 * folder says, needs nothing.
 */
export async function checkMemory(
  config: SftConfig,
  resultFile: (typeof resultFiles)[keyof typeof resultFiles],
  { askEngine, onDoubt, spelling }: MemoryTalk,
): Promise<void> {
  if (existsSync(join(config.output, resultFile))) return;
  const maxTokens = Math.min(config.maxTokens, config.packTokens);
  const plan = planTrain({ ...config, maxTokens, data: [] }, await targetFor(config.device, askEngine));
  const { target, memory } = plan;
  const short = memory.peak > target.availableBytes ? shortage(plan, spelling) : undefined;
  if (!short) return;
  if (memory.peak > uncertainty * target.availableBytes) {
    throw new ConfigError(short.what, { hint: `${short.hint}; or go on all the same with --ignore-memory` });
  }
  onDoubt(`${short.what}, so it may be killed; ${short.hint}`);
}
