/**
 * What a judge's verdicts come to, from the rows alone: for each model its scores, for each two models who won how often, and
 * what else the judge likes. No figure is without its denominator: calls that brought no verdict are counted by kind,
 * comparisons that lack one are left out of the figures, and what they could have changed is said as worst and best case.
 */
import {
  compared,
  type LengthPreference,
  lengthPreference,
  type PositionBias,
  positionBias,
  type SelfPreference,
  selfPreference,
} from './judge-biases.ts';
import { type Comparison, compareCalls, type JudgedCall, scale } from './judge-comparisons.ts';
import { type Cases, type Figure, meanOf, quotientOf } from './judge-figures.ts';
import { type Match, matchesOf } from './judge-plan.ts';
import type { JudgeMode } from './judge-rows.ts';
import { type LengthControlled, lengthControlledWinRate, type Unfit } from './length-controlled.ts';

export interface ResultSettings {
  readonly mode: JudgeMode;
  /** In the order of the results. */
  readonly models: readonly string[];
  readonly baseline: string | undefined;
  /** Judged models that count as the judge's own. */
  readonly own: readonly string[];
  /** Of the bootstrap. */
  readonly seed: number;
}

/** asked = answered + refused + failed; answered = parsed + unreadable. One call stands for all its askings. */
export interface CallCounts {
  readonly asked: number;
  readonly answered: number;
  readonly parsed: number;
  readonly unreadable: number;
  readonly refused: number;
  readonly failed: number;
}

/** Of a model whose answers got scores by themselves. */
export interface ModelScores extends CallCounts {
  readonly model: string;
  /** Of the scores that were read. */
  readonly sum: number;
  readonly mean: Figure;
  /** Of the mean, a missing score being 1 or 10; null where none is missing. */
  readonly bounds: Cases | null;
  readonly categories: readonly Named<Figure>[];
  readonly languages: readonly Named<Figure>[];
  readonly turns: readonly Named<Figure>[];
}

export type Named<T> = { readonly name: string } & T;

export interface Tally {
  /** Comparisons there should be; of turns, samples and questions. */
  readonly asked: number;
  /** Those with all their verdicts: what figures are over. compared = wins + ties + losses. */
  readonly compared: number;
  readonly wins: number;
  readonly ties: number;
  readonly losses: number;
  /** Mean of 1 for a win, ½ for a tie, 0 for a loss. */
  readonly winRate: Figure;
  /** Summed scores of the model / those of its opponent; absent in mode `pair`. */
  readonly ratio?: Figure;
}

export interface MatchResult extends Tally {
  readonly model: string;
  readonly opponent: string;
  readonly calls: CallCounts;
  /** Over the comparisons, a score being the mean of its two orders; absent in mode `pair`. */
  readonly sums?: { readonly model: number; readonly opponent: number };
  /** Were every missing verdict as bad, or as good, for the model as can be; null where none is missing. */
  readonly bounds: { readonly winRate: Cases; readonly ratio?: Cases } | null;
  readonly lengthControlled: LengthControlled | Unfit;
  /** Absent in mode `single`: nothing is shown first. */
  readonly position?: PositionBias;
  readonly length: LengthPreference;
  readonly categories: readonly Named<Tally>[];
  readonly languages: readonly Named<Tally>[];
  readonly turns: readonly Named<Tally>[];
}

export interface JudgeResults {
  readonly calls: CallCounts;
  readonly questions: number;
  /** Mode `single` alone. */
  readonly models: readonly ModelScores[];
  readonly matches: readonly MatchResult[];
  /** Over all matches. */
  readonly position?: PositionBias;
  readonly length?: LengthPreference;
  readonly selfPreference: SelfPreference;
}

export function judgeResults(calls: readonly JudgedCall[], settings: ResultSettings): JudgeResults {
  const { mode, models, baseline, own, seed } = settings;
  const matches = matchesOf(models, baseline).map((match) => ({
    match,
    comparisons: compareCalls(mode, calls, match),
  }));
  const all = matches.flatMap(({ comparisons }) => comparisons);
  const position = positionBias(all, seed);
  return {
    calls: countCalls(calls),
    questions: new Set(calls.map(({ question }) => question)).size,
    models: mode === 'single' ? models.map((model) => modelScores(model, calls, seed)) : [],
    matches: matches.map(({ match, comparisons }) => matchResult(match, comparisons, callsOf(match, calls), seed)),
    ...(position && { position }),
    ...(all.length > 0 && { length: lengthPreference(all, seed) }),
    selfPreference: selfPreference(matches, own, baseline, seed),
  };
}

const callsOf = (match: Match, calls: readonly JudgedCall[]): JudgedCall[] =>
  calls.filter(({ models }) => models.every((name) => match.includes(name)));

