import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { pairItems, readItemValues } from '../../src/evaluate/item-values.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-item-values-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const file = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};

it('reads numbers, truths and nothing, by either name of an id', () => {
  const rows = [{ id: 'a', score: 1.5 }, { question_id: 7, score: true }, { id: 'c', score: null }, { item: 'd' }];
  const { values, missing } = readItemValues(file('scores.jsonl', rows));
  expect([...values]).toEqual([
    ['a', 1.5],
    ['7', 1],
  ]);
  expect(missing).toEqual(['c', 'd']);
});

it('finds a field inside others, and one with a dot in its name before that', () => {
  const rows = [{ id: 1, model: { exact: false, 'a.b': 4 }, 'x.y': 2, x: { y: 3 } }];
  const read = (field: string) => [...readItemValues(file('deep.jsonl', rows), field).values.values()];
  expect([read('model.exact'), read('model.a.b'), read('x.y')]).toEqual([[0], [4], [2]]);
});

it('names every row that will not do', () => {
  const rows = [{ score: 1 }, { id: 'a', score: 'high' }, { id: 'b', score: 1 }, { id: 'b', score: 2 }, 5];
  const broken = file('broken.jsonl', rows);
  expect(() => readItemValues(broken)).toThrow(
    [
      `${broken}:1: id: expected a string or a number, got nothing`,
      `${broken}:2: score: expected a number, true or false, got a string`,
      `${broken}:4: expected one row an item, found b in row 3 already`,
      `${broken}:5: expected an object, got a number`,
    ].join('\n'),
  );
});

it('says which fields have numbers where the one asked for has none', () => {
  const rows = [{ id: 1, rougeBefore: 0.5, judge: [], referenceBefore: { sum: -3, tokens: 2 }, text: 'x' }];
  try {
    readItemValues(file('fields.jsonl', rows));
    expect.unreachable();
  } catch (error) {
    expect((error as Error).message).toContain('no row has a number in score');
    expect((error as { hint: string }).hint).toContain('rougeBefore, referenceBefore.sum, referenceBefore.tokens');
  }
});

it('pairs by id, in the order of the first, and says who is alone', () => {
  const first = readItemValues(
    file(
      'first.jsonl',
      [1, 2, 3, 4].map((id) => ({ id, score: id })),
    ),
  );
  const second = readItemValues(
    file(
      'second.jsonl',
      [5, 4, 2].map((id) => ({ id, score: 10 * id })),
    ),
  );
  expect(pairItems(first, second)).toEqual({
    first: [2, 4],
    second: [20, 40],
    onlyFirst: ['1', '3'],
    onlySecond: ['5'],
  });
  const other = readItemValues(file('other.jsonl', [{ id: 'x', score: 1 }]));
  expect(() => pairItems(first, other)).toThrow('have no item in common');
});
