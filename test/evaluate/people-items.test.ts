import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { toJsonl } from '../../src/base/jsonl.ts';
import { readPeopleItems } from '../../src/evaluate/people-items.ts';
import { readJudgeVerdicts } from '../../src/evaluate/people-judge.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-people-items-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let files = 0;
function write(rows: readonly unknown[]): string {
  const file = join(scratch, `${files++}.jsonl`);
  writeFileSync(file, toJsonl(rows));
  return file;
}

describe('readPeopleItems', () => {
  it('reads rows with their answers', () => {
    const file = write([
      { id: 'q1', question: 'Why?', answers: { one: 'Because.', two: '' } },
      { question_id: 2, prompt: '为什么？', answers: { one: '因为。', two: { text: '不知道。' } } },
    ]);
    expect(readPeopleItems(file)).toEqual([
      {
        id: 'q1',
        question: { id: 'q1', language: 'en', text: 'Why?' },
        modelA: 'one',
        modelB: 'two',
        answerA: 'Because.',
        answerB: '',
      },
      {
        id: '2',
        question: { id: '2', language: 'zh', text: '为什么？' },
        modelA: 'one',
        modelB: 'two',
        answerA: '因为。',
        answerB: '不知道。',
      },
    ]);
  });

  it('reads the rows of `evaluate compare`', () => {
    const answer = (text: string) => ({ text, finishReason: 'stop' });
    const file = write([{ id: 'q1', language: 'en', prompt: 'Why?', before: answer('Hm.'), after: answer('So.') }]);
    expect(readPeopleItems(file)).toMatchObject([
      { modelA: 'before', modelB: 'after', answerA: 'Hm.', answerB: 'So.' },
    ]);
  });

  it('makes every pair of more models, each once', () => {
    const file = write([{ id: 'q1', question: 'Why?', answers: { one: '1', two: '2', three: '3' } }]);
    expect(readPeopleItems(file).map(({ id, answerA, answerB }) => [id, answerA, answerB])).toEqual([
      ['q1 one : two', '1', '2'],
      ['q1 one : three', '1', '3'],
      ['q1 two : three', '2', '3'],
    ]);
  });

  it('puts questions and files of answers together, turn by turn', () => {
    const questions = write([
      { question_id: 'm', category: 'writing', turns: ['First?', 'Second?'] },
      { question_id: 's', category: 'writing', turns: ['Only?'] },
    ]);
    const answers = (name: string) =>
      write([
        { question_id: 's', choices: [{ turns: [`${name} only`] }] },
        { question_id: 'm', choices: [{ turns: [`${name} first`, `${name} second`] }] },
      ]);
    const items = readPeopleItems(questions, [
      { model: 'one', file: answers('one') },
      { model: 'two', file: answers('two') },
    ]);
    expect(items.map(({ question, answerA, answerB }) => [question.text, answerA, answerB])).toEqual([
      ['[1] First?\n\n[2] Second?', '[1] one first\n\n[2] one second', '[1] two first\n\n[2] two second'],
      ['Only?', 'one only', 'two only'],
    ]);
  });

  it('names all that is broken', () => {
    const file = write([
      { id: 1, question: 'Why?', answers: { one: 'x' } },
      { id: 2, question: 'Why?' },
      { id: 3, question: 'Why?', answers: { one: 'x', two: 7 } },
    ]);
    expect(() => readPeopleItems(file)).toThrow(DataError);
    expect(() => readPeopleItems(file)).toThrow(
      /:1: answers: expected two models or more, got 1[\s\S]*:2: answers: expected \{model: text, …\}, got nothing[\s\S]*:3: answers.two: expected a text, got a number/,
    );
  });

  it('wants two models, called differently, and all their answers', () => {
    const questions = write([
      { id: 'q1', question: 'Why?' },
      { id: 'q2', question: 'How?' },
    ]);
    const one = write([
      { id: 'q1', output: 'a' },
      { id: 'q2', output: 'b' },
    ]);
    const two = write([{ id: 'q1', output: 'a' }]);
    expect(() => readPeopleItems(questions, [{ model: 'one', file: one }])).toThrow(ConfigError);
    expect(() =>
      readPeopleItems(questions, [
        { model: 'one', file: one },
        { model: 'one', file: one },
      ]),
    ).toThrow(/each name once/);
    expect(() =>
      readPeopleItems(questions, [
        { model: 'one', file: one },
        { model: 'two', file: two },
      ]),
    ).toThrow(/no answer to question "q2"/);
  });
});

