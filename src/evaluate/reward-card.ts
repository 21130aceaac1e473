/**
 * What a reward model is worth: its rewards of answers that were held out from its training, held against their ranks.
 *
 * Figures are over pairs of answers to one prompt of which one is known to be better; a pair counts 1 where that one has the
 * higher reward, ½ where the two are equal. Intervals are 95 % bootstraps over prompts: pairs of one prompt share their
 * answers. Comparisons favour long answers, so everything is told beside what "the longer one is better" would score, and
 * once more on the pairs where it is not. Lengths there are words, a Chinese character being one.
 */
import { bootstrapMean, type Interval, mean } from '../base/intervals.ts';
import type { Message } from '../base/message.ts';
import { Rng } from '../base/rng.ts';
import type { GroupPair } from '../data/answer-groups.ts';
import type { PreferenceAnswer } from '../data/preferences.ts';
import { countWords } from '../text/words.ts';
import { type Calibration, calibrate } from './calibration.ts';
import { type Correlation, correlate } from './correlation.ts';

/** A line of held-out.jsonl: a prompt's answers with their rewards. */
export interface RewardedGroup {
  readonly id: string;
  readonly language?: string;
  readonly category?: string;
  readonly prompt: readonly Message[];
  readonly answers: readonly RewardedAnswer[];
  readonly pairs: readonly GroupPair[];
}

export interface RewardedAnswer extends PreferenceAnswer {
  /** Of the answer alone. */
  readonly tokens: number;
  readonly reward: number;
}

/** Where the interval of an accuracy lies: on one side of 50 %, or across. */
export type Evidence = 'better than chance' | 'worse than chance' | 'no evidence';

export interface PairAccuracy {
  readonly pairs: number;
  readonly prompts: number;
  /** Share of pairs, 0–1. */
  readonly accuracy: Interval;
  readonly evidence: Evidence;
  /** What "the longer one is better" scores on the same pairs, equal lengths counting ½. */
  readonly longerWins: Interval;
}

export type NamedAccuracy = PairAccuracy & { readonly name: string };

export interface Disagreement {
  readonly id: string;
  readonly language?: string;
  readonly prompt: readonly Message[];
  readonly better: RewardedAnswer;
  readonly worse: RewardedAnswer;
  readonly margin?: number;
  /** By how much the worse one's reward is higher. */
  readonly gap: number;
}

/** The answer of the highest reward against one drawn at random and against the best; over prompts. */
export interface PickFigures {
  readonly prompts: number;
  readonly pick: Interval;
  readonly random: Interval;
  readonly best: Interval;
  /** How much better the pick is than a random one. */
  readonly gain: Interval;
  /** Of what the best would gain, what the pick gains; null where there is nothing to gain. */
  readonly shareOfPossible: Interval | null;
}

export interface RewardCard {
  readonly prompts: number;
  readonly answers: number;
  readonly pairs: number;
  /** Answers whose reward is no finite number: left out with their pairs. */
  readonly notFinite: number;
  /** null where no pair is left. */
  readonly all: PairAccuracy | null;
  /** Accuracy − that of "the longer one is better". */
  readonly overLongerWins: Interval | null;
  /** Pairs whose better answer is not the longer one; null where there are none. */
  readonly notLonger: PairAccuracy | null;
  readonly margins: readonly NamedAccuracy[];
  readonly languages: readonly NamedAccuracy[];
  readonly sources: readonly NamedAccuracy[];
  /** Of σ(r₁ − r₂) as the probability that the first is the better. */
  readonly calibration: Calibration;
  /** Of an answer's reward with its tokens. */
  readonly length: Correlation;
  /** By rank, 1 being the best; and by the judge's score over the prompts whose answers all have one. */
  readonly pick: {
    readonly answersPerPrompt: number;
    readonly rank: PickFigures | null;
    readonly score: PickFigures | null;
  };
  /** The worst first. */
  readonly disagreements: readonly Disagreement[];
  readonly disagreementsInAll: number;
}

interface JudgedPair {
  readonly group: RewardedGroup;
  readonly better: RewardedAnswer;
  readonly worse: RewardedAnswer;
  readonly margin: number | undefined;
}

const shownDisagreements = 50;
/** Numbers drawn for an interval, so that many prompts take no longer than few. */
const drawnInAll = 2e6;

