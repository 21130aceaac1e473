/** What a training finds in its folder and leaves there, apart from checkpoints and the model. */
import { existsSync, mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { JsonlLog, keepRows, readJson } from '../src/base/jsonl.ts';
import type { LoadedModel } from '../src/local/loaded-model.ts';
import type { TrainingLogRow } from '../src/report/report-input.ts';
import { type Checkpoint, latestCheckpoint } from '../src/train/checkpoint.ts';
import { type Numerics, numericsDifference } from '../src/train/numerics.ts';
import { TensorBoardLog } from '../src/train/tensorboard.ts';
import { modelContent } from './local-models.ts';
import type { TrainingConfig } from './training-config.ts';
import { finishedModel } from './training-student.ts';

const logFile = 'train.jsonl';
const eventsFile = 'events.jsonl';

/** A line of events.jsonl: what a kill interrupted can be seen from what is missing. */
type TrainingOccurrence = 'started' | 'saving' | 'saved' | 'interrupted' | 'finished';

/** One line of train.jsonl: what the report reads, and how long the step took. */
export interface TrainingRow extends TrainingLogRow {
  readonly seconds: number;
  /** Where it was measured after this step: mean over the held-out label tokens, in nats. */
  readonly heldOutLoss?: number;
  /** What else a step measured, by TRL's names; `eval/…` on held-out rows. */
  readonly metrics?: Readonly<Record<string, number>>;
}

/** Of everything that decides the trained weights but the machine; `learned`: the data as it is learned. */
export async function identityOf(config: TrainingConfig, model: LoadedModel, learned: unknown): Promise<string> {
  const { model: _model, data: _data, output: _where, template: _template, device: _device, ...rest } = config;
  const { checkpointEverySteps: _when, keepCheckpoints: _many, tensorboard: _board, ...settings } = rest;
  const start = await modelContent(config.model);
  return sha256({ settings, start, template: model.template.source, learned });
}

/** The result of this very run where it is finished; a folder that holds another run is refused. */
export function finishedRun<Result extends { readonly identity: string }>(
  config: TrainingConfig,
  resultFile: string,
  identity: string,
): Result | undefined {
  const file = join(config.output, resultFile);
  if (!existsSync(file)) return undefined;
  const result = readJson(file) as Result;
  if (result.identity !== identity) throw otherRun(config.output);
  return existsSync(finishedModel(config)) ? { ...result, model: config.output } : undefined;
}

/** The checkpoint to go on from, and says so: `unit` is what its steps are called. */
export function resumable(
  output: string,
  identity: string,
  numerics: Numerics,
  { unit, note }: { readonly unit: 'step' | 'iteration'; readonly note: (text: string) => void },
): Checkpoint | undefined {
  const checkpoint = latestCheckpoint(output, note);
  if (!checkpoint) return undefined;
  const { understudy, global_step: done } = checkpoint.state;
  if (understudy.identity !== identity) throw otherRun(output);
  const difference = numericsDifference(understudy.numerics, numerics);
  note(`going on after ${unit} ${done}${difference ? `; not bit-exact: ${difference}` : ''}`);
  return checkpoint;
}

const otherRun = (output: string): ConfigError =>
  new ConfigError(`${output} holds a run with other settings or other data`, {
    hint: 'choose another output folder, or delete this one',
  });

/** Rows up to the checkpoint; those after it are computed again. */
export class TrainingLog {
  readonly rows: TrainingRow[];
  readonly #lines: JsonlLog;
  readonly #board: TensorBoardLog;
  readonly #events: JsonlLog;

  constructor({ output, tensorboard }: TrainingConfig, firstStep: number) {
    const file = join(output, logFile);
    this.rows = keepRows<TrainingRow>(file, ({ step }) => step < firstStep);
    this.#lines = new JsonlLog(file);
    this.#events = new JsonlLog(join(output, eventsFile));
    this.#board = new TensorBoardLog(tensorboard ?? join(output, 'tensorboard'), { firstStep });
  }

  get seconds(): number {
    return this.rows.reduce((sum, row) => sum + row.seconds, 0);
  }

  get tokens(): number {
    return this.rows.at(-1)?.tokens ?? 0;
  }

  append(row: TrainingRow): void {
    this.rows.push(row);
    this.#lines.append(row);
    const scalars = {
      'train/loss': row.loss,
      'train/grad_norm': row.gradNorm,
      'train/learning_rate': row.learningRate,
      'train/tokens': row.tokens,
      ...(row.heldOutLoss === undefined ? {} : { 'eval/loss': row.heldOutLoss }),
      ...Object.fromEntries(
        Object.entries(row.metrics ?? {}).map(([name, value]) => [
          name.startsWith('eval/') ? name : `train/${name}`,
          value,
        ]),
      ),
    };
    this.#board.scalars(scalars, row.step);
  }

  /** `step`: done so far. */
  event(event: TrainingOccurrence, step: number): void {
    this.#events.append({ time: new Date().toISOString(), event, step, pid: process.pid });
  }

  /** As Hugging Face's Trainer writes them. */
  history(): Record<string, number>[] {
    return this.rows.map(({ step, epoch, loss, gradNorm, learningRate, heldOutLoss, metrics = {} }) => ({
      step,
      epoch,
      loss,
      grad_norm: gradNorm,
      learning_rate: learningRate,
      ...(heldOutLoss === undefined ? {} : { eval_loss: heldOutLoss }),
      ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name.replace(/^eval\//, 'eval_'), value])),
    }));
  }

  close(): void {
    this.#lines.close();
    this.#board.close();
    this.#events.close();
  }
}

/** Refuses to begin what would not fit on the disk. */
export function checkDisk(
  { output, keepCheckpoints, evalShare }: TrainingConfig,
  trained: number,
  modelBytes: number,
  existing: number,
): void {
  mkdirSync(output, { recursive: true });
  const { bavail, bsize } = statfsSync(output);
  // Master weight and two moments; while one more is written the older ones still stand.
  const checkpointBytes = 12 * trained;
  const checkpoints = keepCheckpoints + 1 + (evalShare > 0 ? 1 : 0);
  const needed = Math.max(0, checkpoints * checkpointBytes + modelBytes - existing);
  const free = bavail * bsize;
  if (free >= needed) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new ConfigError(
    `${output}: ${gigabytes(free)} of disk are free, training needs ${gigabytes(needed)} (${checkpoints} checkpoints of ` +
      `${gigabytes(checkpointBytes)} and the model)`,
    { hint: 'free some space, choose another output, or train adapters (lora)' },
  );
}
