import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { alpacaPrompt, readConversations, toMessagesJsonl, validateFile } from '../../src/data/formats.ts';
import type { Conversation } from '../../src/data/records.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

function write(name: string, content: string | Uint8Array): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, content);
  return file;
}

const lines = (...rows: unknown[]): string => rows.map((row) => JSON.stringify(row)).join('\n');

function thrown(work: () => unknown): DataError {
  try {
    work();
  } catch (error) {
    return error as DataError;
  }
  throw new Error('expected an error, got none');
}

/** What is wrong with a row, as `path: message`. */
const issuesOf = (row: unknown): string[] =>
  validateFile(write('rows.jsonl', lines(row))).issues.map(({ path, message }) => `${path}: ${message}`);

const turns = (...texts: string[]) =>
  texts.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));

describe('Alpaca', () => {
  const rows = [
    { instruction: 'Name a river.', input: '', output: 'The Ebro.' },
    { instruction: 'Sort these.', input: 'b, a', output: 'a, b', id: 7, category: 'lists', classification: false },
    { instruction: '写一个字', output: '休' },
  ];
  const expected: Omit<Conversation, 'provenance'>[] = [
    {
      id: 'tasks:0',
      language: 'en',
      messages: [
        { role: 'user', content: 'Name a river.' },
        { role: 'assistant', content: 'The Ebro.' },
      ],
    },
    {
      id: '7',
      language: 'en',
      category: 'lists',
      messages: [
        { role: 'user', content: 'Sort these.\n\nb, a' },
        { role: 'assistant', content: 'a, b' },
      ],
    },
    {
      id: 'tasks:2',
      language: 'zh',
      messages: [
        { role: 'user', content: '写一个字' },
        { role: 'assistant', content: '休' },
      ],
    },
  ];

  test('rows of a JSON array count from 0', () => {
    const file = write('tasks.json', JSON.stringify(rows, null, 2));
    const provenance = (row: number) => ({ source: 'imported', file, row });
    expect(readConversations(file)).toEqual(expected.map((one, row) => ({ ...one, provenance: provenance(row) })));
  });

  test('rows of JSON Lines are the lines from 1, blank ones counted', () => {
    const file = write('tasks.jsonl', `\n${lines(rows[0])}\r\n\n${lines(rows[1])}\n`);
    expect(readConversations(file).map(({ id, provenance }) => [id, provenance.row])).toEqual([
      ['tasks:2', 2],
      ['7', 4],
    ]);
  });

  test('a gzipped file is recognised by what is inside, whatever its name; a byte order mark is dropped', () => {
    const zipped = gzipSync(`\uFEFF${JSON.stringify(rows)}`);
    const messages = expected.map((one) => one.messages);
    for (const name of ['tasks.json.gz', 'tasks.json'])
      expect(readConversations(write(name, zipped)).map((one) => one.messages)).toEqual(messages);
  });

  test('a system prompt and earlier turns come before the instruction; null and empty ones are none', () => {
    const file = write(
      'rows.jsonl',
      lines(
        { instruction: 'And now?', input: null, output: 'Late.', system: 'Be brief.', history: [['Hello', 'Hi']] },
        { instruction: 'Why?', output: 'So.', system: '', history: [], category: null, id: null },
      ),
    );
    const [first, second] = readConversations(file);
    expect(first?.messages.map(({ role, content }) => `${role}: ${content}`)).toEqual([
      'system: Be brief.',
      'user: Hello',
      'assistant: Hi',
      'user: And now?',
      'assistant: Late.',
    ]);
    expect(second?.messages.map(({ content }) => content)).toEqual(['Why?', 'So.']);
    expect(second).not.toHaveProperty('category');
  });

  test('alpacaPrompt puts a blank line before an input, and nothing where there is none', () => {
    expect(alpacaPrompt('Add.', '1, 2')).toBe('Add.\n\n1, 2');
    expect([alpacaPrompt('Add.'), alpacaPrompt('Add.', '')]).toEqual(['Add.', 'Add.']);
  });
});

describe('messages', () => {
  test('language, category and provenance are taken over whole: a copy of a row comes from where the row does', () => {
    const messages = [{ role: 'system', content: 'S' }, ...turns('你好', 'B')];
    const provenance = { source: 'generated', teacher: 'openai:m', calls: ['k1', 'k2'], file: 'old', row: 99 };
    const file = write('m.jsonl', lines({ messages, id: 'x', language: 'fr', category: 'c', provenance }));
    expect(readConversations(file)).toEqual([{ id: 'x', messages, language: 'fr', category: 'c', provenance }]);
  });

  test('a file may be a JSON array, and what else the rows have is left aside', () => {
    const file = write('m.json', JSON.stringify([{ messages: turns('A', 'B', 'C', 'D'), score: 3 }]));
    expect(validateFile(file)).toMatchObject({ format: 'messages', rows: 1, issues: [] });
    expect(readConversations(file)[0]?.messages).toEqual(turns('A', 'B', 'C', 'D'));
  });
});

