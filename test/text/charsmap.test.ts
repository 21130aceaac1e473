import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/base/paths.ts';
import { createCharsmap } from '../../src/text/charsmap.ts';
import { readSentencePieceModel } from '../../src/text/sentencepiece-model.ts';
import { Tokenizer } from '../../src/text/tokenizer.ts';

const file = join(packageRoot, 'test/golden/sentencepiece/spaces.model');
const { charsmap } = readSentencePieceModel(readFileSync(file), file);
const base64 = Buffer.from(charsmap).toString('base64');

// The rules stand in scripts/golden/sentencepiece.py.
describe('createCharsmap', () => {
  const rewrite = createCharsmap(base64);

  it('rewrites what the map has, and nothing else', () => {
    expect(rewrite('\ufb01ne\u2026 \uff21\uff22 \u2460\u2461\t.\u200b.\n')).toBe('fine... A\uff22 1\u2461 .. ');
    expect(rewrite('plain 中文 \u{1f44d}\ufeff\0')).toBe('plain 中文 \u{1f44d}\ufeff\0');
    expect(rewrite('')).toBe('');
  });

  it('takes the longest stretch, of several characters too', () => {
    expect(rewrite('cafe\u0301 e e\u0300')).toBe('caf\u00e9 e e\u0300');
  });

  it('reads a trie by hand: a stretch within a longer one, and offsets that count 256 at a time', () => {
    const trie = new Uint32Array(512);
    const [far, hasValue, value] = [0x200, 0x100, 0x80000000];
    const a = 256 ^ 0x41; // "A", from the root by an offset of 1 × 256
    const ab = a ^ 2 ^ 0x42; // "AB", from there by an offset of 2
    trie[0] = (1 << 10) | far;
    trie[a] = (2 << 10) | hasValue | 0x41;
    trie[a ^ 2] = value;
    trie[ab] = (3 << 10) | hasValue | 0x42;
    trie[ab ^ 3] = value + 4;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(trie.byteLength);
    const byHand = createCharsmap(
      Buffer.concat([length, Buffer.from(trie.buffer), Buffer.from('one\0é\0')]).toString('base64'),
    );
    expect(byHand('A AB B ABA')).toBe('one é B éone');
  });

  it('refuses a map that is cut off', () => {
    for (const length of [0, 3, 4, 40]) {
      const cut = Buffer.from(charsmap.subarray(0, length)).toString('base64');
      expect(() => createCharsmap(cut), `${length}`).toThrow('precompiled_charsmap is cut off');
    }
  });
});

describe('a tokenizer.json with a Precompiled normalizer', () => {
  const tokenizer = (precompiled_charsmap: string) =>
    new Tokenizer(
      {
        normalizer: { type: 'Precompiled', precompiled_charsmap },
        pre_tokenizer: null,
        model: { type: 'BPE', vocab: { A: 0, Ａ: 1, Ｂ: 2, B: 3 }, merges: [], unk_token: null },
      },
      {},
    );

  it('is read by its map, where NFKC would rewrite more', () => {
    expect(tokenizer(base64).encode('ＡＢ')).toEqual([0, 2]);
  });

  it('is refused where the map is broken', () => {
    expect(() => tokenizer('AAAA')).toThrow('tokenizer.json: expected a tokenizer: precompiled_charsmap is cut off');
  });
});
