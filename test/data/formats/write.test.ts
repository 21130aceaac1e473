import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FormName, writeRecord } from '../../../src/data/formats/write.ts';
import { readConversations, readPreferences, validateFile } from '../../../src/data/formats.ts';
import type { Preference } from '../../../src/data/preferences.ts';
import type { Conversation } from '../../../src/data/records.ts';
import { temporaryFolder } from '../../teacher/fixtures/make.ts';

const generated = { source: 'generated', teacher: 'openai:m', calls: ['k1', 'k2'] } as const;
const short: Conversation = {
  id: 'a',
  language: 'en',
  category: 'c',
  messages: [
    { role: 'user', content: 'A\n\nwith "quotes"' },
    { role: 'assistant', content: ' B\n' },
  ],
  provenance: generated,
};
const long: Conversation = {
  id: 'b',
  language: 'zh',
  messages: [
    { role: 'system', content: '请简短。' },
    { role: 'user', content: '写' },
    { role: 'assistant', content: '字\u2028。' },
    { role: 'user', content: '再写' },
    { role: 'assistant', content: '好' },
  ],
  provenance: { source: 'seed' },
};
const context: Conversation = {
  ...long,
  id: 'c',
  messages: long.messages.map((turn, i) => (i === 2 ? { ...turn, weight: 0 } : turn)),
};

const pair: Preference = {
  id: 'p',
  language: 'en',
  category: 'c',
  prompt: [{ role: 'user', content: 'A' }],
  answers: [
    { content: 'B', rank: 1 },
    { content: 'C', rank: 2 },
  ],
  provenance: generated,
};
const scored: Preference = {
  ...pair,
  id: 'q',
  margin: 2,
  prompt: long.messages.slice(0, 4).map(({ role, content }) => ({ role, content })),
  answers: [
    { content: 'B', rank: 1, score: 9, source: 'big' },
    { content: '', rank: 2, score: 7.5, source: 'small' },
  ],
};
const several: Preference = {
  ...pair,
  id: 'r',
  answers: [
    { content: 'low', rank: 4, score: 1, source: 'small' },
    { content: 'top', rank: 1, score: 9, source: 'big' },
    { content: 'tied', rank: 2, score: 8 },
    { content: 'as good', rank: 2, score: 8 },
  ],
};

/** The rows that a form makes of records, in a file. */
function write(form: FormName, ...records: (Conversation | Preference)[]): string {
  const rows = records.flatMap((record) => {
    const written = writeRecord(form, record);
    if ('problem' in written) throw new Error(written.problem);
    return written.rows;
  });
  const file = join(temporaryFolder(), 'rows.jsonl');
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}

const imported = (file: string, row: number) => ({ provenance: { source: 'imported', file, row } });
const problemOf = (form: FormName, record: Conversation | Preference): unknown => {
  const written = writeRecord(form, record);
  return 'problem' in written ? written.problem : written;
};

describe('conversations', () => {
  test('messages are read back as they were', () => {
    expect(readConversations(write('messages', short, long, context))).toEqual([short, long, context]);
  });

  test.each<[FormName, Conversation[]]>([
    ['alpaca', [short, long]],
    ['sharegpt', [short, long]],
    ['prompt-completion', [short, context]],
  ])('%s rows are read back with all turns; where they came from is not kept', (form, records) => {
    const file = write(form, ...records);
    expect(validateFile(file).format).toBe(form);
    expect(readConversations(file)).toEqual(records.map((one, i) => ({ ...one, ...imported(file, i + 1) })));
  });

  test('OpenAI rows are messages and weights alone', () => {
    const file = write('openai', short, context);
    expect(readConversations(file).map(({ messages }) => messages)).toEqual([short.messages, context.messages]);
    expect(writeRecord('openai', context)).toEqual({ rows: [{ messages: context.messages }] });
  });

  test('an Alpaca row has no member that says nothing', () => {
    expect(JSON.parse(JSON.stringify(writeRecord('alpaca', { ...short, id: 'x' })))).toEqual({
      rows: [{ id: 'x', language: 'en', category: 'c', instruction: 'A\n\nwith "quotes"', input: '', output: ' B\n' }],
    });
  });

  test('what a form cannot say is a problem', () => {
    expect(problemOf('alpaca', context)).toMatch(/weight 0/);
    expect(problemOf('sharegpt', context)).toMatch(/weight 0/);
    expect(problemOf('prompt-completion', long)).toMatch(/2 answers are to be learned/);
    expect(problemOf('messages', pair)).toMatch(/messages holds conversations, and this row is a preference/);
  });
});

describe('preferences', () => {
  test("TRL's rows are read back as they were", () => {
    expect(readPreferences(write('preference', pair, scored))).toEqual([pair, scored]);
  });

  test('of several answers each two of different rank are a row; ties are counted', () => {
    const file = write('preference', several);
    expect(
      readPreferences(file).map(({ id, answers }) => [id, ...answers.map(({ content, score }) => [content, score])]),
    ).toEqual([
      ['r#1', ['top', 9], ['tied', 8]],
      ['r#2', ['top', 9], ['as good', 8]],
      ['r#3', ['top', 9], ['low', 1]],
      ['r#4', ['tied', 8], ['low', 1]],
      ['r#5', ['as good', 8], ['low', 1]],
    ]);
    expect(writeRecord('preference', several)).toMatchObject({ ties: 1 });
  });

  test('version 1 keeps prompt and order', () => {
    const file = write('comparison-v1', pair);
    expect(readPreferences(file)).toEqual([{ ...omit(pair, 'category'), ...imported(file, 1) }]);
  });

  test('version 2 keeps scores, sources and places', () => {
    const file = write('comparison-v2', several);
    expect(readPreferences(file)).toEqual([{ ...omit(several, 'category'), ...imported(file, 1) }]);
  });

  test('lists of answers keep the prompt and the ranks', () => {
    const file = write('comparison-pairs', pair, omit(scored, 'margin'));
    const bare = ({ content, rank }: Preference['answers'][number]) => ({ content, rank });
    expect(readPreferences(file)).toEqual([
      { ...pair, ...imported(file, 1) },
      { ...omit(scored, 'margin'), answers: scored.answers.map(bare), ...imported(file, 2) },
    ]);
  });

  test('what a form cannot say is a problem', () => {
    const tied = { ...pair, answers: pair.answers.map((answer) => ({ ...answer, rank: 1 })) };
    for (const form of ['preference', 'comparison-v1'] as const)
      expect(problemOf(form, tied)).toMatch(/all answers are tied/);
    expect(problemOf('comparison-pairs', several)).toMatch(/two answers are tied/);
    expect(problemOf('comparison-v1', scored)).toMatch(/more than one turn/);
    expect(problemOf('comparison-v2', scored)).toMatch(/more than one turn/);
    expect(problemOf('comparison-v2', pair)).toMatch(/no score/);
    expect(problemOf('preference', short)).toMatch(/preference holds preferences, and this row is a conversation/);
  });
});

function omit<T extends object, K extends keyof T>(value: T, name: K): Omit<T, K> {
  const { [name]: _, ...rest } = value;
  return rest;
}
