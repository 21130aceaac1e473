import { describe, expect, it } from 'vitest';
import { exactReward, jsonReward, regexReward, wordsReward } from '../../src/evaluate/answer-checks.ts';

describe('wordsReward', () => {
  it('is 1 within the bounds, bounds included, and nothing beyond', () => {
    const bounds = { atLeast: 2, atMost: 4 };
    const answers = ['', 'one', 'one two', 'one two three four', 'one two three four five'];
    expect(answers.map((answer) => wordsReward(answer, bounds))).toEqual([0, 0, 1, 1, 0]);
    expect(wordsReward('我喜欢猫', { atMost: 4 })).toBe(1); // a Chinese character is a word
    expect(wordsReward('我喜欢大猫', { atMost: 4 })).toBe(0);
  });

  it('falls evenly over the slack, on both sides', () => {
    const bounds = { atLeast: 3, atMost: 4, slack: 4 };
    const of = (words: number) => wordsReward(Array(words).fill('word').join(' '), bounds);
    expect([1, 2, 3, 4, 5, 6, 7, 8, 20].map(of)).toEqual([0.5, 0.75, 1, 1, 0.75, 0.5, 0.25, 0, 0]);
  });

  it('gives an empty answer nothing, whatever the bounds', () => {
    expect(wordsReward('', { atMost: 8, slack: 100 })).toBe(0);
    expect(wordsReward(' \n', { atMost: 8 })).toBe(0);
  });
});

describe('the other checks', () => {
  it('find a pattern anywhere, and each time anew', () => {
    const endsWithStop = /\.$/gu;
    expect([1, 2, 3].map(() => regexReward('Yes.', endsWithStop))).toEqual([1, 1, 1]);
    expect(regexReward('Yes', endsWithStop)).toBe(0);
  });

  it('take the same answer for the same in other case, spaces and widths', () => {
    expect(exactReward(' The  Answer\nis ４２ ', 'the answer is 42')).toBe(1);
    expect(exactReward('The answer is 43', 'the answer is 42')).toBe(0);
    expect(exactReward('', 'x')).toBe(0);
  });

  it('want a whole JSON document', () => {
    const answers = ['{"a": [1, 2]}', ' 3 ', '{"a": 1} and so on', '{a: 1}', ''];
    expect(answers.map(jsonReward)).toEqual([1, 1, 0, 0, 0]);
  });
});
