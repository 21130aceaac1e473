import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import {
  bandHashes,
  bandingFor,
  estimatedJaccard,
  minhashSignature,
  permutations,
  shingleHashes,
  shingleUnits,
} from '../../src/data/minhash.ts';

describe('shingles', () => {
  test('are words, whatever case, punctuation and white space do; CJK characters singly', () => {
    expect(shingleUnits('The "Old\n CAT" — ①, ﬁne?')).toEqual(['the', 'old', 'cat', '1', 'fine']);
    expect(shingleUnits('用JavaScript写一段代码。')).toEqual(['用', 'javascript', '写', '一', '段', '代', '码']);
    expect(shingleUnits('...')).toEqual([]);
  });

  test('are all runs of five, the whole of a shorter text', () => {
    expect(shingleHashes('a b c d e f g')).toHaveLength(3);
    expect(shingleHashes('a b c d e')).toHaveLength(1);
    expect(shingleHashes('a b')).toHaveLength(1);
    expect(shingleHashes('')).toHaveLength(0);
    expect(shingleHashes('春天来了花开了')).toHaveLength(3);
  });

  test('are equal for equal runs only', () => {
    const [first, ...rest] = shingleHashes('a b c d e x a b c d e');
    expect(rest.indexOf(first as number)).toBe(5);
    expect(new Set(rest).size).toBe(6);
    expect(shingleHashes('e d c b a')).not.toEqual(shingleHashes('a b c d e'));
    expect(shingleHashes('ab c d e f')).not.toEqual(shingleHashes('a bc d e f'));
  });

  test('hardly ever collide: 64,000 runs in 32 bits', () => {
    const letters = Array.from({ length: 40 }, (_, i) => `w${i}`);
    const hashes = new Set<number>();
    for (const a of letters)
      for (const b of letters) for (const c of letters) hashes.add(shingleHashes(`${a} ${b} ${c}`)[0]!);
    // n² / 2³³ = 0.5 are to be expected.
    expect(40 ** 3 - hashes.size).toBeLessThan(6);
  });
});

describe('signatures', () => {
  test('estimate the Jaccard similarity without bias, within the error of 128 coins', () => {
    for (const jaccard of [0.1, 0.5, 0.8, 0.95]) {
      const rng = new Rng('signatures', jaccard);
      let sum = 0;
      let squares = 0;
      const rounds = 200;
      for (let round = 0; round < rounds; round++) {
        // Sets of 100 with 200·j / (1 + j) in common; the same numbers in both.
        const common = Math.round((200 * jaccard) / (1 + jaccard));
        const draw = (count: number): number[] => Array.from({ length: count }, () => rng.bits() | 0);
        const both = draw(common);
        const [a, b] = [0, 1].map(() => minhashSignature(Int32Array.from([...both, ...draw(100 - common)])));
        const error = estimatedJaccard(a as Int32Array, b as Int32Array) - common / (200 - common);
        sum += error;
        squares += error * error;
      }
      const deviation = Math.sqrt((jaccard * (1 - jaccard)) / permutations);
      expect(Math.abs(sum / rounds)).toBeLessThan(4 * (deviation / Math.sqrt(rounds)));
      expect(Math.sqrt(squares / rounds)).toBeLessThan(1.25 * deviation);
      expect(Math.sqrt(squares / rounds)).toBeGreaterThan(0.75 * deviation);
    }
  });

  test('do not depend on the order of shingles nor on how often they occur', () => {
    expect(minhashSignature(Int32Array.of(3, 1, 2, 3, 3))).toEqual(minhashSignature(Int32Array.of(1, 2, 3)));
    expect(minhashSignature(Int32Array.of())).toBeUndefined();
  });

  test('are the same on every machine and day', () => {
    const signature = minhashSignature(shingleHashes('Give three tips for staying healthy.')) as Int32Array;
    expect([...signature.slice(0, 4)]).toEqual([831502864, -2106831949, 174815086, -178759489]);
  });
});

describe('bands', () => {
  // What datasketch 2.0.0 chooses for 128 permutations: scripts/golden/minhash.py.
  const chosen: [missWeight: number, Record<string, [bands: number, rows: number]>][] = [
    [
      0.5,
      {
        '0.3': [37, 3],
        '0.5': [25, 5],
        '0.6': [18, 7],
        '0.7': [14, 9],
        '0.75': [11, 11],
        '0.8': [9, 13],
        '0.85': [8, 16],
        '0.9': [5, 25],
        '0.95': [3, 42],
      },
    ],
    [
      0.9,
      {
        '0.3': [32, 2],
        '0.5': [32, 4],
        '0.6': [25, 5],
        '0.7': [20, 6],
        '0.75': [16, 8],
        '0.8': [14, 9],
        '0.85': [11, 11],
        '0.9': [8, 16],
        '0.95': [5, 25],
      },
    ],
  ];

  test.each(chosen)('are those of datasketch where misses weigh %s', (missWeight, table) => {
    for (const [threshold, [bands, rows]] of Object.entries(table)) {
      expect(bandingFor(Number(threshold), missWeight), threshold).toEqual({ bands, rows });
    }
  });

  test('weigh misses by 0.9 where nothing is said: sharing a band decides nothing yet', () => {
    expect(bandingFor(0.8)).toEqual({ bands: 14, rows: 9 });
    expect(bandingFor(1)).toEqual({ bands: 1, rows: 128 });
  });

  test('hash their places alone', () => {
    const signature = Int32Array.from({ length: permutations }, (_, i) => i * i);
    const banding = { bands: 4, rows: 30 };
    const hashes = bandHashes(signature, banding);
    expect(hashes).toHaveLength(4);
    for (let place = 0; place < permutations; place++) {
      const changed = signature.slice();
      changed[place]! += 1;
      const differing = [...bandHashes(changed, banding).keys()].filter(
        (band) => bandHashes(changed, banding)[band] !== hashes[band],
      );
      // Places 120 to 127 are in no band.
      expect(differing).toEqual(place < 120 ? [Math.floor(place / 30)] : []);
    }
  });
});
