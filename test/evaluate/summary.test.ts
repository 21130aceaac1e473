import { describe, expect, it } from 'vitest';
import { WorkError } from '../../src/base/errors.ts';
import type { EvaluationRow } from '../../src/evaluate/rows.ts';
import { lossImproved, summarize } from '../../src/evaluate/summary.ts';
import { row, verdicts } from './row.ts';

/** Loss per token before and after, over `tokens` tokens. */
const loss = (before: number, after: number, tokens: number): Partial<EvaluationRow> => ({
  referenceBefore: { sum: -before * tokens, tokens },
  referenceAfter: { sum: -after * tokens, tokens },
});

describe('held-out loss', () => {
  it('weighs questions by their tokens: Σ −log p / Σ tokens', () => {
    const rows = [
      row({ referenceBefore: { sum: -30, tokens: 10 }, referenceAfter: { sum: -20, tokens: 10 } }),
      row({ referenceBefore: { sum: -60, tokens: 30 }, referenceAfter: { sum: -66, tokens: 30 } }),
    ];
    const { heldOutLoss } = summarize(rows);
    expect(heldOutLoss).toMatchObject({ tokens: 40, before: { n: 2 }, after: { n: 2 }, difference: { n: 2 } });
    expect(heldOutLoss?.before.mean).toBeCloseTo(90 / 40, 12); // not (3 + 2) / 2
    expect(heldOutLoss?.after.mean).toBeCloseTo(86 / 40, 12);
    expect(heldOutLoss?.difference.mean).toBeCloseTo(-4 / 40, 12);
    // A draw of two questions: the first twice (−10/10), the second twice (6/30), or both. A quarter of the draws each
    // way, so the 2.5 % and 97.5 % quantiles are these two.
    expect(heldOutLoss?.difference.low).toBeCloseTo(-1, 12);
    expect(heldOutLoss?.difference.high).toBeCloseTo(0.2, 12);
  });

  it('pairs: a wide spread over questions leaves a narrow interval of the difference', () => {
    const rows = [1, 2, 3, 4, 5, 6, 7, 8].map((level) => row(loss(level, level - 0.1, 10)));
    const { before, difference } = summarize(rows).heldOutLoss!;
    expect(before.high - before.low).toBeGreaterThan(2);
    expect(difference.low).toBeCloseTo(-0.1, 12);
    expect(difference.high).toBeCloseTo(-0.1, 12);
  });

  it('stands by language and over all', () => {
    const rows = [row(loss(3, 2, 10)), row({ language: 'zh', ...loss(1, 2, 30) })];
    const summary = summarize(rows);
    expect(Object.keys(summary.languages)).toEqual(['en', 'zh']);
    expect(summary.languages['en']?.heldOutLoss.difference.mean).toBe(-1);
    expect(summary.languages['zh']?.heldOutLoss.difference.mean).toBe(1);
    expect(summary.heldOutLoss?.difference.mean).toBe((-10 + 30) / 40);
    expect(summary).toMatchObject({ questions: 2, languages: { en: { questions: 1 }, zh: { questions: 1 } } });
  });

  it('refuses references of different lengths before and after, and log-probabilities that are not finite', () => {
    const uneven = row({ id: 'q-7', referenceBefore: { sum: -3, tokens: 3 }, referenceAfter: { sum: -3, tokens: 4 } });
    expect(() => summarize([uneven])).toThrow(/q-7 has 3 tokens before training and 4 after/);
    const broken = row({ id: 'q-8', referenceAfter: { sum: Number.NaN, tokens: 3 } });
    expect(() => summarize([broken])).toThrow(WorkError);
    expect(() => summarize([broken])).toThrow(/q-8, got NaN over 3 tokens/);
    expect(() =>
      summarize([
        row({ ...loss(1, 1, 1), teacherBefore: { sum: 0, tokens: 0 }, teacherAfter: { sum: -1, tokens: 1 } }),
      ]),
    ).toThrow(WorkError);
  });
});

describe('lossImproved', () => {
  const summaryOf = (...rows: EvaluationRow[]) => summarize(rows);

  it('holds only where the whole interval of the English difference lies below 0', () => {
    expect(lossImproved(summaryOf(row(loss(3, 2, 10)), row(loss(3, 2.5, 10))))).toBe(true);
    expect(lossImproved(summaryOf(row(loss(3, 2, 10)), row(loss(3, 3.01, 10))))).toBe(false); // mean below 0, not high
    expect(lossImproved(summaryOf(row(loss(3, 3, 10)), row(loss(2, 2, 10))))).toBe(false); // exactly 0
    expect(lossImproved(summaryOf(row(loss(2, 3, 10)), row(loss(2, 3, 10))))).toBe(false);
  });

  it('does not look at Chinese questions', () => {
    const better = loss(3, 2, 10);
    const worse = { language: 'zh', ...loss(2, 3, 100) };
    expect(lossImproved(summaryOf(row(better), row(better), row(worse), row(worse)))).toBe(true);
    expect(lossImproved(summaryOf(row({ language: 'zh', ...better }), row({ language: 'zh', ...better })))).toBe(false);
  });

  it('takes neither no question nor one for a proof', () => {
    expect(lossImproved(summaryOf())).toBe(false);
    expect(lossImproved(summaryOf(row(loss(3, 2, 10))))).toBe(false);
  });
});

