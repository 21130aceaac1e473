/** The rounds after fine-tuning as the report takes them, read from the folders of their stages. */
import { join } from 'node:path';
import type { LoopAnswer, LoopInput, LoopRoundInput } from '../src/report/loop-input.ts';
import type { RlIteration } from '../src/report/report-input.ts';
import type { LoopResult, LoopRound } from './loop.ts';
import { readRankedRows } from './rank-input.ts';
import type { RankedRow } from './rank-rows.ts';
import { requireFiles, rowsOfFile } from './report-run-rows.ts';

/** Throws ConfigError where a file is missing; `again`: what to do then. */
export function readLoop(folder: string, { rounds, kept, ended }: LoopResult, again: string): LoopInput {
  return { rounds: rounds.map((round) => readRound(folder, round, again)), kept, ended };
}

function readRound(folder: string, round: LoopRound, again: string): LoopRoundInput {
  const { compared, rewardAccuracy, check, bestOf, folders } = round;
  const files = {
    iterations: join(folder, folders.rl, 'train.jsonl'),
    before: join(folder, folders.check, 'before.jsonl'),
    after: join(folder, folders.check, 'after.jsonl'),
  };
  requireFiles(folder, Object.values(files), again);
  const after = new Map(readRankedRows(files.after).map((row) => [row.id, row]));
  return {
    ...{ round: round.round, compared, rewardAccuracy, check, bestOf },
    iterations: rowsOfFile<RlIteration>(files.iterations),
    answers: readRankedRows(files.before).map((row) => {
      const { id, prompt } = row;
      return { id, prompt, before: answersOf(row), after: answersOf(after.get(id)) };
    }),
  };
}

const answersOf = (row: RankedRow | undefined): LoopAnswer[] =>
  (row?.candidates ?? []).map(({ text, reward, score }) => ({ text, reward, score: score ?? null }));
