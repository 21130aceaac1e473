import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { packageRoot } from '../../src/base/paths.ts';
import { byteBpeToTokenizer } from '../../src/text/byte-bpe.ts';
import { Tokenizer } from '../../src/text/tokenizer.ts';

const vocab = { a: 0, b: 1, ab: 2, '#': 3, '##': 4, '</s>': 5, '1': 6 };

describe('byteBpeToTokenizer', () => {
  it('merges in the order of the file, whose first line may be a version', () => {
    for (const merges of ['#version: 0.2\na b\n# #\n', 'a b\n# #', 'a b\r\n# #\r\n']) {
      const { tokenizerJson, tokenizerConfig } = byteBpeToTokenizer(vocab, merges);
      const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig);
      expect(tokenizer.encode('ab##1')).toEqual([2, 4, 6]);
    }
  });

  it('takes no special token for granted that the vocabulary lacks', () => {
    const { tokenizerConfig } = byteBpeToTokenizer(vocab, '');
    expect(tokenizerConfig).toEqual({
      tokenizer_class: 'PreTrainedTokenizerFast',
      added_tokens_decoder: {},
      clean_up_tokenization_spaces: false,
      add_prefix_space: false,
      add_bos_token: false,
      add_eos_token: false,
    });
    expect(byteBpeToTokenizer({ ...vocab, '<|endoftext|>': 7 }, '').tokenizerConfig).toMatchObject({
      bos_token: '<|endoftext|>',
      eos_token: '<|endoftext|>',
    });
  });

  it("puts OPT's bos token in front, and an eos token behind where that is asked for", () => {
    const opt = { bos_token: '</s>', eos_token: '</s>', add_bos_token: true };
    const encode = (config: object) => {
      const { tokenizerJson, tokenizerConfig } = byteBpeToTokenizer(vocab, 'a b', { ...opt, ...config });
      return new Tokenizer(tokenizerJson, tokenizerConfig).encode('ab', { addSpecialTokens: true });
    };
    expect(encode({})).toEqual([5, 2]);
    expect(encode({ add_eos_token: true })).toEqual([5, 2, 5]);
    expect(encode({ add_bos_token: false })).toEqual([2]);
  });

  it('finds special tokens of a vocabulary that leaves ids out', () => {
    const { tokenizerJson } = byteBpeToTokenizer({ a: 0, '<end>': 9 }, '', { eos_token: '<end>' });
    expect(tokenizerJson['added_tokens']).toMatchObject([{ id: 9, content: '<end>', special: true }]);
  });

  it("splits by the class's rule", () => {
    // Qwen 2's takes line ends to the punctuation before them.
    const encode = (tokenizer_class: string) => {
      const line = { '.': 0, Ċ: 1, '.Ċ': 2 };
      const { tokenizerJson, tokenizerConfig } = byteBpeToTokenizer(line, '. Ċ', { tokenizer_class });
      return new Tokenizer(tokenizerJson, tokenizerConfig).encode('.\n');
    };
    expect(encode('Qwen2TokenizerFast')).toEqual([2]);
    expect(encode('GPT2Tokenizer')).toEqual([0, 1]);
  });

  it('refuses other classes by name', () => {
    const refused = () => byteBpeToTokenizer(vocab, '', { tokenizer_class: 'RobertaTokenizerFast' });
    expect(refused).toThrow(
      'tokenizer_config.json: tokenizer_class: RobertaTokenizerFast with vocab.json is not supported; supported: GPT2Tokenizer, CodeGenTokenizer, Qwen2Tokenizer',
    );
    expect(refused).toThrow(DataError);
  });

  it('names everything that is broken', () => {
    expect(() => byteBpeToTokenizer([], '')).toThrow('vocab.json: expected an object of tokens and their ids');
    expect(() => byteBpeToTokenizer({}, '')).toThrow('vocab.json: expected tokens, found none');
    expect(() => byteBpeToTokenizer({ a: 0, b: 'x', c: -1, d: 0 }, '')).toThrow(
      [
        'vocab.json: b: expected an id, got "x"',
        'vocab.json: c: expected an id, got -1',
        'vocab.json: d: has id 0, which "a" has',
      ].join('\n'),
    );
    expect(() => byteBpeToTokenizer(vocab, '#version: 0.2\na\na b c\na c\nb a\na b')).toThrow(
      [
        'merges.txt:2: expected two tokens, got "a"',
        'merges.txt:3: expected two tokens, got "a b c"',
        'merges.txt:4: the vocabulary has no "c"',
        'merges.txt:5: the vocabulary has no "ba"',
      ].join('\n'),
    );
  });

  it('reads the golden pair of files', () => {
    const folder = join(packageRoot, 'test/golden/byte-bpe');
    const merges = readFileSync(join(folder, 'merges.txt'), 'utf8');
    const golden = JSON.parse(readFileSync(join(folder, 'vocab.json'), 'utf8'));
    const { tokenizerJson } = byteBpeToTokenizer(golden, merges);
    const model = tokenizerJson['model'] as { vocab: object; merges: unknown[] };
    expect(model.vocab).toEqual(golden);
    expect(model.merges).toHaveLength(700 - 256 - 5);
  });
});
