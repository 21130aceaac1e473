import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { packageRoot } from '../../../src/base/paths.ts';
import { type PieceType, readSentencePieceModel } from '../../../src/text/sentencepiece-model.ts';
import { Tokenizer } from '../../../src/text/tokenizer.ts';
import { type Changes, constant, describeSmall, smallTensors } from './small-model.ts';

const golden = join(packageRoot, 'test/golden/sentencepiece');

const typeNumbers: Readonly<Record<PieceType, number>> = {
  normal: 1,
  unknown: 2,
  control: 3,
  'user-defined': 4,
  unused: 5,
  byte: 6,
};

/** The metadata that llama.cpp's converter writes for a tokenizer.model. */
function metadataOf(name: string): Record<string, Changes[string]> {
  const file = join(golden, `${name}.model`);
  const { pieces, addDummyPrefix } = readSentencePieceModel(readFileSync(file), file);
  return {
    'tokenizer.ggml.model': ['string', 'llama'],
    'tokenizer.ggml.pre': ['string', 'default'],
    'tokenizer.ggml.tokens': ['array', 'string', pieces.map(({ text }) => text)],
    'tokenizer.ggml.scores': ['array', 'f32', pieces.map(({ score }) => score)],
    'tokenizer.ggml.token_type': ['array', 'i32', pieces.map(({ type }) => typeNumbers[type])],
    'tokenizer.ggml.merges': undefined,
    'tokenizer.ggml.bos_token_id': ['u32', 1],
    'tokenizer.ggml.eos_token_id': ['u32', 2],
    'tokenizer.ggml.unknown_token_id': ['u32', 0],
    ...(addDummyPrefix ? {} : { 'tokenizer.ggml.add_space_prefix': ['bool', false] as const }),
  };
}

function tokenizerOf(metadata: Changes): Tokenizer {
  const numTokens = (metadata['tokenizer.ggml.tokens'] as readonly [string, string, unknown[]])[2].length;
  const tensors = smallTensors().filter((tensor) => tensor.name !== 'token_embd.weight');
  const embedding = constant('token_embd.weight', [4, numTokens]);
  const { tokenizerJson, tokenizerConfig } = describeSmall(metadata, [embedding, ...tensors]);
  return new Tokenizer(tokenizerJson, tokenizerConfig);
}

describe.each(['llama', 'prefixless'])('the vocabulary of %s.model', (name) => {
  const { texts, ...cases } = JSON.parse(readFileSync(join(golden, 'ids.json'), 'utf8')) as { texts: string[] };
  const { ids, decoded } = (cases as Record<string, { ids: number[][]; decoded: (string | null)[] }>)[name]!;

  it('gives the ids and texts that the tokenizer.model gives', () => {
    const tokenizer = tokenizerOf(metadataOf(name));
    expect(texts.length).toBeGreaterThan(60);
    const wrong = texts.filter((text, row) => tokenizer.encode(text).join() !== ids[row]!.join());
    expect(wrong).toEqual([]);
    expect(ids.map((row) => tokenizer.decode(row))).toEqual(texts.map((text, row) => decoded[row] ?? text));
  });

  it('begins texts with <s>, if the file does not say otherwise', () => {
    const metadata = metadataOf(name);
    const row = texts.indexOf('Hello');
    const tokenizer = tokenizerOf(metadata);
    expect(tokenizer.encode('Hello', { addSpecialTokens: true })).toEqual([1, ...ids[row]!]);
    expect(tokenizer.addsBos).toBe(true);
    const closed = tokenizerOf({
      ...metadata,
      'tokenizer.ggml.add_bos_token': ['bool', false],
      'tokenizer.ggml.add_eos_token': ['bool', true],
    });
    expect(closed.encode('Hello', { addSpecialTokens: true })).toEqual([...ids[row]!, 2]);
  });
});

describe('a small vocabulary', () => {
  const [normal, unknown, control, userDefined] = [1, 2, 3, 4];
  const small: Changes = {
    'tokenizer.ggml.model': ['string', 'llama'],
    'tokenizer.ggml.pre': undefined,
    'tokenizer.ggml.merges': undefined,
    'tokenizer.ggml.tokens': ['array', 'string', ['<unk>', '<s>', '▁', 'a', 'b', 'ab', '▁a', 'ba', '<x>']],
    'tokenizer.ggml.scores': ['array', 'f32', [0, 0, -9, -8, -7, -3, -2, -1, -1000]],
    'tokenizer.ggml.token_type': [
      'array',
      'i32',
      [unknown, control, normal, normal, normal, normal, normal, normal, userDefined],
    ],
    'tokenizer.ggml.bos_token_id': ['u32', 1],
    'tokenizer.ggml.eos_token_id': ['u32', 1],
  };

  it('is merged by score, and every stretch after a special token begins with a space', () => {
    const tokenizer = tokenizerOf(small);
    // ▁ a b: ▁a (−2) before ab (−3). ▁ b a b: ba (−1) before ab.
    expect(tokenizer.encode('ab')).toEqual([6, 4]);
    expect(tokenizer.encode('bab')).toEqual([2, 7, 4]);
    expect(tokenizer.encode('b<s>b<x>b')).toEqual([2, 4, 1, 2, 4, 8, 2, 4]);
    expect(tokenizer.encode('bcdb')).toEqual([2, 4, 0, 4]);
    expect(tokenizer.encode('<unk>')).toEqual([0]);
    expect(tokenizer.decode([2, 4, 6, 4])).toBe('b ab');
  });

  // biome-ignore format: one fault a line
  const faults: [what: string, changes: Changes, message: string][] = [
    ['no scores', { 'tokenizer.ggml.scores': undefined }, 'tokenizer.ggml.scores: expected an array of numbers, got nothing'],
    ['too few scores', { 'tokenizer.ggml.scores': ['array', 'f32', [1]] }, 'tokenizer.ggml.scores: 1 scores for 9 tokens'],
    ['no unknown token', { 'tokenizer.ggml.token_type': ['array', 'i32', Array(9).fill(1)] }, 'tokenizer.ggml.token_type: expected one token for the unknown, found 0'],
    ['one byte alone', { 'tokenizer.ggml.token_type': ['array', 'i32', [2, 3, 1, 1, 1, 1, 1, 1, 6]] }, 'expected a token for each of the 256 bytes, found 1'],
    ['a character map', { 'tokenizer.ggml.precompiled_charsmap': ['array', 'u8', [1, 2]] }, 'tokenizer.ggml.precompiled_charsmap: expected none, got an array of 2'],
    ['collapsed spaces', { 'tokenizer.ggml.remove_extra_whitespaces': ['bool', true] }, 'tokenizer.ggml.remove_extra_whitespaces: expected false, got true'],
  ];

  it.each(faults)('is refused: %s', (_, changes, message) => {
    const describeIt = () => tokenizerOf({ ...small, ...changes });
    expect(describeIt).toThrow(DataError);
    expect(describeIt).toThrow(message);
  });
});
