/**
 * Checkpoints: Hugging Face model folders (the fp32 master weights) with the optimizer's moments and the step beside
 * them. Written under a temporary name and renamed when whole, so that a folder named checkpoint-N is a checkpoint.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { removeLeftovers, temporaryName, writeFolderAtomic, writeJsonAtomic } from '../base/atomic.ts';
import { readJson } from '../base/jsonl.ts';
import type { ModelConfig } from '../model/config.ts';
import { writeModelFolder } from '../model/directory.ts';
import { openSafetensors, sourceOf, writeSafetensors } from '../torch/safetensors.ts';
import { keep, scope, type Tensor } from '../torch/tensor.ts';
import type { OptimizerState } from './optimizer.ts';

const momentsFile = 'optimizer.safetensors';
const stateFile = 'trainer_state.json';

/** What a run must be equal in to go on from a checkpoint bit for bit. */
export interface Numerics {
  readonly torchVersion: string;
  readonly cpuCapability: string;
  readonly threads: number;
  readonly dtype: string;
}

export interface TrainerState {
  /** Optimizer steps done: the next is step + 1, and the data position with it. */
  readonly step: number;
  readonly steps: number;
  /** Of the configuration and the data; a run with another one never goes on from here. */
  readonly identity: string;
  readonly numerics: Numerics;
}

export interface Checkpoint {
  readonly folder: string;
  readonly state: TrainerState;
}

/** Writes checkpoint-<step>, then removes older ones. */
export async function saveCheckpoint(
  output: string,
  state: TrainerState,
  options: { optimizer: OptimizerState; config: ModelConfig; from: string; template: string | undefined },
): Promise<Checkpoint> {
  const folder = join(output, `checkpoint-${state.step}`);
  await writeFolderAtomic(folder, (temporary) => {
    const { config, from, template, optimizer } = options;
    writeModelFolder(temporary, { config, weights: sourcesOf(optimizer.master), from, template });
    const moments = [...sourcesOf(optimizer.first, 'first.'), ...sourcesOf(optimizer.second, 'second.')];
    writeSafetensors(join(temporary, momentsFile), new Map(moments));
    writeJsonAtomic(join(temporary, stateFile), state);
  });
  for (const { folder: other } of listCheckpoints(output)) if (other !== folder) removeCheckpoint(other);
  return { folder, state };
}

/** The newest checkpoint in a run's folder, after clearing away what an interrupted save left. */
export function latestCheckpoint(output: string): Checkpoint | undefined {
  removeLeftovers(output);
  return listCheckpoints(output).at(-1);
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

/** Renamed first: a folder named checkpoint-N is whole even while it is being deleted. */
function removeCheckpoint(folder: string): void {
  const leaving = temporaryName(folder);
  renameSync(folder, leaving);
  rmSync(leaving, { recursive: true });
}

export const sourcesOf = (tensors: ReadonlyMap<string, Tensor>, prefix = '') =>
  new Map([...tensors].map(([name, tensor]) => [prefix + name, sourceOf(tensor)]));

/** Oldest first. A folder without a state of ours is no checkpoint, whatever its name. */
function listCheckpoints(output: string): Checkpoint[] {
  if (!existsSync(output)) return [];
  return readdirSync(output)
    .filter((name) => /^checkpoint-\d+$/.test(name))
    .map((name) => join(output, name))
    .filter((folder) => existsSync(join(folder, stateFile)))
    .map((folder) => ({ folder, state: readJson(join(folder, stateFile)) as TrainerState }))
    .filter(({ state }) => Number.isInteger(state?.step) && typeof state.identity === 'string')
    .sort((a, b) => a.state.step - b.state.step);
}