describe('readJudgeVerdicts', () => {
  const item = (id: string, modelA: string, modelB: string) => ({ id: `${id} item`, question: { id }, modelA, modelB });

  it('takes a winner of both orders, and calls all else a tie; of several turns the last', () => {
    const row = (question: string, models: string[], choice: string | undefined, turn = 1) => ({
      question,
      turn,
      category: 'none',
      language: 'en',
      models,
      lengths: [1, 1],
      sample: 0,
      prompt: {},
      askings: [],
      ...(choice ? { verdict: { choice } } : { problem: { kind: 'refused', reason: '' } }),
    });
    const both = (question: string, one: string | undefined, other: string | undefined, turn = 1) => [
      row(question, ['one', 'two'], one, turn),
      row(question, ['two', 'one'], other, turn),
    ];
    const file = write([
      ...both('q1', 'first', 'second'),
      ...both('q2', 'second', 'first'),
      ...both('q3', 'first', 'first'),
      ...both('q4', 'tie', 'tie'),
      ...both('q5', 'first', undefined),
      ...both('q6', 'first', 'second', 1),
      ...both('q6', 'second', 'first', 2),
    ]);
    const items = ['q1', 'q2', 'q3', 'q4', 'q5', 'q6', 'q7'].map((id) => item(id, 'one', 'two'));
    expect([...readJudgeVerdicts(file, items)]).toEqual([
      ['q1 item', 'win'],
      ['q2 item', 'lose'],
      ['q3 item', 'tie'],
      ['q4 item', 'tie'],
      ['q6 item', 'lose'],
    ]);
    // The same rows from the other model's side.
    expect(readJudgeVerdicts(file, [item('q1', 'two', 'one')]).get('q1 item')).toBe('lose');
    expect(() => readJudgeVerdicts(file, [item('q1', 'one', 'three')])).toThrow(DataError);
  });

  it('compares scores that answers got by themselves', () => {
    const row = (question: string, model: string, score: number) => ({
      question,
      turn: 1,
      category: 'none',
      language: 'en',
      models: [model],
      lengths: [1],
      sample: 0,
      prompt: {},
      askings: [],
      verdict: { score },
    });
    const file = write([row('q1', 'one', 8), row('q1', 'two', 7), row('q2', 'one', 5), row('q2', 'two', 5)]);
    const items = [item('q1', 'one', 'two'), item('q2', 'one', 'two')];
    expect([...readJudgeVerdicts(file, items).values()]).toEqual(['win', 'tie']);
  });

  it('reads the rows of `evaluate compare`: the model before is A', () => {
    const scores = (before: number, after: number) => ({ before, after, raw: '', call: '' });
    const rows = [
      { id: 'q1', judge: [scores(4, 7), scores(5, 6)] },
      { id: 'q2', judge: [scores(7, 4), scores(6, 5)] },
      { id: 'q3', judge: [scores(7, 4), scores(5, 6)] },
      { id: 'q4', judge: [scores(7, 4), { raw: '', call: '' }] },
      { id: 'q5', judge: [] },
    ];
    const items = rows.map(({ id }) => item(id, 'before', 'after'));
    expect([...readJudgeVerdicts(write(rows), items)]).toEqual([
      ['q1 item', 'lose'],
      ['q2 item', 'win'],
      ['q3 item', 'tie'],
    ]);
  });
});
