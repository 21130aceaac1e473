import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type CardFacts, CardTally, datasetCard } from '../../src/data/card.ts';

const facts: CardFacts = {
  title: 'tea "and" cake',
  files: [
    { path: 'data/train.jsonl', split: 'train', form: 'messages' },
    { path: 'data/test.jsonl', split: 'test', form: 'messages' },
  ],
  rows: 52_002,
  languages: { en: 40_000, no: 2, unknown: 12_000 },
  sources: { generated: 52_000, imported: 2 },
  teachers: { 'openai:m|1': 52_000, 'not recorded': 2 },
  prompts: [{ name: 'instructions-en', version: 3 }],
  asked: { from: '2026-01-02', to: '2026-01-05' },
  filters: [
    { name: 'instructions', rows: 60_000, rejected: { 'too similar': 7000, 'too short': 998 } },
    { name: 'answers', rows: 52_002, rejected: {} },
  ],
  license: 'cc-by-nc-4.0',
  licenseNotes: ['The seeds are under Apache-2.0.'],
  made: { date: '2026-01-06', by: 'Understudy 1' },
};

const parts = (card: string): [Record<string, unknown>, string] => {
  const [, head, body] = /^---\n(.*?)\n---\n(.*)$/s.exec(card) ?? [];
  return [parse(head as string) as Record<string, unknown>, body as string];
};

describe('datasetCard', () => {
  test('the front matter is YAML with what the hub reads', () => {
    const [head] = parts(datasetCard(facts));
    expect(head).toEqual({
      pretty_name: 'tea "and" cake',
      license: 'cc-by-nc-4.0',
      language: ['en', 'no'],
      task_categories: ['text-generation'],
      tags: ['instruction-tuning', 'synthetic'],
      size_categories: ['10K<n<100K'],
      configs: [
        {
          config_name: 'default',
          data_files: [
            { split: 'train', path: 'data/train.jsonl' },
            { split: 'test', path: 'data/test.jsonl' },
          ],
        },
      ],
    });
  });

  test('says who wrote it, with what, when, what was taken away, and what the terms may forbid', () => {
    const [, body] = parts(datasetCard(facts));
    for (const line of [
      '52002 rows, made on 2026-01-06 by Understudy 1.',
      '| openai:m\\|1 | 52000 |',
      'Prompts: instructions-en (version 3).',
      'between 2026-01-02 and 2026-01-05.',
      '| instructions | 60000 | too similar | 7000 |',
      '|  |  | too short | 998 |',
      '| answers | 52002 | nothing | 0 |',
      '| unknown | 12000 |',
      'Licence: cc-by-nc-4.0.',
      'The seeds are under Apache-2.0.',
    ])
      expect(body).toContain(line);
    expect(body).toMatch(/terms of openai:m\|1 hold .* may forbid training models on the output/);
  });

  test('what is not known is said, not guessed', () => {
    const { prompts: _p, asked: _a, license: _l, licenseNotes: _n, ...known } = facts;
    const [head, body] = parts(
      datasetCard({ ...known, sources: { imported: 3 }, teachers: { 'not recorded': 3 }, filters: [], rows: 3 }),
    );
    expect(head).toMatchObject({ license: 'unknown', tags: ['instruction-tuning'], size_categories: ['n<1K'] });
    for (const text of ['prompts', 'asked for is not recorded', 'Nothing that is recorded', 'No licence was given'])
      expect(body).toContain(text);
    expect(body).toMatch(/their provider's terms hold/);
  });

  test.each([
    [999, 'n<1K'],
    [1000, '1K<n<10K'],
    [700_000, '100K<n<1M'],
    [20_000_000, '10M<n<100M'],
  ])('%d rows are %s', (rows, size) => {
    expect(parts(datasetCard({ ...facts, rows }))[0]['size_categories']).toEqual([size]);
  });
});

test('a tally counts languages, sources and teachers', () => {
  const tally = new CardTally();
  tally.add({ language: 'en', provenance: { source: 'generated', teacher: 't' } });
  tally.add({ language: 'zh', provenance: { source: 'generated', teacher: 't' } });
  tally.add({ provenance: { source: 'imported' } });
  expect(tally).toMatchObject({
    rows: 3,
    languages: { en: 1, zh: 1, unknown: 1 },
    sources: { generated: 2, imported: 1 },
    teachers: { t: 2, 'not recorded': 1 },
  });
});
