/**
 * What a judge's verdicts come to. Each question was put to it twice, with the answers in either order: only questions
 * with both verdicts readable are compared, since one alone would carry the judge's liking for a place into the figures.
 * The calls without scores are counted, never averaged in as anything.
 */
import { invariant } from '../base/errors.ts';
import { bootstrapMean, type Interval, pairedDifference } from '../base/intervals.ts';
import type { EvaluationRow, JudgeScores } from './rows.ts';

export interface JudgeSummary {
  /** Calls, two a question. asked = parsed + unreadable + refused + failed. */
  readonly asked: number;
  /** Calls whose two scores could be read. */
  readonly parsed: number;
  /** Calls that were answered without two scores that could be read. */
  readonly unreadable: number;
  /** Calls whose answer the provider withheld. */
  readonly refused: number;
  /** Calls without an answer. */
  readonly failed: number;
  /** Questions that were put to the judge. */
  readonly questions: number;
  /** Of those, questions with both orders read: the denominator of everything below. */
  readonly compared: number;
  /** Mean score 1–10 over the questions compared; a question's score is the mean of its two. undefined where none is. */
  readonly meanBefore: Interval | undefined;
  readonly meanAfter: Interval | undefined;
  /** Mean of after − before, question by question. */
  readonly difference: Interval | undefined;
  /** Questions where the answer after training scored higher in both orders; lower in both orders. */
  readonly wins: number;
  readonly losses: number;
  /** All other questions compared: equal scores in both orders, or orders that disagree. */
  readonly ties: number;
  /** Of the ties: the two orders named opposite winners. */
  readonly flips: number;
  /** Mean over the questions compared of 1 for a win, ½ for a tie, 0 for a loss. */
  readonly winRate: Interval | undefined;
  /**
   * How many points more the answer shown first got, whichever it was: the mean over the questions compared of the mean
   * over their two orders of first − second. The answers' own quality cancels. 0 for a judge without such a liking.
   */
  readonly positionBias: Interval | undefined;
}

interface Compared {
  readonly before: number;
  readonly after: number;
  /** 1, ½ or 0. */
  readonly win: number;
  readonly flip: boolean;
  readonly bias: number;
}

/** undefined where nothing was asked. */
export function summarizeJudge(rows: readonly EvaluationRow[]): JudgeSummary | undefined {
  const judged = rows.filter(({ judge }) => judge.length > 0);
  if (judged.length === 0) return undefined;
  const calls = judged.flatMap(({ judge }) => judge);
  const compared = judged.flatMap((row) => compare(row) ?? []);
  const count = (status: Status) => calls.filter((call) => statusOf(call) === status).length;
  const all = (pick: (question: Compared) => number) => compared.map(pick);
  const before = all((question) => question.before);
  const after = all((question) => question.after);
  const wins = compared.filter(({ win }) => win === 1).length;
  const losses = compared.filter(({ win }) => win === 0).length;
  return {
    asked: calls.length,
    parsed: count('parsed'),
    unreadable: count('unreadable'),
    refused: count('refused'),
    failed: count('failed'),
    questions: judged.length,
    compared: compared.length,
    meanBefore: bootstrapMean(before),
    meanAfter: bootstrapMean(after),
    difference: pairedDifference(before, after),
    wins,
    losses,
    ties: compared.length - wins - losses,
    flips: compared.filter(({ flip }) => flip).length,
    winRate: bootstrapMean(all(({ win }) => win)),
    positionBias: bootstrapMean(all(({ bias }) => bias)),
  };
}

type Status = 'parsed' | 'unreadable' | 'refused' | 'failed';

function statusOf({ before, after, problem }: JudgeScores): Status {
  if (before !== undefined && after !== undefined) return 'parsed';
  return problem?.kind ?? 'unreadable';
}

/** undefined where one of the two orders has no scores. */
function compare({ id, judge }: EvaluationRow): Compared | undefined {
  invariant(judge.length === 2, `summarizeJudge: expected both orders of ${id}, got ${judge.length} verdicts`);
  const [beforeFirst, afterFirst] = judge as readonly [JudgeScores, JudgeScores];
  const { before: before1, after: after1 } = beforeFirst;
  const { before: before2, after: after2 } = afterFirst;
  if (before1 === undefined || after1 === undefined || before2 === undefined || after2 === undefined) return undefined;
  const winner1 = Math.sign(after1 - before1);
  const winner2 = Math.sign(after2 - before2);
  return {
    before: (before1 + before2) / 2,
    after: (after1 + after2) / 2,
    win: winner1 === winner2 ? (winner1 + 1) / 2 : 0.5,
    flip: winner1 * winner2 === -1,
    bias: (before1 - after1 + (after2 - before2)) / 2,
  };
}
