/** What can be found wrong with a reward model's training before anything is set up or loaded: words only, no libtorch. */
import { readPreferences } from '../src/data/formats.ts';
import type { RewardConfig } from './reward-config.ts';
import { checkOutput, checkSettings, checkTemplate, checkTrainable } from './sft-input.ts';

export function checkRewardInput(config: RewardConfig): void {
  checkTemplate(config.template);
  checkSettings(config);
  for (const file of config.data) readPreferences(file);
  checkOutput(config.output);
  checkTrainable(config.model);
}
