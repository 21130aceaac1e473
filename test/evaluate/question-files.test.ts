import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { assetsFolder } from '../../src/base/paths.ts';
import { matchAnswerFile } from '../../src/evaluate/answer-files.ts';
import { type JudgedQuestion, readJudgedQuestions } from '../../src/evaluate/question-files.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-questions-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let files = 0;
const write = (rows: readonly unknown[], as: 'lines' | 'array' = 'lines'): string => {
  const file = join(scratch, `${files++}.json`);
  writeFileSync(file, as === 'array' ? JSON.stringify(rows) : rows.map((row) => JSON.stringify(row)).join('\n'));
  return file;
};
const read = (...rows: readonly unknown[]): JudgedQuestion[] => readJudgedQuestions(write(rows));

describe('readJudgedQuestions', () => {
  it('Vicuna’s and MT-bench’s: turns, with references where there are some', () => {
    expect(
      read(
        { question_id: 1, category: 'generic', turns: ['How do I sleep well?'] },
        { question_id: 101, category: 'reasoning', turns: ['Who wins?', 'And then?'], reference: ['You.', 'Me.'] },
        { question_id: 102, category: 'math', turns: ['1 + 1?', '2 + 2?'], reference: ['', '4'] },
        { question_id: 103, category: 'math', turns: ['1 + 1?', '2 + 2?'], reference: [null] },
      ),
    ).toEqual([
      {
        ...{ id: '1', category: 'generic', language: 'en', context: [] },
        turns: ['How do I sleep well?'],
        references: [undefined],
      },
      {
        ...{ id: '101', category: 'reasoning', language: 'en', context: [] },
        turns: ['Who wins?', 'And then?'],
        references: ['You.', 'Me.'],
      },
      expect.objectContaining({ id: '102', references: [undefined, '4'] }),
      expect.objectContaining({ id: '103', references: [undefined, undefined] }),
    ]);
  });

  it('older and other forms: text, AlpacaEval, ours, Self-Instruct, messages, prompts', () => {
    const turn = (content: string, role = 'user') => ({ role, content });
    const rows = read(
      { question_id: 'v', text: 'Old Vicuna?', category: 'fermi' },
      { instruction: 'AlpacaEval?', output: 'davinci says', generator: 'text_davinci_003', dataset: 'koala' },
      { id: 'o', category: 'coding', instruction: '写一个函数。', input: 'x', output: 'def f' },
      { id: 'u', instruction: 'Rewrite.', instances: [{ input: 'this', output: 'that' }] },
      { id: 'm', messages: [turn('Be brief.', 'system'), turn('Hi'), turn('Hello', 'assistant'), turn('Bye?')] },
      { id: 'r', messages: [turn('Capital?'), turn('Madrid', 'assistant')], language: 'es' },
      { prompt: 'Just a prompt?' },
    );
    expect(
      rows.map(({ id, category, language, turns, references }) => [id, category, language, turns, references]),
    ).toEqual([
      ['v', 'fermi', 'en', ['Old Vicuna?'], [undefined]],
      // A model's answer is no reference.
      ['1', 'koala', 'en', ['AlpacaEval?'], [undefined]],
      ['o', 'coding', 'zh', ['写一个函数。\n\nx'], ['def f']],
      ['u', 'none', 'en', ['Rewrite.\n\nthis'], ['that']],
      ['m', 'none', 'en', ['Bye?'], [undefined]],
      ['r', 'none', 'es', ['Capital?'], ['Madrid']],
      ['6', 'none', 'en', ['Just a prompt?'], [undefined]],
    ]);
    expect(rows[4]?.context.map(({ role }) => role)).toEqual(['system', 'user', 'assistant']);
  });

  it('guesses the language by what most of the question is in', () => {
    const questions = [
      'What does 明月 mean in this line?',
      '用 Python 写一个函数。',
      '把“Good morning”译成中文。',
      'Hola',
    ];
    expect(read(...questions.map((prompt) => ({ prompt }))).map(({ language }) => language)).toEqual([
      'en',
      'zh',
      'zh',
      'en',
    ]);
  });

  it('our own questions, whole', () => {
    const own = readJudgedQuestions(join(assetsFolder, 'questions', 'zh.jsonl'));
    expect(own.length).toBeGreaterThanOrEqual(80);
    expect(own.every(({ language, references }) => language === 'zh' && references[0] !== undefined)).toBe(true);
  });

  it.each<[string, unknown[], RegExp]>([
    ['no object', [3], /:1: expected an object, got a number/],
    ['no question in it', [{ id: 1, tokens: 3 }], /:1: expected a question, found only id, tokens/],
    ['an empty turn', [{ turns: ['a', ' '] }], /:1: turns: expected a list of texts/],
    ['more references than turns', [{ turns: ['a'], reference: ['b', 'c'] }], /:1: reference: .* 1 turns/],
    ['an id that is none', [{ id: 1.5, prompt: 'a' }], /:1: id: expected a string or a whole number, got 1.5/],
    [
      'an id twice',
      [
        { id: 1, prompt: 'a' },
        { id: '1', prompt: 'b' },
      ],
      /:2: question "1" stands in row 1 already/,
    ],
    [
      'messages that end otherwise',
      [{ messages: [{ role: 'system', content: 'x' }] }],
      /:1: messages: expected the last/,
    ],
    ['no messages', [{ messages: 'hi' }], /:1: messages: expected \{role/],
    ['an empty prompt', [{ prompt: ' ' }], /:1: expected a question, found an empty text/],
    ['two instances', [{ instruction: 'a', instances: [{}, {}] }], /:1: instances: expected an instruction with one/],
  ])('names %s', (_, rows, message) => {
    expect(() => read(...rows)).toThrow(message);
  });

  it('names all that is broken', () => {
    expect(() => read({ prompt: '' }, { prompt: 'a' }, { turns: [] })).toThrow(/:1: .*\n.*:3: /);
  });
});

describe('matchAnswerFile', () => {
  const questions = read(
    { question_id: 81, category: 'writing', turns: ['Write.', 'Rewrite.'] },
    { question_id: 82, category: 'writing', turns: ['Draft  an email.'] },
  );
  const match = (rows: readonly unknown[], as?: 'array') => {
    const { answers, ...rest } = matchAnswerFile(write(rows, as), questions);
    return { answers: Object.fromEntries(answers), ...rest };
  };
  const whole = { answers: { 81: ['one', 'two'], 82: ['mail'] }, missing: [], others: 0 };
  const mails = { answers: { 81: [undefined, undefined], 82: ['mail'] } };

  it('FastChat’s, in any order, beside answers to other questions', () => {
    const rows = [
      {
        question_id: 82,
        model_id: 'm',
        choices: [
          { index: 0, turns: ['mail'] },
          { index: 1, turns: ['other'] },
        ],
      },
      { question_id: 81, choices: [{ index: 0, turns: ['one', 'two'] }] },
      { question_id: 7, choices: [{ index: 0, turns: ['x'] }] },
    ];
    expect(match(rows)).toEqual({ ...whole, others: 1 });
  });

  it('Vicuna’s: one answer, so that a second turn has none', () => {
    expect(
      match([
        { question_id: '81', text: 'one' },
        { question_id: 82, text: '' },
      ]),
    ).toEqual({
      answers: { 81: ['one', undefined], 82: [''] },
      missing: [{ question: '81', turn: 2 }],
      others: 0,
    });
  });

  it('AlpacaEval’s, by the instruction; an output that is null is none', () => {
    const rows = [
      { instruction: 'Draft an email.', output: 'mail', generator: 'm' },
      { instruction: 'Else', output: 'x', generator: 'm' },
    ];
    expect(match(rows, 'array')).toEqual({
      ...mails,
      missing: [
        { question: '81', turn: 1 },
        { question: '81', turn: 2 },
      ],
      others: 1,
    });
    expect(match([{ instruction: 'Draft an email.', output: null }]).answers[82]).toEqual([undefined]);
  });

  it('ours, messages, and plain strings by order', () => {
    const turn = (content: string, i: number) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content });
    const talk = (...texts: string[]) => texts.map(turn);
    expect(
      match([
        { id: 81, messages: talk('Before', 'no', 'Write.', 'one', 'Rewrite.', 'two') },
        { id: 82, prompt: 'Draft', output: 'mail' },
      ]),
    ).toEqual(whole);
    expect(match([{ messages: talk('Draft an email.', 'mail') }])).toMatchObject(mails);
    expect(match(['one', 'mail'], 'array').answers).toEqual({ 81: ['one', undefined], 82: ['mail'] });
  });

  it('two questions with the same text get their answers in order', () => {
    const twins = read({ id: 'a', prompt: 'Same?' }, { id: 'b', prompt: 'Same?' });
    const { answers } = matchAnswerFile(write([1, 2].map((n) => ({ instruction: 'Same?', output: `${n}` }))), twins);
    expect(Object.fromEntries(answers)).toEqual({ a: ['1'], b: ['2'] });
  });

  it.each<[string, unknown[], RegExp]>([
    [
      'a question answered twice',
      [82, 82].map((id) => ({ id, output: 'x' })),
      /:2: question "82" is answered in row 1/,
    ],
    [
      'no text',
      [{ id: 82, score: 3 }],
      /:1: expected one of output, response, text, answer, choices or messages, found id, score/,
    ],
    ['a text that is none', [{ id: 82, output: 3 }], /:1: output: expected a string, got a number/],
    ['choices without turns', [{ id: 82, choices: [{}] }], /:1: choices: expected/],
    [
      'messages without an answer',
      [{ id: 82, messages: [{ role: 'user', content: 'a' }] }],
      /:1: messages: expected turns that end/,
    ],
    ['rows that cannot be matched', [{ output: 'x' }], /expected as many rows as there are questions, 2, found 1/],
  ])('names %s', (_, rows, message) => {
    expect(() => match(rows)).toThrow(message);
  });
});
