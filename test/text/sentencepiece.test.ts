import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { packageRoot } from '../../src/base/paths.ts';
import { reconstructMerges, sentencePieceToTokenizer } from '../../src/text/sentencepiece.ts';
import { StreamDecoder, Tokenizer } from '../../src/text/tokenizer.ts';
import type { JsonObject } from '../../src/text/tokenizer-json.ts';
import { modelOf, special, type TestPiece } from './sentencepiece-writer.ts';

const folder = join(packageRoot, 'test/golden/sentencepiece');
const bytesOf = (name: string): Buffer => readFileSync(join(folder, `${name}.model`));

interface Case {
  readonly ids: readonly (readonly number[] | null)[];
  readonly decoded?: readonly (string | null)[];
  readonly merges?: string;
}
const golden = JSON.parse(readFileSync(join(folder, 'ids.json'), 'utf8')) as Record<string, Case> & {
  readonly texts: readonly string[];
};

function load(bytes: Uint8Array, config: JsonObject = {}): Tokenizer {
  const { tokenizerJson, tokenizerConfig } = sentencePieceToTokenizer(bytes, config);
  // As from a file: nothing may depend on what JSON does not keep.
  return new Tokenizer(JSON.parse(JSON.stringify(tokenizerJson)), JSON.parse(JSON.stringify(tokenizerConfig)));
}
const modelJson = (bytes: Uint8Array, config: JsonObject = {}) =>
  sentencePieceToTokenizer(bytes, config).tokenizerJson['model'] as {
    type: string;
    vocab: Record<string, number>;
    merges: [string, string][];
  };

const cases: readonly (readonly [name: string, model: string, config: JsonObject, numTexts: number])[] = [
  ['llama', 'llama', {}, 74],
  ['llama-new', 'llama', { legacy: false }, 74],
  ['prefixless', 'prefixless', {}, 74],
  ['spaces', 'spaces', {}, 63],
  ['unigram', 'unigram', {}, 63],
  ['bytes', 'bytes', {}, 61],
];

describe.each(cases)('the golden model %s', (name, model, config, numTexts) => {
  const { ids, decoded, merges } = golden[name]!;
  const tokenizer = load(bytesOf(model), config);
  const rows = golden.texts.flatMap((text, i) =>
    ids[i] ? [{ text, ids: ids[i], decoded: decoded?.[i] ?? text }] : [],
  );

  it('has the ids of its reference', () => {
    expect(rows).toHaveLength(numTexts);
    for (const { text, ids } of rows) expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
  });

  it.runIf(decoded)('decodes as its reference, at once and in pieces', () => {
    for (const { text, ids, decoded } of rows) {
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
      const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens: false });
      const pieces = [...ids.map((id) => decoder.push(id)), decoder.flush()];
      expect(pieces.join(''), JSON.stringify(text)).toBe(decoded);
    }
  });

  it.runIf(merges)('has the merges of transformers, in their order', () => {
    const ours = JSON.stringify(modelJson(bytesOf(model)).merges);
    expect(createHash('sha256').update(ours).digest('hex')).toBe(merges);
  });
});

