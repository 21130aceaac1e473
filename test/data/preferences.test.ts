import { describe, expect, test } from 'vitest';
import { preferencePairs, rankScores } from '../../src/data/preferences.ts';

test('ranks count the better ones', () => {
  expect(rankScores([9, 10, 9, 0, 7.5])).toEqual([2, 1, 2, 5, 4]);
  expect(rankScores([])).toEqual([]);
});

describe('pairs', () => {
  const answer = (content: string, rank: number, score?: number) => ({
    content,
    rank,
    ...(score === undefined ? {} : { score }),
  });
  const texts = ({ pairs }: ReturnType<typeof preferencePairs>) =>
    pairs.map(({ better, worse, margin }) => [better.content, worse.content, margin]);

  test('each two of different rank, better ones first, whatever their places', () => {
    const answers = [answer('c', 3, 2), answer('a', 1, 9), answer('b', 2, 5)];
    const found = preferencePairs({ answers });
    expect(found.ties).toBe(0);
    expect(texts(found)).toEqual([
      ['a', 'b', 4],
      ['a', 'c', 7],
      ['b', 'c', 3],
    ]);
  });

  test('ties are counted and are no pairs', () => {
    const found = preferencePairs({ answers: [answer('a', 1), answer('b', 1), answer('c', 1), answer('d', 4)] });
    expect(found.ties).toBe(3);
    expect(texts(found)).toEqual([
      ['a', 'd', undefined],
      ['b', 'd', undefined],
      ['c', 'd', undefined],
    ]);
  });

  test("the file's margin stands before that of the scores; one score alone is none", () => {
    expect(texts(preferencePairs({ answers: [answer('a', 1, 9), answer('b', 2, 5)], margin: 0.5 }))).toEqual([
      ['a', 'b', 0.5],
    ]);
    expect(texts(preferencePairs({ answers: [answer('a', 1, 9), answer('b', 2)] }))).toEqual([['a', 'b', undefined]]);
  });
});
