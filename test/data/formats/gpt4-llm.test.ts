import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPreferences, validateFile } from '../../../src/data/formats.ts';
import { temporaryFolder } from '../../teacher/fixtures/make.ts';

function write(...rows: unknown[]): string {
  const file = join(temporaryFolder(), 'comparisons.json');
  writeFileSync(file, JSON.stringify(rows));
  return file;
}

const issuesOf = (row: unknown): string[] =>
  validateFile(write(row)).issues.map(({ path, message }) => `${path}: ${message}`);

describe('version 1', () => {
  test('a is the better', () => {
    const file = write({ user_input: 'Name a tree.', completion_a: 'An oak.', completion_b: '' });
    expect(validateFile(file).format).toBe('comparison-v1');
    expect(readPreferences(file)).toEqual([
      {
        id: 'comparisons:0',
        prompt: [{ role: 'user', content: 'Name a tree.' }],
        answers: [
          { content: 'An oak.', rank: 1 },
          { content: '', rank: 2 },
        ],
        language: 'en',
        provenance: { source: 'imported', file, row: 0 },
      },
    ]);
  });

  test('broken rows', () => {
    expect(issuesOf({ user_input: '', completion_a: 1, completion_b: 'x' })).toEqual([
      'user_input: empty user turn',
      'completion_a: expected a string, got a number',
      'completion_a: empty answer, and no other is better',
    ]);
  });
});

describe('version 2', () => {
  test('answers are ranked by their scores and keep their places; equal scores are equal ranks', () => {
    const file = write({
      user_input: '说一种树。',
      responses_and_scores: [
        { response: '树', source: 'small', score: 3 },
        { response: '橡树。', source: 'big', score: 9 },
        { response: '松树。', source: 'old', score: 9.0 },
        { response: '', score: 0 },
      ],
    });
    expect(validateFile(file).format).toBe('comparison-v2');
    expect(readPreferences(file)[0]).toMatchObject({
      language: 'zh',
      answers: [
        { content: '树', source: 'small', score: 3, rank: 3 },
        { content: '橡树。', source: 'big', score: 9, rank: 1 },
        { content: '松树。', source: 'old', score: 9, rank: 1 },
        { content: '', score: 0, rank: 4 },
      ],
    });
  });

  test.each<[string, unknown, string[]]>([
    [
      'members',
      [{ response: 7, score: '9' }, 'x', { response: 'y', score: 1, source: [] }],
      [
        'responses_and_scores[0].response: expected a string, got a number',
        'responses_and_scores[0].score: expected a number, got a string',
        'responses_and_scores[1]: expected an object, got a string',
        'responses_and_scores[2].source: expected a string, got an array',
      ],
    ],
    ['no list', {}, ['responses_and_scores: expected a list, got an object']],
    [
      'one answer',
      [{ response: 'y', score: 1 }],
      ['responses_and_scores: expected two or more answers to compare, got 1'],
    ],
    ['none', [], ['responses_and_scores: expected two or more answers to compare, got 0']],
    [
      'an empty best',
      [
        { response: ' ', score: 2 },
        { response: 'y', score: 1 },
      ],
      ['responses_and_scores[0].response: empty answer, and no other is better'],
    ],
  ])('%s', (_, responses_and_scores, expected) => {
    expect(issuesOf({ user_input: 'A', responses_and_scores })).toEqual(expected);
  });
});

describe("lists of answers in Alpaca's rows", () => {
  test('the first is the best; input, system and history are the prompt', () => {
    const file = write({
      instruction: 'Sort.',
      input: 'b a',
      system: 'Be brief.',
      history: [['Hi', 'Hello']],
      output: ['a b', 'b a', 'no'],
    });
    expect(validateFile(file).format).toBe('comparison-pairs');
    expect(readPreferences(file)[0]).toMatchObject({
      prompt: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello' },
        { role: 'user', content: 'Sort.\n\nb a' },
      ],
      answers: [
        { content: 'a b', rank: 1 },
        { content: 'b a', rank: 2 },
        { content: 'no', rank: 3 },
      ],
    });
  });

  test('broken rows', () => {
    expect(issuesOf({ instruction: 'A', output: ['only'] })).toEqual([
      'output: expected two or more answers to compare, got 1',
    ]);
    expect(issuesOf({ instruction: ' ', output: ['x', null] })).toEqual([
      'instruction: empty user turn',
      'output[1]: expected a string, got null',
    ]);
    const mixed = write({ instruction: 'A', output: ['x', 'y'] }, { instruction: 'A', output: 'x' });
    expect(validateFile(mixed).issues).toEqual([
      { row: 1, path: 'output', message: 'expected a list of answers, the best first, got a string' },
    ]);
  });
});
