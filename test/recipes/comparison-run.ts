/** Comparisons to train on in the tests, and trainings of reward models and by preference losses with Ctrl-C. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run as runDpo } from '../../recipes/dpo.ts';
import { type DpoConfig, dpoSchema } from '../../recipes/dpo-config.ts';
import { run as runReward } from '../../recipes/reward.ts';
import { type RewardConfig, rewardSchema } from '../../recipes/reward-config.ts';
import type { TrainingContext, TrainingEvent } from '../../recipes/training.ts';
import { scratch } from './sft-run.ts';

/** In TRL's form. */
export interface Comparison {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
  readonly margin?: number;
}

/** Answers with the word "yes" in them win. */
export const comparisons = (count: number): Comparison[] =>
  Array.from({ length: count }, (_, i) => ({
    prompt: `Is ${i} small?`,
    chosen: i % 2 === 0 ? `yes, ${i}` : `${i}: yes`,
    rejected: i % 2 === 0 ? `no, ${i}` : `${i}: no`,
  }));

export function rowsFile(name: string, rows: readonly unknown[]): string {
  const file = join(scratch, `${name}.jsonl`);
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}

const shared = (name: string) => ({
  output: join(scratch, name),
  dtype: 'float32',
  learningRate: 5e-3,
  batchTokens: 512,
  packTokens: 256,
  checkpointEverySteps: 3,
});

export const rewardConfig = (
  name: string,
  more: Partial<RewardConfig> & Pick<RewardConfig, 'model' | 'data'>,
): RewardConfig => rewardSchema.parse({ ...shared(name), ...more });

export const dpoConfig = (name: string, more: Partial<DpoConfig> & Pick<DpoConfig, 'model' | 'data'>): DpoConfig =>
  dpoSchema.parse({ ...shared(name), ...more });

export const trainReward = (config: RewardConfig, stopAfter?: number) => heard(runReward, config, stopAfter);
export const trainDpo = (config: DpoConfig, stopAfter?: number) => heard(runDpo, config, stopAfter);

/** Runs; `stopAfter` presses Ctrl-C when that step is done. */
async function heard<Config, Result>(
  run: (config: Config, context: TrainingContext) => Promise<Result>,
  config: Config,
  stopAfter?: number,
) {
  const controller = new AbortController();
  const events: TrainingEvent[] = [];
  const emit = (event: TrainingEvent) => {
    events.push(event);
    if (event.kind === 'step' && event.row.step === stopAfter) controller.abort();
  };
  const result = await run(config, { signal: controller.signal, emit });
  const notes = events.flatMap((event) => (event.kind === 'note' ? [event.text] : []));
  const rows = events.flatMap((event) => (event.kind === 'step' ? [event.row] : []));
  return { result, notes, rows };
}
