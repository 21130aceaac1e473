/**
 * Checkpoints: a Hugging Face model folder (the fp32 master weights, or a PEFT folder of adapters) with the optimizer's
 * moments, the state of the run, and a checksum of every file. Written under a temporary name and renamed when whole;
 * checked before it is gone on from, so that a folder with a flipped bit is set aside and the one before it taken.
 */
import { closeSync, existsSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { removeLeftovers, temporaryName, writeFolderAtomic, writeJsonAtomic } from '../base/atomic.ts';
import { readJson } from '../base/jsonl.ts';
import { openSafetensors, sourceOf, writeSafetensors } from '../torch/safetensors.ts';
import { keep, scope, type Tensor } from '../torch/tensor.ts';
import type { Numerics } from './numerics.ts';
import type { OptimizerState } from './optimizer.ts';

const momentsFile = 'optimizer.safetensors';
const stateFile = 'trainer_state.json';
const checksumsFile = 'checksums.json';

/** Held-out loss after a step, in nats a token. */
export interface HeldOutLoss {
  readonly step: number;
  readonly loss: number;
}

/** trainer_state.json: the names that Hugging Face's Trainer writes, and ours under `understudy`. */
export interface TrainerState {
  /** Optimizer steps done: the next is global_step + 1, and the data position with it. */
  readonly global_step: number;
  readonly max_steps: number;
  readonly best_global_step: number | null;
  /** Lowest held-out loss. */
  readonly best_metric: number | null;
  readonly log_history: readonly Readonly<Record<string, number>>[];
  readonly understudy: {
    /** Of the configuration and the data; a run with another one never goes on from here. */
    readonly identity: string;
    readonly numerics: Numerics;
    readonly heldOut: readonly HeldOutLoss[];
    /** What a recipe needs besides, to go on. */
    readonly extra?: Readonly<Record<string, number>>;
  };
}

export interface Checkpoint {
  readonly folder: string;
  readonly state: TrainerState;
}

/** The first of the lowest; one that is not finite is none, and null where it was read from JSON. */
export const bestOf = (losses: readonly HeldOutLoss[]): HeldOutLoss | undefined =>
  losses
    .filter(({ loss }) => Number.isFinite(loss))
    .reduce<HeldOutLoss | undefined>((best, one) => (best && best.loss <= one.loss ? best : one), undefined);

/** Writes checkpoint-<step>, then removes all but the newest `keepNewest` and what was the best at each of them. */
export async function saveCheckpoint(
  output: string,
  state: TrainerState,
  options: { optimizer: OptimizerState; writeModel: (folder: string) => void; keepNewest: number },
): Promise<Checkpoint> {
  const folder = checkpointFolder(output, state.global_step);
  await writeFolderAtomic(folder, (temporary) => {
    const { optimizer, writeModel } = options;
    writeModel(temporary);
    const moments = [...sourcesOf(optimizer.first, 'first.'), ...sourcesOf(optimizer.second, 'second.')];
    writeSafetensors(join(temporary, momentsFile), new Map(moments));
    writeJsonAtomic(join(temporary, stateFile), state);
    const names = readdirSync(temporary).sort();
    writeJsonAtomic(
      join(temporary, checksumsFile),
      Object.fromEntries(names.map((name) => [name, checksumOf(join(temporary, name))])),
    );
  });
  const all = listCheckpoints(output);
  const kept = all.slice(-options.keepNewest).map(({ step }) => step);
  const needed = new Set(kept.flatMap((step) => [step, bestAt(step, state)?.step]));
  for (const { folder: other, step } of all) if (!needed.has(step)) removeCheckpoint(other);
  return { folder, state };
}

const bestAt = (step: number, { understudy: { heldOut } }: TrainerState): HeldOutLoss | undefined =>
  bestOf(heldOut.filter((loss) => loss.step <= step));

export const checkpointFolder = (output: string, step: number): string => join(output, `checkpoint-${step}`);

/**
 * The newest whole checkpoint in a run's folder whose best one is whole too, after clearing away what an interrupted save
 * left. `onDamaged` hears of those that are not; they are renamed, never deleted.
 */
export function latestCheckpoint(output: string, onDamaged: (what: string) => void): Checkpoint | undefined {
  removeLeftovers(output);
  for (const { folder } of listCheckpoints(output).reverse()) {
    const damage = damageOf(folder) ?? damageOfBest(output, folder);
    if (damage === undefined) return { folder, state: readJson(join(folder, stateFile)) as TrainerState };
    const aside = `${folder}.damaged`;
    rmSync(aside, { recursive: true, force: true });
    renameSync(folder, aside);
    onDamaged(`${folder}: ${damage}; set aside as ${aside}`);
  }
  return undefined;
}

/** Removes all checkpoints: the run is done and its model saved. */
export function removeCheckpoints(output: string): void {
  for (const { folder } of listCheckpoints(output)) removeCheckpoint(folder);
}

/** First and second moments, as saved. */
export function loadMoments(checkpoint: Checkpoint): Pick<OptimizerState, 'first' | 'second'> {
  const file = openSafetensors(join(checkpoint.folder, momentsFile));
  const load = (prefix: string): Map<string, Tensor> => {
    const names = [...file.entries.keys()].filter((name) => name.startsWith(prefix));
    return new Map(names.map((name) => [name.slice(prefix.length), file.tensor(name)]));
  };
  const moments = scope(() => keep({ first: load('first.'), second: load('second.') }));
  file.close();
  return moments;
}

export const sourcesOf = (tensors: ReadonlyMap<string, Tensor>, prefix = '') =>
  new Map([...tensors].map(([name, tensor]) => [prefix + name, sourceOf(tensor)]));

interface Checksum {
  readonly bytes: number;
  readonly crc32: number;
}

function checksumOf(file: string): Checksum {
  const handle = openSync(file, 'r');
  try {
    const piece = Buffer.allocUnsafe(1 << 22);
    let sum = 0;
    let bytes = 0;
    for (let read = readSync(handle, piece); read > 0; read = readSync(handle, piece)) {
      sum = crc32(piece.subarray(0, read), sum);
      bytes += read;
    }
    return { bytes, crc32: sum };
  } finally {
    closeSync(handle);
  }
}

/** What is wrong with a checkpoint's files; undefined where nothing is. */
function damageOf(folder: string): string | undefined {
  const list = join(folder, checksumsFile);
  if (!existsSync(list)) return `${checksumsFile} is missing`;
  let checksums: Record<string, Checksum>;
  try {
    checksums = readJson(list) as Record<string, Checksum>;
  } catch {
    return `${checksumsFile} is not JSON`;
  }
  for (const [name, expected] of Object.entries(checksums)) {
    const file = join(folder, name);
    if (!existsSync(file)) return `${name} is missing`;
    const { size } = statSync(file);
    if (size !== expected.bytes) return `${name} has ${size} bytes, ${expected.bytes} were written`;
    if (checksumOf(file).crc32 !== expected.crc32) return `${name} has changed since it was written`;
  }
  return undefined;
}

/** What is wrong with the best checkpoint so far, which a run that goes on from `folder` may have to end with. */
function damageOfBest(output: string, folder: string): string | undefined {
  const { best_global_step: step } = readJson(join(folder, stateFile)) as TrainerState;
  if (step === null) return undefined;
  const best = checkpointFolder(output, step);
  const damage = best === folder ? undefined : damageOf(best);
  return damage && `the best so far, ${basename(best)}: ${damage}`;
}

/** Renamed first: a folder named checkpoint-N is whole even while it is being deleted. */
function removeCheckpoint(folder: string): void {
  const leaving = temporaryName(folder);
  renameSync(folder, leaving);
  rmSync(leaving, { recursive: true });
}

/** Oldest first. A folder without a state or checksums of ours is no checkpoint, whatever its name. */
function listCheckpoints(output: string): { folder: string; step: number }[] {
  if (!existsSync(output)) return [];
  return readdirSync(output)
    .filter((name) => /^checkpoint-\d+$/.test(name))
    .filter((name) => [stateFile, checksumsFile].some((file) => existsSync(join(output, name, file))))
    .map((name) => ({ folder: join(output, name), step: Number(name.slice('checkpoint-'.length)) }))
    .sort((a, b) => a.step - b.step);
}
