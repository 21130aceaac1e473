/**
 * A stage reads named files and writes into a folder of its own, whose name carries the hash of those files and of the
 * settings. So a stage that is done is found again, one that is half done is gone on with, one whose settings changed
 * gets a new folder, and two settings never meet in one.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeLeftovers, writeJsonAtomic } from '../base/atomic.ts';
import { sha256, sha256File } from '../base/hash.ts';
import { readJson } from '../base/jsonl.ts';
import { version } from '../base/paths.ts';
import { withoutSecrets } from '../base/redact.ts';

export interface StageInput {
  readonly name: string;
  /** Files it reads: their content is part of its identity, their place is not. */
  readonly files: readonly string[];
  /** JSON-able. */
  readonly settings: unknown;
}

export interface StageResult<Result> {
  readonly folder: string;
  readonly result: Result;
  /** Found done: nothing was computed. */
  readonly found: boolean;
  /** What the stage took when it ran; only the last sitting of an interrupted one. */
  readonly seconds: number;
}

interface StageRecord<Result> {
  readonly name: string;
  readonly identity: string;
  readonly settings: unknown;
  readonly inputs: readonly { readonly file: string; readonly sha256: string }[];
  readonly finishedAt: string;
  readonly seconds: number;
  readonly result: Result;
}

const recordFile = 'stage.json';

/**
 * `work` writes into `folder`, may find there what an interrupted sitting left, and returns a JSON-able result. It
 * counts as done once its record is written.
 */
export async function runStage<Result>(
  output: string,
  { name, files, settings }: StageInput,
  work: (folder: string) => Promise<Result>,
): Promise<StageResult<Result>> {
  const inputs = await Promise.all(files.map(async (file) => ({ file, sha256: await sha256File(file) })));
  const identity = sha256({ name, settings, inputs: inputs.map((input) => input.sha256), version });
  const folder = join(output, `${name}-${identity.slice(0, 8)}`);
  const file = join(folder, recordFile);
  if (existsSync(file)) {
    const { result, seconds } = readJson(file) as StageRecord<Result>;
    return { folder, result, found: true, seconds };
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  removeLeftovers(folder);
  const startedMs = performance.now();
  const result = await work(folder);
  const seconds = (performance.now() - startedMs) / 1000;
  const finishedAt = new Date().toISOString();
  const record: StageRecord<Result> = {
    name,
    identity,
    settings: withoutSecrets(settings),
    inputs,
    finishedAt,
    seconds,
    result,
  };
  writeJsonAtomic(file, record);
  return { folder, result, found: false, seconds };
}
