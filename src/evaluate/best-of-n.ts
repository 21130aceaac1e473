/**
 * What picking the best of n answers by reward brings, for every n, from one pool of N answers a prompt: the mean over all
 * subsets of n of what the subset's best has, without drawing any. With rewards in ascending order the i-th of N is the
 * best of C(i−1, n−1) of the C(N, n) subsets, so the estimate is unbiased (Nakano et al. 2021, arXiv 2112.09332, appendix I,
 * use the same for their curves). Answers of equal reward share their chances.
 *
 * Beside the reward stand the length of the pick and whatever else was measured of the answers by somebody who did not pick
 * them. Where rewards rise and that does not, the reward model is being pleased, not the reader (Gao et al. 2022, arXiv
 * 2210.10760). Intervals are 95 % bootstraps over prompts: they do not say how another pool of the same prompts would differ.
 */
import { bootstrapMean, type Interval } from '../base/intervals.ts';

export interface PooledAnswer {
  readonly reward: number;
  /** Words. */
  readonly length: number;
  /** 1 for the highest reward of its prompt. */
  readonly rank: number;
  /** By name of the measure; the higher the better. */
  readonly values: Readonly<Record<string, number>>;
}

export interface AnswerPool {
  readonly id: string;
  readonly answers: readonly PooledAnswer[];
}

/** Of the answer that is picked, or of a ranked group. A measure is over the prompts all of whose answers have it. */
export interface PickMeans {
  readonly reward: Interval;
  readonly length: Interval;
  readonly values: Readonly<Record<string, Interval>>;
}

export type CurvePoint = PickMeans & { readonly n: number };
/** All answers that are k-th of their prompt. */
export type RankedGroup = PickMeans & { readonly rank: number };

export interface MeasureWarning {
  readonly measure: string;
  /** `flat`: it does not rise from 1 to the largest n while the reward does. `falls`: it falls over that range. `past its best`: it falls from some n on. */
  readonly kind: 'flat' | 'falls' | 'past its best';
  readonly from: number;
  readonly to: number;
  /** Of the reward and of the measure between the two, over the same prompts. */
  readonly reward: Interval;
  readonly change: Interval;
}

export interface BestOfCurve {
  readonly prompts: number;
  /** Prompts left out: fewer than half as many answers as the largest pool, or fewer than two. */
  readonly leftOut: number;
  /** The smallest pool of those that are not left out: the largest n. */
  readonly poolSize: number;
  readonly points: readonly CurvePoint[];
  /** From the first point to the last. */
  readonly gain: PickMeans | null;
  readonly groups: readonly RankedGroup[];
  readonly warnings: readonly MeasureWarning[];
}

/** Chance of each answer to be the best of n that are drawn from all of them without putting back; they sum to 1. */
export function pickChances(rewards: readonly number[], n: number): Float64Array {
  const count = rewards.length;
  if (!(Number.isInteger(n) && 1 <= n && n <= count))
    throw new RangeError(`pickChances: expected n from 1 to ${count}, got ${n}`);
  const order = [...rewards.keys()].sort((a, b) => rewards[a]! - rewards[b]!);
  const chances = new Float64Array(count);
  // C(i−1, n−1) / C(N, n), from the highest down: n / N, then times (i − n) / (i − 1).
  let chance = n / count;
  for (let i = count; i >= n; i--) {
    chances[order[i - 1]!] = chance;
    chance *= i > 1 ? (i - n) / (i - 1) : 0;
  }
  for (let start = 0; start < count; ) {
    let end = start;
    let sum = 0;
    for (; end < count && rewards[order[end]!] === rewards[order[start]!]; end++) sum += chances[order[end]!]!;
    for (let at = start; at < end; at++) chances[order[at]!] = sum / (end - start);
    start = end;
  }
  return chances;
}

/** Each up to 8, then ever farther apart, and the pool's size. */
export function curveSizes(poolSize: number): number[] {
  const sizes = Array.from({ length: 8 }, (_, i) => i + 1);
  for (let n = 8; n < poolSize; n *= 2) sizes.push(1.25 * n, 1.5 * n, 2 * n);
  return [...new Set([...sizes.filter((n) => n < poolSize), poolSize])];
}

