import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConversations, readPreferences, validateFile } from '../../../src/data/formats.ts';
import { temporaryFolder } from '../../teacher/fixtures/make.ts';

function write(...rows: unknown[]): string {
  const file = join(temporaryFolder(), 'rows.jsonl');
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}

const issuesOf = (row: unknown): string[] =>
  validateFile(write(row)).issues.map(({ path, message }) => `${path}: ${message}`);

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });
const system = (content: string) => ({ role: 'system', content });

describe('prompt and completion', () => {
  test('texts are one turn each, with the white space they have', () => {
    const file = write({ prompt: 'The sky is', completion: ' blue.' }, { prompt: '天是', completion: '蓝的。' });
    expect(readConversations(file).map(({ messages, language }) => [language, messages])).toEqual([
      ['en', [user('The sky is'), assistant(' blue.')]],
      ['zh', [user('天是'), assistant('蓝的。')]],
    ]);
  });

  test('of messages the completion alone is learned', () => {
    const prompt = [system('S'), user('A'), assistant('B'), user('C')];
    const file = write({ id: 'x', prompt, completion: [assistant('D')] });
    expect(readConversations(file)[0]?.messages).toEqual([
      system('S'),
      user('A'),
      { ...assistant('B'), weight: 0 },
      user('C'),
      assistant('D'),
    ]);
  });

  test.each<[string, unknown, string[]]>([
    [
      'types',
      { prompt: 1, completion: {} },
      [
        'prompt: expected a string or a list of messages, got a number',
        'completion: expected a string or a list of messages, got an object',
      ],
    ],
    ['an empty completion', { prompt: 'A', completion: ' ' }, ['completion: empty answer']],
    [
      'two answers',
      { prompt: 'A', completion: [assistant('B'), user('C'), assistant('D')] },
      ['completion: expected one turn of the assistant, got 3 turns'],
    ],
    [
      'a prompt that ends with an answer',
      { prompt: [user('A'), assistant('B')], completion: 'C' },
      ['completion: expected a turn of the user, got one of the assistant'],
    ],
  ])('%s', (_, row, expected) => {
    expect(issuesOf(row)).toEqual(expected);
  });

  test('a label among rows without one is an issue', () => {
    const file = write({ prompt: 'A', completion: 'B' }, { prompt: 'C', completion: 'D', label: false });
    expect(validateFile(file).issues).toEqual([
      { row: 2, path: 'label', message: 'expected an answer to learn, got one that is marked good or bad' },
    ]);
  });
});

describe('prompt, chosen, rejected', () => {
  const expected = {
    prompt: [user('A')],
    answers: [
      { content: 'B', rank: 1 },
      { content: 'C', rank: 2 },
    ],
  };

  test.each<[string, unknown]>([
    ['texts', { prompt: 'A', chosen: 'B', rejected: 'C' }],
    ['messages', { prompt: [user('A')], chosen: [assistant('B')], rejected: [assistant('C')] }],
    ['a text and messages', { prompt: 'A', chosen: [assistant('B')], rejected: 'C' }],
    [
      'the prompt repeated',
      { prompt: 'A', chosen: [user('A'), assistant('B')], rejected: [user('A'), assistant('C')] },
    ],
    ['the prompt in them alone', { chosen: [user('A'), assistant('B')], rejected: [user('A'), assistant('C')] }],
  ])('%s', (_, row) => {
    const [preference] = readPreferences(write(row));
    expect(preference).toMatchObject(expected);
    expect(preference).not.toHaveProperty('margin');
  });

  test('margin, scores, sources and what comes before the question are kept', () => {
    const row = {
      id: 3,
      prompt: [system('S'), user('甲'), assistant('乙'), user('丙')],
      chosen: '丁',
      rejected: '',
      margin: 1.5,
      score_chosen: 9,
      score_rejected: 7.5,
      source_chosen: 'big',
      source_rejected: null,
      provenance: { source: 'generated', teacher: 't', file: null },
    };
    expect(readPreferences(write(row))).toEqual([
      {
        id: '3',
        prompt: row.prompt,
        answers: [
          { content: '丁', rank: 1, score: 9, source: 'big' },
          { content: '', rank: 2, score: 7.5 },
        ],
        margin: 1.5,
        language: 'zh',
        provenance: { source: 'generated', teacher: 't' },
      },
    ]);
  });

  test('equal answers leave the prompt that both begin with', () => {
    const turns = [user('A'), assistant('B')];
    expect(readPreferences(write({ chosen: turns, rejected: turns }))[0]?.prompt).toEqual([user('A')]);
  });

  test.each<[string, unknown, string[]]>([
    [
      'texts without a prompt',
      { chosen: 'The sky is blue', rejected: 'The sky is green' },
      ['prompt: expected a prompt, or lists of messages that begin with the same one'],
    ],
    [
      'types',
      { prompt: 'A', chosen: 7, rejected: 'C', margin: 'big' },
      ['chosen: expected a string or a list of messages, got a number', 'margin: expected a number, got a string'],
    ],
    [
      'two turns',
      { prompt: 'A', chosen: [assistant('B'), user('x')], rejected: 'C' },
      ["chosen: expected the prompt's turns, or none, then one of the assistant"],
    ],
    ['an empty choice', { prompt: 'A', chosen: '', rejected: 'C' }, ['chosen: empty answer, and no other is better']],
    [
      'a prompt that is answered',
      { prompt: [user('A'), assistant('B')], chosen: 'C', rejected: 'D' },
      ["prompt[1]: expected the last turn to be the user's, got the assistant's"],
    ],
  ])('%s', (_, row, issues) => {
    expect(issuesOf(row)).toEqual(issues);
  });
});
