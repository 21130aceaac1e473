import { expect, test } from 'vitest';
import { wrongAnswerLanguage, wrongLanguage } from '../../../src/data/lints/language.ts';

test('an instruction is in its language where most letters are, code and quotations aside', () => {
  expect(wrongLanguage('What does 画蛇添足 mean?', 'en')).toBeUndefined();
  expect(wrongLanguage('写一个 Python 函数 sum_even(numbers)，返回偶数之和。', 'zh')).toBeUndefined();
  expect(wrongLanguage('解释画蛇添足这个成语。', 'en')).toBe('expected English, got CJK characters');
  expect(wrongLanguage('Explain 画 to a child who has never seen it written.', 'zh')).toBe('expected Chinese');
  expect(wrongLanguage('春の詩を書いてください。', 'zh')).toBe('expected Chinese, got kana or Hangul');
  expect(wrongLanguage('Привет, как дела?', 'zh')).toBe('expected Chinese');
});

test('a text without letters is not English, but not wrong either', () => {
  expect(wrongLanguage('12 + 30 = ?', 'en')).toBeUndefined();
  expect(wrongLanguage('12 + 30 = ?', 'zh')).toBe('expected Chinese');
});

test('an answer to a task about another language or code may have other letters', () => {
  const english = 'The heron stands in the shallow water and waits for a fish.';
  expect(wrongAnswerLanguage('概括这段话。', english, 'zh')).toBe('expected Chinese');
  expect(wrongAnswerLanguage('把这句话译成英文。', english, 'zh')).toBeUndefined();
  expect(
    wrongAnswerLanguage('写一个函数，求两数之和。', 'const add = (left, right) => left + right;', 'zh'),
  ).toBeUndefined();
  expect(wrongAnswerLanguage('说出一种编译器的名字。', 'GCC', 'zh')).toBeUndefined();
  expect(wrongAnswerLanguage('Sum up the passage.', '白鹭站在浅水里等鱼。', 'en')).toBe(
    'expected English, got CJK characters',
  );
  expect(wrongAnswerLanguage('Translate: good evening.', '晚上好', 'en')).toBeUndefined();
});
