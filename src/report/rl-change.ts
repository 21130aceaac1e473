/** Whether the reward rose while a policy learned: the last quarter of its iterations against the first. */
import { bootstrapMean, type Interval, mean } from '../base/intervals.ts';
import { Rng } from '../base/rng.ts';
import type { RlAnswer, RlIteration } from './report-input.ts';

export type RewardVerdict = 'rose' | 'fell' | 'no clear change' | 'too few to say';

export interface RewardChange {
  /** Iterations in each of the two. */
  readonly iterations: number;
  /** Over prompts, each by the mean of its answers; n counts them. */
  readonly first: Interval;
  readonly last: Interval;
  /** Last − first, with its 95 % bootstrap over the prompts of each. */
  readonly change: Omit<Interval, 'n'>;
  readonly verdict: RewardVerdict;
}

/** Fewer cannot tell a rise from luck, as in the headline. */
const fewest = 6;
/** Numbers drawn in all, so that many prompts take no longer than few. */
const drawnInAll = 2e7;

export type Window = 'first' | 'last';

/** Of an iteration; undefined in the middle, and where there is one alone. */
export function windowOf(log: readonly RlIteration[]): (step: number) => Window | undefined {
  const size = windowSize(log);
  const steps = log.map(({ step }) => step);
  const [first, last] = [new Set(steps.slice(0, size)), new Set(size === 0 ? [] : steps.slice(-size))];
  return (step) => (first.has(step) ? 'first' : last.has(step) ? 'last' : undefined);
}

export const windowSize = (log: readonly RlIteration[]): number =>
  log.length < 2 ? 0 : Math.max(1, Math.floor(log.length / 4));

/** undefined where there is nothing to compare. */
export function rewardChange(log: readonly RlIteration[], answers: readonly RlAnswer[]): RewardChange | undefined {
  const window = windowOf(log);
  const [early, late] = (['first', 'last'] as const).map((wanted) =>
    promptMeans(answers.filter(({ step }) => window(step) === wanted)),
  ) as [number[], number[]];
  const [first, last] = [bootstrapMean(early), bootstrapMean(late)];
  if (!first || !last) return undefined;
  const draws = Math.max(1000, Math.min(10_000, Math.floor(drawnInAll / (first.n + last.n))));
  const rng = new Rng('reward change', 1);
  const drawn = (values: readonly number[]): number => mean(values.map(() => values[rng.int(values.length)]!));
  const changes = Array.from({ length: draws }, () => drawn(late) - drawn(early)).sort((a, b) => a - b);
  const [low, high] = [changes[Math.floor(0.025 * draws)]!, changes[Math.ceil(0.975 * draws) - 1]!];
  const change = { mean: last.mean - first.mean, low, high };
  const isFew = Math.min(first.n, last.n) < fewest;
  const verdict = isFew ? 'too few to say' : low > 0 ? 'rose' : high < 0 ? 'fell' : 'no clear change';
  return { iterations: windowSize(log), first, last, change, verdict };
}

/** Of each prompt in each iteration: answers to one prompt are not independent. */
function promptMeans(answers: readonly RlAnswer[]): number[] {
  const groups = new Map<string, number[]>();
  for (const { step, prompt, reward } of answers) {
    if (reward === null || !Number.isFinite(reward)) continue;
    const key = JSON.stringify([step, prompt]);
    groups.set(key, [...(groups.get(key) ?? []), reward]);
  }
  return [...groups.values()].map(mean);
}
