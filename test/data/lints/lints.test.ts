import { describe, expect, test } from 'vitest';
import { ruleNames } from '../../../cli/commands/data-lint.ts';
import { findCut } from '../../../src/data/lints/cut.ts';
import { asksForOtherLanguage } from '../../../src/data/lints/language.ts';
import { refusesAtOnce, speaksAsMachine } from '../../../src/data/lints/refusal.ts';
import { marksOf } from '../../../src/data/lints/translation.ts';
import { findUntranslated } from '../../../src/data/lints/untranslated.ts';
import { lint, lintRules } from '../../../src/data/lints.ts';

const user = (content: string) => ({ role: 'user', content }) as const;
const assistant = (content: string) => ({ role: 'assistant', content }) as const;

describe('a conversation', () => {
  test('every answer that is learned is looked at, with the task before it; every task too', () => {
    const turns = [
      { role: 'system', content: '' } as const,
      user('What breed is the dog in the photo?'),
      { ...assistant(''), weight: 0 } as const,
      user('And the cat?'),
      assistant('A tabby. It sits on the sill and looks at the birds, which'),
      user('Is it asleep or awake now?'),
      assistant('Is it asleep or awake now?'),
    ];
    expect(lint(turns, {})).toEqual([
      { rule: 'not-text', turn: 1, detail: 'in the photo' },
      { rule: 'cut', turn: 4, detail: expect.stringContaining('looks at the birds, which') },
      { rule: 'echo', turn: 6, detail: 'the task again' },
    ]);
    expect(lint(turns, {}, ['echo']).map(({ turn }) => turn)).toEqual([6]);
  });

  test('an empty answer is nothing else besides; why an answer ended is known of the last alone', () => {
    const turns = [user('Name a tree.'), assistant('Oak'), user('And another.'), assistant(' ')];
    expect(lint(turns, { finishReason: 'length' })).toEqual([{ rule: 'empty', turn: 3, detail: 'nothing is there' }]);
    expect(lint(turns.slice(0, 2), { finishReason: 'length' })).toEqual([
      { rule: 'cut', turn: 1, detail: 'finish reason length' },
    ]);
    expect(lint(turns, { finishReason: 'length' }, ['cut'])).toEqual([]);
  });

  test('the first task is held against what it was translated from', () => {
    const turns = [user('行驶多远？'), assistant('240公里。'), user('多久？'), assistant('两小时。')];
    expect(lint(turns, { source: marksOf('How far in 90 minutes?') })).toEqual([
      { rule: 'lost-in-translation', turn: 0, detail: 'number "90" is missing' },
    ]);
  });

  test('the names in the help are the rules there are', () => {
    expect(ruleNames).toEqual(lintRules);
  });
});

test.each<[string, string | undefined]>([
  ['It ends. Well done', undefined],
  ['It ends. It does not end well and', 'ends with “and”'],
  ['It ends. It does not end at all', 'the last sentence has no end: "It does not end at all"'],
  ['It ends. She said: “It ends.”', undefined],
  ['It ends (so they say).', undefined],
  ['He met Dr. Ann Lee of Oslo', undefined],
  ['Version 2.0 of the program', undefined],
  ['雨停了。我们出门去散步', 'the last sentence has no end: "我们出门去散步"'],
  ['雨停了。好的', undefined],
  ['他说：“雨停了。我们走吧。”', undefined],
  ['有苹果、梨、', 'ends with 、'],
  ['```\nx\n```', undefined],
  ['```\nx\n```\n\n~~~\ny', 'a fence of code is not closed'],
  ['1. One is here.\n2. Two is here.\n3. Three is over', 'the last item of the list has no end: "Three is over"'],
  ['1. One is here.\n2. Two\n3. Three is over', undefined],
  ['and', undefined],
  ['', undefined],
])('cut: %j → %s', (text, found) => {
  expect(findCut(text)).toBe(found);
});

test('a refusal stands at the beginning; a machine that speaks of itself may stand anywhere', () => {
  const story = `${'The robot cleaned the hall. '.repeat(8)}Then it said: as an AI, I never sleep.`;
  expect(refusesAtOnce('Write a story.', story)).toBeUndefined();
  expect(speaksAsMachine(story)).toBe('as an AI');
  expect(refusesAtOnce('Write a story.', 'Sure. As an AI, I love stories.')).toBe('As an AI');
  expect(refusesAtOnce('Are you a chatbot?', 'Yes, I am a chatbot.')).toBeUndefined();
  expect(refusesAtOnce('Are you a chatbot?', "I'm sorry, I can't answer that.")).toContain("can't answer");
  expect(refusesAtOnce('写故事。', '抱歉，我目前还不能为您写故事。')).toContain('抱歉');
  expect(refusesAtOnce('写故事。', '抱歉的小熊坐在树下。')).toBeUndefined();
});

test('English sentences in Chinese, unless English was asked for or stands in the task', () => {
  const answer = '多休息。It is also good to drink a lot of water every day.';
  expect(findUntranslated('怎样治感冒？', answer)).toBe('It is also good to drink a lot of water every day');
  expect(findUntranslated('用英文说怎样治感冒？', answer)).toBeUndefined();
  expect(findUntranslated('“How do I get rid of a cold”怎么回答？', answer)).toBeUndefined();
  expect(findUntranslated('How do I get rid of a cold?', answer)).toBeUndefined();
  expect(
    findUntranslated('怎样治感冒？', '多休息。“It is also good to drink a lot of water every day.”'),
  ).toBeUndefined();
  expect(findUntranslated('怎样治感冒？', 'It is also good to drink a lot of water.')).toBeUndefined();
});

test('what speaks of another language', () => {
  expect(
    ['Say it in Spanish.', 'Traduis cette phrase.', '用法语怎么说？', 'Which languages are spoken there?'].every(
      asksForOtherLanguage,
    ),
  ).toBe(true);
  expect(['Say it slowly.', '慢慢说。'].some(asksForOtherLanguage)).toBe(false);
});
