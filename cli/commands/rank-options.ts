/** What `answer --best-of` and `rank` have in common: the reward model, and what ranked answers become. */
import { Option } from 'commander';
import type { TrainingSelected } from '../../recipes/rank-outputs.ts';
import type { RankCounts, RankedRow } from '../../recipes/rank-rows.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { type Command, modelFolder, realNumber } from '../command.ts';
import { dim, say } from '../terminal.ts';
import { checkDistinct, sayCounts } from './data-options.ts';

export interface RankedFlags {
  readonly out: string;
  readonly groups?: string;
  readonly training?: string;
  readonly as?: 'messages' | 'alpaca';
  readonly minReward?: number;
  readonly topShare?: number;
  readonly rejects?: string;
}

export const rewardModelText = 'a reward model: a folder, a folder of adapters, or org/name on the hub';

export const withRankedOptions = (command: Command): Command =>
  command
    .option('--groups <folder>', 'an answer file for each rank: group-1.jsonl holds the best')
    .option('--training <file>', 'training data for `train sft` out of the best answers')
    .addOption(new Option('--as <form>', 'of --training (default: messages)').choices(['messages', 'alpaca']))
    .option('--min-reward <x>', 'of --training: least reward of an answer', realNumber)
    .option(
      '--top-share <share>',
      'of --training: share of the prompts at most, those of the highest rewards',
      realNumber,
    )
    .option('--rejects <file>', 'of --training: the prompts that are not in it, with the reason (default: beside it)');

/** Before anything is loaded. */
export function checkRankedFlags(flags: RankedFlags, inputs: Readonly<Record<string, string>>): void {
  const { out, training, as, minReward, topShare, rejects } = flags;
  const idle = Object.entries({ '--as': as, '--min-reward': minReward, '--top-share': topShare, '--rejects': rejects });
  const given = idle.filter(([, value]) => value !== undefined).map(([flag]) => flag);
  if (training === undefined && given.length > 0) {
    throw new ConfigError(`${given.join(', ')}: expected --training FILE with it`, {
      hint: 'these choose which best answers become training data',
    });
  }
  if (topShare !== undefined && !(topShare > 0 && topShare <= 1))
    throw new ConfigError(`--top-share: expected a share above 0, up to 1, got ${topShare}`);
  checkDistinct({
    ...inputs,
    '--out': out,
    '--training': training,
    '--rejects': training === undefined ? undefined : rejectsOf(flags),
  });
}

const rejectsOf = ({ training = '', rejects }: RankedFlags): string => rejects ?? `${training}.rejected.jsonl`;

/** A folder that is there must be a reward model's; what is on the hub is looked at once it is fetched. */
export async function rewardFolder(name: string): Promise<string> {
  const folder = modelFolder(name);
  await checkRewardModel(folder);
  return folder;
}

export async function checkRewardModel(folder: string): Promise<void> {
  const { existsSync } = await import('node:fs');
  const { join } = await import('node:path');
  const { readModelConfig } = await import('../../src/model/config.ts');
  if (!existsSync(join(folder, 'config.json')) || readModelConfig(folder).scalarHead) return;
  throw new ConfigError(`${folder} is no reward model: it writes text and gives no scores`, {
    hint: 'train one: ./understudy train reward --model FOLDER --data COMPARISONS --out REWARD-MODEL',
  });
}

export interface RankedOutputs {
  readonly ranks: RankCounts;
  readonly groups?: readonly string[];
  readonly training?: TrainingSelected;
}

/** Reads what was written, so that a run that is found done gives the same. */
export async function writeRankedOutputs(flags: RankedFlags): Promise<RankedOutputs> {
  const { readRankedRows } = await import('../../recipes/rank-input.ts');
  const { countRanks } = await import('../../recipes/rank-rows.ts');
  const { writeGroups, writeTraining } = await import('../../recipes/rank-outputs.ts');
  const rows: readonly RankedRow[] = readRankedRows(flags.out);
  const { groups, training, as: form = 'messages', minReward, topShare } = flags;
  return {
    ranks: countRanks(rows),
    ...(groups !== undefined && { groups: writeGroups(groups, rows) }),
    ...(training !== undefined && {
      training: await writeTraining(rows, { file: training, form, minReward, topShare, rejects: rejectsOf(flags) }),
    }),
  };
}

export async function sayRanked({ ranks, groups, training }: RankedOutputs): Promise<void> {
  const { fixed, plural } = await import('../../src/report/format.ts');
  const { candidates, empty, notFinite, single, allEqual, meanBest, meanAll } = ranks;
  if (meanBest !== null && meanAll !== null)
    say(`  reward: ${fixed(meanBest, 3)} of the best, ${fixed(meanAll, 3)} of all ${plural(candidates, 'answer')}`);
  const counts = {
    'empty answers, not scored': empty,
    'answers whose reward is no finite number': notFinite,
    'prompts with one answer, nothing to rank': single,
    'prompts whose answers all have the same reward, the first is taken': allEqual,
  };
  for (const [what, count] of Object.entries(counts)) if (count > 0) say(dim(`  ${count} ${what}`));
  if (groups) say(`  ${groups[0]} … ${groups.length} ranked groups`);
  if (!training) return;
  say(`  ${training.file}: ${plural(training.kept, 'row')} to train on; the others: ${training.rejects}`);
  sayCounts('rejected', training.rejected as Record<string, number>);
}
