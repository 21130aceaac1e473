import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineOptions } from '../../recipes/engine.ts';
import type { ComputeType } from '../../recipes/plan-target.ts';
import type { PlanConfig, TrainPlan } from '../../recipes/plan-train.ts';
import { ConfigError, WorkError } from '../../src/base/errors.ts';
import { embeddedModelFolder } from '../../src/base/paths.ts';
import { type HubName, isHubName, parseHubName } from '../../src/hub/names.ts';
import { Command, command, fetchModel, interruptible, withEngine } from '../command.ts';
import { bold, dim, green, print, printJson, say } from '../terminal.ts';
import { planGenerateCommand } from './plan-generate.ts';
import { withSftOptions } from './train.ts';
import { parseTrainingSettings } from './training-settings.ts';

export function planCommand(): Command {
  const train = command('train', 'what `train sft` would need with these flags: memory, disk, time', [
    'plan train --model builtin',
    'plan train --model org/name --lora-rank 16 --gpu 4090',
    'plan train --config sft.yaml --measure',
  ]);
  withSftOptions(train)
    .option('--gpu <name>', 'plan for a GPU instead of this machine: h200, h100, a100-80, a100-40, l40s, 4090, t4, …')
    .option('--measure', 'multiply matrices on this machine for a second, to say how long training would take')
    .option('--json', 'print one JSON document')
    .action(planTraining);
  return new Command('plan')
    .description('say what will be needed, before anything is loaded or bought')
    .addCommand(train)
    .addCommand(planGenerateCommand());
}

interface PlanFlags {
  readonly config?: string;
  readonly threads?: number;
  readonly gpu?: string;
  readonly measure?: boolean;
  readonly json?: boolean;
  /** The settings, as in `train sft`. */
  readonly [flag: string]: unknown;
}

async function planTraining({ config: file, threads, gpu: name, measure, json, ...flags }: PlanFlags): Promise<void> {
  const { planSchema, planTrain, shortage } = await import('../../recipes/plan-train.ts');
  const { computeType, gpu } = await import('../../recipes/plan-target.ts');
  const { targetFor } = await import('../../recipes/plan-device.ts');
  if (file === undefined && flags['model'] === undefined) {
    throw new ConfigError('required, and not given: --model <folder>', {
      hint: 'give it, or settings in a file: --config sft.yaml',
    });
  }
  const config = await parseTrainingSettings(planSchema, { file, flags, command: 'plan train' });
  if (config.model === embeddedModelFolder && !existsSync(config.model)) {
    throw new ConfigError('the embedded model is not set up yet', { hint: 'make it with: npm run setup' });
  }
  const onEngine = { threads, device: config.device };
  const askEngine = () => withEngine(onEngine, (engine) => engine.call('machine', null));
  const found = name === undefined ? await targetFor(config.device, askEngine) : gpu(name);
  const dtype = computeType(config.dtype, found);
  const isMeasured = measure && name === undefined;
  const target = isMeasured ? { ...found, speed: { [dtype]: await measuredSpeed(dtype, onEngine) } } : found;
  const planned = await withModelFolder(config, (model) => planTrain({ ...config, model }, target));
  const plan = { ...planned, model: config.model };
  if (json) printJson(plan);
  else showPlan(plan);
  const short = shortage(plan);
  if (short) throw new WorkError(short.what, { hint: short.hint });
  if (!json) say(`${green('✓')} it fits`);
}

const measuredSpeed = (dtype: ComputeType, options: EngineOptions): Promise<number> =>
  withEngine(options, (engine, signal) => engine.call('productSpeed', { dtype }, { signal }));

