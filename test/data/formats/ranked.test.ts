/** All answers to a prompt in one row. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeRecord } from '../../../src/data/formats/write.ts';
import { readPreferences, validateFile } from '../../../src/data/formats.ts';
import { type Preference, preferencePairs } from '../../../src/data/preferences.ts';
import { temporaryFolder } from '../../teacher/fixtures/make.ts';

function write(...rows: unknown[]): string {
  const file = join(temporaryFolder(), 'ranked.jsonl');
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}
const issuesOf = (row: unknown): string[] =>
  validateFile(write(row)).issues.map(({ path, message }) => `${path}: ${message}`);

const whole: Preference = {
  id: 'r1',
  language: 'en',
  category: 'c',
  prompt: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Name a river.' },
  ],
  answers: [
    { content: 'Rhine', rank: 2, score: 9, source: 'small', reason: 'Right.' },
    { content: 'Ebro', rank: 1, score: 9, source: 'big' },
    { content: 'Nile', rank: 2, score: 9 },
    { content: 'Paris', rank: 4, score: 1.5 },
  ],
  undecided: [['Rhine', 'Ebro']],
  provenance: { source: 'generated', calls: ['k1', 'k2'] },
};
const two: Preference = {
  id: 'r2',
  language: 'zh',
  prompt: [{ role: 'user', content: '说出一条河。' }],
  answers: [
    { content: '巴黎', rank: 2 },
    { content: '长江', rank: 1 },
  ],
  margin: 2,
  provenance: { source: 'imported', file: 'x', row: 3 },
};

describe('ranked rows', () => {
  it('keep everything a preference knows', () => {
    const rows = [whole, two].flatMap((one) => {
      const written = writeRecord('ranked', one);
      return 'rows' in written ? written.rows : [];
    });
    const file = write(...rows);
    expect(validateFile(file).format).toBe('ranked');
    expect(readPreferences(file)).toEqual([whole, two]);
    // Rhine and Ebro have different ranks, but nobody knows which is better; Rhine and Nile are tied.
    const { pairs, ties } = preferencePairs(readPreferences(file)[0]!);
    expect(pairs.map(({ better, worse }) => `${better.content} ${worse.content}`)).toEqual([
      'Ebro Nile',
      'Ebro Paris',
      'Rhine Paris',
      'Nile Paris',
    ]);
    expect(ties).toBe(2);
  });

  it('without ranks, scores rank; a prompt may be a text; other members do not matter', () => {
    const row = {
      prompt: 'A',
      answers: [
        { content: 'x', score: -1.5, verdicts: [] },
        { content: 'y', score: -0.25 },
      ],
    };
    expect(readPreferences(write(row))).toMatchObject([
      { prompt: [{ role: 'user', content: 'A' }], answers: [{ rank: 2 }, { rank: 1 }] },
    ]);
  });

  it.each<[string, object, string[]]>([
    [
      'one answer',
      { answers: [{ content: 'x', rank: 1 }] },
      ['answers: expected two or more answers to compare, got 1'],
    ],
    [
      'neither ranks nor scores',
      { answers: [{ content: 'x', score: 1 }, { content: 'y' }] },
      ['answers: expected a rank for every answer, or a score for every one'],
    ],
    [
      'ranks that do not count',
      { answers: [1, 1, 2].map((rank, i) => ({ content: `${i}`, rank })) },
      ['answers: expected ranks that count the better answers and one more, 1, 1, 3, got 1, 1, 2'],
    ],
    [
      'a score against its rank',
      {
        answers: [
          { content: 'x', rank: 1, score: 2 },
          { content: 'y', rank: 2, score: 3 },
        ],
      },
      ['answers[0].rank: expected no worse answer with a higher score, found one with 3'],
    ],
    [
      'members of wrong types',
      { answers: [{ content: 1, rank: 1.5 }, 'x', { content: 'y', rank: 1, reason: 3 }] },
      [
        'answers[0].rank: expected a whole number from 1, got 1.5',
        'answers[0].content: expected a string, got a number',
        'answers[1]: expected an object, got a string',
        'answers[2].reason: expected a string, got a number',
        'answers: expected ranks that count the better answers and one more, 2, 1, got 1.5, 1',
      ],
    ],
    [
      'places that are none',
      { answers: [0, 1].map((i) => ({ content: `${i}`, rank: 1 })), undecided: [[0, 2]] },
      ['undecided: expected a list of twos of places in answers, from 0, got [[0,2]]'],
    ],
    [
      'an empty prompt',
      { prompt: ' ', answers: [0, 1].map((i) => ({ content: `${i}`, rank: 1 })) },
      ['prompt: empty user turn'],
    ],
  ])('%s', (_, row, expected) => {
    expect(issuesOf({ prompt: 'A', ...row })).toEqual(expected);
  });

  it('other forms say what they cannot: wins among equal scores, twos that are undecided', () => {
    const { undecided: _, ...decided } = { ...whole, prompt: whole.prompt.slice(1) };
    expect(writeRecord('comparison-v2', decided)).toEqual({
      problem: 'answers of one score have different ranks, and the form has scores alone',
    });
    const ranked = { ...two, undecided: [['巴黎', '长江']] as const };
    expect(writeRecord('comparison-pairs', ranked)).toEqual({
      problem: 'of two answers neither is better, and the form lists them by rank',
    });
    const written = writeRecord('preference', decided);
    expect('rows' in written && written.rows.map((row) => (row as { margin: number }).margin)).toEqual([
      0, 0, 7.5, 7.5, 7.5,
    ]);
  });
});
