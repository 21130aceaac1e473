/** One held-out question with everything measured on it: the rows behind every figure of an evaluation. */
import type { ScoredAnswer } from './scorer.ts';

export interface ModelAnswer {
  readonly text: string;
  readonly finishReason: string;
}

/**
 * Why a call gave no scores. `unreadable`: an answer came, without two scores in it. `refused`: the provider withheld the
 * answer. `failed`: no answer came.
 */
export interface JudgeProblem {
  readonly kind: 'unreadable' | 'refused' | 'failed';
  readonly reason: string;
}

/** The teacher's scores of both answers, 1–10, from one call; undefined, and a `problem`, where there are none. */
export interface JudgeScores {
  readonly before: number | undefined;
  readonly after: number | undefined;
  readonly problem?: JudgeProblem;
  /** The verdict as it came; empty where none came. */
  readonly raw: string;
  /** Ledger key of the call. */
  readonly call: string;
}

export interface EvaluationRow {
  readonly id: string;
  /** ISO 639-1: `en` or `zh`. */
  readonly language: string;
  readonly category: string;
  /** The user's turn as the models saw it. */
  readonly prompt: string;
  readonly reference: string;
  readonly before: ModelAnswer;
  readonly after: ModelAnswer;
  /** Of the reference, under the student before and after training. */
  readonly referenceBefore: ScoredAnswer;
  readonly referenceAfter: ScoredAnswer;
  /** ROUGE-L F of the answer against the reference, 0–1. */
  readonly rougeBefore: number;
  readonly rougeAfter: number;
  /** The teacher asked twice: first with `before` shown first, then with `after` first. Empty where no teacher judged. */
  readonly judge: readonly JudgeScores[];
  /** The teacher's own log-probability of each answer; undefined where the teacher cannot say. */
  readonly teacherBefore: ScoredAnswer | undefined;
  readonly teacherAfter: ScoredAnswer | undefined;
}
