import { describe, expect, it } from 'vitest';
import { compareSets } from '../../src/data/statistics-compare.ts';
import { type SetStatistics, SetTally, type StatisticsOptions } from '../../src/data/statistics-set.ts';

function tallied(rows: readonly object[], options: Partial<StatisticsOptions> = {}): SetTally {
  const set = new SetTally({ verbNouns: [], ...options });
  for (const row of rows) expect(set.add(row as Record<string, unknown>)).toBeUndefined();
  return set;
}
const statistics = (rows: readonly object[], options: Partial<StatisticsOptions> = {}): SetStatistics =>
  tallied(rows, options).result();

const alpaca = [
  { instruction: 'Write a short poem.', input: '', output: 'Roses are red.' },
  { instruction: 'Count the words.', input: 'one two', output: 'two' },
  { instruction: 'Count the words.', input: ' ', output: ' ' },
  { instruction: 'Write a poem about rain.', input: '', output: 'two' },
];

describe('a set of Alpaca rows', () => {
  it('has its counts and lengths; empty and equal answers are rows too', () => {
    expect(statistics(alpaca)).toEqual({
      records: 4,
      withInput: 1,
      // The blank answer.
      brokenRecords: 1,
      outputs: 4,
      emptyOutputs: 1,
      uniqueOutputs: 3,
      // 3, 1, 0, 1
      outputWords: { mean: 1.25, median: 1, p95: 3, max: 3 },
      outputCharacters: null,
      // 4, 3, 3, 5
      instructionWords: { mean: 3.75, median: 3, p95: 5, max: 5 },
      instructionCharacters: null,
      turns: { mean: 2, median: 2, p95: 2, max: 2 },
      languages: { en: 4 },
      verbNouns: {},
    });
  });

  it('has the tokens of prompts with their input, and of answers', () => {
    // A token a character.
    const { tokens } = statistics(alpaca.slice(0, 2), { encode: (text) => Array.from(text, () => 0) });
    // 'Write a short poem.' 19; 'Count the words.\n\none two' 16 + 2 + 7
    expect(tokens?.prompts).toEqual({ mean: 22, median: 19, p95: 25, max: 25, total: 44 });
    expect(tokens?.outputs).toEqual({ mean: 8.5, median: 3, p95: 14, max: 14, total: 17 });
  });

  it('has the verbs and nouns of what is asked for', () => {
    const { instructions, answers } = statistics(alpaca, { verbNouns: ['instructions'] }).verbNouns;
    expect(answers).toBeUndefined();
    expect(instructions).toEqual({
      en: {
        texts: 4,
        withVerb: 4,
        withPair: 4,
        uniqueVerbs: 2,
        uniquePairs: 2,
        frequentPairs: 0,
        top: [
          { verb: 'count', count: 2, nouns: [{ noun: 'word', count: 2 }] },
          { verb: 'write', count: 2, nouns: [{ noun: 'poem', count: 2 }] },
        ],
        pairs: [
          { verb: 'count', noun: 'word', count: 2 },
          { verb: 'write', noun: 'poem', count: 2 },
        ],
      },
    });
  });
});

describe('sets of other forms', () => {
  it('count every answer and every turn of a conversation', () => {
    const said = (role: string, content: string) => ({ role, content });
    const { records, outputs, turns, outputWords } = statistics([
      {
        messages: [
          said('system', 'Be brief.'),
          said('user', 'Hello'),
          said('assistant', 'Hello to you'),
          said('user', 'Bye'),
          said('assistant', 'Bye'),
        ],
      },
      {
        conversations: [
          { from: 'human', value: 'Hi' },
          { from: 'gpt', value: 'Hi' },
        ],
      },
    ]);
    expect({ records, outputs }).toEqual({ records: 2, outputs: 3 });
    expect(turns).toEqual({ mean: 3, median: 2, p95: 4, max: 4 });
    expect(outputWords).toEqual({ mean: 1.67, median: 1, p95: 3, max: 3 });
  });

  it('count both answers of a comparison, and none of a task that has none', () => {
    expect(statistics([{ prompt: 'Why?', chosen: 'Because it is.', rejected: 'No.' }])).toMatchObject({
      records: 1,
      outputs: 2,
      turns: { max: 2 },
    });
    const task = {
      instruction: 'Add.',
      instances: [
        { input: '1 1', output: '2' },
        { input: '', output: '' },
      ],
    };
    expect(statistics([{ instruction: 'Write a poem.' }, task])).toMatchObject({
      records: 2,
      withInput: 1,
      brokenRecords: 2,
      outputs: 2,
      emptyOutputs: 1,
    });
  });

  it('refuse a row that is nothing known, and count it not', () => {
    const set = new SetTally({ verbNouns: [] });
    expect(set.add({ text: 'plain' })).toEqual({ problem: 'expected an instruction, or a row of a known form' });
    expect(set.result().records).toBe(0);
  });
});

