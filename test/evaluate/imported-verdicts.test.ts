import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import {
  type Annotation,
  type Review,
  readImportedVerdicts,
  summarizeAnnotations,
  summarizeReviews,
} from '../../src/evaluate/imported-verdicts.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-verdicts-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const write = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};
const writeArray = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(join(scratch, name), JSON.stringify(rows));
  return join(scratch, name);
};

const review = (question: string, ...scores: readonly [number, number] | readonly []): Review => ({
  row: 1,
  question,
  verdict: scores.length === 2 ? { scores } : { unreadable: 'no scores in a known form' },
});
let tasks = 0;
/** Each about another task unless it is named. */
const annotation = (win: number | null, instruction = `task ${tasks++}`): Annotation => ({ instruction, win });

/** What reading the file says is broken. */
function issuesOf(file: string): string[] {
  try {
    readImportedVerdicts(file);
  } catch (error) {
    if (error instanceof DataError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('readImportedVerdicts', () => {
  it('reads scores from the text of Vicuna’s reviews, 0 among them, whatever their own score says', () => {
    const file = write('reviews.jsonl', [
      { question_id: 1, text: '8 7.5\nThe first has 2 more examples.', score: [1, 1], metadata: {} },
      { question_id: 2, text: 'I solve it first: 3 + 4 is 7.\n\nAssistant 1: 0\nAssistant 2: 10', score: [-1, -1] },
      { question_id: 'x', text: 'Both are about the sea in 1998.', score: [9, 9] },
      { question_id: 2, text: '', score: [9, 9] },
    ]);
    expect(readImportedVerdicts(file)).toEqual({
      form: 'vicuna-reviews',
      reviews: [
        { row: 1, question: '1', verdict: { scores: [8, 7.5] } },
        { row: 2, question: '2', verdict: { scores: [0, 10] } },
        { row: 3, question: 'x', verdict: { unreadable: 'no scores in a known form' } },
        { row: 4, question: '2', verdict: { unreadable: 'the judge said nothing' } },
      ],
    });
  });

  it('reads AlpacaEval’s preferences as how much of a win they are for output_2', () => {
    const rows = [1, 2, 0, 1.5, null, 1.25].map((preference, i) => ({
      instruction: `Task ${i}`,
      output_1: 'a',
      generator_1: 'base',
      output_2: preference === null ? null : 'b',
      preference,
    }));
    const read = readImportedVerdicts(writeArray('annotations.json', rows));
    expect(read.form === 'alpaca-eval' && read.annotations.map(({ win }) => win)).toEqual([0, 1, 0.5, 0.5, null, 0.25]);
  });

  it('names every broken row, with the file and what was expected', () => {
    const reviews = write('broken.jsonl', [
      { question_id: 1, text: '8 7' },
      { question_id: 2, text: null },
      { text: '8 7' },
      'a review',
    ]);
    expect(issuesOf(reviews)).toEqual([
      `${reviews}:2: text: expected a string, got null`,
      `${reviews}:3: question_id: expected a string or a number, got nothing`,
      `${reviews}:4: expected an object, got a string`,
    ]);
    const annotations = writeArray('broken.json', [
      { instruction: 'a', output_1: 'b', output_2: 'c', preference: 1 },
      { instruction: 'a', output_1: 'b', output_2: 'c', preference: 3 },
      { instruction: 'a', output_1: 'b', output_2: 'c' },
      { instruction: 'a', output_1: 'b', output_2: 'c', preference: '2' },
      { output_1: 'b', preference: 0.5 },
    ]);
    expect(issuesOf(annotations)).toEqual([
      `${annotations}:1: preference: expected 0, 1 to 2, or null, got 3`,
      `${annotations}:2: preference: expected 0, 1 to 2, or null, got nothing`,
      `${annotations}:3: preference: expected 0, 1 to 2, or null, got a string`,
      `${annotations}:4: instruction: expected a string, got nothing`,
      `${annotations}:4: output_2: expected a string or null, got nothing`,
      '… and 1 more',
    ]);
  });

  it('names a line that is no JSON beside the broken rows', () => {
    const file = join(scratch, 'torn.jsonl');
    writeFileSync(file, '{"question_id":1,"text":"8 7"}\n{"question_id":\n{"question_id":3,"text":5}\n');
    expect(issuesOf(file)).toEqual([
      expect.stringMatching(/torn\.jsonl:2: expected one JSON value on the line/),
      `${file}:3: text: expected a string, got 5`,
    ]);
  });

  it('knows the form by the first row that has one, and refuses a file without', () => {
    const late = write('late.jsonl', [{ question: 1 }, { question_id: 1, text: '8 7' }]);
    expect(issuesOf(late)[0]).toBe(`${late}:1: text: expected a string, got nothing`);
    const other = write('other.jsonl', [{ id: 1, answer: 'b' }]);
    expect(issuesOf(other)).toEqual([`${other}: expected rows of reviews or annotations, found id, answer`]);
    expect(() => readImportedVerdicts(join(scratch, 'absent.jsonl'))).toThrow(/no such file/);
  });
});

describe('summarizeReviews', () => {
  it('sums what could be read, and counts all', () => {
    const summary = summarizeReviews([
      review('1', 8, 7.5),
      review('2', 0, 10),
      review('3', 5, 5),
      review('4'),
      { ...review('5'), row: 9 },
    ]);
    expect(summary).toMatchObject({
      asked: 5,
      parsed: 3,
      sum1: 13,
      sum2: 22.5,
      ratio: 13 / 22.5,
      wins1: 1,
      wins2: 1,
      ties: 1,
      failed: 2,
      questions: 3,
      // Two missing: 0 : 20 or 20 : 0.
      bounds: { ratio: { worst: 13 / 42.5, best: 33 / 22.5 }, wins1: { worst: 1, best: 3 } },
      failures: [
        { row: 1, question: '4', reason: 'no scores in a known form' },
        { row: 9, question: '5', reason: 'no scores in a known form' },
      ],
    });
  });

  it('has no ratio without scores, or where the second has 0 only; no bounds where none is missing', () => {
    expect(summarizeReviews([review('1')])).toMatchObject({
      parsed: 0,
      sum1: 0,
      ratio: null,
      intervals: { ratio: null, difference: null },
      bounds: { ratio: { worst: 0, best: null } },
    });
    expect(summarizeReviews([review('1', 8, 0), review('2', 7, 0)])).toMatchObject({
      ratio: null,
      intervals: { ratio: null, difference: { low: 7, high: 8 } },
      bounds: null,
    });
  });

  it('draws questions, not reviews: ten reviews of one question are one piece of evidence', () => {
    const good = Array.from({ length: 10 }, () => review('good', 10, 5));
    const bad = Array.from({ length: 10 }, () => review('bad', 5, 10));
    // Two questions: a draw has either twice (¼ each) or both.
    expect(summarizeReviews([...good, ...bad]).intervals).toEqual({
      ratio: { low: 0.5, high: 2 },
      difference: { low: -5, high: 5 },
    });
    const apart = [...good, ...bad].map((one, i) => ({ ...one, question: `${i}` }));
    const { ratio } = summarizeReviews(apart).intervals;
    expect(ratio!.low).toBeGreaterThan(0.6);
    expect(ratio!.high).toBeLessThan(1.7);
  });

  it('draws both sums together: where both answers always get the same, the ratio is 1 without doubt', () => {
    const summary = summarizeReviews([2, 9, 4].map((score, i) => review(`${i}`, score, score)));
    expect(summary.intervals).toEqual({ ratio: { low: 1, high: 1 }, difference: { low: 0, high: 0 } });
  });
});

describe('summarizeAnnotations', () => {
  it('equals arithmetic by hand', () => {
    // 0, 100, 50, 50, 25: mean 45; squares of the distances 2025 + 3025 + 25 + 25 + 400 = 5500; √(5500 / 4 / 5).
    const summary = summarizeAnnotations([0, 1, 0.5, null, 0.5, 0.25].map((win) => annotation(win)));
    expect(summary).toMatchObject({
      asked: 6,
      judged: 5,
      nulls: 1,
      wins: 1,
      losses: 2,
      draws: 2,
      winRate: 45,
      bounds: { winRate: { worst: 225 / 6, best: 325 / 6 } },
    });
    expect(summary.standardError).toBeCloseTo(16.583123951777, 10);
    const { low, high } = summary.intervals.winRate!;
    expect(low).toBeGreaterThanOrEqual(0);
    expect(low).toBeLessThan(45);
    expect(high).toBeGreaterThan(45);
  });

  it('says nothing where nothing was judged, and has no error of one row', () => {
    expect(summarizeAnnotations([annotation(null)])).toMatchObject({
      judged: 0,
      winRate: null,
      standardError: null,
      intervals: { winRate: null },
      bounds: { winRate: { worst: 0, best: 100 } },
    });
    expect(summarizeAnnotations([annotation(1)])).toMatchObject({ winRate: 100, standardError: null, bounds: null });
  });

  it('draws instructions, not rows', () => {
    const rows = [...Array(10).fill(1), ...Array(10).fill(0)].map((win: number) => annotation(win, `same ${win}`));
    expect(summarizeAnnotations(rows).intervals.winRate).toEqual({ low: 0, high: 100 });
  });
});