describe('ShareGPT', () => {
  test.each([
    ['human', 'gpt'],
    ['user', 'assistant'],
    ['human', 'chatgpt'],
    ['human', 'bing'],
    ['human', 'bard'],
  ])('%s and %s', (user, assistant) => {
    const conversations = [
      { from: 'system', value: 'S' },
      { from: user, value: 'A' },
      { from: assistant, value: 'B' },
    ];
    const file = write('s.json', JSON.stringify([{ id: 'one', conversations }]));
    expect(validateFile(file).format).toBe('sharegpt');
    expect(readConversations(file)[0]?.messages).toEqual([{ role: 'system', content: 'S' }, ...turns('A', 'B')]);
  });

  test('a system prompt may stand beside the turns', () => {
    const conversations = [
      { from: 'human', value: 'A' },
      { from: 'gpt', value: 'B' },
    ];
    const file = write('s.jsonl', lines({ system: 'S', conversations }));
    expect(readConversations(file)[0]?.messages[0]).toEqual({ role: 'system', content: 'S' });
  });
});

describe('broken rows', () => {
  test.each<[string, unknown, string[]]>([
    ['no answer', { instruction: 'A', output: ' \n' }, ['output: empty answer']],
    ['no question', { instruction: '', output: 'B' }, ['instruction: empty user turn']],
    [
      'types',
      { instruction: 1, input: 2, output: [], id: {}, classification: 'no', category: 3, history: 'x' },
      [
        'instruction: expected a string, got a number',
        'input: expected a string, got a number',
        'history: expected a list of [user, assistant], got a string',
        'output: expected a string, got an array',
        'classification: expected true or false, got a string',
        'category: expected a string, got a number',
        'id: expected a string or a whole number below 2^53, got an object',
      ],
    ],
    [
      'history',
      { instruction: 'A', output: 'B', history: [['x', ''], ['y'], ['p', 'q']] },
      ['history[1]: expected two strings: [user, assistant]', 'history[0][1]: empty answer'],
    ],
    [
      'an id that JSON cannot tell from its neighbour',
      { instruction: 'A', output: 'B', id: 2 ** 53 },
      ['id: expected a string or a whole number below 2^53, got 9007199254740992'],
    ],
    ['no turns', { messages: [] }, ['messages: expected a turn of the user and one of the assistant, found neither']],
    ['no list', { messages: 'hello' }, ['messages: expected a list, got a string']],
    [
      'roles and contents',
      { messages: [{ role: 'tool', content: 'x' }, 'y', { content: null }] },
      [
        'messages[0].role: expected one of system, user, assistant, got "tool"',
        'messages[1]: expected an object, got a string',
        'messages[2].role: expected a string, got nothing',
        'messages[2].content: expected a string, got null',
      ],
    ],
    [
      'the user twice, and last',
      { messages: [...turns('A'), ...turns('B', 'C', 'D')] },
      [
        'messages[1]: expected a turn of the assistant, got one of the user',
        "messages[3]: expected the last turn to be the assistant's, got the user's",
      ],
    ],
    [
      'the assistant first',
      { messages: turns('A', 'B', 'C', 'D').slice(1) },
      ['messages[0]: expected a turn of the user, got one of the assistant'],
    ],
    [
      'a late system turn',
      { messages: [...turns('A', 'B'), { role: 'system', content: 'S' }, ...turns('C', 'D')] },
      ['messages[2]: a system turn may only be the first'],
    ],
    ['an empty answer in the middle', { messages: turns('A', '', 'C', 'D') }, ['messages[1]: empty answer']],
    [
      'provenance',
      { messages: turns('A', 'B'), provenance: { source: 'dream', teacher: 1, calls: [2] } },
      [
        'provenance.source: expected one of seed, generated, imported, got "dream"',
        'provenance.teacher: expected a string, got a number',
        'provenance.calls: expected a list of strings',
      ],
    ],
    [
      'speakers',
      {
        conversations: [
          { from: 'human', value: 'A' },
          { from: 'observation', value: 7 },
        ],
      },
      [
        'conversations[1].value: expected a string, got a number',
        'conversations[1].from: expected one of human, user, gpt, assistant, chatgpt, bing, bard, system, got "observation"',
      ],
    ],
  ])('%s', (_, row, expected) => {
    expect(issuesOf(row)).toEqual(expected);
  });

  test('one error names every broken row of the file, in order, those that are not JSON too', () => {
    const good = { instruction: 'A', output: 'B' };
    const rows = [lines(good, { ...good, output: '' }), '{"instruction": ', lines('text', good)];
    const file = write('t.jsonl', rows.join('\n'));
    const error = thrown(() => readConversations(file));
    expect(error).toBeInstanceOf(DataError);
    expect(error.exitCode).toBe(2);
    expect(error.issues.map(({ row, path }) => [row, path])).toEqual([
      [2, 'output'],
      [3, undefined],
      [4, undefined],
    ]);
    expect(error.issues[2]?.message).toBe('expected an object, got a string');
    expect(error.message).toContain(`${file}:2: output: empty answer`);
  });

  test('a row of another shape than the first is broken', () => {
    const file = write('t.json', JSON.stringify([{ instruction: 'A', output: 'B' }, { messages: turns('A', 'B') }]));
    expect(thrown(() => readConversations(file)).issues.map(({ row, path }) => [row, path])).toEqual([
      [1, 'instruction'],
      [1, 'output'],
    ]);
  });

  test('an id stands once in a file; 1 and "1" are one', () => {
    const row = { instruction: 'A', output: 'B' };
    const file = write('t.jsonl', lines({ ...row, id: 1 }, { ...row, id: '2' }, { ...row, id: '1' }));
    expect(thrown(() => readConversations(file)).issues).toEqual([
      { row: 3, path: 'id', message: '"1" is the id of row 1 already' },
    ]);
  });

  test('validateFile throws for no row, and gives the sound ones', () => {
    const file = write('t.jsonl', lines({ instruction: 'A', output: '' }, { instruction: 'C', output: 'D' }));
    const { format, rows, issues, conversations } = validateFile(file);
    expect({ format, rows, issues: issues.length }).toEqual({ format: 'alpaca', rows: 2, issues: 1 });
    expect(conversations.map(({ provenance }) => provenance.row)).toEqual([2]);
  });
});

