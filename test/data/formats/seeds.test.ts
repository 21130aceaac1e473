import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { readQuestions, readSeeds, seedConversation } from '../../../src/data/formats/seeds.ts';
import { temporaryFolder } from '../../teacher/fixtures/make.ts';

const write = (...rows: unknown[]): string => {
  const file = join(temporaryFolder(), 'tasks.jsonl');
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
};

const seed = { id: 's1', category: 'lists', classification: false, instruction: 'Sort.', input: 'b a', output: 'a b' };

test('seeds of several files in order, with where they stand', () => {
  const one = write(seed, { ...seed, id: 's2', classification: true });
  const two = write({ ...seed, id: 's3', instruction: '排序', input: '' });
  const seeds = readSeeds([one, two]);
  expect(seeds[1]).toEqual({ ...seed, id: 's2', classification: true, language: 'en', file: one, row: 2 });
  expect(seeds[2]).toMatchObject({ id: 's3', language: 'zh', file: two, row: 1 });
});

test('a seed as a conversation: instruction and input are one turn', () => {
  const file = write(seed);
  expect(readSeeds([file]).map(seedConversation)).toEqual([
    {
      id: 's1',
      language: 'en',
      category: 'lists',
      messages: [
        { role: 'user', content: 'Sort.\n\nb a' },
        { role: 'assistant', content: 'a b' },
      ],
      provenance: { source: 'seed', file, row: 1 },
    },
  ]);
});

test('a question has a prompt and a reference, and needs no classification', () => {
  const { classification: _, ...question } = seed;
  expect(readQuestions([write(question)])).toEqual([
    { id: 's1', language: 'en', category: 'lists', prompt: 'Sort.\n\nb a', reference: 'a b' },
  ]);
});

test('every issue of a file is named, an id of another file too', () => {
  const first = write(seed);
  const second = write({ ...seed, output: ' ' }, 7, { ...seed, id: 's4', classification: 'no', input: null });
  try {
    readSeeds([first, second]);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    const { file, issues } = error as DataError;
    expect(file).toBe(second);
    expect(issues).toEqual([
      { row: 1, path: 'output', message: 'expected a text, got an empty one' },
      { row: 1, path: 'id', message: `"s1" is the id of ${first}:1 already` },
      { row: 2, message: 'expected an object, got a number' },
      { row: 3, path: 'input', message: 'expected a string, got null' },
      { row: 3, path: 'classification', message: 'expected true or false, got a string' },
    ]);
  }
});
