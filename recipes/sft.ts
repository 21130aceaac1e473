/**
 * Supervised fine-tuning (the paper's section 3.1; Taori et al. 2023): next-token cross-entropy on the answers of
 * instruction data, the end-of-turn token included, with AdamW and a cosine schedule.
 *
 * Departures from the paper's run: documents are packed without padding and attend to themselves alone; the loss of a
 * step is the mean over all its label tokens, however many packs it took; weights are fp32 masters under the compute
 * type. Runs in the engine's process. Interrupted and resumed, on the same machine and threads, it gives the same bits
 * as undisturbed.
 */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { addFilesAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { ConfigError, InterruptedError, WorkError } from '../src/base/errors.ts';
import { lockFolder } from '../src/base/lock.ts';
import { readConversations } from '../src/data/formats.ts';
import {
  type EncodingReceipt,
  encodeDocuments,
  holdOut,
  packTokens,
  planTraining,
  type TokenDocument,
} from '../src/data/pack.ts';
import { answerLogprobs } from '../src/infer/logprobs.ts';
import { loadModel, resolveDtype } from '../src/local/loaded-model.ts';
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
import { Gradients } from '../src/train/gradients.ts';
import { currentNumerics, numericsDifference } from '../src/train/numerics.ts';
import { AdamW } from '../src/train/optimizer.ts';
import { learningRateAt } from '../src/train/schedule.ts';
import { Update } from '../src/train/update.ts';
import type { SftConfig } from './sft-config.ts';
import { checkDisk, finishedRun, identityOf, resultFile, resumable, SftLog, type SftLogRow } from './sft-folder.ts';
import { checkOutput } from './sft-input.ts';
import { refuseUselessLabels } from './sft-labels.ts';
import { dropoutAt, loadingDtype, modelFile, openStudent, type Student } from './sft-student.ts';
import { withAddedTokens } from './sft-tokens.ts';

export type SftEvent =
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'step'; readonly row: SftLogRow; readonly steps: number; readonly totalTokens: number };