describe('files that are none of this', () => {
  test('an unknown shape says what was found and which shapes are known', () => {
    const error = thrown(() => validateFile(write('q.jsonl', lines({ question: 'A', answer: 'B' }))));
    expect(error.message).toMatch(/expected rows of a known shape, found an object with "question", "answer"/);
    expect(error.hint).toMatch(/messages.*ShareGPT.*Alpaca/);
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ['empty', '', /at least one row/],
    ['an empty array', '[]', /at least one row/],
    ['prose', '# Data\nNothing here', /t:1: expected one JSON value on the line/],
    ['numbers', '[1, 2]', /found a number first/],
    ['half an array', '[{"instruction": "A"', /expected a JSON array/],
    ['one object over several lines', '{\n"instruction": "A",\n"output": "B"\n}', /one JSON value over several lines/],
    ['Latin-1', Buffer.from('{"instruction": "\xe9", "output": "B"}', 'latin1'), /expected UTF-8 text/],
    ['half a gzip file', gzipSync('[1]'.repeat(99)).subarray(0, 20), /expected a whole gzip file/],
  ])('%s', (_, content, message) => {
    const error = thrown(() => validateFile(write('t', content)));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(message);
  });

  test('a missing file and a folder are wrong settings', () => {
    const folder = temporaryFolder();
    expect(() => validateFile(join(folder, 'none'))).toThrow(ConfigError);
    expect(() => validateFile(folder)).toThrow(/expected a file, found a folder/);
  });
});

describe('writers', () => {
  const conversations: Conversation[] = [
    {
      id: 'a',
      language: 'en',
      category: 'c',
      messages: [
        { role: 'system', content: 'S' },
        ...turns('A\n\nwith "quotes"', 'B', 'C', 'D'),
      ] as Conversation['messages'],
      provenance: { source: 'generated', teacher: 't', calls: ['k'] },
    },
    {
      id: 'b',
      language: 'zh',
      messages: turns('写', '字\u2028。') as Conversation['messages'],
      provenance: { source: 'seed' },
    },
  ];

  test('messages rows are read back as they were', () => {
    const file = write('m.jsonl', toMessagesJsonl(conversations));
    expect(readConversations(file)).toEqual(conversations);
  });
});
