/**
 * The loop that every training on given data shares: what stands in the folder is found again or gone on with, planned
 * steps are taken with AdamW, what is held out is measured, and the best model or the last is saved. What is learned, and
 * by which loss, is the recipes' business (sft.ts, reward.ts, dpo.ts).
 *
 * Weights are fp32 masters under the compute type. Interrupted and resumed, on the same machine and threads, it gives the
 * same bits as undisturbed.
 */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { addFilesAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { InterruptedError, WorkError } from '../src/base/errors.ts';
import { lockFolder } from '../src/base/lock.ts';
import { type Pack, packTokens } from '../src/data/pack.ts';
import { resolveDtype } from '../src/local/loaded-model.ts';
import type { AdapterDropout } from '../src/model/adapter-dropout.ts';
import type { Decoder } from '../src/model/decoder.ts';
import { gpu, setDeterministic } from '../src/torch/machine.ts';
import { sourceOf } from '../src/torch/safetensors.ts';
import { releaseAll } from '../src/torch/tensor.ts';
import {
  bestOf,
  checkpointFolder,
  type HeldOutLoss,
  loadMoments,
  removeCheckpoints,
  saveCheckpoint,
  sourcesOf,
  type TrainerState,
} from '../src/train/checkpoint.ts';
import type { Executor, OnReady } from '../src/train/executor.ts';
import { Gradients } from '../src/train/gradients.ts';
import { currentNumerics } from '../src/train/numerics.ts';
import { AdamW } from '../src/train/optimizer.ts';
import { learningRateAt } from '../src/train/schedule.ts';
import { Update } from '../src/train/update.ts';
import type { StudentModel } from './sft-tokens.ts';
import type { TrainingConfig } from './training-config.ts';
import { checkDisk, finishedRun, identityOf, resumable, TrainingLog, type TrainingRow } from './training-folder.ts';
import { dropoutAt, modelFile, openStudent, type Student } from './training-student.ts';

export type TrainingEvent =
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'step'; readonly row: TrainingRow; readonly steps: number; readonly totalTokens: number };

export interface TrainingContext {
  readonly signal: AbortSignal;
  readonly emit: (event: TrainingEvent) => void;
}

/** A pack, with whatever its loss needs beside. */
export interface PackPart {
  readonly pack: Pack;
}

/** One optimizer step: the gradients of its parts are summed. */
export interface PlannedStep<Part extends PackPart = PackPart> {
  readonly epoch: number;
  readonly parts: readonly Part[];
}

/** Of a step, or of the held-out rows: the mean loss, and what else there is to say. */
export interface Measured {
  readonly loss: number;
  readonly metrics?: Readonly<Record<string, number>>;
}

/** What a recipe brings to the loop. */
export interface Lesson<Step extends PlannedStep> {
  readonly resultFile: string;
  /** The data as it is learned: with the settings and the model it makes the run's identity. */
  readonly learned: unknown;
  readonly steps: readonly Step[];
  /** What has to be there before the first step; once it is known that the folder is this run's. */
  readonly prepare?: () => Promise<void>;
  /** A step's learning: one call a part, and at its end what the step comes to. */
  begin(executor: Executor, step: Step): StepLearning<Step['parts'][number]>;
  /** Where rows are held out. Not to be cancelled: a step that is saved has been measured where it is due. */
  readonly heldOut?: { readonly rows: number; measure(decoder: Decoder): Promise<Measured> };
}

export interface StepLearning<Part> {
  /** Adds the gradients of the part's share of the step's mean loss. */
  learn(part: Part, gradients: Gradients, onReady: OnReady, dropout: AdapterDropout | undefined): void;
  measured(): Measured;
}

/** Also written beside the model. */
export interface TrainingResult {
  readonly model: string;
  /** Done: fewer than planned where training stopped early. */
  readonly steps: number;
  readonly trainedTokens: number;
  /** Of the model, and of them what was trained. */
  readonly parameters: number;
  readonly trained: number;
  readonly dtype: string;
  readonly seconds: number;
  /** Most memory the process had resident, in bytes; on a GPU, the most its tensors took there. */
  readonly peakBytes: number;
  /** Where rows were held out: the losses measured, and the step whose weights the model has. */
  readonly heldOut?: { readonly rows: number; readonly losses: readonly HeldOutLoss[]; readonly bestStep: number };
  readonly identity: string;
}