/** Also written to sft.json beside the model. */
export interface SftResult {
  readonly model: string;
  /** Done: fewer than planned where training stopped early. */
  readonly steps: number;
  readonly trainedTokens: number;
  readonly labelTokens: number;
  readonly receipt: EncodingReceipt;
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

export interface SftContext {
  readonly signal: AbortSignal;
  readonly emit: (event: SftEvent) => void;
}

/** One process a folder: the engine of a killed run may still be at its last step. */
export async function run(config: SftConfig, context: SftContext): Promise<SftResult> {
  const onWait = (owner: string) =>
    context.emit({ kind: 'note', text: `waiting for ${owner}, which uses ${config.output}` });
  const lock = await lockFolder(config.output, { onWait, signal: context.signal });
  try {
    return await train(config, context);
  } finally {
    lock.release();
  }
}

async function train(config: SftConfig, { signal, emit }: SftContext): Promise<SftResult> {
  const note = (text: string) => emit({ kind: 'note', text });
  setDeterministic(true);

  checkOutput(config.output);

  // 1. Data: conversations become token documents; the whole training is planned before its first step.
  const conversations = config.data.flatMap((file) => readConversations(file));
  const loaded = loadModel(config.model, { dtype: loadingDtype(config), template: config.template });
  const model = withAddedTokens(loaded, config, conversations, note);
  const { maxPositions } = model.decoder.config;
  if (config.maxTokens > maxPositions) {
    throw new ConfigError(`maxTokens: the model has ${maxPositions} positions, got ${config.maxTokens}`);
  }
  const { documents: all, receipt } = encodeDocuments(conversations, model.tokenizer, model.template, config.maxTokens);
  refuseUselessLabels(config, model, all, receipt);
  const { training: documents, heldOut } = holdOut(all, config.evalShare, config.seed);
  const steps = planTraining(documents, config);
  if (steps.length === 0) {
    throw new ConfigError(`maxTrainTokens: ${config.maxTrainTokens} is less than the first document has`);
  }
  if (config.stepInBackward && steps.some(({ packs }) => packs.length > 1)) {
    throw new ConfigError('stepInBackward: a step must be one pack, and here some are several', {
      hint: `set batchTokens (${config.batchTokens}) no larger than packTokens (${config.packTokens})`,
    });
  }
  const labelTokens = steps.reduce((sum, step) => sum + step.labelTokens, 0);
  const packs = steps.flatMap((step) => step.packs);
  const totalTokens = packs.reduce((sum, pack) => sum + packTokens(pack), 0);
  for (const { message } of [...receipt.cut, ...receipt.dropped].slice(0, 5)) note(message);
  note(
    `${receipt.kept} of ${receipt.rows} rows kept (${receipt.cut.length} cut, ${receipt.dropped.length} dropped), ` +
      `${heldOut.length} held out, ${steps.length} steps, ${totalTokens} tokens, ${labelTokens} of them to learn`,
  );

  // 2. What stands in the folder: this very run, done or half done, or nothing.
  const identity = await identityOf(config, model, all);
  const done = finishedRun(config, identity);
  if (done) {
    model.decoder.release();
    removeCheckpoints(config.output);
    return done;
  }
  const numerics = currentNumerics(resolveDtype(config.dtype));
  const checkpoint = resumable(config.output, identity, note);
  if (checkpoint) {
    const difference = numericsDifference(checkpoint.state.understudy.numerics, numerics);
    note(`going on after step ${checkpoint.state.global_step}${difference ? `; not bit-exact: ${difference}` : ''}`);
  }

  // 3. Student and optimizer: fp32 master weights; working copies beside them where the compute type is another.
  const parameters = elementsOf(model.decoder.parameters);
  const student = openStudent(config, model, checkpoint, packs);
  const { executor, working, master } = student;
  const trained = elementsOf(master);
  checkDisk(config, trained, 4 * trained, checkpoint ? 12 * trained : 0);
  const optimizer = new AdamW(working, master, config, checkpoint ? loadMoments(checkpoint) : undefined);
  const started = checkpoint?.state.global_step ?? 0;
  const log = new SftLog(config, started + 1);
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

  // 4. Loop.
  const schedule = { ...config, minRatio: config.minLearningRateRatio };
  let { tokens } = log;
  let last = started;
  for (let number = started + 1; number <= steps.length && !stoppedEarly(losses, config); number++) {
    const step = steps[number - 1] as (typeof steps)[number];
    const startedMs = performance.now();
    const learningRate = learningRateAt(number, steps.length, schedule);
    const update = new Update(optimizer, number, learningRate, config);
    const gradients = new Gradients({ accumulates: step.packs.length > 1 });
    let lossSum = 0;
    for (const [index, pack] of step.packs.entries()) {
      const scale = 1 / step.labelTokens;
      const onReady = (names: readonly string[]) => update.ready(gradients, names);
      lossSum += executor.forwardBackward(pack, gradients, scale, onReady, dropoutAt(config, number, index));
      tokens += packTokens(pack);
      await setImmediate(); // a cancelled run gets to know it
    }
    const loss = lossSum / step.labelTokens;
    const gradNorm = update.finish(gradients, Number.isFinite(loss));
    if (!update.taken) note(neverStep(config, number, loss, gradNorm, step.packs.flat()));
    gradients.release();
    last = number;

    const seconds = (performance.now() - startedMs) / 1000;
    const atEnd = number === steps.length;
    const { epoch } = step;
    const dueToEvaluate = config.evalEverySteps ? number % config.evalEverySteps === 0 : steps[number]?.epoch !== epoch;
    let heldOutLoss: number | undefined;
    if (heldOut.length > 0 && (atEnd || dueToEvaluate)) {
      heldOutLoss = await lossOn(heldOut, executor.decoder);
      losses.push({ step: number, loss: heldOutLoss });
      if (!Number.isFinite(heldOutLoss)) note(`step ${number}: the held-out loss is ${heldOutLoss}`);
    }
    const row: SftLogRow = {
      step: number,
      epoch,
      loss,
      gradNorm,
      learningRate,
      tokens,
      seconds,
      ...(heldOutLoss === undefined ? {} : { heldOutLoss }),
    };
    log.append(row);
    emit({ kind: 'step', row, steps: steps.length, totalTokens });
    if (atEnd) break;
    const isBest = heldOutLoss !== undefined && bestOf(losses)?.step === number;
    if (isBest || signal.aborted || number % config.checkpointEverySteps === 0) await save(number);
    if (signal.aborted) {
      log.event('interrupted', number);
      throw new InterruptedError(`saved after step ${number}; run the same command again to go on`);
    }
  }

  // 5. The model with the lowest held-out loss, or the last.
  const best = bestOf(losses);
  const weights = best && best.step !== last ? student.readModel(checkpointFolder(config.output, best.step)) : master;
  log.event('saving', last);
  await saveModel(config, student, weights);
  if (weights !== master) releaseAll(weights);
  const result: SftResult = {
    model: config.output,
    steps: last,
    trainedTokens: tokens,
    labelTokens,
    receipt,
    parameters,
    trained,
    dtype: executor.decoder.dtype,
    seconds: log.seconds,
    peakBytes: gpu()?.peakBytes ?? 1024 * process.resourceUsage().maxRSS,
    ...(losses.length === 0 ? {} : { heldOut: { rows: heldOut.length, losses, bestStep: best?.step ?? last } }),
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

/** Mean over the label tokens, in nats. Not to be cancelled: a step that is saved has been measured where it is due. */
async function lossOn(documents: readonly TokenDocument[], decoder: Decoder): Promise<number> {
  const results = await answerLogprobs(decoder, documents);
  const [sum, tokens] = results.reduce(([s, t], one) => [s + one.sum, t + one.tokens], [0, 0] as [number, number]);
  return -sum / tokens;
}

const stoppedEarly = (losses: readonly HeldOutLoss[], { earlyStoppingPatience }: SftConfig): boolean =>
  earlyStoppingPatience !== undefined &&
  losses.length - 1 - losses.findIndex(({ step }) => step === bestOf(losses)?.step) >= earlyStoppingPatience;

/**
 * Whole models in the type they computed in, which is how they will be used; adapters, which are small, in fp32. Converted
 * one by one on their way to the file.
 */
function saveModel(config: SftConfig, student: Student, weights: Student['master']): Promise<void> {
  const dtype = config.lora ? 'float32' : student.executor.decoder.dtype;
  const sources = new Map([...weights].map(([name, tensor]) => [name, sourceOf(tensor, dtype)]));
  return addFilesAtomic(config.output, modelFile(config), (folder) => student.writeModel(folder, sources));
}

/** A step that is not finite is never taken: says so, or ends the run. */
function neverStep(
  { onNonFinite, output, stepInBackward }: SftConfig,
  step: number,
  loss: number,
  gradNorm: number,
  documents: readonly TokenDocument[],
): string {
  const rows = documents.map(({ id }) => id).join(', ');
  const changed = stepInBackward ? 'what was stepped of it is thrown away' : 'nothing was changed';
  const what = `step ${step}: the loss is ${loss}, its gradient norm ${gradNorm}; ${changed} (rows ${rows})`;
  if (onNonFinite === 'skip') return `${what}; skipped`;
  throw new WorkError(what, {
    hint: `look at these rows, or begin again elsewhere with a lower learning rate; ${output} holds what was saved before`,
  });
}
