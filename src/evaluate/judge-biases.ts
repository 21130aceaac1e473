/**
 * What a judge likes besides quality, measured on its own verdicts: the place an answer is shown in, its length, and answers of
 * its own kind. Only the first is free of the answers' quality, since both orders are shown. Longer answers, and the judge's
 * own, may in fact be better: the other two say how far such a liking could go.
 */
import type { Comparison } from './judge-comparisons.ts';
import { type Figure, figureOf, meanOf } from './judge-figures.ts';
import type { Match } from './judge-plan.ts';

export interface PositionBias {
  /** Comparisons whose two orders named opposite winners. */
  readonly flips: number;
  /** Of the comparisons with both verdicts. */
  readonly flipShare: Figure;
  /** Of the flips, those that whatever was shown first won both times; ½ for a judge without such a liking. */
  readonly firstAmongFlips: Figure;
  /** Of all verdicts of these comparisons that named a winner, those that named the answer shown first. */
  readonly firstOverall: Figure;
  /** Mean lead of the answer shown first, in points; absent where no points are given. */
  readonly firstLead?: Figure;
}

export interface LengthPreference {
  /** Of the wins, those of the longer answer. */
  readonly longerWins: Figure;
  /** Of length difference and outcome (1, ½, 0), over all comparisons; Pearson's. */
  readonly correlation: Figure;
}

export type SelfPreference =
  | {
      /** Models that count as the judge's own. */
      readonly own: readonly string[];
      /** Mean outcome of own models, of the others, and the difference: own − others. */
      readonly ownWinRate: Figure;
      readonly othersWinRate: Figure;
      readonly difference: Figure;
    }
  | { readonly notMeasurable: string };

/** Comparisons of which the figures are made: those with all their verdicts. */
export const compared = (all: readonly Comparison[]): (Comparison & { readonly preference: number })[] =>
  all.filter((one): one is Comparison & { readonly preference: number } => one.preference !== undefined);

/** undefined where answers were judged one by one. */
export function positionBias(all: readonly Comparison[], seed: number): PositionBias | undefined {
  if (all.every(({ firstWins }) => firstWins.length === 0)) return undefined;
  const both = compared(all);
  const flips = both.filter(({ isFlip }) => isFlip);
  const named = both.flatMap(({ question, firstWins }) =>
    firstWins.flatMap((value) => (value === undefined || value === 0.5 ? [] : [{ question, value }])),
  );
  const leads = both.flatMap(({ question, firstLead }) =>
    firstLead === undefined ? [] : [{ question, value: firstLead }],
  );
  return {
    flips: flips.length,
    flipShare: meanOf(
      both.map(({ question, isFlip }) => ({ question, value: isFlip ? 1 : 0 })),
      seed,
    ),
    firstAmongFlips: meanOf(
      flips.map(({ question, firstWins }) => ({ question, value: firstWins[0] as number })),
      seed,
    ),
    firstOverall: meanOf(named, seed),
    ...(leads.length > 0 && { firstLead: meanOf(leads, seed) }),
  };
}

export function lengthPreference(all: readonly Comparison[], seed: number): LengthPreference {
  const both = compared(all);
  const decided = both.filter(({ preference, lengthDifference }) => preference !== 0.5 && lengthDifference !== 0);
  return {
    longerWins: meanOf(
      decided.map(({ question, preference, lengthDifference }) => ({
        question,
        value: (preference === 1) === lengthDifference > 0 ? 1 : 0,
      })),
      seed,
    ),
    correlation: figureOf(
      both.map(({ question, preference: y, lengthDifference: x }) => ({
        question,
        sums: [1, x, y, x * x, y * y, x * y],
      })),
      pearson,
      seed,
    ),
  };
}

/** Of the sums 1, x, y, x², y², xy; NaN where one of them does not vary. */
function pearson([n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0]: readonly number[]): number {
  const [spreadX, spreadY] = [n * xx - x * x, n * yy - y * y];
  // Rounding leaves a little of what is zero.
  const isFlat = spreadX <= 1e-12 * n * xx || spreadY <= 1e-12 * n * yy;
  return isFlat ? Number.NaN : (n * xy - x * y) / Math.sqrt(spreadX * spreadY);
}

/**
 * Over comparisons of own models with others. Where several others are measured against a baseline that is not own, the
 * baseline's own side is left out: all are then measured against the same.
 */
export function selfPreference(
  matches: readonly { readonly match: Match; readonly comparisons: readonly Comparison[] }[],
  own: readonly string[],
  baseline: string | undefined,
  seed: number,
): SelfPreference {
  const models = [...new Set(matches.flatMap(({ match }) => match))];
  const isOwn = (name: string): boolean => own.includes(name);
  const judged = models.filter(isOwn);
  if (judged.length === 0) return { notMeasurable: 'no judged model is the judge’s own: name it by --judge-family' };
  if (judged.length === models.length) return { notMeasurable: 'all judged models are the judge’s own' };
  const isAgainstThird =
    baseline !== undefined && !isOwn(baseline) && models.some((name) => name !== baseline && !isOwn(name));
  const sides = matches.flatMap(({ match: [model, opponent], comparisons }) => {
    // Own against own, or others among themselves, says nothing of the judge's liking.
    if (!isAgainstThird && isOwn(model) === isOwn(opponent)) return [];
    return compared(comparisons).flatMap(({ question, preference }) => [
      { question, isOwn: isOwn(model), value: preference },
      ...(isAgainstThird ? [] : [{ question, isOwn: isOwn(opponent), value: 1 - preference }]),
    ]);
  });
  return {
    own: judged,
    ownWinRate: meanOf(
      sides.filter((side) => side.isOwn),
      seed,
    ),
    othersWinRate: meanOf(
      sides.filter((side) => !side.isOwn),
      seed,
    ),
    difference: figureOf(
      sides.map(({ question, isOwn: own, value }) => ({ question, sums: own ? [value, 1, 0, 0] : [0, 0, value, 1] })),
      ([a = 0, n = 0, b = 0, m = 0]) => (n === 0 || m === 0 ? Number.NaN : a / n - b / m),
      seed,
    ),
  };
}
