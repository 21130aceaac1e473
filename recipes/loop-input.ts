/** Settings of the rounds, held against each other and the files they name before anything is set up or asked. */
import { ConfigError } from '../src/base/errors.ts';
import { readPrompts } from '../src/data/prompts.ts';
import { type LoopConfig, scoringOf } from './loop-config.ts';
import { checkRewards } from './rl-input.ts';

export function checkLoop(config: LoopConfig, seeds: readonly string[]): void {
  const prompts = config.prompts.reduce((sum, file) => sum + readPrompts(file).length, 0);
  if (prompts < config.heldOut + 2) {
    throw new ConfigError(`loop.prompts: ${prompts} prompts, of which ${config.heldOut} are to be held out`, {
      hint: 'give more prompts, or a smaller loop.heldOut',
    });
  }
  checkRewards(config.rl.rewards, config.prompts);
  scoringOf(config, seeds);
}
