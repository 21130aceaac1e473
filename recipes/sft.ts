/**
 * Supervised fine-tuning (the paper's section 3.1; Taori et al. 2023): next-token cross-entropy on the answers of
 * instruction data, the end-of-turn token included, with AdamW and a cosine schedule.
 *
 * Departures from the paper's run: documents are packed without padding and attend to themselves alone; the loss of a
 * step is the mean over all its label tokens, however many packs it took; weights are fp32 masters under the compute
 * type. Runs in the engine's process. Interrupted and resumed, on the same machine and threads, it gives the same bits
 * as undisturbed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { addFilesAtomic, writeFileAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { ConfigError, DataError, InterruptedError, WorkError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { JsonlLog, parseJsonl, readJson, toJsonl } from '../src/base/jsonl.ts';
import { lockFolder } from '../src/base/lock.ts';
import { readConversations } from '../src/data/formats.ts';
import {
  type EncodingReceipt,
  encodeDocuments,
  packTokens,
  planTraining,
  type TokenDocument,
} from '../src/data/pack.ts';
import { type LoadedModel, loadModel, resolveDtype } from '../src/local/loaded-model.ts';
import { Decoder } from '../src/model/decoder.ts';
import { loadDecoder, writeModelFolder } from '../src/model/directory.ts';
import type { TrainingLogRow } from '../src/report/report-input.ts';
import { setDeterministic } from '../src/torch/machine.ts';
import { toDtype } from '../src/torch/ops.ts';
import { keep, scope } from '../src/torch/tensor.ts';
import {
  type Checkpoint,
  latestCheckpoint,
  loadMoments,
  removeCheckpoints,
  saveCheckpoint,
  sourcesOf,
  type TrainerState,
} from '../src/train/checkpoint.ts';
import { forwardBackward, Gradients } from '../src/train/executor.ts';
import { currentNumerics, numericsDifference } from '../src/train/numerics.ts';
import { AdamW } from '../src/train/optimizer.ts';
import { cosineLearningRate } from '../src/train/schedule.ts';
import { modelContent } from './local-models.ts';
import type { SftConfig } from './sft-config.ts';
import { checkOutput } from './sft-input.ts';

/** One line of train.jsonl: what the report reads, and how long the step took. */
export interface SftLogRow extends TrainingLogRow {
  readonly seconds: number;
}

export type SftEvent =
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'step'; readonly row: SftLogRow; readonly steps: number; readonly totalTokens: number };

/** Also written to sft.json beside the model. */
export interface SftResult {
  readonly model: string;
  readonly steps: number;
  readonly trainedTokens: number;
  readonly labelTokens: number;
  readonly receipt: EncodingReceipt;
  readonly parameters: number;
  readonly dtype: string;
  readonly seconds: number;
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
  const model = loadModel(config.model, { dtype: 'float32', template: config.template });
  const { maxPositions } = model.decoder.config;
  if (config.maxTokens > maxPositions) {
    throw new ConfigError(`maxTokens: the model has ${maxPositions} positions, got ${config.maxTokens}`);
  }
  const { documents, receipt } = encodeDocuments(conversations, model.tokenizer, model.template, config.maxTokens);
  refuseUselessLabels(config, model, documents, receipt);
  const steps = planTraining(documents, config);
  if (steps.length === 0) {
    throw new ConfigError(`maxTrainTokens: ${config.maxTrainTokens} is less than the first document has`);
  }
  const labelTokens = steps.reduce((sum, step) => sum + step.labelTokens, 0);
  const totalTokens = steps.flatMap((step) => step.packs).reduce((sum, pack) => sum + packTokens(pack), 0);
  for (const { message } of [...receipt.cut, ...receipt.dropped].slice(0, 5)) note(message);
  note(
    `${receipt.kept} of ${receipt.rows} rows kept (${receipt.cut.length} cut, ${receipt.dropped.length} dropped), ` +
      `${steps.length} steps, ${totalTokens} tokens, ${labelTokens} of them to learn`,
  );

