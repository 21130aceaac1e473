/** What can be found wrong with a training on compared answers before anything is set up or loaded: words only, no libtorch. */
import { DataError } from '../src/base/errors.ts';
import type { GroupReceipt } from '../src/data/answer-groups.ts';
import { readPreferences } from '../src/data/formats.ts';
import { checkOutput, checkSettings, checkTemplate, checkTrainable } from './sft-input.ts';
import type { TrainingConfig } from './training-config.ts';

export function checkComparisonInput(config: TrainingConfig): void {
  checkTemplate(config.template);
  checkSettings(config);
  for (const file of config.data) readPreferences(file);
  checkOutput(config.output);
  checkTrainable(config.model);
}

/** Found once tokens are counted. */
export function refuseNothingToRank(
  { data }: Pick<TrainingConfig, 'data'>,
  { pairs, ties, dropped }: GroupReceipt,
): void {
  if (pairs > 0) return;
  const issues = dropped.length > 0 ? dropped : [{ message: 'no prompts' }];
  const hint =
    ties > 0 ? `all ${ties} pairs are ties: judge them again, head to head` : 'raise --max-tokens or mend the data';
  throw new DataError(data.join(', '), issues, { hint });
}
