/**
 * From single verdicts to comparisons of two models' answers to the same turn. Where two answers were shown together, a
 * comparison has two verdicts, one in each order: it is a win only if both name the same winner, and a tie where they do not
 * agree. One that lacks a verdict is not compared; what it might have been at worst and best is kept. In mode `single` a
 * comparison is of the scores that the two answers got by themselves.
 */
import type { Match } from './judge-plan.ts';
import type { JudgeMode, JudgeRow, Verdict } from './judge-rows.ts';

export interface Range {
  readonly low: number;
  readonly high: number;
}

export interface Comparison {
  readonly question: string;
  readonly turn: number;
  readonly category: string;
  readonly language: string;
  readonly sample: number;
  /** 1 a win of the model, ½ a tie, 0 a loss; undefined where a verdict is missing. */
  readonly preference: number | undefined;
  /** What it is, or could have been. */
  readonly possible: Range;
  /** The two orders named opposite winners: it was the place that won. */
  readonly isFlip: boolean;
  /**
   * Whether the answer shown first won, by order (the model's first, the opponent's first): 1, ½ for a tie, 0; undefined where
   * there is no verdict. Empty in mode `single`.
   */
  readonly firstWins: readonly (number | undefined)[];
  /** Mean over the orders of the score of the answer shown first − the second's; undefined where one is missing, or in `pair`. */
  readonly firstLead: number | undefined;
  /** Scores, means of both orders, as they are or could have been; undefined in mode `pair`. */
  readonly scores: { readonly model: Range; readonly opponent: Range } | undefined;
  /** Characters of the model's answer − those of its opponent's. */
  readonly lengthDifference: number;
}

/** What figures are made of. */
export type JudgedCall = Pick<
  JudgeRow,
  'question' | 'turn' | 'category' | 'language' | 'models' | 'lengths' | 'sample' | 'verdict' | 'problem'
>;

/** Lowest and highest score that a judge is asked for. */
export const scale = { lowest: 1, highest: 10 };

const keyOf = (call: Pick<JudgedCall, 'question' | 'turn' | 'sample'>, models: readonly string[]): string =>
  JSON.stringify([call.question, call.turn, call.sample, models]);

/** In the order in which the calls come. */
export function compareCalls(mode: JudgeMode, calls: readonly JudgedCall[], [model, opponent]: Match): Comparison[] {
  const byKey = new Map(calls.map((call) => [keyOf(call, call.models), call]));
  const shown = mode === 'single' ? [model] : [model, opponent];
  const across = mode === 'single' ? [opponent] : [opponent, model];
  return calls.flatMap((one) => {
    if (one.models.join('\n') !== shown.join('\n')) return [];
    const other = byKey.get(keyOf(one, across));
    if (!other) return [];
    const { question, turn, category, language, sample } = one;
    const [own = 0, opposite = mode === 'single' ? (other.lengths[0] ?? 0) : 0] = one.lengths;
    const judged = mode === 'single' ? compareScores(one, other) : compareOrders(mode, one.verdict, other.verdict);
    return [{ question, turn, category, language, sample, ...judged, lengthDifference: own - opposite }];
  });
}

type Judged = Pick<Comparison, 'preference' | 'possible' | 'isFlip' | 'firstWins' | 'firstLead' | 'scores'>;

const any: Range = { low: scale.lowest, high: scale.highest };
const exactly = (value: number): Range => ({ low: value, high: value });
const meanOf = (a: Range, b: Range): Range => ({ low: (a.low + b.low) / 2, high: (a.high + b.high) / 2 });
const half = (sign: number): number => (sign + 1) / 2;

function compareScores(model: JudgedCall, opponent: JudgedCall): Judged {
  const rangeOf = ({ verdict }: JudgedCall): Range => (verdict && 'score' in verdict ? exactly(verdict.score) : any);
  const scores = { model: rangeOf(model), opponent: rangeOf(opponent) };
  const possible = {
    low: half(Math.sign(scores.model.low - scores.opponent.high)),
    high: half(Math.sign(scores.model.high - scores.opponent.low)),
  };
  const isWhole = model.verdict !== undefined && opponent.verdict !== undefined;
  const preference = isWhole ? possible.low : undefined;
  return { preference, possible, isFlip: false, firstWins: [], firstLead: undefined, scores };
}

/** `one`: the model's answer was shown first; `other`: second. */
function compareOrders(mode: JudgeMode, one: Verdict | undefined, other: Verdict | undefined): Judged {
  const [first, second] = [leadOf(one), leadOf(other)];
  // Signs of the model's lead.
  const signs = [first && Math.sign(first.lead), second && -Math.sign(second.lead)] as const;
  // A tie would lie between.
  const all = [-1, 1];
  const outcomes = (signs[0] === undefined ? all : [signs[0]]).flatMap((a) =>
    (signs[1] === undefined ? all : [signs[1]]).map((b) => (a === b ? half(a) : 0.5)),
  );
  const isWhole = first !== undefined && second !== undefined;
  const possible = { low: Math.min(...outcomes), high: Math.max(...outcomes) };
  const [asFirst, asSecond] = [scoresOf(one), scoresOf(other)];
  return {
    preference: isWhole ? possible.low : undefined,
    possible,
    isFlip: isWhole && (signs[0] as number) * (signs[1] as number) === -1,
    firstWins: [first && half(Math.sign(first.lead)), second && half(Math.sign(second.lead))],
    firstLead: isWhole && mode === 'reference' ? (first.lead + second.lead) / 2 : undefined,
    scores:
      mode === 'reference'
        ? { model: meanOf(asFirst[0], asSecond[1]), opponent: meanOf(asFirst[1], asSecond[0]) }
        : undefined,
  };
}

/** By how much the answer shown first leads, in points, or as a sign. */
function leadOf(verdict: Verdict | undefined): { readonly lead: number } | undefined {
  if (verdict && 'choice' in verdict) return { lead: { first: 1, second: -1, tie: 0 }[verdict.choice] };
  if (verdict && 'scores' in verdict) return { lead: verdict.scores[0] - verdict.scores[1] };
  return undefined;
}

const scoresOf = (verdict: Verdict | undefined): readonly [Range, Range] =>
  verdict && 'scores' in verdict ? [exactly(verdict.scores[0]), exactly(verdict.scores[1])] : [any, any];
