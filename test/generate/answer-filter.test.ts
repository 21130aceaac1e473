import { expect, test } from 'vitest';
import { rejectAnswer, rejectBroken } from '../../src/generate/answer-filter.ts';
import type { FinishReason } from '../../src/teacher/teacher.ts';

const answer = (text: string, finishReason: FinishReason = 'stop') => ({
  text,
  finishReason,
  usage: undefined,
  raw: null,
});
const judge = (instruction: string, text: string, language: 'en' | 'zh' = 'en') =>
  rejectAnswer(instruction, answer(text), language);

test('a good answer passes, a label too', () => {
  expect(judge('Name a river in Spain.', 'The Ebro.')).toBeUndefined();
  expect(judge('Is it hot or cold? Answer hot or cold.', 'cold')).toBeUndefined();
  expect(judge('说出一条河。', '长江。', 'zh')).toBeUndefined();
});

test('what is not there or not whole', () => {
  expect(rejectBroken(answer(' \n'))).toEqual({ reason: 'empty' });
  for (const reason of ['length', 'content-filter', 'other'] as const)
    expect(rejectBroken(answer('The Eb', reason))).toEqual({ reason: 'cut', detail: `finish reason ${reason}` });
  expect(rejectAnswer('Name a river.', answer('The Eb', 'length'), 'en')).toMatchObject({ reason: 'cut' });
});

test.each([
  ['the task alone', 'name a river in Spain', { reason: 'echo' }],
  ['the task with a few words', 'The task is: name a river in Spain!', { reason: 'echo' }],
  ['more than half of it', 'Name a river in', { reason: 'echo' }],
  ['the task as a heading', 'Name a river in Spain: the Ebro, which is the longest that ends there', undefined],
  ['a part that is not its beginning', 'a river in Spain', undefined],
])('echo: %s', (_, text, expected) => {
  expect(judge('Name a river in Spain.', text)).toEqual(expected);
});

test('less than half of a long task is no echo: it may begin a rewritten text', () => {
  expect(judge('Name a river in Spain that ends in the Mediterranean.', 'Name a river in')).toBeUndefined();
});

test('echo in Chinese, by character', () => {
  expect(judge('请介绍一下黄河', '请介绍一下黄河。', 'zh')).toEqual({ reason: 'echo' });
  expect(judge('黄河的长度', '黄河的长度约为五千四百六十四公里，居中国第二。', 'zh')).toBeUndefined();
});

test('a text to be corrected is answered by nearly the same text', () => {
  const text = 'The heron stand in the shallow water and waits for a fish to come near.';
  expect(judge(`Correct the grammar. ${text}`, text.replace('stand', 'stands'))).toBeUndefined();
});

test.each([
  ['As an AI language model, I cannot taste.', 'As an AI language model'],
  ['Sorry, as an AI, I have no kitchen.', 'as an AI'],
  ["I'm just an AI and I do not eat.", "I'm just an AI"],
  ['作为一个人工智能助手，我没有味觉。', '作为一个人工智能'],
  ['我只是一个语言模型。', '我只是一个语言模型'],
])('%s', (text, detail) => {
  const language = /\p{Script=Han}/u.test(text) ? 'zh' : 'en';
  expect(judge(language === 'zh' ? '你喜欢吃什么？' : 'What do you like to eat?', text, language)).toEqual({
    reason: 'as an AI',
    detail,
  });
});

test.each(['As an AI researcher, she reads a lot.', 'I am a robot from Mars, and I love oil.', 'An AI is a program.'])(
  '%s passes',
  (text) => {
    expect(judge('Tell me about it in a sentence.', text)).toBeUndefined();
  },
);

test('circles and the wrong language', () => {
  expect(judge('Write about tides.', 'The tide comes in. '.repeat(5))).toMatchObject({ reason: 'repetition' });
  expect(judge('Sum up the news.', '昨天石桥修好了，今天开放通行。')).toMatchObject({ reason: 'wrong language' });
});
