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
  { prompts, pairs, ties, sameText, dropped }: GroupReceipt,
): void {
  if (pairs > 0) return;
  // Every prompt is among what was dropped; the rest are answers.
  const tooLong = dropped.length - prompts;
  const found = [
    ...(ties > 0 ? [`ties: ${ties}, judge them again, head to head`] : []),
    ...(sameText > 0 ? [`pairs of equal text: ${sameText}, which teach nothing`] : []),
    ...(tooLong > 0 ? [`answers that are too long: ${tooLong}, raise --max-tokens`] : []),
  ];
  const hint = found.length > 0 ? found.join('; ') : 'give each prompt two answers, of which one is better';
  throw new DataError(data.join(', '), dropped.length > 0 ? dropped : [{ message: 'no prompts' }], { hint });
}
