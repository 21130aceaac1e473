import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { packageRoot } from '../../src/base/paths.ts';
import { Rng } from '../../src/base/rng.ts';
import { ggufToHuggingFace, type HuggingFaceDescription } from '../../src/model/gguf/hugging-face.ts';
import { openGguf } from '../../src/model/gguf/reader.ts';
import { loadTokenizer, StreamDecoder, Tokenizer } from '../../src/text/tokenizer.ts';
import { realGguf } from '../model/gguf/writer.ts';
import { bytes, byteTokenizer, byteTokenizerJson, writeFolder } from './byte-tokenizer.ts';

const root = mkdtempSync(join(tmpdir(), 'understudy-tokenizer-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function stream(tokenizer: Tokenizer, ids: readonly number[], skipSpecialTokens: boolean): string[] {
  const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens });
  return [...ids.map((id) => decoder.push(id)), decoder.flush()];
}

describe('Tokenizer', () => {
  const tokenizer = byteTokenizer({ bos_token: null, pad_token: { content: '<|im_end|>', special: true } });

  it('encodes bytes and added tokens', () => {
    expect(tokenizer.encode('aé\n<|im_end|>b')).toEqual([97, 0xc3, 0xa9, 10, 257, 98]);
    expect(tokenizer.encode('')).toEqual([]);
  });

  it('decodes what it encoded, without cleaning spaces up, and leaves special tokens out on request', () => {
    const text = "Hello , world ! it 's <|im_start|>x<|im_end|>";
    const ids = tokenizer.encode(text);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("Hello , world ! it 's x");
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode([97, 4000, 98])).toBe('ab');
    expect(tokenizer.decode([97, 0xf0, 98])).toBe('a\uFFFDb');
  });

  it('knows its special tokens, given as text or as objects', () => {
    expect(tokenizer).toMatchObject({ vocabSize: 259, eosToken: '</s>', eosId: 258, padId: 257, addsBos: false });
    expect(tokenizer.bosId).toBeUndefined();
    expect(tokenizer.tokenId('<|im_start|>')).toBe(256);
    expect(tokenizer.tokenId('no such token')).toBeUndefined();
  });

  it('splits at every number and at every white space of Unicode, as the Rust library does', () => {
    // Merges make the splits visible: "½²" is one token of the vocabulary, reached only where nothing splits it.
    const json = byteTokenizerJson();
    const [half, square, next] = ['Â½', 'Â²', 'ÂħÂħ']; // the bytes of ½, ² and two U+0085 as GPT-2 spells them
    const model = json['model'] as { vocab: Record<string, number>; merges: string[] };
    [half, square, half + square, 'Âħ', next].forEach((token, i) => {
      model.vocab[token!] = 300 + i;
    });
    model.merges = ['Â ½', 'Â ²', `${half} ${square}`, 'Â ħ', 'Âħ Âħ'];
    const withoutDigits = new Tokenizer(json, {});
    const byteLevel = json['pre_tokenizer'];
    const pre_tokenizer = { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] };
    const withDigits = new Tokenizer({ ...json, pre_tokenizer }, {});
    expect(withoutDigits.encode('½²')).toEqual([302]);
    expect(withDigits.encode('½²')).toEqual([300, 301]);
    // White space before a word leaves its last character to it, so two U+0085 come apart; JavaScript's \s lacks them.
    expect(withoutDigits.encode('\u0085\u0085x')).toEqual([303, 303, 120]);
  });

  it('says what is wrong with a tokenizer', () => {
    const { model: _, ...rest } = byteTokenizerJson();
    expect(() => new Tokenizer(rest, {})).toThrow('tokenizer.json: expected a tokenizer: ');
    expect(() => new Tokenizer([], {})).toThrow('tokenizer.json: expected a JSON object');
    expect(() => byteTokenizer({ eos_token: '<eos>' })).toThrow(
      'tokenizer_config.json: eos_token: the vocabulary has no token "<eos>"',
    );
    expect(() => byteTokenizer({ eos_token: 7 })).toThrow(DataError);
  });
});

describe('loadTokenizer', () => {
  it('reads a folder', () => {
    const folder = writeFolder(join(root, 'whole'), {
      'tokenizer.json': byteTokenizerJson(),
      'tokenizer_config.json': { eos_token: '</s>' },
    });
    expect(loadTokenizer(folder).eosId).toBe(258);
  });

  it('names what is missing or broken', () => {
    const empty = writeFolder(join(root, 'empty'), {});
    const old = writeFolder(join(root, 'old'), { 'tokenizer.model': 'x' });
    const half = writeFolder(join(root, 'half'), { 'tokenizer.json': byteTokenizerJson() });
    const broken = writeFolder(join(root, 'broken'), { 'tokenizer.json': '{', 'tokenizer_config.json': {} });
    expect(() => loadTokenizer(join(root, 'none'))).toThrow(ConfigError);
    expect(() => loadTokenizer(empty)).toThrow('there is no tokenizer.json');
    expect(() => loadTokenizer(old)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('SentencePiece tokenizer.model') }),
    );
    expect(() => loadTokenizer(half)).toThrow('there is no tokenizer_config.json');
    expect(() => loadTokenizer(broken)).toThrow(`${join(broken, 'tokenizer.json')}: expected JSON`);
  });
});