/** One process a folder: the engine of a killed run may still be at its last step. */
export async function inFolder<Result>(
  { output }: Pick<TrainingConfig, 'output'>,
  { signal, emit }: TrainingContext,
  body: () => Promise<Result>,
): Promise<Result> {
  const onWait = (owner: string) => emit({ kind: 'note', text: `waiting for ${owner}, which uses ${output}` });
  const lock = await lockFolder(output, { onWait, signal });
  try {
    setDeterministic(true);
    return await body();
  } finally {
    lock.release();
  }
}

/** Takes over the model, which is in `loadingDtype`. `extra`: what the recipe adds to the result. */
export async function train<Step extends PlannedStep, Extra extends object>(
  config: TrainingConfig,
  model: StudentModel,
  lesson: Lesson<Step>,
  extra: Extra,
  { signal, emit }: TrainingContext,
): Promise<TrainingResult & Extra> {
  const note = (text: string) => emit({ kind: 'note', text });
  const { steps, resultFile } = lesson;
  const packs = steps.flatMap(({ parts }) => parts.map(({ pack }) => pack));
  const totalTokens = packs.reduce((sum, pack) => sum + packTokens(pack), 0);

  // 1. What stands in the folder: this very run, done or half done, or nothing.
  const identity = await identityOf(config, model, lesson.learned);
  const done = finishedRun<TrainingResult & Extra>(config, resultFile, identity);
  if (done) {
    model.decoder.release();
    removeCheckpoints(config.output);
    return done;
  }
  const numerics = currentNumerics(resolveDtype(config.dtype));
  const checkpoint = resumable(config.output, identity, numerics, { unit: 'step', note });
  await lesson.prepare?.();

  // 2. Student and optimizer: fp32 master weights; working copies beside them where the compute type is another.
  const parameters = elementsOf(model.decoder.parameters);
  const student = openStudent(config, model, checkpoint, packs);
  const { executor, working, master } = student;
  const trained = elementsOf(master);
  checkDisk(config, trained, 4 * trained, checkpoint ? 12 * trained : 0);
  const optimizer = new AdamW(working, master, config, checkpoint ? loadMoments(checkpoint) : undefined);
  const started = checkpoint?.state.global_step ?? 0;
  const log = new TrainingLog(config, started + 1);
  const losses: HeldOutLoss[] = [...(checkpoint?.state.understudy.heldOut ?? [])];
  log.event('started', started);
  const save = async (step: number): Promise<void> => {
    log.event('saving', step);
    const best = bestOf(losses);
    const state: TrainerState = {
      global_step: step,
      max_steps: steps.length,
      best_global_step: best?.step ?? null,
      best_metric: best?.loss ?? null,
      log_history: log.history(),
      understudy: { identity, numerics, heldOut: losses },
    };
    const writeModel = (folder: string) => student.writeModel(folder, sourcesOf(master));
    const { keepCheckpoints: keepNewest } = config;
    await saveCheckpoint(config.output, state, { optimizer: optimizer.state, writeModel, keepNewest });
    log.event('saved', step);
  };

  // 3. Loop.
  const schedule = { ...config, minRatio: config.minLearningRateRatio };
  let { tokens } = log;
  let last = started;
  for (let number = started + 1; number <= steps.length && !stoppedEarly(losses, config); number++) {
    const step = steps[number - 1] as (typeof steps)[number];
    const startedMs = performance.now();
    const learningRate = learningRateAt(number, steps.length, schedule);
    const update = new Update(optimizer, number, learningRate, config);
    const gradients = new Gradients({ accumulates: step.parts.length > 1 });
    const learning = lesson.begin(executor, step);
    for (const [index, part] of step.parts.entries()) {
      const onReady = (names: readonly string[]) => update.ready(gradients, names);
      learning.learn(part as Step['parts'][number], gradients, onReady, dropoutAt(config, number, index));
      tokens += packTokens(part.pack);
      await setImmediate(); // a cancelled run gets to know it
    }
    const { loss, metrics } = learning.measured();
    const gradNorm = update.finish(gradients, Number.isFinite(loss));
    if (!update.taken)
      note(
        neverStep(
          config,
          number,
          loss,
          gradNorm,
          step.parts.map(({ pack }) => pack),
        ),
      );
    gradients.release();
    last = number;

    const seconds = (performance.now() - startedMs) / 1000;
    const atEnd = number === steps.length;
    const { epoch } = step;
    const dueToEvaluate = config.evalEverySteps ? number % config.evalEverySteps === 0 : steps[number]?.epoch !== epoch;
    let heldOut: Measured | undefined;
    if (lesson.heldOut && (atEnd || dueToEvaluate)) {
      heldOut = await lesson.heldOut.measure(executor.decoder);
      losses.push({ step: number, loss: heldOut.loss });
      if (!Number.isFinite(heldOut.loss)) note(`step ${number}: the held-out loss is ${heldOut.loss}`);
    }
    const ofHeldOut = Object.entries(heldOut?.metrics ?? {}).map(([name, value]) => [`eval/${name}`, value] as const);
    const all = { ...metrics, ...Object.fromEntries(ofHeldOut) };
    const row: TrainingRow = {
      step: number,
      epoch,
      loss,
      gradNorm,
      learningRate,
      tokens,
      seconds,
      ...(heldOut === undefined ? {} : { heldOutLoss: heldOut.loss }),
      ...(Object.keys(all).length === 0 ? {} : { metrics: all }),
    };
    log.append(row);
    emit({ kind: 'step', row, steps: steps.length, totalTokens });
    if (atEnd) break;
    const isBest = heldOut !== undefined && bestOf(losses)?.step === number;
    if (isBest || signal.aborted || number % config.checkpointEverySteps === 0) await save(number);
    if (signal.aborted) {
      log.event('interrupted', number);
      throw new InterruptedError(`saved after step ${number}; run the same command again to go on`);
    }
  }

  // 4. The model with the lowest held-out loss, or the last.
  const best = bestOf(losses);
  const weights = best && best.step !== last ? student.readModel(checkpointFolder(config.output, best.step)) : master;
  log.event('saving', last);
  await saveModel(config, student, weights);
  if (weights !== master) releaseAll(weights);
  const rows = lesson.heldOut?.rows ?? 0;
  const result: TrainingResult & Extra = {
    ...extra,
    model: config.output,
    steps: last,
    trainedTokens: tokens,
    parameters,
    trained,
    dtype: executor.decoder.dtype,
    seconds: log.seconds,
    peakBytes: gpu()?.peakBytes ?? 1024 * process.resourceUsage().maxRSS,
    ...(losses.length === 0 ? {} : { heldOut: { rows, losses, bestStep: best?.step ?? last } }),
    identity,
  };
  writeJsonAtomic(join(config.output, resultFile), result);
  log.event('finished', last);
  log.close();
  removeCheckpoints(config.output);
  optimizer.release();
  executor.release();
  return result;
}

