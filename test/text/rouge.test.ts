/**
 * Golden scores are those of Google's rouge_score 0.1.2 (scripts/golden/rouge.py). The bit-parallel subsequence is
 * also held against the plain table of the textbook.
 */
import { describe, expect, it } from 'vitest';
import { readJson } from '../../src/base/jsonl.ts';
import { Rng } from '../../src/base/rng.ts';
import {
  codeTokens,
  exceedsRougeL,
  lcsLength,
  lcsLengths,
  rougeL,
  rougeLOfTokens,
  rougeNOfTokens,
  rougeTokens,
} from '../../src/text/rouge.ts';

/** Each F without stemmer, then with it. */
type GoldenPair = [
  reference: string,
  candidate: string,
  f: number,
  stemmedF: number,
  f1: number,
  stemmedF1: number,
  f2: number,
  stemmedF2: number,
];
const { pairs } = readJson('test/golden/rouge.json') as { pairs: GoldenPair[] };

function slowLcs(a: Int32Array, b: Int32Array): number {
  let above: number[] = new Array(b.length + 1).fill(0);
  for (const left of a) {
    const row = [0];
    b.forEach((right, j) => {
      row.push(left === right ? above[j]! + 1 : Math.max(above[j + 1]!, row[j]!));
    });
    above = row;
  }
  return above[b.length]!;
}

const randomCodes = (rng: Rng, length: number, kinds: number): Int32Array =>
  Int32Array.from({ length }, () => rng.int(kinds));

describe('rougeTokens', () => {
  it('lower-cases, then parts at everything but a–z and 0–9', () => {
    expect(rougeTokens("  Don't pay 1,000.5 — café_x ")).toEqual(['don', 't', 'pay', '1', '000', '5', 'caf', 'x']);
    expect(rougeTokens('')).toEqual([]);
    expect(rougeTokens('你好。')).toEqual([]);
  });

  it('makes a k of the Kelvin sign and a parting i of the dotted I, as Python does', () => {
    expect(rougeTokens('\u212Aelvin')).toEqual(['kelvin']);
    expect(rougeTokens('\u0130stanbul')).toEqual(['i', 'stanbul']);
    expect(rougeTokens('\u0131x')).toEqual(['x']);
  });

  it('knows no other letter whose lower case is in ASCII', () => {
    const found: number[] = [];
    for (let code = 128; code <= 0x10ffff; code++) {
      if (/[a-z0-9]/.test(String.fromCodePoint(code).toLowerCase())) found.push(code);
    }
    expect(found).toEqual([0x130, 0x212a]);
  });

  it('stems only what is longer than three letters', () => {
    expect(rougeTokens('his cats ran running', { stemmer: true })).toEqual(['his', 'cat', 'ran', 'run']);
  });
});

describe('rougeL', () => {
  it('agrees with rouge_score to the last bit', () => {
    expect(pairs.length).toBeGreaterThan(230);
    const wrong = pairs.filter(
      ([reference, candidate, f, stemmedF]) =>
        rougeL(reference, candidate).f !== f || rougeL(reference, candidate, { stemmer: true }).f !== stemmedF,
    );
    expect(wrong).toEqual([]);
  });

  it('by hand: 3 words in order of 4 in the reference, 5 in the answer', () => {
    const { precision, recall, f } = rougeL('the cat sat down', 'the old cat just sat');
    expect(precision).toBeCloseTo(3 / 5, 12);
    expect(recall).toBeCloseTo(3 / 4, 12);
    expect(f).toBeCloseTo(6 / 9, 12);
  });

  it('is 0 where a side has no words or nothing is in common', () => {
    const zero = { precision: 0, recall: 0, f: 0 };
    expect(rougeL('', '')).toEqual(zero);
    expect(rougeL('...', 'word')).toEqual(zero);
    expect(rougeL('one two', 'three')).toEqual(zero);
  });

  it('compares any tokens', () => {
    expect(rougeLOfTokens([...'我喜欢茶'], [...'我喜欢咖啡']).f).toBeCloseTo(6 / 9, 12);
  });
});

