/** What can be found wrong with reinforcement learning before anything is set up or loaded: words only, no libtorch. */
import { join } from 'node:path';
import { ConfigError, DataError } from '../src/base/errors.ts';
import { readJson } from '../src/base/jsonl.ts';
import { readPrompts } from '../src/data/prompts.ts';
import { isHubName } from '../src/hub/names.ts';
import { adapterConfigFile, baseFolder, isAdapterFolder } from '../src/model/adapter-folder.ts';
import { readModelConfig, scalarHeadName } from '../src/model/config.ts';
import type { RewardSource, RlConfig } from './rl-config.ts';
import { checkOutput, checkTemplate, checkTrainable } from './sft-input.ts';

export function checkRlInput(config: RlConfig): void {
  checkTemplate(config.template);
  checkOutput(config.output);
  checkTrainable(config.model);
  const seen = new Set<string>();
  for (const file of config.data) {
    for (const { id } of readPrompts(file)) {
      if (seen.has(id))
        throw new DataError(file, { message: `"${id}" is another file's prompt already: ids must differ` });
      seen.add(id);
    }
  }
  checkRewards(config.rewards, config.data);
}

/** `files`: of the prompts whose answers are rewarded. Whether a teacher can be asked is not looked at. */
export function checkRewards(rewards: readonly RewardSource[], files: readonly string[]): void {
  if (rewards.some(({ kind }) => kind === 'exact')) files.forEach(checkReferences);
  for (const reward of rewards) {
    if (reward.kind === 'regex') checkPattern(reward.pattern, reward.flags);
    if (reward.kind === 'words' && reward.atMost === undefined && reward.atLeast === undefined) {
      throw new ConfigError('reward words: expected atMost or atLeast');
    }
    if (reward.kind === 'model' && !isHubName(reward.model) && !isRewardModel(reward.model)) {
      throw new ConfigError(`${reward.model} is no reward model`, { hint: 'train one: ./understudy train reward' });
    }
  }
}

/** The same rewards with every local model's name replaced, such as one on the hub by the folder it was fetched to. */
export const mapRewardModels = (
  rewards: readonly RewardSource[],
  map: (model: string) => Promise<string>,
): Promise<RewardSource[]> =>
  Promise.all(
    rewards.map(async (reward): Promise<RewardSource> => {
      if (reward.kind === 'model') return { ...reward, model: await map(reward.model) };
      if (reward.kind !== 'teacher' || reward.teacher.provider !== 'local') return reward;
      return { ...reward, teacher: { ...reward.teacher, model: await map(reward.teacher.model) } };
    }),
  );

function checkReferences(file: string): void {
  const lacking = readPrompts(file).find(({ reference }) => reference === undefined);
  if (!lacking) return;
  throw new DataError(file, {
    message: `${lacking.id}: reward exact needs the row's own answer, as output, answer or reference`,
  });
}

/** Adapters bring a head of their own, or are for a model that has one. */
function isRewardModel(folder: string): boolean {
  if (!isAdapterFolder(folder)) return readModelConfig(folder).scalarHead;
  const { modules_to_save: saved } = readJson(join(folder, adapterConfigFile)) as { modules_to_save?: unknown };
  const hasOwn = Array.isArray(saved) && saved.some((name) => `${name}.weight` === scalarHeadName);
  return hasOwn || readModelConfig(baseFolder(folder)).scalarHead;
}

function checkPattern(pattern: string, flags: string): void {
  try {
    new RegExp(pattern, flags);
  } catch (error) {
    throw new ConfigError(`reward regex: ${(error as Error).message}`);
  }
}
