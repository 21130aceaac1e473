import { describe, expect, it } from 'vitest';
import { type MeasuredParts, scoreRows } from '../../src/evaluate/answers.ts';

const questions = [
  { id: 'q1', language: 'en', category: 'generic', prompt: 'Which ocean?', reference: 'the Pacific Ocean' },
  { id: 'q2', language: 'zh', category: 'facts', prompt: '最大的洋？', reference: '太平洋' },
];
const answer = (text: string) => ({ text, finishReason: 'stop' });
const scored = (sum: number) => ({ sum, tokens: 2 });
const parts: MeasuredParts = {
  before: [answer('The sea'), answer('大西洋')],
  after: [answer('the pacific'), answer('是太平洋')],
  referenceBefore: [scored(-4), scored(-6)],
  referenceAfter: [scored(-2), scored(-3)],
};

describe('scoreRows', () => {
  it('puts the parts of each question together, with ROUGE-L as worked by hand', () => {
    const judge = [[], [{ before: 5, after: 6, raw: '5 6', call: 'k' }]];
    const rows = scoreRows(questions, { ...parts, judge, teacherBefore: [scored(-1), undefined] });
    expect(rows[0]).toEqual({
      ...questions[0],
      ...{ before: answer('The sea'), after: answer('the pacific') },
      ...{ referenceBefore: scored(-4), referenceAfter: scored(-2) },
      // One word of 3 and of 2 in common; then two. F = 2·lcs / (m + n).
      ...{ rougeBefore: expect.closeTo(2 / 5, 12), rougeAfter: expect.closeTo(4 / 5, 12) },
      ...{ judge: [], teacherBefore: scored(-1), teacherAfter: undefined },
    });
    expect(rows[1]).toMatchObject({ ...questions[1], judge: judge[1], teacherBefore: undefined });
    expect(rows[1]).toMatchObject({ referenceBefore: scored(-6), referenceAfter: scored(-3) });
    // By characters: 洋 of 3 and 3; 太平洋 of 3 and 4.
    expect(rows[1]?.rougeBefore).toBeCloseTo(2 / 6, 12);
    expect(rows[1]?.rougeAfter).toBeCloseTo(6 / 7, 12);
  });

  it('has no verdicts where no teacher judged, and none of what answers and questions carry besides', () => {
    const before = parts.before.map((given) => ({ ...given, ids: [1, 2] }));
    const rows = scoreRows(
      questions.map((question) => ({ ...question, file: 'x' })),
      { ...parts, before, judge: undefined },
    );
    expect(rows.map(({ judge }) => judge)).toEqual([[], []]);
    expect(rows[0]?.before).toEqual(answer('The sea'));
    expect(rows[0]).not.toHaveProperty('file');
    expect(scoreRows([], { before: [], after: [], referenceBefore: [], referenceAfter: [] })).toEqual([]);
  });

  it('refuses parts of another length', () => {
    const short = (name: keyof MeasuredParts) => () => scoreRows(questions, { ...parts, [name]: [] });
    const names = ['before', 'after', 'referenceBefore', 'referenceAfter', 'judge', 'teacherAfter'] as const;
    for (const name of names) expect(short(name)).toThrow(`2 questions, 0 in ${name}`);
  });
});
