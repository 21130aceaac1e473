/**
 * Answers that exist already, ranked by a reward model (the paper's section 3.2: several answers a prompt, the groups of the
 * first, the second, … compared). Rows are appended as they are scored; run again with the same settings, those that are
 * there are kept.
 */
import { throwIfAborted } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { JsonlLog } from '../src/base/jsonl.ts';
import { openRows, sortRows } from './answer.ts';
import { type AnswerSet, type RewardModel, rankSets } from './rank-rows.ts';

export interface RankFileOptions {
  readonly file: string;
  /** What else the rewards depend on. */
  readonly settings: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Of prompts. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Prompts scored between two writes. */
const groupSize = 32;

export async function rankFile(
  model: RewardModel,
  sets: readonly AnswerSet[],
  { file, settings, signal, onProgress }: RankFileOptions,
): Promise<{ file: string; rows: number; kept: number }> {
  const known = openRows(file, sha256({ sets, settings }));
  const missing = sets.filter(({ id }) => !known.has(id));
  const log = new JsonlLog(file);
  try {
    for (let from = 0; from < missing.length; from += groupSize) {
      throwIfAborted(signal);
      for (const row of await rankSets(model, missing.slice(from, from + groupSize), { signal })) log.append(row);
      onProgress?.(known.size + Math.min(missing.length, from + groupSize), sets.length);
    }
  } finally {
    log.close();
  }
  sortRows(
    file,
    sets.map(({ id }) => id),
  );
  return { file, rows: sets.length, kept: known.size };
}
