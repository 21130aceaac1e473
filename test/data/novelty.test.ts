import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { readJson } from '../../src/base/jsonl.ts';
import { Rng } from '../../src/base/rng.ts';
import { comparisonTokens, NoveltyFilter, parseThreshold, SimilarTexts } from '../../src/data/novelty.ts';
import { rougeL } from '../../src/text/rouge.ts';

const words = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `w${from + i}`).join(' ');

describe('NoveltyFilter', () => {
  test('an F of exactly 7/10 is kept, one just above is not', () => {
    const filter = new NoveltyFilter();
    filter.add(words(0, 10));
    // 7 of 10 words in common on both sides: F = 14 / 20.
    expect(filter.offer(`${words(0, 7)} ${words(100, 3)}`)).toEqual({ kept: true });
    const other = new NoveltyFilter();
    other.add(words(0, 10));
    // 8 of 10 against 12: F = 16 / 22 > 7/10, by 0.6 of a word.
    const similar = `${words(0, 8)} ${words(100, 4)}`;
    expect(other.offer(similar)).toEqual({ kept: false, nearest: words(0, 10), f: 16 / 22 });
  });

  test('what was kept counts from then on, what was not does not', () => {
    const filter = new NoveltyFilter();
    expect(filter.offer('Name three rivers in Spain')).toEqual({ kept: true });
    // 4 of 5 words: F = 0.8.
    expect(filter.offer('Name three lakes in Spain')).toMatchObject({ kept: false, f: 0.8 });
    // 3 of 5 with the first, 4 of 5 with the second, which is not there.
    expect(filter.offer('Name four lakes in Spain')).toEqual({ kept: true });
    expect(filter.offer('name four LAKES, in Spain!')).toMatchObject({
      kept: false,
      f: 1,
      nearest: 'Name four lakes in Spain',
    });
  });

  test('the nearest is the most similar one, and the earliest of equals', () => {
    const filter = new NoveltyFilter({ numerator: 1, denominator: 2 });
    filter.add('a b c x');
    filter.add('a b c y');
    filter.add('a b c d e');
    // F: 6/8, 6/8, 8/9.
    expect(filter.offer('a b c d')).toMatchObject({ nearest: 'a b c d e', f: 8 / 9 });
    expect(filter.offer('a b c z')).toMatchObject({ nearest: 'a b c x', f: 0.75 });
  });

  test('Chinese is compared by character: rouge tokens would find nothing in it', () => {
    const filter = new NoveltyFilter();
    filter.add('写一首关于春天的诗');
    // 7 of 9 characters: F = 7/9.
    expect(filter.offer('写一首关于秋雨的诗')).toEqual({ kept: false, nearest: '写一首关于春天的诗', f: 7 / 9 });
    expect(filter.offer('列出五种常见的水果')).toEqual({ kept: true });
  });

  test('other alphabets are compared by words; a number in common is not the whole text', () => {
    const filter = new NoveltyFilter();
    filter.add('Назови 5 рек в Испании');
    expect(filter.offer('Перечисли 5 видов хлеба')).toEqual({ kept: true });
    expect(filter.offer('Назови 5 рек в Италии')).toMatchObject({ kept: false, f: 0.8 });
  });

  test('texts without words are equal to nothing', () => {
    const filter = new NoveltyFilter();
    expect([filter.offer('???'), filter.offer('???'), filter.offer('')]).toEqual([
      { kept: true },
      { kept: true },
      { kept: true },
    ]);
  });

  test('decides as ROUGE-L against all kept ones does, over random texts of unequal lengths', () => {
    const rng = new Rng('novelty test');
    const texts = Array.from({ length: 300 }, () =>
      Array.from({ length: 1 + rng.int(rng.int(2) === 0 ? 8 : 45) }, () => `t${rng.int(6)}`).join(' '),
    );
    const filter = new NoveltyFilter();
    const kept: string[] = [];
    for (const text of texts) {
      const scores = kept.map((one) => rougeL(one, text).f);
      const highest = Math.max(0, ...scores);
      const verdict = filter.offer(text);
      // 0.7 itself is decided in the test above.
      if (Math.abs(highest - 0.7) < 1e-9) expect(verdict.kept).toBe(true);
      else expect(verdict.kept).toBe(highest < 0.7);
      if (verdict.kept) kept.push(text);
      else expect(verdict.f).toBeCloseTo(highest, 12);
    }
    expect(kept.length).toBeGreaterThan(20);
    expect(kept.length).toBeLessThan(280);
  });
});