describe('sentencePieceToTokenizer', () => {
  it('gives LLaMA a bos token in front, and says so in the configuration', () => {
    const { tokenizerConfig } = sentencePieceToTokenizer(bytesOf('llama'));
    expect(tokenizerConfig).toEqual({
      tokenizer_class: 'PreTrainedTokenizerFast',
      clean_up_tokenization_spaces: false,
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '<unk>',
      pad_token: null,
      add_bos_token: true,
      add_eos_token: false,
      added_tokens_decoder: expect.objectContaining({
        '1': expect.objectContaining({ content: '<s>', special: true }),
      }),
    });
    const tokenizer = load(bytesOf('llama'));
    expect(tokenizer).toMatchObject({ vocabSize: 900, bosId: 1, eosId: 2, padId: undefined, addsBos: true });
    expect(tokenizer.addedTokens.map(({ content }) => content)).toEqual(['<unk>', '<s>', '</s>']);
    const ids = tokenizer.encode('a');
    expect(tokenizer.encode('a', { addSpecialTokens: true })).toEqual([1, ...ids]);
    expect(tokenizer.decode([1, ...ids, 2], { skipSpecialTokens: true })).toBe('a');
    const both = load(bytesOf('llama'), { add_bos_token: true, add_eos_token: true });
    expect(both.encode('a', { addSpecialTokens: true })).toEqual([1, ...ids, 2]);
    expect(load(bytesOf('llama'), { add_bos_token: false }).encode('a', { addSpecialTokens: true })).toEqual(ids);
  });

  it('gives T5 an eos token behind, and its tokens for what is masked', () => {
    const tokenizer = load(bytesOf('unigram'), { tokenizer_class: 'T5TokenizerFast', extra_ids: 2 });
    expect(tokenizer).toMatchObject({ vocabSize: 502, bosId: undefined, eosId: 1, padId: 0, addsBos: false });
    expect([tokenizer.tokenId('<extra_id_1>'), tokenizer.tokenId('<extra_id_0>')]).toEqual([500, 501]);
    const ids = tokenizer.encode('a');
    expect(tokenizer.encode('a<extra_id_0>', { addSpecialTokens: true })).toEqual([...ids, 501, 1]);
  });

  it('keeps a byte order mark that is spelled in bytes', () => {
    const tokenizer = load(bytesOf('llama'));
    expect(tokenizer.decode(tokenizer.encode('\uFEFFa\uFEFF'))).toBe('\uFEFFa\uFEFF');
  });

  it('takes the configuration for which tokens are special, and adds those beyond the vocabulary', () => {
    const token = { lstrip: false, normalized: false, rstrip: true, single_word: false, special: true };
    const tokenizer = load(bytesOf('llama'), {
      eos_token: { __type: 'AddedToken', content: '<|end|>' },
      additional_special_tokens: ['<|user|>'],
      added_tokens_decoder: { '901': { content: '<|user|>' }, '900': { ...token, content: '<|end|>' } },
    });
    expect(tokenizer).toMatchObject({ vocabSize: 902, eosId: 900 });
    expect(tokenizer.addedTokens.slice(-2)).toEqual([
      { id: 900, content: '<|end|>', special: true },
      { id: 901, content: '<|user|>', special: true },
    ]);
    const [a, b] = [tokenizer.encode('a'), tokenizer.encode('b')];
    expect(tokenizer.encode('a<|end|>   b')).toEqual([...a, 900, ...b]);
    const folder = { added_tokens_decoder: { '901': { content: 'late' } } };
    expect(() => load(bytesOf('llama'), folder)).toThrow('the token "late" has id 901, and no token has id 900');
    expect(() => load(bytesOf('llama'), { pad_token: '[PAD]' })).toThrow(
      'tokenizer_config.json: pad_token: the vocabulary has no token "[PAD]"',
    );
    expect(() => load(bytesOf('llama'), { added_tokens_decoder: { '900': { content: '<s>' } } })).toThrow(
      'the token "<s>" has id 900 here and 1 in the vocabulary',
    );
    expect(() => load(bytesOf('llama'), { added_tokens_decoder: { x: {} } })).toThrow(
      'added_tokens_decoder.x: expected',
    );
  });

  it('finds a special token behind a word, though the configuration has it normalized', () => {
    const token = { content: '<s>', lstrip: false, normalized: true, rstrip: false, single_word: false, special: true };
    const tokenizer = load(bytesOf('llama'), { added_tokens_decoder: { '1': token } });
    const [a, b] = [tokenizer.encode('a'), tokenizer.encode('b')];
    expect(tokenizer.encode('a<s>b')).toEqual([...a, 1, ...b]);
  });

  it('renames a piece that the configuration writes otherwise', () => {
    const renamed = { added_tokens_decoder: { '3': { content: '<|turn|>', special: true } } };
    const tokenizer = load(bytesOf('prefixless'), renamed);
    expect(tokenizer.encode('<|turn|>')).toEqual([3]);
    expect(tokenizer.tokenId('<|im_end|>')).toBeUndefined();
    expect(tokenizer.vocabSize).toBe(850);
    const pieces: TestPiece[] = [...special, ['ab', -1], ['a', -2], ['b', -3], ['abb', -4]];
    const config = { added_tokens_decoder: { '3': { content: '<new>' } } };
    expect(modelJson(modelOf(pieces)).merges).toEqual([
      ['a', 'b'],
      ['ab', 'b'],
    ]);
    expect(modelJson(modelOf(pieces), config)).toMatchObject({ merges: [], vocab: { '<new>': 3 } });
  });

  it('merges by score, whatever the order of the pieces', () => {
    // Appended with score 0, as when a vocabulary is extended: SentencePiece joins "bc" before "ab".
    const pieces: TestPiece[] = [...special, ['ab', -1], ['▁', -2], ['a', -3], ['b', -4], ['c', -5], ['bc', 0]];
    const tokenizer = load(modelOf(pieces, { normalizer: [[3, false]] }));
    expect(tokenizer.encode('abc')).toEqual([5, 8]);
    expect(tokenizer.encode('abab')).toEqual([3, 3]);
  });

  it('never merges into the name of a byte or of a control token', () => {
    const bytes = Array.from({ length: 256 }, (_, byte): TestPiece => {
      return [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 0, 6];
    });
    const letters = [...'<0x41>'].map((letter, i): TestPiece => [letter, -9 - i]);
    const pieces: TestPiece[] = [...special, ...bytes, ['<0', -1], ['<0x', -2], ['<0x4', -3], ['1>', -4], ...letters];
    const tokenizer = load(modelOf(pieces, { trainer: [[35, true]], normalizer: [[3, false]] }));
    expect(tokenizer.encode('<0x41>')).toEqual([261, 262]);
    expect(tokenizer.encode('A')).toEqual([3 + 0x41]);
  });

  it('keeps tokens with names of numbers and of properties apart', () => {
    const pieces: TestPiece[] = [...special, ['1', -1], ['0', -2], ['__proto__', -3], ['_', -4], ['p', -5]];
    const tokenizer = load(modelOf(pieces, { normalizer: [[3, false]] }));
    expect(tokenizer.encode('01_p')).toEqual([4, 3, 6, 7]);
    expect(tokenizer.tokenId('__proto__')).toBe(5);
  });

  it('merges across spaces where the vocabulary has pieces that do', () => {
    const pieces: TestPiece[] = [...special, ['a▁', -1], ['a▁b', -2], ['a', -3], ['b', -4], ['▁', -5], ['▁b', -6]];
    const tokenizer = load(modelOf(pieces, { normalizer: [[3, false]] }));
    expect(tokenizer.encode('a b b')).toEqual([4, 8]);
  });

  it('refuses by name what tokenizer.json cannot say', () => {
    const refusal = (trainer: [number, number | boolean][], normalizer: [number, boolean][], config = {}) => {
      const bytes = modelOf([...special, ['a']], { trainer, normalizer });
      return () => sentencePieceToTokenizer(bytes, config);
    };
    expect(refusal([[3, 3]], [])).toThrow('tokenizer.model: model_type: word models are not supported');
    expect(refusal([[3, 4]], [])).toThrow('char models are not supported');
    expect(refusal([[24, true]], [])).toThrow('treat_whitespace_as_suffix');
    expect(refusal([], [[5, false]])).toThrow('escape_whitespaces');
    expect(refusal([], [], { tokenizer_class: 'XLMRobertaTokenizerFast' })).toThrow(
      'tokenizer_config.json: tokenizer_class: XLMRobertaTokenizer numbers tokens otherwise',
    );
    expect(refusal([[3, 3]], [])).toThrow(DataError);
    expect(refusal([], [])).not.toThrow();
  });
});

describe('reconstructMerges', () => {
  const piece = (text: string, score: number) => ({ text, score, type: 'normal' as const });

  it('gives every pair of a piece, the shorter left part first', () => {
    const pieces = [piece('abc', -1), piece('ab', -2), piece('bc', -3), ...[...'abc'].map((text) => piece(text, -9))];
    expect(reconstructMerges(pieces)).toEqual([
      ['a', 'bc'],
      ['ab', 'c'],
      ['a', 'b'],
      ['b', 'c'],
    ]);
  });

  it('does not cut a character in two', () => {
    expect(reconstructMerges([piece('😀', -1), piece('😀😀', -2)])).toEqual([['😀', '😀']]);
  });

  it('leaves equal scores in order of id', () => {
    const pieces = [piece('b', 0), piece('ba', 0), piece('a', 0), piece('ab', 0)];
    expect(reconstructMerges(pieces)).toEqual([
      ['b', 'a'],
      ['a', 'b'],
    ]);
  });
});