export function rewardCard(groups: readonly RewardedGroup[], { seed = 1 }: { seed?: number } = {}): RewardCard {
  const isSound = ({ reward }: RewardedAnswer): boolean => Number.isFinite(reward);
  const pairs = groups.flatMap((group) =>
    group.pairs.flatMap(({ better: winner, worse: loser, margin }): JudgedPair[] => {
      const [better, worse] = [group.answers[winner]!, group.answers[loser]!];
      return isSound(better) && isSound(worse) ? [{ group, better, worse, margin }] : [];
    }),
  );
  const answers = groups.flatMap(({ answers: own }, group) => own.map((answer) => ({ answer, group })));
  const sound = answers.filter(({ answer }) => isSound(answer));
  const accuracy = (own: readonly JudgedPair[]) => accuracyOf(own, seed);
  const named = (nameOf: (pair: JudgedPair) => string, order?: readonly string[]): NamedAccuracy[] => {
    const names = [...new Set(pairs.map(nameOf))].sort();
    return (order?.filter((name) => names.includes(name)) ?? names).map((name) => {
      return { name, ...accuracy(pairs.filter((pair) => nameOf(pair) === name))! };
    });
  };
  const wrong = pairs.filter(({ better, worse }) => worse.reward > better.reward).sort((a, b) => gapOf(b) - gapOf(a));
  return {
    prompts: groups.length,
    answers: answers.length,
    pairs: pairs.length,
    notFinite: answers.length - sound.length,
    all: accuracy(pairs) ?? null,
    overLongerWins: byPrompt(pairs, (pair) => rightOf(pair) - longerWins(pair), seed) ?? null,
    notLonger: accuracy(pairs.filter((pair) => longerWins(pair) < 1)) ?? null,
    margins: named(({ margin }) => marginName(margin), marginNames),
    languages: named(({ group }) => group.language ?? 'unknown'),
    sources: named(sourcesOf),
    calibration: calibrate(pairs.map((pair) => orient(pair, seed))),
    length: correlate(
      sound.map(({ answer, group }) => ({ x: answer.reward, y: answer.tokens, group })),
      { seed },
    ),
    pick: picksOf(
      groups.map((group) => group.answers.filter(isSound)).filter(({ length }) => length > 1),
      seed,
    ),
    disagreements: wrong.slice(0, shownDisagreements).map(disagreementOf),
    disagreementsInAll: wrong.length,
  };
}

const rightOf = ({ better, worse }: JudgedPair): number => higher(better.reward, worse.reward);
/** 1: the better is longer, 0: the worse is, ½: neither. */
export const longerWins = ({ better, worse }: Pick<JudgedPair, 'better' | 'worse'>): number =>
  higher(countWords(better.content), countWords(worse.content));
const higher = (a: number, b: number): number => (a > b ? 1 : a === b ? 0.5 : 0);
const gapOf = ({ better, worse }: JudgedPair): number => worse.reward - better.reward;

/** Upper ends, in the judge's units. */
const marginNames = ['up to 1', 'over 1 to 2', 'over 2 to 4', 'over 4', 'not known'];
const marginEnds = [1, 2, 4, Number.POSITIVE_INFINITY];
export const marginName = (margin: number | undefined): string =>
  margin === undefined ? marginNames.at(-1)! : marginNames[marginEnds.findIndex((end) => margin <= end)]!;

export const sourcesOf = ({ better, worse }: Pick<JudgedPair, 'better' | 'worse'>): string =>
  [better.source ?? 'unknown', worse.source ?? 'unknown'].sort().join(' / ');

/** Fewer prompts cannot tell right from luck: 2 · ½⁵ > 0.05, and a bootstrap of so few is too narrow. */
const fewestPrompts = 6;

function accuracyOf(pairs: readonly JudgedPair[], seed: number): PairAccuracy | undefined {
  const accuracy = shareOf(pairs, rightOf, seed);
  const longer = shareOf(pairs, longerWins, seed);
  if (!accuracy || !longer) return undefined;
  const { n: prompts, low, high } = accuracy;
  const isSure = prompts >= fewestPrompts && (low > 0.5 || high < 0.5);
  const evidence = !isSure ? 'no evidence' : low > 0.5 ? 'better than chance' : 'worse than chance';
  return { pairs: pairs.length, prompts, accuracy, evidence, longerWins: longer };
}

