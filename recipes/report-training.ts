/** Folders of trainings as the report takes them: fine-tuning, a reward model, preferences, reinforcement learning. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from '../src/base/jsonl.ts';
import type { GroupReceipt } from '../src/data/answer-groups.ts';
import type { EncodingReceipt } from '../src/data/pack.ts';
import type { RlAnswer, RlInput, RlIteration, TrainingRunInput } from '../src/report/report-input.ts';
import { healthWarnings } from '../src/train/rl-health.ts';
import { requireFiles, rowsOfFile } from './report-run-rows.ts';
import { cardOf, heldOutFile, readHeldOut } from './reward-card.ts';
import type { RlResult } from './rl-session.ts';
import type { TrainingResult } from './training.ts';
import type { TrainingRow } from './training-folder.ts';

const logFile = 'train.jsonl';
const rolloutsFile = 'rollouts.jsonl';
const rlFile = 'rl.json';
const stages = ['sft', 'reward', 'dpo'] as const;

const again = 'give the same `./understudy train` command again, which goes on where it stopped';

/** A folder of `train grpo` or `train ppo`, at its end or still on its way. */
export const isRlFolder = (folder: string): boolean =>
  [rlFile, rolloutsFile].some((name) => existsSync(join(folder, name)));

export function readRl(folder: string): { input: RlInput; files: Readonly<Record<string, string>> } {
  const files = { iterations: join(folder, logFile), answers: join(folder, rolloutsFile) };
  requireFiles(folder, Object.values(files), again);
  const log = rowsOfFile<RlIteration>(files.iterations);
  const result = join(folder, rlFile);
  const finished = existsSync(result) ? (readJson(result) as RlResult) : undefined;
  const rows = rowsOfFile<Omit<RlAnswer, 'parts'> & Readonly<Record<string, unknown>>>(files.answers);
  return {
    files,
    input: {
      finished: finished && { algorithm: finished.algorithm, iterations: finished.iterations },
      log,
      // What was sampled and not learned from is made again.
      answers: rows.filter(({ step }) => step <= (log.at(-1)?.step ?? 0)).map(answerOf),
      warnings: warningsOf(log),
    },
  };
}

function answerOf(row: Omit<RlAnswer, 'parts'> & Readonly<Record<string, unknown>>): RlAnswer {
  const { step, prompt, asked, text, finishReason, tokens, reward, ...rest } = row;
  const parts = Object.entries(rest).filter(
    (entry): entry is [string, number | null] => typeof entry[1] === 'number' || entry[1] === null,
  );
  return {
    step,
    prompt,
    ...(asked !== undefined && { asked }),
    text,
    finishReason,
    tokens,
    reward: reward ?? null,
    parts: Object.fromEntries(parts),
  };
}

/** Each kind where it is first seen. */
function warningsOf(log: readonly RlIteration[]): RlInput['warnings'] {
  const first = new Map<string, { step: number; text: string }>();
  for (const [i, { step }] of log.entries()) {
    for (const text of healthWarnings(log.slice(0, i + 1))) {
      const kind = text.slice(0, 20);
      if (!first.has(kind)) first.set(kind, { step, text });
    }
  }
  return [...first.values()];
}

export const isTrainingFolder = (folder: string): boolean =>
  stages.some((stage) => existsSync(resultOf(folder, stage)));

const resultOf = (folder: string, stage: (typeof stages)[number]): string => join(folder, `${stage}.json`);

export function readTraining(folder: string): { input: TrainingRunInput; files: Readonly<Record<string, string>> } {
  const stage = stages.find((one) => existsSync(resultOf(folder, one)))!;
  const files = { steps: join(folder, logFile), pairs: join(folder, heldOutFile) };
  requireFiles(folder, [files.steps], again);
  const result = readJson(resultOf(folder, stage)) as TrainingResult & { receipt: EncodingReceipt & GroupReceipt };
  const { receipt, trainedTokens, seconds, parameters, dtype } = result;
  const { labelTokens = trainedTokens } = result as { readonly labelTokens?: number };
  const hasHeldOut = stage === 'reward' && existsSync(files.pairs);
  return {
    files,
    input: {
      stage,
      training: {
        log: rowsOfFile<TrainingRow>(files.steps),
        documents: receipt.kept,
        cut: receipt.cut?.length ?? 0,
        dropped: receipt.dropped.length,
        ...{ trainedTokens, labelTokens, seconds, parameters, dtype },
      },
      card: hasHeldOut ? cardOf(folder) : undefined,
      heldOut: hasHeldOut ? readHeldOut(files.pairs) : undefined,
    },
  };
}
