/** A fine-tuning's events as progress: loss, rate, time left. */
import type { Progress } from '../src/run/progress.ts';
import type { SftResult } from './sft.ts';
import type { TrainingEvent } from './training.ts';

export async function showSft(
  bar: Progress,
  train: (onEvent: (event: TrainingEvent) => void) => Promise<SftResult>,
): Promise<SftResult> {
  let before: number | undefined;
  const result = await train((event) => {
    if (event.kind === 'note') return bar.note(event.text);
    const { step, loss, tokens, seconds } = event.row;
    const rate = before === undefined ? '' : `  ${Math.round((tokens - before) / seconds)} tokens/s`;
    before = tokens;
    return bar.update(step, event.steps, `loss ${loss.toFixed(3)}${rate}`);
  });
  bar.finish(`${result.steps} steps, ${result.trainedTokens} tokens, ${result.model}`);
  return result;
}
