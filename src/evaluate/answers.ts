/**
 * Puts the parts of an evaluation together: held-out questions, the student's answers before and after training, the
 * log-probabilities of references and answers, the judge's verdicts; and adds ROUGE-L, pair by pair as rouge.ts computes
 * it (by characters where the reference has CJK characters). It asks no model and draws no conclusions: summary.ts does.
 */
import { invariant } from '../base/errors.ts';
import { rougeOf } from './rouge.ts';
import type { EvaluationRow, JudgeScores, ModelAnswer } from './rows.ts';
import type { ScoredAnswer } from './scorer.ts';

/** A question with its reference answer, held out from training. */
export type HeldOutQuestion = Pick<EvaluationRow, 'id' | 'language' | 'category' | 'prompt' | 'reference'>;

/** Each with one element a question, in the order of the questions. */
export interface MeasuredParts {
  readonly before: readonly ModelAnswer[];
  readonly after: readonly ModelAnswer[];
  /** Of the references, under the student. */
  readonly referenceBefore: readonly ScoredAnswer[];
  readonly referenceAfter: readonly ScoredAnswer[];
  /** undefined where no teacher judged. */
  readonly judge?: readonly (readonly JudgeScores[])[] | undefined;
  /** The teacher's log-probabilities of the answers; undefined where it gives none. */
  readonly teacherBefore?: readonly (ScoredAnswer | undefined)[] | undefined;
  readonly teacherAfter?: readonly (ScoredAnswer | undefined)[] | undefined;
}

/** One row a question, in their order. */
export function scoreRows(questions: readonly HeldOutQuestion[], parts: MeasuredParts): EvaluationRow[] {
  for (const [name, part] of Object.entries(parts) as [string, readonly unknown[] | undefined][]) {
    const length = part?.length ?? questions.length;
    invariant(length === questions.length, `scoreRows: ${questions.length} questions, ${length} in ${name}`);
  }
  const rougeBefore = rougeLs(questions, parts.before);
  const rougeAfter = rougeLs(questions, parts.after);
  return questions.map(({ id, language, category, prompt, reference }, i) => ({
    id,
    language,
    category,
    prompt,
    reference,
    before: plainAnswer(parts.before[i]!),
    after: plainAnswer(parts.after[i]!),
    referenceBefore: parts.referenceBefore[i]!,
    referenceAfter: parts.referenceAfter[i]!,
    rougeBefore: rougeBefore[i]!,
    rougeAfter: rougeAfter[i]!,
    judge: parts.judge?.[i] ?? [],
    teacherBefore: parts.teacherBefore?.[i],
    teacherAfter: parts.teacherAfter?.[i],
  }));
}

const rougeLs = (questions: readonly HeldOutQuestion[], answers: readonly ModelAnswer[]): readonly number[] =>
  questions.map(({ reference }, i) => rougeOf({ reference, candidate: answers[i]!.text }).rougeL);

/** A decoder's answer may carry its tokens, a teacher's its raw form: rows are written to files without them. */
const plainAnswer = ({ text, finishReason }: ModelAnswer): ModelAnswer => ({ text, finishReason });
