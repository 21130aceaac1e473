import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { readConversations, readPreferences, validateFile } from '../../../src/data/formats.ts';
import { temporaryFolder } from '../../teacher/fixtures/make.ts';

function write(...rows: unknown[]): string {
  const file = join(temporaryFolder(), 'rows.jsonl');
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}

const turns = (...texts: string[]) =>
  texts.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));

function thrown(work: () => unknown): DataError {
  try {
    work();
  } catch (error) {
    if (error instanceof DataError) return error;
  }
  throw new Error('expected a DataError, got none');
}

describe('conversations and preferences are told apart', () => {
  const chosen = turns('A', 'B');
  const preference = { prompt: 'A', chosen: 'B', rejected: 'C', messages: chosen };

  test('a row with answers to compare is a preference, whatever else it has', () => {
    expect(validateFile(write(preference)).format).toBe('preference');
  });

  test('either reader refuses the other kind by name', () => {
    const [pairs, rows] = [write(preference), write({ messages: chosen })];
    expect(() => readConversations(pairs)).toThrow(
      'expected conversations, found answers that are compared (preference)',
    );
    expect(() => readPreferences(rows)).toThrow('expected answers that are compared, found conversations (messages)');
    expect(readPreferences(pairs)).toHaveLength(1);
  });

  test.each<[unknown, RegExp]>([
    [{ text: 'Once upon a time' }, /plain text/],
    [{ prompt: 'A' }, /prompts without answers/],
    [{ question_id: 1, turns: ['A', 'B'] }, /prompts without answers/],
    [{ prompt: 'A', completion: 'B', label: false }, /unpaired preference/],
    [{ prompt: 'A', completions: ['B'], labels: [true] }, /stepwise supervision/],
    [{ instruction: 'A', instances: [{ input: '', output: 'B' }] }, /tasks of Self-Instruct/],
    [{ prompt: 'A', response: 'B' }, /an object with "prompt", "response"/],
  ])('%j is refused with what it is', (row, found) => {
    const error = thrown(() => validateFile(write(row)));
    expect(error.message).toMatch(found);
    expect(error.hint).toBeTruthy();
  });
});
