import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import {
  bandHashes,
  bandingFor,
  estimatedJaccard,
  minhashSignature,
  shingleHashes,
  shingleUnits,
} from '../../src/data/minhash.ts';
import { type NearDuplicate, NearDuplicates } from '../../src/data/near-duplicates.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-near-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function nearDuplicates(texts: readonly string[], threshold = 0.8): Promise<NearDuplicate[]> {
  const near = new NearDuplicates(mkdtempSync(join(scratch, 'bands-')), threshold);
  for (const text of texts) near.add(text);
  const found: NearDuplicate[] = [];
  for await (const one of near.find()) found.push(one);
  near.close();
  return found;
}

/** Of the sets of five words in a row, without any hash. */
function jaccard(a: string, b: string): number {
  const shingles = (text: string): Set<string> => {
    const words = shingleUnits(text);
    return new Set(words.slice(4).map((_, i) => words.slice(i, i + 5).join(' ')));
  };
  const [left, right] = [shingles(a), shingles(b)];
  const common = [...left].filter((shingle) => right.has(shingle)).length;
  return common / (left.size + right.size - common);
}

const sentence = (rng: Rng, count: number): string[] => Array.from({ length: count }, () => `w${rng.int(5000)}`);

/** `changes` of the words are others. */
function edited(rng: Rng, words: readonly string[], changes: number): string[] {
  const places = new Set(rng.sample([...words.keys()], changes));
  return words.map((word, i) => (places.has(i) ? `x${rng.bits()}` : word));
}

describe('near copies', () => {
  test('are found by what they have in common: precision and recall against the exact Jaccard similarity', async () => {
    const rng = new Rng('near copies');
    const texts: string[] = [];
    for (let i = 0; i < 600; i++) {
      const words = sentence(rng, 60 + rng.int(120));
      texts.push(words.join(' '), edited(rng, words, rng.int(8)).join(' '));
    }
    const found = await nearDuplicates(texts);
    const isFound = new Set(found.map(({ order }) => order));
    // A copy is taken for one of its original alone.
    for (const { order, of } of found) expect(of).toBe(order - 1);
    const exact = Array.from({ length: 600 }, (_, i) => jaccard(texts[2 * i]!, texts[2 * i + 1]!));
    const share = (from: number, to: number): number => {
      const inRange = [...exact.keys()].filter((i) => exact[i]! >= from && exact[i]! < to);
      expect(inRange.length).toBeGreaterThan(25);
      return inRange.filter((i) => isFound.has(2 * i + 1)).length / inRange.length;
    };
    expect(share(0.93, 2)).toBe(1);
    expect(share(0.85, 0.93)).toBeGreaterThan(0.9);
    expect(share(0.8, 0.85)).toBeGreaterThan(0.6);
    expect(share(0.75, 0.8)).toBeLessThan(0.4);
    expect(share(0.65, 0.72)).toBeLessThan(0.05);
    expect(share(0, 0.65)).toBe(0);
    for (const { order, jaccard: estimate } of found) {
      expect(estimate).toBeGreaterThanOrEqual(0.8);
      expect(Math.abs(estimate - exact[(order - 1) / 2]!)).toBeLessThan(0.15);
    }
  });

  test('of Chinese texts are found by character', async () => {
    const text =
      '春天的早晨，公园里的老人们在湖边慢慢地打着太极拳，孩子们追着风筝跑过草地，卖早点的小贩推着车子从门口经过。';
    const other = '秋天的傍晚，码头上的渔民把一筐筐的鱼搬下船来，海鸥围着桅杆叫个不停，远处的灯塔刚刚亮起了第一道光。';
    const copy = text.replace('小贩', '商人').replace(/，/g, ', ');
    const found = await nearDuplicates([text, other, copy], 0.7);
    expect(found.map(({ order, of }) => [order, of])).toEqual([[2, 0]]);
    expect(Math.abs(found[0]!.jaccard - jaccard(text, copy))).toBeLessThan(0.1);
  });

  test('go for the sake of one that stays: a chain of changes is not one text', async () => {
    const rng = new Rng('chain');
    const first = sentence(rng, 400);
    const second = [...sentence(rng, 30), ...first.slice(30)];
    const third = [...second.slice(0, 370), ...sentence(rng, 30)];
    const texts = [first, second, third].map((words) => words.join(' '));
    expect(jaccard(texts[0]!, texts[1]!)).toBeGreaterThan(0.85);
    expect(jaccard(texts[1]!, texts[2]!)).toBeGreaterThan(0.85);
    expect(jaccard(texts[0]!, texts[2]!)).toBeLessThan(0.75);
    expect((await nearDuplicates(texts)).map(({ order, of }) => [order, of])).toEqual([[1, 0]]);
  });

  test('texts without words are like nothing; short ones are compared whole', async () => {
    const found = await nearDuplicates(['', '...', '', 'Yes.', 'No.', 'yes', '?!'], 0.5);
    expect(found).toEqual([{ order: 5, of: 3, jaccard: 1 }]);
  });

  test('one text ten thousand times is one text', async () => {
    const found = await nearDuplicates(Array.from({ length: 10_000 }, () => 'the same words over and over again'));
    expect(found).toHaveLength(9_999);
    expect(found.every(({ of, jaccard: estimate }) => of === 0 && estimate === 1)).toBe(true);
  });

  test('nothing from nothing', async () => {
    expect(await nearDuplicates([])).toEqual([]);
  });
});

test('finds what comparing with all earlier ones that share a band finds, in crowds of similar texts', async () => {
  const rng = new Rng('crowds');
  const bases = Array.from({ length: 12 }, () => sentence(rng, 40));
  const texts = Array.from({ length: 900 }, () => edited(rng, bases[rng.int(bases.length)]!, rng.int(5)).join(' '));
  for (const threshold of [0.5, 0.7, 0.85]) {
    const banding = bandingFor(threshold);
    const signatures = texts.map((text) => minhashSignature(shingleHashes(text)) as Int32Array);
    const hashes = signatures.map((signature) => bandHashes(signature, banding));
    const kept: number[] = [];
    const expected = texts.flatMap((_, order): NearDuplicate[] => {
      const near = kept
        .filter((of) => hashes[of]!.some((hash, band) => hash === hashes[order]![band]))
        .map((of) => ({ order, of, jaccard: estimatedJaccard(signatures[of]!, signatures[order]!) }))
        .filter((one) => one.jaccard >= threshold);
      if (near.length === 0) kept.push(order);
      return near.length === 0 ? [] : [near.reduce((best, one) => (one.jaccard > best.jaccard ? one : best))];
    });
    expect(kept.length).toBeGreaterThan(12);
    expect(await nearDuplicates(texts, threshold)).toEqual(expected);
  }
});
