/** What trainings on compared answers begin with alike (reward.ts, dpo.ts): groups of documents, held out or in steps. */
import {
  type AnswerGroup,
  encodeGroups,
  type GroupReceipt,
  type GroupStep,
  planGroups,
} from '../src/data/answer-groups.ts';
import { readPreferences } from '../src/data/formats.ts';
import { holdOut, type TokenDocument } from '../src/data/pack.ts';
import type { LoadedModel } from '../src/local/loaded-model.ts';
import { refuseNothingToRank } from './comparison-input.ts';
import type { TrainingContext } from './training.ts';
import type { TrainingConfig } from './training-config.ts';

export interface PlannedComparisons {
  readonly groups: readonly AnswerGroup[];
  readonly heldOut: readonly AnswerGroup[];
  readonly steps: readonly GroupStep[];
  readonly receipt: GroupReceipt;
  /** The data as it is learned. */
  readonly learned: unknown;
}

/** Comparisons become groups of documents, a prompt's answers together. */
export function planComparisons(
  config: TrainingConfig,
  { tokenizer, template }: Pick<LoadedModel, 'tokenizer' | 'template'>,
  { emit }: Pick<TrainingContext, 'emit'>,
): PlannedComparisons {
  const note = (text: string) => emit({ kind: 'note', text });
  const preferences = config.data.flatMap((file) => readPreferences(file));
  const { groups, receipt } = encodeGroups(preferences, tokenizer, template, config.maxTokens);
  refuseNothingToRank(config, receipt);
  const { training, heldOut } = holdOut(groups, config.evalShare, config.seed);
  const steps = planGroups(training, config);
  for (const { message } of receipt.dropped.slice(0, 5)) note(message);
  const { ties, sameText } = receipt;
  const silent = `${ties} ties${sameText > 0 ? ` and ${sameText} of equal text` : ''}`;
  note(
    `${receipt.kept} of ${receipt.prompts} prompts kept, with ${receipt.pairs} pairs (${silent} say nothing), ` +
      `${heldOut.length} prompts held out, ${steps.length} steps`,
  );
  const learned = groups.map(({ documents, pairs }) => [documents.map(({ ids }) => ids), pairs]);
  return { groups, heldOut, steps, receipt, learned };
}

export const documentsOf = (groups: readonly AnswerGroup[]): TokenDocument[] =>
  groups.flatMap(({ documents }) => documents);

export const promptsOf = (parts: GroupStep['parts']): number =>
  parts.reduce((sum, { groups }) => sum + groups.length, 0);
