/** What the report is told of the rounds after fine-tuning. */
import type { Interval } from '../base/intervals.ts';
import type { BestOfCurve } from '../evaluate/best-of-n.ts';
import type { Evidence } from '../evaluate/reward-card.ts';
import type { RoundCheck } from '../evaluate/round-check.ts';
import type { RlIteration } from './report-input.ts';

export interface LoopInput {
  readonly rounds: readonly LoopRoundInput[];
  /** Of which round the policy is that is kept; 0: the student. */
  readonly kept: number;
  readonly ended: 'all rounds done' | Exclude<RoundCheck['verdict'], 'goes on'>;
}

export interface LoopRoundInput {
  readonly round: number;
  readonly compared: { readonly prompts: number; readonly pairs: number; readonly ties: number };
  /** On comparisons held out from the reward model's training; null: none. */
  readonly rewardAccuracy: {
    readonly pairs: number;
    readonly accuracy: Interval;
    readonly evidence: Evidence;
    readonly longerWins: Interval;
  } | null;
  readonly check: RoundCheck;
  /** Of the answers before the round. */
  readonly bestOf: BestOfCurve | null;
  readonly iterations: readonly RlIteration[];
  /** To held-out prompts. */
  readonly answers: readonly LoopAnswers[];
}

export interface LoopAnswers {
  readonly id: string;
  readonly prompt: string;
  readonly before: readonly LoopAnswer[];
  readonly after: readonly LoopAnswer[];
}

export interface LoopAnswer {
  readonly text: string;
  readonly reward: number | null;
  /** The teacher's. */
  readonly score: number | null;
}
