import { describe, expect, it } from 'vitest';
import { groupOf, rougeByLength, rougeOf } from '../../src/evaluate/rouge.ts';

describe('rougeByLength', () => {
  it('puts references of 2, 3, 5, 6, 10 and 11 words into their buckets and averages each', () => {
    const reference = (words: number) => Array.from({ length: words }, (_, i) => `w${i}`).join(' ');
    const pairs = [0, 2, 3, 5, 6, 10, 11].map((words) => ({ reference: reference(words), candidate: 'w0 w1' }));
    const result = rougeByLength(pairs);
    // F = 2·2 / (words + 2)
    const f = [0, 4 / 4, 4 / 5, 4 / 7, 4 / 8, 4 / 12, 4 / 13];
    pairs.forEach((pair, i) => {
      expect(rougeOf(pair).rougeL).toBeCloseTo(f[i]!, 12);
    });
    expect(pairs.map(groupOf)).toEqual(['0-2', '0-2', '3-5', '3-5', '6-10', '6-10', '>10']);
    expect(result.buckets.map(({ bucket, n }) => [bucket, n])).toEqual([
      ['0-2', 2],
      ['3-5', 2],
      ['6-10', 2],
      ['>10', 1],
    ]);
    const expected = [1 / 2, (4 / 5 + 4 / 7) / 2, (4 / 8 + 4 / 12) / 2, 4 / 13];
    result.buckets.forEach(({ rougeL }, i) => {
      expect(rougeL).toBeCloseTo(expected[i]!, 12);
    });
    expect(result.all.n).toBe(7);
    expect(result.all.rougeL).toBeCloseTo(f.reduce((sum, score) => sum + score) / 7, 12);
    expect(result.cjk).toMatchObject({ n: 0, rougeL: null });
  });

  it('counts the words of the reference as written, not as tokenized', () => {
    expect(groupOf({ reference: 'state-of-the-art' })).toBe('0-2');
  });

  it('compares a CJK reference by characters, apart from all others', () => {
    const pairs = [
      { reference: '我 喜欢 GPT', candidate: '我喜欢gpt' },
      { reference: '我喜欢茶', candidate: '我喜欢咖啡' },
      { reference: 'I like tea', candidate: '我喜欢茶 tea' },
    ];
    const [same, near, english] = pairs.map((pair) => rougeOf(pair).rougeL);
    expect(same).toBe(1);
    expect(near).toBeCloseTo(6 / 9, 12);
    expect(english).toBeCloseTo(2 / 4, 12); // as rouge_score, which sees `tea` alone
    expect(pairs.map(groupOf)).toEqual(['cjk', 'cjk', '3-5']);
    const result = rougeByLength(pairs);
    expect(result.cjk.n).toBe(2);
    expect(result.cjk.rougeL).toBeCloseTo((1 + 6 / 9) / 2, 12);
    expect(result.all.n).toBe(1);
    expect(result.buckets.map(({ n }) => n)).toEqual([0, 1, 0, 0]);
  });

  it('is not led astray by CJK punctuation', () => {
    expect(groupOf({ reference: 'Yes。' })).toBe('0-2');
  });

  it('stems on request, and averages nothing to null', () => {
    const pairs = [{ reference: 'running dogs', candidate: 'runs dog' }];
    expect(rougeByLength(pairs).all.rougeL).toBe(0);
    expect(rougeByLength(pairs, { stemmer: true }).all.rougeL).toBe(1);
    const none = { rouge1: null, rouge2: null, rougeL: null };
    expect(rougeByLength([]).all).toEqual({ n: 0, ...none, intervals: none });
  });

  it('compares a CJK reference by words on request', () => {
    const pair = { reference: '我喜欢北京', candidate: '我喜欢东京' };
    // 我 喜欢 北京 against 我 喜欢 东京; by characters 我喜欢·京, and of their pairs 我喜 喜欢.
    const third = 2 / 3;
    expect(rougeOf(pair, { chinese: 'words' })).toEqual({ rouge1: third, rouge2: 0.5, rougeL: third });
    const { rouge1, rouge2, rougeL } = rougeOf(pair);
    expect(rouge1).toBeCloseTo(4 / 5, 12);
    expect([rouge2, rougeL]).toEqual([2 / 4, rouge1]);
    expect(rougeByLength([pair], { chinese: 'words' }).cjk.rougeL).toBe(third);
  });

  it('gives ROUGE-1 and -2 too, which know less of order or more', () => {
    const { all } = rougeByLength([{ reference: 'a b c d', candidate: 'd a b x' }]);
    // In common: a b d of 4 and 4; ab of 3 and 3; in order a b.
    expect([all.rouge1, all.rouge2, all.rougeL]).toEqual([3 / 4, 1 / 3, 2 / 4]);
  });

  it('draws intervals over the pairs', () => {
    const pair = (candidate: string) => ({ reference: 'one two three', candidate });
    const equal = rougeByLength([pair('one two three'), pair('one two three')]).all.intervals.rougeL;
    expect(equal).toEqual({ low: 1, high: 1 });
    const half = rougeByLength(Array.from({ length: 100 }, (_, i) => pair(i % 2 ? 'one two three' : 'no'))).all;
    // Binomial with p = ½ and n = 100: standard error 0.05.
    expect(half.rougeL).toBe(0.5);
    expect(half.intervals.rougeL?.low).toBeCloseTo(0.5 - 1.96 * 0.05, 1);
    expect(half.intervals.rougeL?.high).toBeCloseTo(0.5 + 1.96 * 0.05, 1);
  });
});