describe('languages', () => {
  const chinese = { instruction: '写一首诗。', input: '', output: '春天 来了。' };

  it('are those that rows say, else guessed; Chinese answers have characters', () => {
    const { languages, outputCharacters } = statistics([chinese, { ...chinese, language: 'ja' }, alpaca[0]!]);
    expect(languages).toEqual({ en: 1, ja: 1, zh: 1 });
    expect(outputCharacters).toEqual({ mean: 5, median: 5, p95: 5, max: 5 });
  });

  it('can be said for all rows', () => {
    const rows = [{ instruction: 'Écris un poème.', input: '', output: 'x' }];
    expect(statistics(rows, { language: 'zh' }).languages).toEqual({ zh: 1 });
  });

  it('of verbs and nouns go by each text', () => {
    const mixed = { instruction: 'Translate the sentence.', input: '你好', output: 'Hello' };
    const { instructions } = statistics([chinese, mixed], { verbNouns: ['instructions'] }).verbNouns;
    expect(instructions?.en?.pairs).toEqual([{ verb: 'translate', noun: 'sentence', count: 1 }]);
    expect(instructions?.zh?.pairs).toEqual([{ verb: '写', noun: '诗', count: 1 }]);
  });
});

it('pairs are ordered by how often they occur, then by name; at most 20 verbs, 4 objects and 25 pairs', () => {
  const nouns = ['poem', 'story', 'letter', 'song', 'report', 'essay'];
  const verbs = ['write', 'read', 'copy', 'find', 'edit'];
  const rows = verbs.flatMap((verb, i) =>
    nouns.flatMap((noun, j) => Array.from({ length: i === 0 && j === 0 ? 11 : 1 }, () => `${verb} the ${noun}.`)),
  );
  const set = statistics(
    rows.map((text) => ({ instruction: text, output: 'x' })),
    { verbNouns: ['instructions'] },
  );
  const { pairs, top, uniquePairs, frequentPairs } = set.verbNouns.instructions!.en!;
  expect({ uniquePairs, frequentPairs }).toEqual({ uniquePairs: 30, frequentPairs: 1 });
  expect(pairs).toHaveLength(25);
  expect(pairs.slice(0, 3)).toEqual([
    { verb: 'write', noun: 'poem', count: 11 },
    { verb: 'copy', noun: 'essay', count: 1 },
    { verb: 'copy', noun: 'letter', count: 1 },
  ]);
  expect(top.map(({ verb, count }) => `${verb} ${count}`)).toEqual([
    'write 16',
    'copy 6',
    'edit 6',
    'find 6',
    'read 6',
  ]);
  expect(top[0]?.nouns.map(({ noun }) => noun)).toEqual(['poem', 'essay', 'letter', 'report']);
});

describe('two sets', () => {
  it('have the difference of every number that both have, and their pairs side by side', () => {
    const options = { verbNouns: ['instructions'] } as const;
    const b = [
      { instruction: 'Write a poem.', output: 'x y z' },
      { instruction: 'Draw a map.', output: 'x', language: 'zh' },
    ];
    const { a, difference, pairs, ...rest } = compareSets(tallied(alpaca, options), tallied(b, options));
    expect(a.records).toBe(4);
    expect(rest.b.records).toBe(2);
    expect(difference).toMatchObject({ records: -2, withInput: -1, outputWords: { mean: 0.75, median: 0 } });
    // Chinese is in one of them alone.
    expect(difference).not.toHaveProperty('outputCharacters');
    expect(difference['languages']).toEqual({ en: -3, zh: 1 });
    expect(pairs).toEqual({
      instructions: {
        en: {
          inBoth: 1,
          onlyA: 1,
          onlyB: 1,
          top: [
            { verb: 'write', noun: 'poem', a: 2, b: 1 },
            { verb: 'count', noun: 'word', a: 2, b: 0 },
            { verb: 'draw', noun: 'map', a: 0, b: 1 },
          ],
        },
      },
    });
  });
});
