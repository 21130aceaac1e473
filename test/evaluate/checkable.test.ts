import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { WorkError } from '../../src/base/errors.ts';
import {
  type ChoiceQuestion,
  checkablePrompt,
  markAnswer,
  markChoice,
  optionConversations,
  readCheckable,
} from '../../src/evaluate/checkable.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-checkable-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const file = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};
const about = { language: 'en', category: 'facts', question: 'Which is the largest planet?' };
const planet: ChoiceQuestion = { id: 'c1', ...about, options: ['Mars', 'Jupiter', 'Venus'], right: 1 };

describe('markAnswer', () => {
  const marks = (answer: string, ...answers: string[]) => {
    const { exact, contained } = markAnswer(answer, { answers });
    return exact ? 'exact' : contained ? 'contained' : 'wrong';
  };
  it.each([
    ['42', '42'],
    ['42.0', '42'],
    [' **42**.\n', '42'],
    ['1,200', '1200'],
    ['１２００', '1200'],
    ['−5', '-5'],
    ['0.750', '0.75'],
    ['Geese.', 'geese'],
    ['“The Atlantic Ocean”', 'Atlantic Ocean'],
    ['`CO₂`', 'CO2'],
    ['0 °C', '0°C'],
    ['20:20.', '20:20'],
    ['疑是 地上霜。', '疑是地上霜'],
    ['10：25', '10:25'],
  ])('%j is %j', (answer, known) => expect(marks(answer, known)).toBe('exact'));
  it.each([
    ['The answer is 42.', '42'],
    ['16 × 14 = 1,200', '1200'],
    ['It is "children."', 'children'],
    ['Plants take carbon dioxide in', 'carbon dioxide'],
    ['答案是：疑是地上霜', '疑是地上霜'],
    ['一共有29天。', '29'],
  ])('%j holds %j', (answer, known) => expect(marks(answer, known)).toBe('contained'));
  it.each([
    ['43', '42'],
    ['142', '42'],
    ['42.5', '42'],
    ['0.42', '42'],
    ['1,420', '42'],
    ['-42', '42'],
    ['goosees', 'geese'],
    ['better', 'bet'],
    ['', '42'],
    ['The', 'he'],
  ])('%j is not %j', (answer, known) => expect(marks(answer, known)).toBe('wrong'));
  it('takes any accepted answer, and keeps the text', () => {
    expect(markAnswer('Eight', { answers: ['8', 'eight'] })).toEqual({ answer: 'Eight', exact: true, contained: true });
  });
});

describe('markChoice', () => {
  it('takes the likeliest option, and the likeliest per byte', () => {
    const scores = [-6, -7, -9].map((sum) => ({ sum, tokens: 2 }));
    // −6/4 = −1.5, −7/7 = −1, −9/5 = −1.8.
    expect(markChoice(scores, planet)).toEqual({
      chosen: 0,
      chosenPerByte: 1,
      right: false,
      rightPerByte: true,
      logprobs: [-6, -7, -9],
    });
  });
  it('refuses a broken model', () => {
    const scores = [-6, Number.NaN, -9].map((sum) => ({ sum, tokens: 2 }));
    expect(() => markChoice(scores, planet)).toThrow(WorkError);
  });
});

describe('checkablePrompt', () => {
  it('shows the form, then asks; options stand as the answer', () => {
    const prompt = checkablePrompt(planet);
    expect(prompt.map(({ role }) => role)).toEqual([...Array(3).fill(['user', 'assistant']).flat(), 'user']);
    expect(prompt.at(-1)?.content).toMatch(/^Which is the largest planet\?\nWrite the answer alone/);
    expect(checkablePrompt({ question: '问', language: 'zh' }).at(-1)?.content).toMatch(/^问\n只写答案/);
    const conversations = optionConversations(planet);
    expect(conversations.map((one) => one.at(-1))).toEqual(
      planet.options.map((content) => ({ role: 'assistant', content })),
    );
    expect(conversations[2]!.slice(0, -1)).toEqual(prompt);
  });
});

describe('readCheckable', () => {
  it('tells the two kinds apart by what they have', () => {
    const exact = { id: 'e1', ...about, answers: ['Jupiter'] };
    expect(readCheckable([file('good.jsonl', [exact, planet])])).toEqual({ exact: [exact], choice: [planet] });
  });
  it('names everything that is broken', () => {
    const rows = [
      { id: 'a', ...about },
      { id: 'b', ...about, answers: [''] },
      { id: 'c', ...about, options: ['one'], right: 0 },
      { id: 'd', ...about, options: ['one', 'One.'], right: 2 },
      { id: 'e', language: 'en', category: '', question: 4, answers: ['x'] },
      7,
      { id: 'f', ...about, answers: ['x'], options: ['x', 'y'] },
    ];
    let message = '';
    let issues: readonly unknown[] = [];
    try {
      readCheckable([file('broken.jsonl', rows)]);
    } catch (error) {
      ({ message } = error as Error);
      ({ issues } = error as { issues: readonly unknown[] });
    }
    expect(message).toContain('broken.jsonl:1: expected "answers" or "options", got neither');
    expect(issues).toEqual([
      expect.objectContaining({ row: 1 }),
      expect.objectContaining({ row: 2, path: 'answers' }),
      expect.objectContaining({ row: 3, path: 'options', message: 'expected 2 texts or more' }),
      expect.objectContaining({ row: 4, path: 'options', message: 'expected options that differ' }),
      expect.objectContaining({ row: 4, path: 'right', message: 'expected a whole number from 0 to 1, got 2' }),
      expect.objectContaining({ row: 5, path: 'category', message: 'expected a text, got an empty one' }),
      expect.objectContaining({ row: 5, path: 'question', message: 'expected a text, got a number' }),
      expect.objectContaining({ row: 6, message: 'expected an object, got a number' }),
      expect.objectContaining({ row: 7, message: 'expected "answers" or "options", got both' }),
    ]);
    const twice = file('twice.jsonl', [planet]);
    expect(() => readCheckable([twice, file('again.jsonl', [planet])])).toThrow(/"c1" is the id of .*twice\.jsonl:1/);
  });
});