/** Of a model on the hub no weights are fetched: its small files, for as long as they are needed. */
async function withModelFolder<T>({ model }: PlanConfig, use: (folder: string) => T): Promise<T> {
  const hub = isHubName(model) ? parseHubName(model) : undefined;
  if (!hub) return use(model);
  return interruptible(async (signal) => {
    const isOffline = /^(1|on|yes|true)$/i.test(process.env['HF_HUB_OFFLINE'] ?? '');
    if (isOffline) return use(await fetchModel(model, signal));
    const folder = mkdtempSync(join(tmpdir(), 'understudy-plan-'));
    try {
      await fetchDescription(hub, folder, signal);
      return use(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

async function fetchDescription({ name, revision = 'main' }: HubName, folder: string, signal: AbortSignal) {
  const { connect } = await import('../../src/hub/connection.ts');
  const { downloadFile } = await import('../../src/hub/file.ts');
  const { defaultRetry } = await import('../../src/hub/retry.ts');
  const { findSnapshot } = await import('../../src/hub/snapshot.ts');
  const connection = connect(process.env, { signal, retry: defaultRetry, onNotice: say });
  const { commit, files } = await findSnapshot(connection, { name, revision });
  const wanted = { name, revision: commit };
  for (const file of files.filter((one) => !/\.(safetensors|bin)$/.test(one.name))) {
    await downloadFile({ connection, wanted, file, target: join(folder, file.name), onBytes: () => {} });
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
const count = (value: number): string => value.toLocaleString('en-US');
const millions = (value: number): string => `${(value / 1e6).toFixed(1)} M`;

function showPlan(plan: TrainPlan): void {
  const { memory, disk, target, packs, training } = plan;
  print(bold(titleOf(plan)));
  const size = `packs of up to ${count(packs.tokens)} tokens${packs.accumulates ? ', several a step' : ''}`;
  const from = training
    ? `${count(training.tokens)} tokens in ${count(training.steps)} steps`
    : 'full packs: no data given';
  print(dim(`${size}, documents of up to ${count(packs.longest)}; ${from}`));
  const parts: [string, number][] = [
    ['weights', memory.weights],
    ['fp32 master weights', memory.masters],
    ['optimizer moments', memory.moments],
    ['gradients', memory.gradients],
    ['activations kept', memory.activations],
    ['scratch', memory.scratch],
    ['logits and their rows', memory.loss],
    ['lost between buffers', memory.slack],
    [target.device === 'gpu' ? 'context, assumed' : 'process', memory.process],
  ];
  for (const [name, bytes] of parts) if (bytes > 0) print(row(name, gigabytes(bytes)));
  print(row('peak', gigabytes(memory.peak), `while ${memory.peakAt}`));
  const isGpu = target.device === 'gpu';
  print(row('available', gigabytes(target.availableBytes), isGpu ? `on one ${target.name}` : 'here, now'));
  const free = disk.freeBytes === null ? '' : `, ${gigabytes(disk.freeBytes)} free`;
  print(row('disk', gigabytes(disk.neededBytes), `checkpoints and the model${free}`));
  print(timeRow(plan));
  if (isGpu) say('no GPU path has been measured: these figures are arithmetic');
}

function titleOf({ model, memory, settings: { lora, dtype, recompute, stepInBackward } }: TrainPlan): string {
  const trained = lora ? `${millions(memory.trained)} trained in adapters of rank ${lora.rank}` : 'all trained';
  const how = [
    dtype,
    ...(recompute === 'always' ? ['blocks recomputed'] : []),
    ...(stepInBackward ? ['steps in the backward'] : []),
  ];
  return `${model}: ${millions(memory.parameters)} parameters, ${trained}, ${how.join(', ')}`;
}

const row = (name: string, value: string, note = ''): string =>
  `  ${name.padEnd(22)}${value.padStart(12)}${note && `  ${note}`}`;

function timeRow({ time, target, training }: TrainPlan): string {
  if (!time) {
    const why =
      target.device === 'gpu' ? 'no speed of this type in the table' : '--measure multiplies matrices to estimate it';
    return row('time', 'unknown', why);
  }
  const { seconds, secondsPerThousandTokens: each, assuming } = time;
  const [value, per] =
    seconds === null ? [each, ' for 1,000 tokens'] : [seconds, ` for ${count(training?.tokens ?? 0)} tokens`];
  return row('time', `≈ ${inWords(value)}`, `${per.trim()}; assuming ${assuming}`);
}

const inWords = (seconds: number): string =>
  seconds < 120
    ? `${seconds.toPrecision(2)} s`
    : seconds < 7200
      ? `${(seconds / 60).toFixed(0)} min`
      : `${(seconds / 3600).toFixed(1)} h`;
