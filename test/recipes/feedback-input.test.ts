/** Prompts and recorded answers in the forms people have them, held against each other. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { allPrompts, type FeedbackFiles, survey } from '../../recipes/feedback-input.ts';
import { readRecorded } from '../../recipes/feedback-recorded.ts';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});
function write(name: string, rows: readonly unknown[], asArray = false): string {
  const file = join(folder, name);
  writeFileSync(file, asArray ? JSON.stringify(rows) : rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}
const signal = new AbortController().signal;
async function read(...files: string[]) {
  const found = [];
  for await (const one of allPrompts(files, signal)) found.push(one);
  return found;
}
const look = (prompts: string[], answers: FeedbackFiles['answers'] = [], answerers: { name: string }[] = []) =>
  survey({ prompts, answers, out: join(folder, 'out'), rejects: join(folder, 'rejects') }, answerers, signal);

describe('prompts', () => {
  it('in every form; an answer behind the last turn is no part of it', async () => {
    const chat = ['Hi', 'Hello', 'More', 'No'].map((content, i) => ({
      role: i % 2 === 0 ? 'user' : 'assistant',
      content,
    }));
    const found = await read(
      write('a.jsonl', [
        { id: 7, prompt: 'A' },
        { question_id: 'q', turns: ['B'], category: 'math' },
        { instruction: 'C', input: 'c', output: 'no' },
        { messages: chat, language: 'de' },
        'E',
        { prompt: '' },
        { prompt: [{ role: 'user', content: 'G' }] },
      ]),
      write('b.json', [{ id: 7, question: '说' }, 3, { prompt: 'p', chosen: 'good', rejected: 'bad' }], true),
    );
    const say = (one: (typeof found)[number]) =>
      'problem' in one
        ? one.problem
        : [one.id, one.key, one.place, one.messages.map(({ content }) => content).join('|')];
    expect(found.map(say)).toEqual([
      ['7', '7', 0, 'A'],
      ['q', 'q', 1, 'B'],
      ['2', '2', 2, 'C\n\nc'],
      ['3', '3', 3, 'Hi|Hello|More'],
      ['4', '4', 4, 'E'],
      'the prompt is empty',
      ['6', '6', 5, 'G'],
      ['7~2', '7', 6, '说'],
      'expected an object or a text, got a number',
      ['9', '9', 7, 'p'],
    ]);
    expect(found[1]).toMatchObject({ language: 'en', category: 'math', answers: [], row: 2 });
    expect(found[3]).toMatchObject({ language: 'de' });
    expect(found[7]).toMatchObject({ language: 'zh' });
    expect(found[9]).toMatchObject({
      answers: [
        { text: 'good', source: 'chosen' },
        { text: 'bad', source: 'rejected' },
      ],
    });
  });
});

describe('recorded answers', () => {
  const prompt = (key: string, asked: string, place = 0) => ({ key, asked, place });
  const textsTo = async (rows: readonly unknown[], ...asked: Parameters<typeof prompt>) =>
    (await readRecorded('m', write('r.json', rows, true))).answersTo(prompt(...asked)).map(({ text }) => text);

  it.each<[string, unknown[], string[]]>([
    ['ours', [{ id: 'k', prompt: 'Ask', output: 'x', finishReason: 'stop' }], ['x']],
    ['Vicuna’s', [{ question_id: 'k', text: 'x' }], ['x']],
    [
      'FastChat’s, each choice a sample',
      [{ question_id: 'k', choices: [{ turns: ['x'] }, { turns: ['y'] }] }],
      ['x', 'y'],
    ],
    ['AlpacaEval’s', [{ instruction: 'Ask ', output: 'x', generator: 'm' }], ['x']],
    [
      'Alpaca’s',
      [
        { instruction: 'Ask', input: '', output: 'x' },
        { instruction: 'Ask', input: 'b', output: 'y' },
      ],
      ['x'],
    ],
    [
      'messages',
      [
        {
          messages: [
            { role: 'user', content: 'Ask' },
            { role: 'assistant', content: 'x' },
          ],
        },
      ],
      ['x'],
    ],
    [
      'several samples',
      [
        { id: 'k', output: 'x' },
        { id: 'l', output: 'z' },
        { id: 'k', output: 'y' },
      ],
      ['x', 'y'],
    ],
    ['texts in order', ['x', 'y'], ['x']],
    ['none given', [{ id: 'k', output: null }], []],
    ['an id that is another file’s: what was asked decides', [{ id: 'k', prompt: 'Other', output: 'x' }], []],
    ['another id, but the same question', [{ id: '12', prompt: 'Ask', output: 'x' }], ['x']],
    [
      'both: the id goes first',
      [
        { id: '1', prompt: 'Ask', output: 'y' },
        { id: 'k', prompt: 'Ask', output: 'x' },
      ],
      ['x'],
    ],
  ])('%s', async (_, rows, expected) => {
    expect(await textsTo(rows, 'k', 'Ask')).toEqual(expected);
  });

  it('know where they were cut', async () => {
    const file = write('r.jsonl', [
      { id: 1, output: 'x', finishReason: 'length' },
      { id: 2, output: 'y' },
    ]);
    const { answersTo } = await readRecorded('m', file);
    expect([answersTo(prompt('1', '')), answersTo(prompt('2', ''))]).toEqual([
      [{ text: 'x', isCut: true }],
      [{ text: 'y', isCut: false }],
    ]);
  });

  it('that are broken are all named', async () => {
    const file = write('r.jsonl', [
      { id: 1, output: 3 },
      { id: 1, choices: [] },
      { id: [], text: 'x' },
      { id: 2, a: 1 },
      4,
    ]);
    const error = await readRecorded('m', file).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).issues.map(({ row, message }) => `${row}: ${message}`)).toEqual([
      '1: output: expected a string, got a number',
      '2: choices: expected a list of objects with "turns", a list of texts',
      '3: id: expected a string or a whole number, got an array',
      expect.stringContaining('4: expected one of output'),
      '5: expected an object or a text, got a number',
    ]);
    const mixed = write('m.jsonl', [{ id: 1, output: 'x' }, { output: 'y' }]);
    await expect(readRecorded('m', mixed)).rejects.toThrow(
      /an id or what was asked in every row, or in none; 1 have neither/,
    );
  });
});

describe('survey', () => {
  it('counts, and passes on', async () => {
    const prompts = write('p.jsonl', [{ id: 'a', prompt: 'A' }, { x: 1 }, { id: 'b', prompt: 'B' }]);
    const file = write('r.jsonl', [{ id: 'a', output: 'x' }]);
    const found = await look([prompts], [{ name: 'm', file }]);
    expect(found).toMatchObject({ prompts: 2, broken: 1, given: 0, recorded: [{ name: 'm', rows: 1 }] });
  });

  it.each<[string, () => Promise<unknown>, typeof ConfigError | typeof DataError, RegExp]>([
    ['nothing to compare', () => look([write('p.jsonl', ['A'])]), ConfigError, /nothing to compare/],
    [
      'one name twice',
      () => look([write('p.jsonl', ['A'])], [{ name: 'm', file: write('r.json', ['x'], true) }], [{ name: 'm' }]),
      ConfigError,
      /each name of a model once, got m again/,
    ],
    [
      'answers to other prompts',
      () =>
        look(
          [write('p.jsonl', [{ id: 1, prompt: 'A' }])],
          [{ name: 'm', file: write('r.jsonl', [{ id: 2, text: 'x' }]) }],
        ),
      DataError,
      /no row answers any of the prompts/,
    ],
    [
      'texts that are too few',
      () => look([write('p.jsonl', ['A', 'B'])], [{ name: 'm', file: write('r.json', ['x'], true) }]),
      DataError,
      /expected as many answers as there are prompts, 2, found 1/,
    ],
    [
      'an id of two prompts that answers go by',
      () =>
        look(
          [write('p.jsonl', [{ id: 1, prompt: 'A' }]), write('q.jsonl', [{ id: 1, prompt: 'B' }])],
          [{ name: 'm', file: write('r.jsonl', [{ id: 1, text: 'x' }]) }],
        ),
      DataError,
      /two prompts have the id "1"/,
    ],
    [
      'no prompt at all',
      () => look([write('p.jsonl', [{ x: 1 }])], [], [{ name: 'm' }]),
      DataError,
      /no row has a prompt/,
    ],
    [
      'its own output',
      () => look([write('out', ['A'])], [], [{ name: 'm' }]),
      ConfigError,
      /is one of the files to read/,
    ],
  ])('refuses %s', async (_, act, kind, message) => {
    const error = await act().catch((one: unknown) => one);
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
  });
});
