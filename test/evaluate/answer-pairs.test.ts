import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { type AnswerRow, pairAnswers, readAnswers } from '../../src/evaluate/answer-pairs.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouge-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, content: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

function thrown(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error, got none');
}

const rows = (...texts: string[]): AnswerRow[] => texts.map((text, row) => ({ text, row }));
const withIds = (...entries: [string | number, string][]): AnswerRow[] =>
  entries.map(([id, text], row) => ({ id, text, row }));

describe('readAnswers', () => {
  it('reads a JSON array, JSON Lines and an array of strings', () => {
    expect(readAnswers(write('a.json', [{ id: 7, output: 'x' }, { response: 'y' }]))).toEqual([
      { id: 7, text: 'x', row: 0 },
      { text: 'y', row: 1 },
    ]);
    expect(readAnswers(write('a.jsonl', '\uFEFF{"id":"a","text":"x"}\r\n\n{"answer":""}\n'))).toEqual([
      { id: 'a', text: 'x', row: 1 },
      { text: '', row: 3 },
    ]);
    expect(readAnswers(write('b.json', '\n ["x", ""]'))).toEqual([
      { text: 'x', row: 0 },
      { text: '', row: 1 },
    ]);
  });

  it('takes the first field present in the order output, response, text, answer', () => {
    const file = write('order.json', [
      { answer: '4', text: '3', response: '2', output: '1' },
      { answer: '4', text: '3', response: '2' },
      { answer: '4', text: '3' },
    ]);
    expect(readAnswers(file).map(({ text }) => text)).toEqual(['1', '2', '3']);
  });

  it('names every broken row and the place in it', () => {
    const file = write('broken.json', [
      { output: ['a', 'b'] },
      { output: 'fine' },
      { output: null, response: 'not reached' },
      { instruction: 'x' },
      'loose',
      { text: 'x', id: { n: 1 } },
      { text: 'x', id: 2 ** 60 },
      { text: 3, id: null },
    ]);
    const error = thrown(() => readAnswers(file));
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).issues).toEqual([
      { row: 0, path: 'output', message: 'expected a string, got an array' },
      { row: 2, path: 'output', message: 'expected a string, got null' },
      { row: 3, message: 'expected one of "output", "response", "text", "answer", found only "instruction"' },
      { row: 4, message: 'expected an object, got a string' },
      { row: 5, path: 'id', message: 'expected a string or a number, got an object' },
      { row: 6, path: 'id', message: 'expected a number below 2^53, got 1152921504606847000; write it as a string' },
      { row: 7, path: 'text', message: 'expected a string, got a number' },
      { row: 7, path: 'id', message: 'expected a string or a number, got null' },
    ]);
    expect(error.message).toContain('broken.json:0: output: expected a string, got an array');
  });

  it('counts rows of JSON Lines from 1, and takes bare strings only in an array', () => {
    const error = thrown(() => readAnswers(write('broken.jsonl', '{"output":"x"}\n"loose"\n{}\n'))) as DataError;
    expect(error.issues).toEqual([
      { row: 2, message: 'expected an object, got a string' },
      { row: 3, message: 'expected one of "output", "response", "text", "answer", found an empty object' },
    ]);
    const mixed = thrown(() => readAnswers(write('mixed.json', ['x', { output: 'y' }]))) as DataError;
    expect(mixed.issues).toEqual([{ row: 1, message: 'expected a string like the first element, got an object' }]);
  });

  it('says what it wanted where a file is not of the form at all', () => {
    const torn = thrown(() => readAnswers(write('torn.json', '[{"output": "x"}'))) as DataError;
    expect(torn.message).toContain('expected a JSON array');
    const pretty = thrown(() => readAnswers(write('pretty.json', '{\n  "answers": []\n}'))) as DataError;
    expect(pretty.message).toContain('one JSON value over several lines');
    expect(pretty.hint).toContain('JSON Lines');
    expect(thrown(() => readAnswers(write('empty.json', '[]'))).message).toContain('expected at least one row');
    expect(thrown(() => readAnswers(write('empty.jsonl', '\n')))).toBeInstanceOf(DataError);
    expect(thrown(() => readAnswers(join(folder, 'missing.json')))).toBeInstanceOf(ConfigError);
  });
});

describe('pairAnswers', () => {
  it('pairs by id where every row has one, in the order of the references', () => {
    const pairs = pairAnswers(
      withIds(['b', 'B'], [1, 'one'], ['a', 'A']),
      withIds(['a', 'ra'], ['b', 'rb'], ['1', 'r1']),
    );
    expect(pairs).toEqual([
      { id: 'a', reference: 'ra', candidate: 'A' },
      { id: 'b', reference: 'rb', candidate: 'B' },
      { id: '1', reference: 'r1', candidate: 'one' },
    ]);
  });

  it('pairs by order where a single row has no id', () => {
    const pairs = pairAnswers([...withIds(['b', 'x']), ...rows('y')], withIds(['a', 'rx'], ['b', 'ry']));
    expect(pairs).toEqual([
      { reference: 'rx', candidate: 'x' },
      { reference: 'ry', candidate: 'y' },
    ]);
  });

  it('demands equal counts by order and tells both', () => {
    const error = thrown(() => pairAnswers(rows('x', 'y'), rows('x', 'y', 'z')));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe('expected as many answers as references, got 2 answers and 3 references');
  });

  it('names what is missing and what is left over', () => {
    const many = Array.from({ length: 7 }, (_, i): [string, string] => [`extra${i}`, 'x']);
    const error = thrown(() => pairAnswers(withIds(['a', 'x'], ...many), withIds(['a', 'x'], ['lost', 'y'])));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe(
      'expected the same ids in answers and references, got 1 reference without an answer: "lost"; ' +
        '7 answers without a reference: "extra0", "extra1", "extra2", "extra3", "extra4" and 2 more',
    );
  });

  it('refuses an id that stands twice on one side, also as number and text', () => {
    expect(thrown(() => pairAnswers(withIds([1, 'x'], ['1', 'y']), withIds([1, 'x']))).message).toBe(
      'expected each id once among the answers, got "1" (rows 0 and 1) again',
    );
    expect(thrown(() => pairAnswers(withIds(['a', 'x']), withIds(['a', 'x'], ['a', 'y']))).message).toContain(
      'among the references',
    );
  });
});