/** undefined where no prompt has two answers. */
export function bestOfCurve(
  pools: readonly AnswerPool[],
  { seed = 1 }: { seed?: number } = {},
): BestOfCurve | undefined {
  const largest = pools.reduce((most, { answers }) => Math.max(most, answers.length), 0);
  const kept = pools.filter(({ answers }) => answers.length >= Math.max(2, largest / 2));
  if (kept.length === 0) return undefined;
  const poolSize = kept.reduce((least, { answers }) => Math.min(least, answers.length), largest);
  const sizes = curveSizes(poolSize);
  const measures = [...new Set(kept.flatMap(({ answers }) => answers.flatMap(({ values }) => Object.keys(values))))];
  const hasAll = ({ answers }: AnswerPool, measure: string) => answers.every(({ values }) => measure in values);
  const expected = sizes.map((n) => kept.map((pool) => expectedPick(pool, n, measures)));
  const points = sizes.map((n, at): CurvePoint => ({ n, ...meansOf(expected[at]!, measures, seed) }));
  const changes = (from: number, to: number, of: (pool: AnswerPool) => boolean) =>
    kept.flatMap((pool, i) => (of(pool) ? [changeOf(expected[from]![i]!, expected[to]![i]!)] : []));

  const last = sizes.length - 1;
  const warnings = measures.flatMap((measure): MeasureWarning[] => {
    const between = (from: number): Omit<MeasureWarning, 'kind' | 'measure'> | undefined => {
      const { reward, values } = meansOf(
        changes(from, last, (pool) => hasAll(pool, measure)),
        [measure],
        seed,
      );
      const change = values[measure];
      return change && { from: sizes[from]!, to: sizes[last]!, reward, change };
    };
    const whole = between(0);
    if (!whole || !(whole.reward.low > 0)) return [];
    if (whole.change.low <= 0) return [{ measure, kind: whole.change.high < 0 ? 'falls' : 'flat', ...whole }];
    const top = points.reduce(
      (best, { values }, at) => (values[measure]!.mean > points[best]!.values[measure]!.mean ? at : best),
      0,
    );
    const since = between(top);
    return since && since.change.high < 0 && since.reward.low > 0 ? [{ measure, kind: 'past its best', ...since }] : [];
  });
  return {
    prompts: kept.length,
    leftOut: pools.length - kept.length,
    poolSize,
    points,
    gain:
      last === 0
        ? null
        : meansOf(
            changes(0, last, () => true),
            measures,
            seed,
          ),
    groups: rankedGroups(kept, poolSize, measures, seed),
    warnings,
  };
}

/** A prompt's expected pick. */
interface Expected {
  readonly reward: number;
  readonly length: number;
  readonly values: Readonly<Record<string, number>>;
}

function expectedPick({ answers }: AnswerPool, n: number, measures: readonly string[]): Expected {
  const chances = pickChances(
    answers.map(({ reward }) => reward),
    n,
  );
  const mean = (of: (answer: PooledAnswer) => number) =>
    answers.reduce((sum, answer, i) => sum + chances[i]! * of(answer), 0);
  const known = measures.filter((measure) => answers.every(({ values }) => measure in values));
  return {
    reward: mean(({ reward }) => reward),
    length: mean(({ length }) => length),
    values: Object.fromEntries(known.map((measure) => [measure, mean(({ values }) => values[measure]!)])),
  };
}

const changeOf = (from: Expected, to: Expected): Expected => ({
  reward: to.reward - from.reward,
  length: to.length - from.length,
  values: Object.fromEntries(Object.entries(to.values).map(([name, value]) => [name, value - from.values[name]!])),
});

/** Numbers drawn for an interval, so that many prompts take no longer than few. */
const drawnInAll = 2e6;

/** Over prompts: at least one. */
function meansOf(all: readonly Expected[], measures: readonly string[], seed: number): PickMeans {
  const draws = Math.max(1000, Math.min(10_000, Math.floor(drawnInAll / Math.max(1, all.length))));
  const mean = (values: readonly number[]) => bootstrapMean(values, { draws, seed });
  const values = measures.flatMap((measure) => {
    const found = mean(all.flatMap((one) => one.values[measure] ?? []));
    return found ? [[measure, found] as const] : [];
  });
  return {
    reward: mean(all.map(({ reward }) => reward))!,
    length: mean(all.map(({ length }) => length))!,
    values: Object.fromEntries(values),
  };
}

function rankedGroups(pools: readonly AnswerPool[], size: number, measures: readonly string[], seed: number) {
  return Array.from({ length: size }, (_, i): RankedGroup => {
    const ranked = pools.map(({ answers }) => [...answers].sort((a, b) => a.rank - b.rank)[i]!);
    return { rank: i + 1, ...meansOf(ranked, measures, seed) };
  });
}
