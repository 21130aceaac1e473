import { expect, test } from 'vitest';
import type { Conversation } from '../../src/data/records.ts';
import { dataStatistics } from '../../src/data/statistics.ts';

const conversation = (answer: string, more: Partial<Conversation> = {}): Conversation => ({
  id: answer,
  messages: [
    { role: 'user', content: 'A question of some length' },
    { role: 'assistant', content: answer },
  ],
  language: 'en',
  category: 'knowledge',
  provenance: { source: 'seed' },
  ...more,
});

test('languages and categories are counted, the most frequent first, missing ones as unknown', () => {
  const { language: _, category: __, ...bare } = conversation('x');
  const rows = [conversation('a', { category: 'math' }), bare, conversation('b'), conversation('c')];
  const statistics = dataStatistics('seeds', rows, { teacher: 'us', rejected: { cut: 2 } });
  expect(statistics).toMatchObject({ name: 'seeds', rows: 4, teacher: 'us', rejected: { cut: 2 } });
  expect(Object.entries(statistics.byLanguage)).toEqual([
    ['en', 3],
    ['unknown', 1],
  ]);
  expect(Object.entries(statistics.byCategory)).toEqual([
    ['knowledge', 2],
    ['math', 1],
    ['unknown', 1],
  ]);
});

test('lengths: words for English, characters for Chinese, nearest-rank quantiles', () => {
  // 20 answers of 1 to 20 words: the 10th is the median, the 19th the 95th percentile; mean 210 / 20.
  const words = Array.from({ length: 20 }, (_, i) =>
    conversation(
      Array(i + 1)
        .fill('w')
        .join('  '),
    ),
  );
  expect(dataStatistics('x', [...words].reverse(), { teacher: 't' }).answerLength).toEqual({
    mean: 10.5,
    median: 10,
    p95: 19,
    max: 20,
  });
  const chinese = conversation('天 很蓝。', { language: 'zh' });
  expect(dataStatistics('x', [chinese], { teacher: 't' }).answerLength).toEqual({ mean: 4, median: 4, p95: 4, max: 4 });
});

test('every answer of a conversation has its length', () => {
  const messages = [
    { role: 'user', content: 'a b c d e' },
    { role: 'assistant', content: 'one' },
    { role: 'user', content: 'f' },
    { role: 'assistant', content: 'one two three' },
  ] as const;
  const { answerLength, rows } = dataStatistics('x', [conversation('', { messages })], { teacher: 't' });
  expect({ rows, ...answerLength }).toEqual({ rows: 1, mean: 2, median: 1, p95: 3, max: 3 });
});

test('no rows have lengths of 0, which JSON can say', () => {
  expect(dataStatistics('x', [], { teacher: 't' })).toEqual({
    name: 'x',
    rows: 0,
    byLanguage: {},
    byCategory: {},
    answerLength: { mean: 0, median: 0, p95: 0, max: 0 },
    teacher: 't',
    rejected: {},
    figures: { lengths: [], verbNouns: { instructions: {}, answers: {} } },
  });
});

test('what is drawn: lengths of English answers in words and of Chinese ones in characters, verbs and nouns of both', () => {
  const chinese = conversation('天很蓝。', {
    language: 'zh',
    messages: [
      { role: 'user', content: '写一首诗。' },
      { role: 'assistant', content: '天很蓝。' },
    ],
  });
  const { figures } = dataStatistics('x', [conversation('Plants need water.'), chinese], { teacher: 't' });
  const counted = figures?.lengths.map(({ unit, answers, bins }) => [
    unit,
    answers,
    bins.filter(({ count }) => count > 0),
  ]);
  expect(counted).toEqual([
    ['words', 1, [{ from: 3, to: 3, count: 1 }]],
    ['characters', 1, [{ from: 4, to: 4, count: 1 }]],
  ]);
  const { instructions, answers } = figures!.verbNouns;
  expect(instructions?.zh?.pairs).toEqual([{ verb: '写', noun: '诗', count: 1 }]);
  expect(instructions?.en).toMatchObject({ texts: 1, withVerb: 0, pairs: [] });
  expect(answers?.en?.pairs).toEqual([{ verb: 'need', noun: 'water', count: 1 }]);
});