/** Where all are right, or none, drawing them again shows nothing: there the exact bound for so many prompts stands. */
function shareOf(
  pairs: readonly JudgedPair[],
  measure: (pair: JudgedPair) => number,
  seed: number,
): Interval | undefined {
  const share = byPrompt(pairs, measure, seed);
  const bound = share && 0.025 ** (1 / share.n);
  if (share?.mean === 1) return { ...share, low: bound! };
  return share?.mean === 0 ? { ...share, high: 1 - bound! } : share;
}

/** Mean over pairs; its interval draws prompts with all their pairs. */
function byPrompt(
  pairs: readonly JudgedPair[],
  measure: (pair: JudgedPair) => number,
  seed: number,
): Interval | undefined {
  const sums = new Map<RewardedGroup, { sum: number; count: number }>();
  for (const pair of pairs) {
    const own = sums.get(pair.group) ?? { sum: 0, count: 0 };
    sums.set(pair.group, { sum: own.sum + measure(pair), count: own.count + 1 });
  }
  const all = [...sums.values()];
  return overPrompts(
    all.map(({ sum, count }) => sum / count),
    seed,
    all.map(({ count }) => count),
  );
}

function overPrompts(values: readonly number[], seed: number, weights?: readonly number[]): Interval | undefined {
  const draws = Math.max(1000, Math.min(10_000, Math.floor(drawnInAll / Math.max(1, values.length))));
  return bootstrapMean(values, { draws, seed, ...(weights && { weights }) });
}

/**
 * σ(r₁ − r₂) against how often the first was the better. Which of the two comes first is drawn by seed: with the better always
 * first there would be nothing to find out.
 */
function orient({ group, better, worse }: JudgedPair, seed: number): { predicted: number; cameAbout: boolean } {
  const isFirst = new Rng('calibration', seed, group.id, better.content, worse.content).bits() % 2 === 0;
  const difference = (isFirst ? 1 : -1) * (better.reward - worse.reward);
  return { predicted: 1 / (1 + Math.exp(-difference)), cameAbout: isFirst };
}

function picksOf(groups: readonly (readonly RewardedAnswer[])[], seed: number): RewardCard['pick'] {
  const scored = groups.filter((answers) => answers.every(({ score }) => score !== undefined));
  const answers = groups.reduce((sum, { length }) => sum + length, 0);
  return {
    answersPerPrompt: groups.length === 0 ? 0 : answers / groups.length,
    rank: pickFigures(groups, ({ rank }) => rank, -1, seed),
    score: pickFigures(scored, ({ score }) => score!, 1, seed),
  };
}

/** `sign`: 1 where more is better, −1 where less is. Of several with the highest reward the pick is the mean. */
function pickFigures(
  groups: readonly (readonly RewardedAnswer[])[],
  measure: (answer: RewardedAnswer) => number,
  sign: 1 | -1,
  seed: number,
): PickFigures | null {
  const of = groups.map((answers) => {
    const values = answers.map(measure);
    const most = Math.max(...answers.map(({ reward }) => reward));
    const picked = values.filter((_, i) => answers[i]!.reward === most);
    return { pick: mean(picked), random: mean(values), best: sign * Math.max(...values.map((one) => sign * one)) };
  });
  const gains = of.map(({ pick, random }) => sign * (pick - random));
  const possible = of.map(({ best, random }) => sign * (best - random));
  const open = [...possible.keys()].filter((i) => possible[i]! > 0);
  const shareAt = (i: number) => gains[i]! / possible[i]!;
  const figure = (values: readonly number[]) => overPrompts(values, seed);
  const gain = figure(gains);
  if (!gain) return null;
  return {
    prompts: groups.length,
    pick: figure(of.map(({ pick }) => pick))!,
    random: figure(of.map(({ random }) => random))!,
    best: figure(of.map(({ best }) => best))!,
    gain,
    shareOfPossible:
      overPrompts(
        open.map(shareAt),
        seed,
        open.map((i) => possible[i]!),
      ) ?? null,
  };
}

const disagreementOf = ({ group, better, worse, margin }: JudgedPair): Disagreement => ({
  id: group.id,
  ...(group.language !== undefined && { language: group.language }),
  prompt: group.prompt,
  better,
  worse,
  ...(margin !== undefined && { margin }),
  gap: worse.reward - better.reward,
});