  // 2. What stands in the folder: this very run, done or half done, or nothing.
  const {
    model: _model,
    data: _data,
    output: _where,
    template: _template,
    checkpointEverySteps: _when,
    ...settings
  } = config;
  const parameters = parameterCount(model);
  const start = await modelContent(config.model);
  const learned = documents.map(({ ids, labelMask }) => [ids, [...labelMask].join('')]);
  const identity = sha256({ settings, start, template: model.template.source, learned });
  const done = finishedRun(config.output, identity);
  if (done) {
    removeCheckpoints(config.output);
    return done;
  }
  const numerics = currentNumerics(resolveDtype(config.dtype));
  const checkpoint = resumable(config.output, identity);
  if (checkpoint) {
    const difference = numericsDifference(checkpoint.state.numerics, numerics);
    note(`going on after step ${checkpoint.state.step}${difference ? `; not bit-exact: ${difference}` : ''}`);
  }

  // 3. Model and optimizer: fp32 master weights; working copies beside them where the compute type is another.
  if (checkpoint) model.decoder.release();
  const master = checkpoint ? loadDecoder(checkpoint.folder, 'float32') : model.decoder;
  const student = workingCopy(master, config);
  for (const parameter of student.parameters.values()) parameter.requiresGrad();
  const optimizer = new AdamW(student, master.parameters, config, checkpoint ? loadMoments(checkpoint) : undefined);
  const template = config.template === undefined ? undefined : model.template.source;
  const save = (step: number) => {
    const state: TrainerState = { step, steps: steps.length, identity, numerics };
    const options = { optimizer: optimizer.state, config: master.config, from: config.model, template };
    return saveCheckpoint(config.output, state, options);
  };

  // 4. Loop.
  const schedule = { ...config, minRatio: config.minLearningRateRatio };
  let { log, tokens, seconds } = openLog(config.output, checkpoint);
  for (let number = (checkpoint?.state.step ?? 0) + 1; number <= steps.length; number++) {
    const step = steps[number - 1] as (typeof steps)[number];
    const startedMs = performance.now();
    const gradients = new Gradients({ accumulates: step.packs.length > 1 });
    let lossSum = 0;
    for (const pack of step.packs) {
      lossSum += forwardBackward(student, pack, gradients, 1 / step.labelTokens);
      tokens += packTokens(pack);
      await setImmediate(); // a cancelled run gets to know it
    }
    const loss = lossSum / step.labelTokens;
    const gradNorm = optimizer.gradientNorm(gradients);
    refuseNonFinite(number, loss, gradNorm, step.packs.flat(), config.output);
    const learningRate = cosineLearningRate(number, steps.length, schedule);
    optimizer.step(gradients, number, learningRate, gradNorm);
    gradients.release();

    const stepSeconds = (performance.now() - startedMs) / 1000;
    seconds += stepSeconds;
    const row: SftLogRow = {
      step: number,
      epoch: step.epoch,
      loss,
      gradNorm,
      learningRate,
      tokens,
      seconds: stepSeconds,
    };
    log.append(row);
    emit({ kind: 'step', row, steps: steps.length, totalTokens });
    if (number === steps.length) break;
    if (signal.aborted || number % config.checkpointEverySteps === 0) await save(number);
    if (signal.aborted) throw new InterruptedError(`saved after step ${number}; run the same command again to go on`);
  }
  log.close();

  // 5. The trained model, in the type it computed in.
  await addFilesAtomic(config.output, 'config.json', (temporary) => {
    const weights = sourcesOf(student.parameters);
    writeModelFolder(temporary, { config: master.config, weights, from: config.model, template });
  });
  const result: SftResult = {
    model: config.output,
    steps: steps.length,
    trainedTokens: tokens,
    labelTokens,
    receipt,
    parameters,
    dtype: student.dtype,
    seconds,
    identity,
  };
  writeJsonAtomic(join(config.output, resultFile), result);
  removeCheckpoints(config.output);
  optimizer.release();
  student.release();
  return result;
}

