/** A training's events as progress: loss, rate, time left. */
import type { Progress } from '../src/run/progress.ts';
import type { TrainingEvent, TrainingResult } from './training.ts';

export async function showTraining<Result extends TrainingResult>(
  bar: Progress,
  train: (onEvent: (event: TrainingEvent) => void) => Promise<Result>,
): Promise<Result> {
  let before: number | undefined;
  const result = await train((event) => {
    if (event.kind === 'note') return bar.note(event.text);
    const { step, loss, tokens, seconds, metrics } = event.row;
    const rate = before === undefined ? '' : `  ${Math.round((tokens - before) / seconds)} tokens/s`;
    const right = metrics?.['accuracy'] ?? metrics?.['rewards/accuracies'];
    const accuracy = right === undefined ? '' : `  ${Math.round(100 * right)} % right`;
    before = tokens;
    return bar.update(step, event.steps, `loss ${loss.toFixed(3)}${accuracy}${rate}`);
  });
  bar.finish(`${result.steps} steps, ${result.trainedTokens} tokens, ${result.model}`);
  return result;
}