describe('StreamDecoder', () => {
  const tokenizer = byteTokenizer();

  it('holds a character back until its last byte', () => {
    expect(stream(tokenizer, bytes('a😀é中'), true)).toEqual(['a', '', '', '', '😀', '', 'é', '', '', '中', '']);
  });

  it('gives what never became a character on flush, and begins anew', () => {
    const decoder = new StreamDecoder(tokenizer);
    expect([0xe4, 0xb8].map((id) => decoder.push(id))).toEqual(['', '']);
    expect(decoder.flush()).toBe('\uFFFD');
    expect(decoder.flush()).toBe('');
    expect(decoder.push(0xad)).toBe('');
    expect(decoder.push(97)).toBe('\uFFFDa');
  });

  it('lets a replacement character that the text has come out', () => {
    expect(stream(tokenizer, bytes('x\uFFFDy'), true).join('')).toBe('x\uFFFDy');
  });

  it('leaves special tokens out by default, even inside a character, and keeps them on request', () => {
    expect(stream(tokenizer, [97, 257, 98], true)).toEqual(['a', '', 'b', '']);
    expect(stream(tokenizer, [97, 257, 98], false)).toEqual(['a', '<|im_end|>', 'b', '']);
    expect(stream(tokenizer, [0xc3, 257, 0xa9], true).join('')).toBe('é');
  });

  it('joined is the text, whatever the bytes', () => {
    const rng = new Rng('stream', 1);
    for (let round = 0; round < 300; round++) {
      // Leading bytes, continuation bytes, ASCII and special tokens, in any order.
      const ids = Array.from({ length: 24 }, () => [rng.int(259), 0x80 + rng.int(64), 0xe0 + rng.int(24)][rng.int(3)]!);
      for (const skipSpecialTokens of [true, false])
        expect(stream(tokenizer, ids, skipSpecialTokens).join('')).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
    }
  });

  it('keeps the spaces between words that a SentencePiece decoder drops at the beginning', () => {
    const json = {
      ...byteTokenizerJson([]),
      pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      model: { type: 'BPE', vocab: { '▁to': 0, '▁be': 1, ',': 2 }, merges: [] },
    };
    expect(stream(new Tokenizer(json, {}), [0, 1, 2, 0], true)).toEqual(['to', ' be', ',', ' to', '']);
  });
});

const real = realGguf();

describe.skipIf(real === undefined)("SmolLM2's tokenizer", () => {
  const rows = JSON.parse(readFileSync(join(packageRoot, 'test/golden/gguf-tokens.json'), 'utf8')).rows as {
    text: string;
    ids: number[];
    decoded?: string;
    skipped?: string;
  }[];
  let description: HuggingFaceDescription;
  let tokenizer: Tokenizer;
  beforeAll(() => {
    const gguf = openGguf(real!);
    description = ggufToHuggingFace(gguf);
    gguf.close();
    tokenizer = new Tokenizer(description.tokenizerJson, description.tokenizerConfig);
  });

  it('encodes and decodes as the Rust library does', () => {
    for (const { text, ids, decoded = text, skipped = decoded } of rows) {
      expect(tokenizer.encode(text), text).toEqual(ids);
      expect(tokenizer.decode(ids), text).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true }), text).toBe(skipped);
    }
  });

  it('encodes as @huggingface/tokenizers by itself does, but for numbers and white space beyond ASCII', () => {
    const library = new LibraryTokenizer(description.tokenizerJson, description.tokenizerConfig);
    const plain = rows.filter(({ text }) => !/[^\d\P{N}]|[\u0085\uFEFF]/u.test(text));
    expect(plain.length).toBeGreaterThan(200);
    const wrong = plain.filter(({ text }) => library.encode(text).ids.join() !== tokenizer.encode(text).join());
    expect(wrong).toEqual([]);
  });

  it('streams the same text, and no half characters', () => {
    for (const { text, ids, decoded = text, skipped = decoded } of rows) {
      expect(stream(tokenizer, ids, false).join(''), text).toBe(decoded);
      const pieces = stream(tokenizer, ids, true);
      expect(pieces.join(''), text).toBe(skipped);
      expect(
        pieces.some((piece) => piece.includes('\uFFFD')),
        text,
      ).toBe(false);
    }
  });
});