const resultFile = 'sft.json';
const logFile = 'train.jsonl';

const parameterCount = ({ decoder }: LoadedModel): number =>
  [...decoder.parameters.values()].reduce((sum, tensor) => sum + tensor.elements, 0);

/** The decoder that computes: the masters themselves in fp32, rounded copies of them otherwise. */
function workingCopy(master: Decoder, config: SftConfig): Decoder {
  const dtype = resolveDtype(config.dtype);
  if (dtype === master.dtype) return master;
  const copies = scope(() =>
    keep(new Map([...master.parameters].map(([name, tensor]) => [name, toDtype(tensor, dtype)]))),
  );
  return new Decoder(master.config, copies);
}

/** A model that never sees its stop token learns never to stop; a run without labels learns nothing. */
function refuseUselessLabels(
  { data }: SftConfig,
  { stopTokens, tokenizer, template }: LoadedModel,
  documents: readonly TokenDocument[],
  receipt: EncodingReceipt,
): void {
  const file = data.join(', ');
  if (documents.length === 0) {
    const issues = receipt.dropped.length > 0 ? receipt.dropped : [{ message: 'no rows' }];
    throw new DataError(file, issues, { hint: 'nothing is left to train on; raise --max-tokens or mend the data' });
  }
  const stops = new Set(stopTokens);
  const ends = documents.some(({ ids, labelMask }) => ids.some((id, i) => labelMask[i] === 1 && stops.has(id)));
  if (ends) return;
  const names = stopTokens.map((id) => tokenizer.decode([id])).join(', ') || 'none';
  throw new ConfigError(`the end of a turn is never trained: no answer ends with a stop token (${names})`, {
    hint: `template ${template.name} and generation_config.json disagree on what ends an answer; try --template chatml`,
  });
}

/** The result of this very run where it is finished; a folder that holds another run is refused. */
function finishedRun(output: string, identity: string): SftResult | undefined {
  const file = join(output, resultFile);
  if (!existsSync(file)) return undefined;
  const result = readJson(file) as SftResult;
  if (result.identity !== identity) throw otherRun(output);
  return existsSync(join(output, 'config.json')) ? { ...result, model: output } : undefined;
}

function resumable(output: string, identity: string): Checkpoint | undefined {
  const checkpoint = latestCheckpoint(output);
  if (checkpoint && checkpoint.state.identity !== identity) throw otherRun(output);
  return checkpoint;
}

const otherRun = (output: string): ConfigError =>
  new ConfigError(`${output} holds a run with other settings or other data`, {
    hint: 'choose another output folder, or delete this one',
  });

/** The log up to the checkpoint: rows after it are computed again. */
function openLog(output: string, checkpoint: Checkpoint | undefined) {
  const file = join(output, logFile);
  const all = existsSync(file) ? parseJsonl(wholeLines(readFileSync(file, 'utf8')), file) : [];
  const rows = all.map(({ value }) => value as SftLogRow).filter(({ step }) => step <= (checkpoint?.state.step ?? 0));
  writeFileAtomic(file, toJsonl(rows));
  const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
  return { log: new JsonlLog(file), tokens: rows.at(-1)?.tokens ?? 0, seconds };
}

const wholeLines = (text: string): string => text.slice(0, text.lastIndexOf('\n') + 1);

function refuseNonFinite(
  step: number,
  loss: number,
  gradNorm: number,
  documents: readonly TokenDocument[],
  output: string,
): void {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return;
  const rows = documents.map(({ id }) => id).join(', ');
  throw new WorkError(
    `step ${step}: the loss is ${loss}, its gradient norm ${gradNorm}; nothing was changed (rows ${rows})`,
    {
      hint: `lower the learning rate or look at these rows; the last good checkpoint stands in ${output}`,
    },
  );
}
