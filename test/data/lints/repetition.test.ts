import { describe, expect, test } from 'vitest';
import { findRepetition } from '../../../src/data/lints/repetition.ts';

const distinct = (count: number, from = 0): string => Array.from({ length: count }, (_, i) => `w${from + i}`).join(' ');

describe('a block said again and again', () => {
  test('one word twelve times, eleven not', () => {
    expect(findRepetition(`I say ${'no, '.repeat(12)}`)).toBe('"no" 12 times in a row');
    expect(findRepetition(`${distinct(40)} ${'no, '.repeat(11)}`)).toBeUndefined();
  });

  test('a sentence four times, wherever it stands, three times not', () => {
    const loop = 'The tide comes in. ';
    expect(findRepetition(`${distinct(60)} ${loop.repeat(4)}`)).toBe('"the tide comes in" 4 times in a row');
    expect(findRepetition(`${loop.repeat(4)} ${distinct(60)}`)).toBe('"the tide comes in" 4 times in a row');
    expect(findRepetition(`${distinct(60)} ${loop.repeat(3)}`)).toBeUndefined();
  });

  test('Chinese, by character', () => {
    const rest = '今天早晨我们沿着河边散步看见许多白鹭在浅水里找鱼吃岸上有人放风筝'.repeat(1);
    expect(findRepetition(`${rest}${'我不知道，'.repeat(6)}`)).toBe('"我不知道" 6 times in a row');
    expect(findRepetition(rest)).toBeUndefined();
  });

  test('columns of numbers are no loop', () => {
    expect(findRepetition('Row: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0')).toBeUndefined();
  });
});

describe('a few words that make up much of the text', () => {
  const text = (times: number, between: number): string =>
    Array.from({ length: times }, (_, i) => `it is important to ${distinct(between, i * between)}`).join(' ');

  test('4 of 4 words five times in 60: a third', () => {
    expect(findRepetition(text(5, 8))).toBe('"it is important to" 5 times, 33 % of the text');
  });

  test('a quarter is not more than a quarter', () => {
    expect(findRepetition(text(5, 12))).toBeUndefined();
  });

  test('three times are patience', () => {
    expect(findRepetition(text(3, 2))).toBeUndefined();
  });

  test('what overlaps itself counts once', () => {
    // “a a a a” begins at 5 places, but stands there twice.
    expect(findRepetition(`a a a a a a a a ${distinct(8)}`)).toBeUndefined();
  });
});

test('refrains, lists and code pass', () => {
  const song = ['Row on, row on, the river is wide', 'The bank is far on the other side'];
  const verses = ['Gulls cry over the mill', 'Night falls on the hill', 'Lamps are lit below'];
  expect(findRepetition(verses.flatMap((verse) => [verse, verse.toUpperCase(), ...song]).join('\n'))).toBeUndefined();
  const list = ['apples', 'bread', 'salt', 'rice', 'oil', 'tea']
    .map((one, i) => `${i + 1}. Buy some ${one}.`)
    .join('\n');
  expect(findRepetition(list)).toBeUndefined();
  expect(findRepetition('')).toBeUndefined();
});
