import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { assetsFolder } from '../../src/base/paths.ts';
import { Rng } from '../../src/base/rng.ts';

interface Piece {
  readonly same: boolean;
  readonly text: string;
}

const source = readFileSync(join(assetsFolder, 'report', 'word-diff.js'), 'utf8');
const wordDiff = runInNewContext(`${source}; wordDiff`) as (a: string, b: string) => { left: Piece[]; right: Piece[] };

/** `[gone]` is in one text alone. */
const written = (pieces: Piece[]) => pieces.map(({ same, text }) => (same ? text : `[${text}]`)).join('');
const both = (a: string, b: string) => {
  const { left, right } = wordDiff(a, b);
  return [written(left), written(right)];
};

describe('wordDiff', () => {
  it('marks whole words', () => {
    expect(both('The bread is stale now.', 'The bread was very stale.')).toEqual([
      'The bread [is] stale[ now].',
      'The bread [was] [very ]stale.',
    ]);
    expect(both('same', 'same')).toEqual(['same', 'same']);
    expect(both('', 'new words')).toEqual(['', '[new words]']);
  });

  it('takes Chinese character by character, and an astral character whole', () => {
    expect(both('今天天气很好', '今天天气不好')).toEqual(['今天天气[很]好', '今天天气[不]好']);
    expect(both('a 😀 b', 'a 😁 b')).toEqual(['a [😀] b', 'a [😁] b']);
  });

  it('loses no character, and shares the same text on both sides', () => {
    const rng = new Rng('word-diff');
    const pool = ['red', 'green', ' ', '\n', '.', '水', 'blue', '1'];
    for (let round = 0; round < 200; round++) {
      const text = () => Array.from({ length: rng.int(30) }, () => pool[rng.int(pool.length)]!).join('');
      const [a, b] = [text(), text()];
      const { left, right } = wordDiff(a, b);
      expect(left.map((piece) => piece.text).join('')).toBe(a);
      expect(right.map((piece) => piece.text).join('')).toBe(b);
      const common = (pieces: Piece[]) => pieces.flatMap(({ same, text: own }) => (same ? own : [])).join('');
      expect(common(left)).toBe(common(right));
    }
  });

  it('shows two long texts without a common end as wholly different, at once', () => {
    const text = (word: string) => Array(3000).fill(word).join(' ');
    expect(wordDiff(text('a'), text('b')).left).toEqual([{ same: false, text: text('a') }]);
  });
});