describe('ROUGE-L', () => {
  it('stands overall and by the length of the reference; Chinese by characters apart', () => {
    const rows = [
      row({ reference: 'one two', rougeBefore: 0.1, rougeAfter: 0.3 }),
      row({ reference: 'one two three', rougeBefore: 0.2, rougeAfter: 0.2 }),
      row({ reference: 'one two three four five', rougeBefore: 0.4, rougeAfter: 0.8 }),
      row({ reference: 'a b c d e f g h i j k', rougeBefore: 0.5, rougeAfter: 0.1 }),
      row({ reference: '太平洋', rougeBefore: 1, rougeAfter: 1 }),
    ];
    const { rougeL } = summarize(rows).languages['en']!;
    expect(rougeL.overall).toMatchObject({ before: { n: 4 }, after: { n: 4 }, difference: { n: 4 } });
    expect(rougeL.overall?.before.mean).toBeCloseTo((0.1 + 0.2 + 0.4 + 0.5) / 4, 12);
    expect(rougeL.overall?.difference.mean).toBeCloseTo((0.2 + 0 + 0.4 - 0.4) / 4, 12);
    expect(rougeL.buckets.map(({ bucket, figure }) => [bucket, figure?.before.n])).toEqual([
      ['0-2', 1],
      ['3-5', 2],
      ['6-10', undefined],
      ['>10', 1],
    ]);
    expect(rougeL.buckets[1]?.figure?.after.mean).toBeCloseTo(0.5, 12);
    expect(rougeL.characters).toMatchObject({ before: { mean: 1, n: 1 } });
  });

  it('is undefined where there are no such references', () => {
    const { rougeL } = summarize([row({ language: 'zh', reference: '太平洋' })]).languages['zh']!;
    expect(rougeL.overall).toBeUndefined();
    expect(rougeL.buckets.every(({ figure }) => figure === undefined)).toBe(true);
  });
});

describe('the teacher’s log-probabilities', () => {
  it('are means over questions of the mean per token, where both are there', () => {
    const scored = (before: number, after: number, tokens = 1) =>
      row({
        teacherBefore: { sum: before * tokens, tokens },
        teacherAfter: { sum: after * 2 * tokens, tokens: 2 * tokens },
      });
    const rows = [
      scored(-2, -1, 100),
      scored(-3, -3.5),
      scored(-1, -1),
      row(),
      row({ teacherBefore: { sum: -9, tokens: 1 } }),
    ];
    const { teacherLogprob } = summarize(rows).languages['en']!;
    expect(teacherLogprob).toMatchObject({ wins: 1, losses: 1, ties: 1, difference: { n: 3 } });
    expect(teacherLogprob?.before.mean).toBeCloseTo((-2 - 3 - 1) / 3, 12);
    expect(teacherLogprob?.after.mean).toBeCloseTo((-1 - 3.5 - 1) / 3, 12);
    expect(teacherLogprob?.difference.mean).toBeCloseTo((1 - 0.5 + 0) / 3, 12);
    expect(summarize([row()]).languages['en']?.teacherLogprob).toBeUndefined();
  });
});

describe('summarize', () => {
  const rows = [
    row({
      judge: verdicts([5, 8], [6, 7]),
      teacherBefore: { sum: -2, tokens: 1 },
      teacherAfter: { sum: -1, tokens: 1 },
    }),
    row({ language: 'zh', reference: '太平洋' }),
  ];

  it('survives JSON', () => {
    const summary = summarize(rows);
    expect(JSON.parse(JSON.stringify(summary))).toEqual(summary);
    expect(JSON.stringify(summary)).not.toContain('null');
  });

  it('is the same for the same rows, and has nothing without rows', () => {
    expect(summarize(rows)).toEqual(summarize(rows));
    expect(summarize([])).toEqual({ questions: 0, heldOutLoss: undefined, languages: {} });
  });

  it('has a judge only where one was asked', () => {
    const { languages } = summarize(rows);
    expect(languages['en']?.judge).toMatchObject({ asked: 2, wins: 1 });
    expect(languages['zh']?.judge).toBeUndefined();
  });
});
