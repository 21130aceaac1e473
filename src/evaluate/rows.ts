/** One held-out question with everything measured on it: the rows behind every figure of an evaluation. */
import type { ScoredAnswer } from './scorer.ts';

export interface ModelAnswer {
  readonly text: string;
  readonly finishReason: string;
}

/** The teacher's scores of both answers, 1–10, from one call; undefined where its verdict could not be read. */
export interface JudgeScores {
  readonly before: number | undefined;
  readonly after: number | undefined;
  /** The verdict as it came. */
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
