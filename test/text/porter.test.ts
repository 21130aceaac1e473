/** The golden stems are NLTK's own (scripts/golden/rouge.py); the hand-picked words are examples of each rule. */
import { describe, expect, it } from 'vitest';
import { readJson } from '../../src/base/jsonl.ts';
import { porterStem } from '../../src/text/porter.ts';

const golden = readJson('test/golden/rouge.json') as { stems: Record<string, string> };

describe('porterStem', () => {
  it('gives the stems of NLTK', () => {
    const words = Object.entries(golden.stems);
    expect(words.length).toBeGreaterThan(3000);
    expect(words.filter(([word, stem]) => porterStem(word) !== stem)).toEqual([]);
  });

  it.each([
    ['caresses', 'caress'],
    ['dies', 'die'],
    ['ponies', 'poni'],
    ['died', 'die'],
    ['spied', 'spi'],
    ['feed', 'feed'],
    ['agreed', 'agre'],
    ['sing', 'sing'],
    ['hopping', 'hop'],
    ['falling', 'fall'],
    ['filing', 'file'],
    ['owed', 'owe'],
    ['enjoy', 'enjoy'],
    ['fly', 'fli'],
    ['by', 'by'],
    ['rationally', 'ration'],
    ['geology', 'geolog'],
    ['hopefully', 'hope'],
    ['adoption', 'adopt'],
    ['controlling', 'control'],
    ['skies', 'sky'],
    ['outings', 'outing'],
    ['is', 'is'],
    ['', ''],
  ])('%s → %s', (word, stem) => {
    expect(porterStem(word)).toBe(stem);
  });

  it('takes upper case as NLTK does', () => {
    expect(porterStem('Connections')).toBe('connect');
    expect(porterStem('SKIES')).toBe('sky');
  });

  it('stands a long run of y', () => {
    expect(porterStem(`${'y'.repeat(20_000)}ing`)).toBe(`${'y'.repeat(19_999)}i`);
  });
});
