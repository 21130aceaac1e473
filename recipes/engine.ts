/** The engine as recipes and commands see it: typed calls into the child process that holds libtorch. */
import { fileURLToPath } from 'node:url';
import type { Message } from '../src/base/message.ts';
import type { ScoredAnswer } from '../src/evaluate/scorer.ts';
import type { ComputeDtype } from '../src/local/loaded-model.ts';
import type { AnswerEvent, LocalAnswer, LocalModel, LocalRequest } from '../src/local/local-model.ts';
import type { WeightFormat } from '../src/model/quantize.ts';
import type { NativeGpu, NativeMachine } from '../src/native/addon.ts';
import { EngineProcess } from '../src/run/engine-process.ts';
import type { Dtype } from '../src/torch/tensor.ts';
import type { DpoResult } from './dpo.ts';
import type { DpoConfig } from './dpo-config.ts';
import type { MergeConfig, MergeResult } from './merge.ts';
import type { RewardModel } from './rank-rows.ts';
import type { RewardResult } from './reward.ts';
import type { RewardConfig } from './reward-config.ts';
import type { RlConfig } from './rl-config.ts';
import type { RlFigures } from './rl-figures.ts';
import type { RlPrompt, SampledAnswer } from './rl-sampling.ts';
import type { RlOpened, RlResult } from './rl-session.ts';
import type { SftResult } from './sft.ts';
import type { SftConfig } from './sft-config.ts';
import type { TrainingEvent } from './training.ts';

/** A model folder and how to compute with it. The engine keeps the last that wrote and the last that gave rewards. */
export interface ModelChoice {
  readonly folder: string;
  readonly dtype: ComputeDtype;
  readonly template?: string | undefined;
  readonly weights?: WeightFormat | undefined;
}

export interface EngineMachine extends NativeMachine {
  readonly computesInBf16: boolean;
  /** How many threads one of our own kernels really used: 1 means OpenMP is missing from the build. */
  readonly kernelThreads: number;
  /** Null on the CPU. */
  readonly gpu: NativeGpu | null;
}

export type EngineMethods = {
  machine: { params: null; event: never; result: EngineMachine };
  answer: {
    params: { model: ModelChoice; requests: readonly LocalRequest[]; rows?: number | undefined };
    event: AnswerEvent;
    result: LocalAnswer[];
  };
  score: {
    params: { model: ModelChoice; conversations: readonly (readonly Message[])[] };
    event: { done: number };
    result: ScoredAnswer[];
  };
  /** Of matrix products: floating-point operations a second. */
  productSpeed: { params: { dtype: Dtype }; event: never; result: number };
  merge: { params: MergeConfig; event: never; result: MergeResult };
  sft: { params: SftConfig; event: TrainingEvent; result: SftResult };
  dpo: { params: DpoConfig; event: TrainingEvent; result: DpoResult };
  /** One reinforcement learning at a time: opened, gone round, finished. */
  rlOpen: { params: { config: RlConfig; learned: unknown }; event: { note?: string }; result: RlOpened };
  rlSample: {
    params: { iteration: number; prompts: readonly RlPrompt[] };
    event: { done: number };
    result: SampledAnswer[];
  };
  rlLearn: { params: { iteration: number; rewards: readonly number[] }; event: { note?: string }; result: RlFigures };
  rlSave: {
    params: { iteration: number; history: readonly Readonly<Record<string, number>>[] };
    event: never;
    result: null;
  };
  rlFinish: { params: null; event: never; result: RlResult };
  reward: { params: RewardConfig; event: TrainingEvent; result: RewardResult };
  /** Of conversations that end in an answer, by a reward model. */
  rewards: {
    params: { model: ModelChoice; conversations: readonly (readonly Message[])[] };
    event: { done: number };
    result: number[];
  };
};

export type Engine = EngineProcess<EngineMethods>;

export interface EngineOptions {
  readonly threads?: number | undefined;
  /** `auto` (the default), `cpu`, `cuda` or `cuda:N`, for as long as the engine lives. One that is not there fails every call. */
  readonly device?: string | undefined;
}

export const startEngine = ({ threads, device = 'auto' }: EngineOptions = {}): Engine =>
  new EngineProcess(fileURLToPath(new URL('./engine-main.js', import.meta.url)), {
    args: [device],
    ...(threads === undefined ? {} : { threads }),
  });

/** A model folder as the words half can ask it. Loaded at its first use. */
export const engineModel = (engine: Engine, model: ModelChoice): LocalModel => ({
  answer: (requests, { rows, signal, onEvent } = {}) =>
    engine.call('answer', { model, requests, rows }, { signal, ...(onEvent && { onEvent }) }),
  score: (conversations, { signal, onProgress } = {}) =>
    engine.call('score', { model, conversations }, { signal, onEvent: ({ done }) => onProgress?.(done) }),
});

/** A reward model's folder as best-of-n asks it. Loaded at its first use, beside the model that writes. */
export const engineRewards = (engine: Pick<Engine, 'call'>, model: ModelChoice): RewardModel => ({
  rewards: (conversations, { signal } = {}) => engine.call('rewards', { model, conversations }, { signal }),
});
