import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { packageRoot } from '../../src/base/paths.ts';
import { addTokens, readVocabularyFiles, type VocabularyFiles } from '../../src/text/add-tokens.ts';
import { Tokenizer } from '../../src/text/tokenizer.ts';
import { type Added, bytes, byteTokenizerJson, turnTokens, writeFolder } from './byte-tokenizer.ts';

const root = mkdtempSync(join(tmpdir(), 'understudy-add-tokens-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const filesOf = (added?: readonly Added[], more: Partial<VocabularyFiles> = {}): VocabularyFiles => ({
  'tokenizer.json': byteTokenizerJson(added),
  'tokenizer_config.json': { eos_token: '</s>' },
  ...more,
});
const tokenizerOf = (files: VocabularyFiles) => new Tokenizer(files['tokenizer.json'], files['tokenizer_config.json']);
const add = (files: VocabularyFiles, ...tokens: string[]) => addTokens(files, tokenizerOf(files), tokens);

/** As tokenizers and transformers write them; those of the byte tokenizer end at 258. */
const entry = (content: string) => ({
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

describe('addTokens', () => {
  it('gives the next ids in the order given; text then has the tokens whole, and special', () => {
    const { added, known, pieces, files } = add(filesOf(), '<|user|>', '<|bot|>');
    expect(added).toEqual([
      { id: 259, ...entry('<|user|>') },
      { id: 260, ...entry('<|bot|>') },
    ]);
    expect([known, pieces]).toEqual([[], []]);
    const tokenizer = tokenizerOf(files);
    const text = 'a <|bot|> b<|user|><|im_end|>';
    const ids = [...bytes('a '), 260, ...bytes(' b'), 259, 257];
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('a  b');
    expect(tokenizer.vocabSize).toBe(261);
  });

  it('leaves alone what was there: other ids, other fields, the files it was given', () => {
    const before = filesOf();
    const copy = structuredClone(before);
    const { files } = add(before, '<|user|>');
    expect(before).toEqual(copy);
    const { added_tokens: list, ...rest } = files['tokenizer.json'];
    const { added_tokens: old, ...same } = copy['tokenizer.json'];
    expect(rest).toEqual(same);
    expect(list).toEqual([...(old as object[]), { id: 259, ...entry('<|user|>') }]);
    expect(files['tokenizer_config.json']).toEqual({ eos_token: '</s>' });
    expect(Object.keys(files)).toEqual(['tokenizer.json', 'tokenizer_config.json']);
  });

  it('tells every file that lists tokens', () => {
    const { files } = add(
      filesOf(turnTokens, {
        'tokenizer_config.json': {
          added_tokens_decoder: { 258: entry('</s>') },
          additional_special_tokens: ['<|im_start|>'],
          extra_special_tokens: { image_token: '<image>' },
        },
        'special_tokens_map.json': { eos_token: '</s>' },
        'added_tokens.json': { '</s>': 258 },
      }),
      '<|user|>',
      '<|bot|>',
    );
    const { 'tokenizer.json': _, ...others } = files;
    expect(others).toEqual({
      'tokenizer_config.json': {
        added_tokens_decoder: { 258: entry('</s>'), 259: entry('<|user|>'), 260: entry('<|bot|>') },
        additional_special_tokens: ['<|im_start|>', '<|user|>', '<|bot|>'],
        extra_special_tokens: { image_token: '<image>' },
      },
      'special_tokens_map.json': { eos_token: '</s>', additional_special_tokens: ['<|user|>', '<|bot|>'] },
      'added_tokens.json': { '</s>': 258, '<|user|>': 259, '<|bot|>': 260 },
    });
  });

  it('leaves tokens that are there as they are, and says which of them text does not match whole', () => {
    const given = filesOf([...turnTokens, { content: '<|plain|>', special: false }]);
    const { added, known, pieces } = add(given, '<|im_end|>', '<|new|>', 'a', '<|plain|>');
    expect(added.map(({ id, content }) => [id, content])).toEqual([[260, '<|new|>']]);
    expect(known).toEqual(['<|im_end|>', 'a', '<|plain|>']);
    expect(pieces).toEqual(['a']);
    const nothingNew = add(given, '<|im_end|>', '<|plain|>');
    expect([nothingNew.added, nothingNew.files]).toEqual([[], given]);
  });

  it('refuses an empty token and one given twice, all in one error', () => {
    expect(() => add(filesOf(), '<|user|>', '', '<a>', '<|user|>', '<a>', '<a>')).toThrow(
      expect.objectContaining({
        code: 'config',
        message:
          'addTokens: expected different tokens, each with a text, got an empty one, "<|user|>" more than once, ' +
          '"<a>" more than once',
        hint: 'give every token once, such as <|im_start|> <|im_end|>',
      }),
    );
    expect(() => add(filesOf(), '', '')).toThrow(/got an empty one$/);
  });

  it('refuses new tokens where ids are left out: tokenizers would count past them', () => {
    const json = byteTokenizerJson();
    const { model } = json as { model: { vocab: Record<string, number> } };
    const { A: _, ...vocab } = model.vocab; // 65 is nobody's now: 258 tokens up to 258
    const gap = filesOf(turnTokens, { 'tokenizer.json': { ...json, model: { ...model, vocab } } });
    expect(() => add(gap, '<|new|>')).toThrow('got 258 tokens with ids up to 258');
    expect(add(gap, '<|im_end|>').known).toEqual(['<|im_end|>']);
  });
});

describe('readVocabularyFiles', () => {
  const golden = (name: string) => readFileSync(join(packageRoot, 'test/golden/sentencepiece', name));

  it.each([
    ['llama.model', 900],
    ['unigram.model', undefined],
  ])('converts an older folder, whose tokenizer then takes tokens in: %s', (model, size) => {
    const folder = writeFolder(join(root, model), {});
    writeFileSync(join(folder, 'tokenizer.model'), golden(model));
    const files = readVocabularyFiles(folder);
    const before = tokenizerOf(files);
    const { added, files: changed } = add(files, '<|user|>');
    if (size !== undefined) expect(before.vocabSize).toBe(size);
    expect(added.map(({ id }) => id)).toEqual([before.vocabSize]);
    const tokenizer = tokenizerOf(changed);
    const [hi, ho] = [before.encode('Hi there'), tokenizer.encode('<|user|>Hi there')];
    expect(ho[0]).toBe(before.vocabSize);
    expect(tokenizer.decode(ho.slice(1))).toBe(before.decode(hi));
    expect(changed['tokenizer_config.json']['added_tokens_decoder']).toMatchObject({
      [before.vocabSize]: entry('<|user|>'),
    });
  });

  it('takes the files that are there, and refuses one that is no object', () => {
    const files = filesOf(turnTokens, { 'special_tokens_map.json': { eos_token: '</s>' } });
    expect(readVocabularyFiles(writeFolder(join(root, 'whole'), { ...files }))).toEqual(files);
    const broken = writeFolder(join(root, 'broken'), { ...files, 'added_tokens.json': [1] });
    expect(() => readVocabularyFiles(broken)).toThrow(DataError);
    expect(() => readVocabularyFiles(broken)).toThrow('added_tokens.json: expected a JSON object');
  });
});