describe('rougeNOfTokens', () => {
  it('agrees with rouge_score to the last bit', () => {
    const f = (n: number, [reference, candidate]: GoldenPair, stemmer: boolean) =>
      rougeNOfTokens(n, rougeTokens(reference, { stemmer }), rougeTokens(candidate, { stemmer })).f;
    const wrong = pairs.filter((pair) => {
      const [, , , , f1, stemmedF1, f2, stemmedF2] = pair;
      const found = [f(1, pair, false), f(1, pair, true), f(2, pair, false), f(2, pair, true)];
      return String(found) !== String([f1, stemmedF1, f2, stemmedF2]);
    });
    expect(wrong).toEqual([]);
    expect(pairs.filter(([, , , , , , f2]) => f2 > 0).length).toBeGreaterThan(100);
  });

  it('by hand: what stands there twice counts twice only where both have it twice', () => {
    // a a b · a: one a in common of 3 and 1; pairs: none.
    expect(rougeNOfTokens(1, ['a', 'a', 'b'], ['a'])).toEqual({ precision: 1, recall: 1 / 3, f: 0.5 });
    expect(rougeNOfTokens(2, ['a', 'a', 'b'], ['a'])).toEqual({ precision: 0, recall: 0, f: 0 });
    // ab bc ca ab · ab ab: both ab in common, of 4 and of 3.
    const { precision, recall } = rougeNOfTokens(2, [...'abcab'], [...'abab']);
    expect([precision, recall]).toEqual([2 / 3, 2 / 4]);
    expect(rougeNOfTokens(3, [...'abcab'], [...'xabc']).recall).toBe(1 / 3);
  });
});

describe('lcsLength', () => {
  it('equals the plain table on random texts of all lengths and vocabularies', () => {
    const rng = new Rng('lcs');
    for (let round = 0; round < 1500; round++) {
      const kinds = [1, 2, 4, 20, 3000][round % 5]!;
      const a = randomCodes(rng, rng.int(100), kinds);
      const b = randomCodes(rng, rng.int(100), kinds);
      const expected = slowLcs(a, b);
      const context = `${a} | ${b}`;
      expect(lcsLength(a, b), context).toBe(expected);
      expect(lcsLengths(a, [b, a]), context).toEqual([expected, a.length]);
      expect(lcsLengths(b, [a, a]), context).toEqual([expected, expected]);
    }
  });

  it('equals the plain table around the borders of machine words', () => {
    const rng = new Rng('lcs-borders');
    for (const length of [1, 29, 30, 31, 32, 33, 59, 60, 61, 64, 90, 91, 300]) {
      const a = randomCodes(rng, length, 3);
      expect(lcsLength(a, a)).toBe(length);
      for (const other of [length - 1, length, length + 1, 2 * length]) {
        const b = randomCodes(rng, other, 3);
        expect(lcsLength(a, b)).toBe(slowLcs(a, b));
      }
    }
  });

  it('prepares a pattern once for many texts, without one leaving traces for the next', () => {
    const rng = new Rng('lcs-many');
    const patterns = [randomCodes(rng, 20, 8), randomCodes(rng, 70, 8)];
    for (let round = 0; round < 20; round++) {
      // Also codes that no pattern has.
      const texts = Array.from({ length: 10 }, () => randomCodes(rng, rng.int(50), 30));
      for (const pattern of patterns) {
        expect(lcsLengths(pattern, texts)).toEqual(texts.map((text) => slowLcs(pattern, text)));
      }
    }
  });

  it('codes tokens alike across texts', () => {
    const codes = new Map<string, number>();
    const a = codeTokens(['to', 'be', 'or', 'not', 'to', 'be'], codes);
    const b = codeTokens(['not', 'to', 'constructor', 'be'], codes);
    expect([...a]).toEqual([0, 1, 2, 3, 0, 1]);
    expect([...b]).toEqual([3, 0, 4, 1]);
    expect(lcsLength(a, b)).toBe(3);
  });

  it('refuses what is not a code', () => {
    expect(() => lcsLength(Int32Array.of(-1), Int32Array.of(1))).toThrow('expected codes from codeTokens, got -1');
  });
});

describe('exceedsRougeL', () => {
  it('puts a tie below the threshold, where floating point need not', () => {
    expect(exceedsRougeL(7, 10, 10, 7, 10)).toBe(false);
    expect(exceedsRougeL(8, 10, 10, 7, 10)).toBe(true);
    expect(exceedsRougeL(7, 9, 10, 7, 10)).toBe(true);
  });

  it('agrees with F wherever F is not within rounding of the threshold', () => {
    let ties = 0;
    for (let m = 0; m <= 24; m++) {
      for (let n = 0; n <= 24; n++) {
        for (let lcs = 0; lcs <= Math.min(m, n); lcs++) {
          const f = lcs === 0 ? 0 : (2 * lcs) / (m + n);
          if (Math.abs(f - 0.7) < 1e-12) {
            ties++;
            expect(exceedsRougeL(lcs, m, n, 7, 10)).toBe(false);
          } else expect(exceedsRougeL(lcs, m, n, 7, 10)).toBe(f > 0.7);
        }
      }
    }
    expect(ties).toBeGreaterThan(10);
  });

  it('never lets two empty texts exceed anything, not even 0', () => {
    expect(exceedsRougeL(0, 0, 0, 0, 1)).toBe(false);
    expect(exceedsRougeL(1, 50, 50, 0, 1)).toBe(true);
    expect(() => exceedsRougeL(1, 1, 1, -1, 1)).toThrow('threshold');
  });
});
