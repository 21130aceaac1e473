/**
 * What ranked answers become: an answer file for each place, so that the groups of the first, the second, … can be judged by
 * somebody who did not rank them; and training data out of the best answers (rejection sampling: Touvron et al. 2023, arXiv
 * 2307.09288, section 3.2.3), which `train sft` reads. What is not kept is written aside, with the reason.
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../src/base/atomic.ts';
import { toJsonl } from '../src/base/jsonl.ts';
import { writeRecord, writers } from '../src/data/formats/write.ts';
import type { Conversation } from '../src/data/records.ts';
import { withSinks } from '../src/data/row-sink.ts';
import { type RankedRow, turnsOf } from './rank-rows.ts';

/** group-1.jsonl, group-2.jsonl, …: rows {id, prompt, output, reward}. Prompts with fewer answers are not in the later ones. */
export function writeGroups(folder: string, rows: readonly RankedRow[]): string[] {
  const places = rows.reduce((most, { candidates }) => Math.max(most, candidates.length), 0);
  return Array.from({ length: places }, (_, i) => {
    const group = rows.flatMap(({ id, prompt, candidates }) => {
      const own = candidates.find(({ rank }) => rank === i + 1);
      return own ? [{ id, prompt, output: own.text, reward: own.reward }] : [];
    });
    const file = join(folder, `group-${i + 1}.jsonl`);
    writeFileAtomic(file, toJsonl(group));
    return file;
  });
}

export const trainingForms = ['messages', 'alpaca'] as const;

export interface TrainingSelection {
  readonly file: string;
  readonly form: (typeof trainingForms)[number];
  /** Least reward of an answer that is kept. */
  readonly minReward?: number | undefined;
  /** Share of the prompts, 0–1, that is kept at most: those whose best answers have the highest rewards. */
  readonly topShare?: number | undefined;
  /** Where the others go. */
  readonly rejects: string;
}

export type RejectReason =
  | 'cut answer'
  | 'no reward'
  | 'below the least reward'
  | 'not in the top share'
  | 'cannot be written';

export interface TrainingSelected {
  readonly file: string;
  readonly rejects: string;
  readonly kept: number;
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>;
}

/** Of each prompt the best answer, or none: a cut one would teach not to end. */
export async function writeTraining(
  rows: readonly RankedRow[],
  { file, form, minReward, topShare = 1, rejects }: TrainingSelection,
): Promise<TrainingSelected> {
  const usable = rows.filter((row) => problemOf(row, minReward) === undefined).sort((a, b) => b.reward! - a.reward!);
  // Not a prompt fewer because 0.29 · 100 is 28.999….
  const top = new Set(usable.slice(0, Math.floor(topShare * rows.length + 1e-9)));
  const rejected: Partial<Record<RejectReason, number>> = {};
  let kept = 0;
  const { usual } = writers[form];
  await withSinks(
    [
      [file, usual],
      [rejects, 'lines'],
    ],
    async ([sink, rejectSink]) => {
      for (const row of rows) {
        const problem = problemOf(row, minReward) ?? (top.has(row) ? undefined : 'not in the top share');
        const made = problem ? { problem } : writeRecord(form, toConversation(row));
        if ('rows' in made) {
          for (const one of made.rows) await sink!.write(one);
          kept += 1;
          continue;
        }
        const reason = problem ?? 'cannot be written';
        rejected[reason] = (rejected[reason] ?? 0) + 1;
        const { id, prompt, output, reward } = row;
        await rejectSink!.write({ id, reason, ...(!problem && { detail: made.problem }), prompt, output, reward });
      }
    },
  );
  return { file, rejects, kept, rejected };
}

function problemOf({ reward, finishReason }: RankedRow, minReward: number | undefined): RejectReason | undefined {
  if (reward === null) return 'no reward';
  if (finishReason === 'length') return 'cut answer';
  return minReward !== undefined && reward < minReward ? 'below the least reward' : undefined;
}

function toConversation(row: RankedRow): Conversation {
  const { id, language, category, output, candidates } = row;
  const source = candidates.find(({ rank }) => rank === 1)?.source;
  return {
    id,
    messages: [...turnsOf(row), { role: 'assistant', content: output }],
    ...(language !== undefined && { language }),
    ...(category !== undefined && { category }),
    provenance: { source: 'generated', ...(source !== undefined && { teacher: source }) },
  };
}
