import { expect, test } from 'vitest';
import { UniqueIds } from '../../src/data/unique-ids.ts';

test('an id that is taken gets the first number that makes it new', () => {
  const ids = new UniqueIds();
  expect(['a', 'b', 'a', 'a~2', 'a', 'a~2', 'a~4'].map((id) => ids.take(id))).toEqual([
    'a',
    'b',
    'a~2',
    'a~2~2',
    'a~3',
    'a~2~3',
    'a~4',
  ]);
  expect(ids.renamed).toBe(4);
});

test('many of one id are quick, and no two alike', () => {
  const ids = new UniqueIds();
  const taken = Array.from({ length: 50_000 }, () => ids.take('x'));
  expect(new Set(taken).size).toBe(50_000);
});