test('SimilarTexts gives all above the threshold, in the order they came', () => {
  const texts = new SimilarTexts({ numerator: 7, denominator: 10 });
  for (const text of ['a b c d e', 'x y z', 'a b c d', '一二三']) texts.add(text);
  expect(texts.above('a b c d').map(({ order, f }) => [order, f])).toEqual([
    [0, 8 / 9],
    [2, 1],
  ]);
});

describe('the same rows as rouge_score (scripts/golden/novelty.py), F just under, at and just over the threshold', () => {
  const golden = readJson('test/golden/novelty.json') as {
    texts: string[];
    /** Threshold → [row, row it is most similar to, 2 · LCS, tokens of both]. */
    rejected: Record<string, [row: number, nearest: number, numerator: number, denominator: number][]>;
  };

  test.each(Object.keys(golden.rejected))('at %s', (threshold) => {
    const filter = new NoveltyFilter(parseThreshold(threshold));
    const found = golden.texts.flatMap((text, row) => {
      const verdict = filter.offer(text);
      return verdict.kept ? [] : [[row, verdict.nearest, verdict.f]];
    });
    const expected = golden.rejected[threshold]?.map(([row, nearest, numerator, denominator]) => {
      return [row, golden.texts[nearest], numerator / denominator];
    });
    expect(expected?.length).toBeGreaterThan(50);
    expect(found).toEqual(expected);
  });
});

describe('SimilarTexts leaves nothing out', () => {
  /** The table of the textbook. */
  function slowLcs(a: readonly string[], b: readonly string[]): number {
    let above = new Array<number>(b.length + 1).fill(0);
    for (const left of a) {
      const row = [0];
      b.forEach((right, j) => {
        row.push(left === right ? above[j]! + 1 : Math.max(above[j + 1]!, row[j]!));
      });
      above = row;
    }
    return above[b.length]!;
  }

  test.each(['0', '0.2', '0.5', '0.7', '0.75', '0.9', '1'])('above %s: as comparing all with all', (threshold) => {
    const { numerator, denominator } = parseThreshold(threshold);
    let similar = 0;
    for (let seed = 0; seed < 30; seed++) {
      const rng = new Rng('similar texts', threshold, seed);
      const alphabet = [...'abcde', ...(seed % 3 === 0 ? '一二三' : '')].slice(0, 2 + (seed % 7));
      const longest = [6, 14, 40][seed % 3]!;
      const texts = new SimilarTexts({ numerator, denominator });
      const added: ReturnType<typeof comparisonTokens>[] = [];
      for (let i = 0; i < 40; i++) {
        const text = Array.from({ length: rng.int(longest) }, () => alphabet[rng.int(alphabet.length)]).join(' ');
        const one = comparisonTokens(text);
        const expected = added.flatMap((other, order) => {
          if (other.kind !== one.kind) return [];
          const [lcs, sum] = [slowLcs(one.tokens, other.tokens), one.tokens.length + other.tokens.length];
          return lcs > 0 && 2 * lcs * denominator > numerator * sum ? [{ order, lcs, sum, f: (2 * lcs) / sum }] : [];
        });
        expect(texts.above(text)).toEqual(expected);
        similar += expected.length;
        // Some are only asked for.
        if (rng.int(4) === 0) continue;
        texts.add(text);
        added.push(one);
      }
    }
    if (threshold === '1') expect(similar).toBe(0);
    else expect(similar).toBeGreaterThan(50);
  });
});

test('parseThreshold reads a decimal as the fraction it is', () => {
  expect(parseThreshold('0.7')).toEqual({ numerator: 7, denominator: 10 });
  expect(parseThreshold('.125')).toEqual({ numerator: 125, denominator: 1000 });
  expect([parseThreshold('0'), parseThreshold('1.0')]).toEqual([
    { numerator: 0, denominator: 1 },
    { numerator: 10, denominator: 10 },
  ]);
  for (const wrong of ['', '.', '1.1', '70', '-0.5', '0,7', '7e-1', 'high', '0.1234567891']) {
    expect(() => parseThreshold(wrong), wrong).toThrow(ConfigError);
  }
});

test('comparisonTokens: characters of CJK texts, rouge tokens of Latin ones, words of others', () => {
  expect(comparisonTokens('写 Hi。')).toEqual({ kind: 'characters', tokens: ['写', 'h', 'i', '。'] });
  expect(comparisonTokens("Don't stop, café!")).toEqual({ kind: 'words', tokens: ['don', 't', 'stop', 'caf'] });
  expect(comparisonTokens('Число π, 3')).toEqual({ kind: 'words', tokens: ['число', 'π', '3'] });
});
