/** Rows for tests: everything filled in, one member at a time replaced. */
import type { EvaluationRow, JudgeScores } from '../../src/evaluate/rows.ts';

export function row(members: Partial<EvaluationRow> = {}): EvaluationRow {
  return {
    id: 'q',
    language: 'en',
    category: 'generic',
    prompt: 'Which is the largest ocean?',
    reference: 'The Pacific Ocean',
    before: { text: 'Water', finishReason: 'stop' },
    after: { text: 'The Pacific', finishReason: 'stop' },
    referenceBefore: { sum: -3, tokens: 3 },
    referenceAfter: { sum: -2, tokens: 3 },
    rougeBefore: 0,
    rougeAfter: 0.8,
    judge: [],
    teacherBefore: undefined,
    teacherAfter: undefined,
    ...members,
  };
}

/** Both orders of one question: [before, after] as the first call scored them, then as the second did. */
export const verdicts = (...orders: readonly (readonly [number, number])[]): JudgeScores[] =>
  orders.map(([before, after], i) => ({ before, after, raw: '', call: `call ${i}` }));