const elementsOf = (weights: Student['master']): number =>
  [...weights.values()].reduce((sum, tensor) => sum + tensor.elements, 0);

const stoppedEarly = (losses: readonly HeldOutLoss[], { earlyStoppingPatience }: TrainingConfig): boolean =>
  earlyStoppingPatience !== undefined &&
  losses.length - 1 - losses.findIndex(({ step }) => step === bestOf(losses)?.step) >= earlyStoppingPatience;

/**
 * Whole models in the type they computed in, which is how they will be used; adapters, which are small, in fp32. Converted
 * one by one on their way to the file.
 */
function saveModel(config: TrainingConfig, student: Student, weights: Student['master']): Promise<void> {
  const dtype = config.lora ? 'float32' : student.executor.decoder.dtype;
  const sources = new Map([...weights].map(([name, tensor]) => [name, sourceOf(tensor, dtype)]));
  return addFilesAtomic(config.output, modelFile(config), (folder) => student.writeModel(folder, sources));
}

/** A step that is not finite is never taken: says so, or ends the run. */
function neverStep(
  { onNonFinite, output, stepInBackward }: TrainingConfig,
  step: number,
  loss: number,
  gradNorm: number,
  packs: readonly Pack[],
): string {
  const rows = packs.flatMap((pack) => pack.map(({ id }) => id)).join(', ');
  const changed = stepInBackward ? 'what was stepped of it is thrown away' : 'nothing was changed';
  const what = `step ${step}: the loss is ${loss}, its gradient norm ${gradNorm}; ${changed} (rows ${rows})`;
  if (onNonFinite === 'skip') return `${what}; skipped`;
  throw new WorkError(what, {
    hint: `look at these rows, or begin again elsewhere with a lower learning rate; ${output} holds what was saved before`,
  });
}
