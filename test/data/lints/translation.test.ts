import { expect, test } from 'vitest';
import { lostMark, marksOf } from '../../../src/data/lints/translation.ts';

const lost = (source: string, translation: string) => lostMark(marksOf(source), translation)?.shown;

test.each([
  ['1,000 people', '1000人'],
  ['1.000 Leute', '一千人'],
  ['$3.50', '3,50 euros'],
  ['25 million', '2500万'],
  ['2.5 million', '二百五十万'],
  ['400 thousand', '40万'],
  ['1,300,000,000', '13亿'],
  ['10,000', '一万'],
  ['15', '十五'],
  ['30', '三十'],
  ['110', '一百一十'],
  ['2030', '二〇三〇年'],
  ['2003', '二千零三'],
  ['the 1980s', '80年代'],
  ['40%', '40％'],
  ['240 km', '２４０公里'],
  ['100万', 'one million'],
  ['240', 'two hundred and forty'],
  ['45', 'forty-five'],
  ['3000', 'three thousand'],
  ['1.2.3', '版本1.2.3'],
  ['12 monkeys', '十二只猴子'],
  ['7 days', 'sieben Tage'],
])('%s is kept in %s', (source, translation) => {
  expect(lost(source, translation)).toBeUndefined();
});

test.each([
  ['240 km', '204公里', '240'],
  ['25 million', '25万', undefined], // the number itself is there
  ['25 million', '250万', '25 million'],
  ['3.50', '3.55', '3.50'],
  ['from 1990 to 2020', '从1990年起', '2020'],
  ['110', '一百零一', '110'],
  ['13', '许多', '13'],
])('%s → %s: %s', (source, translation, expected) => {
  expect(lost(source, translation)).toBe(expected);
});

test('code stays, but for its comments, texts and white space; the one between backticks and addresses to the letter', () => {
  const block = '```js\nconst x = 1; // one\nsay("hi")\n```';
  expect(lost(block, '```js\nconst x = 1;   // 一\nsay("你好")\n```')).toBeUndefined();
  expect(lost(block, '```js\nconst y = 1;\nsay("hi")\n```')).toContain('const x = 1');
  expect(lost('Run `ls -l`.', '运行 `ls -l`。')).toBeUndefined();
  expect(lost('Run `ls -l`.', '运行 `ls`。')).toBe('ls -l');
  expect(lost('See https://example.org/a?b=17.', '见 https://example.org/a?b=17。')).toBeUndefined();
  expect(lost('See https://example.org/a.', '见网站。')).toBe('https://example.org/a');
});

test('numbers in code are code', () => {
  expect(marksOf('```\nx = 4711\n``` and `a[99]` and https://x.org/123').numbers).toEqual([]);
});