export function countCalls(calls: readonly Pick<JudgedCall, 'verdict' | 'problem'>[]): CallCounts {
  const of = (kind: string): number =>
    calls.filter(({ verdict, problem }) => verdict === undefined && problem?.kind === kind).length;
  const parsed = calls.filter(({ verdict }) => verdict !== undefined).length;
  const [unreadable, refused, failed] = ['unreadable', 'refused', 'failed'].map(of) as [number, number, number];
  return { asked: calls.length, answered: parsed + unreadable, parsed, unreadable, refused, failed };
}

function modelScores(model: string, calls: readonly JudgedCall[], seed: number): ModelScores {
  const own = calls.filter(({ models }) => models[0] === model);
  const counts = countCalls(own);
  const scored = own.flatMap(({ verdict, ...call }) =>
    verdict && 'score' in verdict ? [{ ...call, value: verdict.score }] : [],
  );
  const sum = scored.reduce((total, { value }) => total + value, 0);
  const missing = counts.asked - counts.parsed;
  const ifAll = (score: number): number => (sum + missing * score) / counts.asked;
  return {
    model,
    ...counts,
    sum,
    mean: meanOf(scored, seed),
    bounds: missing === 0 ? null : { worst: ifAll(scale.lowest), best: ifAll(scale.highest) },
    ...breakdown(scored, (some) => meanOf(some, seed)),
  };
}

function matchResult(
  [model, opponent]: Match,
  comparisons: readonly Comparison[],
  calls: readonly JudgedCall[],
  seed: number,
): MatchResult {
  const both = compared(comparisons);
  const position = positionBias(comparisons, seed);
  return {
    model,
    opponent,
    calls: countCalls(calls),
    ...tallyOf(comparisons, seed),
    ...sumsOf(both),
    bounds: boundsOf(comparisons),
    lengthControlled: lengthControlledWinRate(
      both.map(({ question, preference, lengthDifference }) => ({ question, preference, lengthDifference })),
      { seed },
    ),
    ...(position && { position }),
    length: lengthPreference(comparisons, seed),
    ...breakdown(comparisons, (some) => tallyOf(some, seed)),
  };
}

function tallyOf(comparisons: readonly Comparison[], seed: number): Tally {
  const both = compared(comparisons);
  const of = (value: number): number => both.filter(({ preference }) => preference === value).length;
  const scored = both.flatMap(({ question, scores }) =>
    scores ? [{ question, over: scores.model.low, under: scores.opponent.low }] : [],
  );
  return {
    asked: comparisons.length,
    compared: both.length,
    wins: of(1),
    ties: of(0.5),
    losses: of(0),
    winRate: meanOf(
      both.map(({ question, preference }) => ({ question, value: preference })),
      seed,
    ),
    ...(comparisons.some(({ scores }) => scores) && { ratio: quotientOf(scored, seed) }),
  };
}

function sumsOf(both: readonly Comparison[]): Pick<MatchResult, 'sums'> {
  if (!both.some(({ scores }) => scores)) return {};
  const sum = (whose: 'model' | 'opponent'): number =>
    both.reduce((total, { scores }) => total + (scores?.[whose].low ?? 0), 0);
  return { sums: { model: sum('model'), opponent: sum('opponent') } };
}

function boundsOf(all: readonly Comparison[]): MatchResult['bounds'] {
  if (all.every(({ preference }) => preference !== undefined)) return null;
  const mean = (end: 'low' | 'high'): number => all.reduce((sum, { possible }) => sum + possible[end], 0) / all.length;
  const sum = (whose: 'model' | 'opponent', end: 'low' | 'high'): number =>
    all.reduce((total, { scores }) => total + (scores?.[whose][end] ?? 0), 0);
  const hasScores = all.some(({ scores }) => scores);
  const ratio = {
    worst: sum('model', 'low') / sum('opponent', 'high'),
    best: sum('model', 'high') / sum('opponent', 'low'),
  };
  return { winRate: { worst: mean('low'), best: mean('high') }, ...(hasScores && { ratio }) };
}

interface Breakdown<T> {
  readonly categories: readonly Named<T>[];
  readonly languages: readonly Named<T>[];
  readonly turns: readonly Named<T>[];
}

/** In the order in which the names come. */
function breakdown<Row extends Pick<JudgedCall, 'category' | 'language' | 'turn'>, T extends object>(
  rows: readonly Row[],
  make: (some: readonly Row[]) => T,
): Breakdown<T> {
  const by = (nameOf: (row: Row) => string): Named<T>[] => {
    const groups = new Map<string, Row[]>();
    for (const row of rows) {
      const own = groups.get(nameOf(row));
      if (own) own.push(row);
      else groups.set(nameOf(row), [row]);
    }
    // One group is the whole once more.
    return groups.size < 2 ? [] : [...groups].map(([name, some]) => ({ name, ...make(some) }));
  };
  return {
    categories: by(({ category }) => category),
    languages: by(({ language }) => language),
    turns: by(({ turn }) => String(turn)),
  };
}
