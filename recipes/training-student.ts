/**
 * Who is trained: all weights of a model, or adapters beside frozen ones. Either way fp32 masters are what learns, and
 * the executor computes with them or with copies rounded to the compute type.
 */
import { join } from 'node:path';
import type { Pack } from '../src/data/pack.ts';
import { resolveDtype } from '../src/local/loaded-model.ts';
import type { AdapterDropout } from '../src/model/adapter-dropout.ts';
import { scalarHeadName } from '../src/model/config.ts';
import { Decoder } from '../src/model/decoder.ts';
import { loadDecoder, writeModelFolder, writeTemplate } from '../src/model/directory.ts';
import {
  type Adapters,
  adapterParameters,
  createAdapters,
  type LoraSettings,
  readAdapterFolder,
  writeAdapterFolder,
} from '../src/model/lora.ts';
import { toDtype } from '../src/torch/ops.ts';
import type { TensorSource } from '../src/torch/safetensors.ts';
import { type Dtype, keep, scope, type Tensor } from '../src/torch/tensor.ts';
import type { Checkpoint } from '../src/train/checkpoint.ts';
import { createExecutor, type Executor, type ExecutorOptions, largestPack } from '../src/train/executor.ts';
import type { StudentModel } from './sft-tokens.ts';
import type { TrainingConfig } from './training-config.ts';

type Weights = ReadonlyMap<string, Tensor>;

export interface Student {
  readonly executor: Executor;
  /** What is computed with, and its fp32 masters: the same tensors where fp32 is computed in. By name. */
  readonly working: Weights;
  readonly master: Weights;
  /** Fills a folder with these weights: a model, or a PEFT folder of adapters. */
  writeModel(folder: string, weights: ReadonlyMap<string, TensorSource>): void;
  /** The masters a folder of `writeModel`'s holds, kept. */
  readModel(folder: string): Weights;
}

/** What the model is to be loaded in: the compute type where it is only read, and fp32 where it is trained. */
export const loadingDtype = ({ lora, dtype }: TrainingConfig): TrainingConfig['dtype'] => (lora ? dtype : 'float32');

/** Takes over the model's decoder, which is in `loadingDtype`; `packs`: all that it will be trained on. */
export function openStudent(
  config: TrainingConfig,
  model: StudentModel,
  checkpoint: Checkpoint | undefined,
  packs: readonly Pack[],
): Student {
  const { recompute, stepInBackward } = config;
  const options = { recompute: recompute === 'always', shareGradients: stepInBackward, largest: largestPack(packs) };
  return (config.lora ? openAdapted : openWhole)(config, model, checkpoint, options);
}

function openWhole(
  config: TrainingConfig,
  model: StudentModel,
  checkpoint: Checkpoint | undefined,
  options: ExecutorOptions,
): Student {
  const dtype = resolveDtype(config.dtype);
  const readModel = (folder: string): Weights => loadDecoder(folder, 'float32').parameters;
  if (checkpoint) model.decoder.release();
  const loaded = checkpoint ? loadDecoder(checkpoint.folder, 'float32') : model.decoder;
  const computing = dtype === 'float32' ? loaded : new Decoder(loaded.config, rounded(loaded.parameters, dtype));
  const executor = createExecutor(computing, options);
  const working = executor.decoder.parameters;
  const template = config.template === undefined ? undefined : model.template.source;
  return {
    executor,
    working,
    master: dtype === 'float32' ? working : loaded.parameters,
    readModel,
    writeModel(folder, weights) {
      const files = model.changedFiles;
      writeModelFolder(folder, { config: loaded.config, weights, from: config.model, template, files });
    },
  };
}

function openAdapted(
  config: TrainingConfig,
  model: StudentModel,
  checkpoint: Checkpoint | undefined,
  options: ExecutorOptions,
): Student {
  const dtype = resolveDtype(config.dtype);
  const settings = loraSettings(config);
  const { parameters, config: architecture } = model.decoder;
  const saved = checkpoint && readAdapterFolder(checkpoint.folder, 'float32');
  const masters = saved?.adapters ?? createAdapters(parameters, settings, config.seed);
  const adapters = dtype === 'float32' ? masters : roundedAdapters(masters, dtype);
  const base = withHead(parameters, saved?.scalarHead);
  const executor = createExecutor(new Decoder(architecture, base, adapters), options);
  const working = executor.decoder.trainable;
  return {
    executor,
    working,
    master: dtype === 'float32' ? working : mastersOf(masters, executor.decoder.scalarHead?.tensor),
    readModel(folder) {
      const read = readAdapterFolder(folder, 'float32');
      return mastersOf(read.adapters, read.scalarHead);
    },
    writeModel(folder, weights) {
      writeAdapterFolder(folder, { settings, base: config.model, weights });
      if (config.template !== undefined) writeTemplate(folder, model.template.source);
    },
  };
}

/** A scalar head is small and compared by small differences: it stays in fp32, its own master. */
function withHead(parameters: Weights, saved: Tensor | undefined): Weights {
  const head = parameters.get(scalarHeadName);
  if (!head) return parameters;
  const own = saved ?? keep(scope(() => toDtype(head, 'float32')));
  if (own !== head) head.release();
  return new Map([...parameters, [scalarHeadName, own]]);
}

const mastersOf = (adapters: Adapters, head: Tensor | undefined): Weights =>
  new Map([...adapterParameters(adapters), ...(head ? [[scalarHeadName, head] as const] : [])]);

const loraSettings = ({ lora }: TrainingConfig): LoraSettings => {
  const { rank, alpha, targets, dropout } = lora as NonNullable<TrainingConfig['lora']>;
  return { rank, alpha, targets: targets === 'all' ? [] : targets, dropout };
};

/** What adapters do not see of a step's pack (counted from 0); undefined: they see all. */
export const dropoutAt = ({ lora, seed }: TrainingConfig, step: number, pack: number): AdapterDropout | undefined =>
  lora && lora.dropout > 0 ? { rate: lora.dropout, key: ['lora dropout', seed, step, pack] } : undefined;

const rounded = (weights: Weights, dtype: Dtype): Weights =>
  scope(() => keep(new Map([...weights].map(([name, tensor]) => [name, toDtype(tensor, dtype)]))));

const roundedAdapters = (adapters: Adapters, dtype: Dtype): Adapters =>
  scope(() =>
    keep(
      new Map(
        [...adapters].map(([name, { down, up, scale }]) => {
          return [name, { down: toDtype(down, dtype), up: toDtype(up, dtype), scale }];
        }),
      ),
    ),
  );

/** The file whose presence says that a folder of `writeModel`'s is whole. */
export const modelFile = (config: TrainingConfig): string => (config.lora ? 'adapter_config.json' : 'config.json');

export const finishedModel = (config: TrainingConfig): string => join(config.output, modelFile(config));
