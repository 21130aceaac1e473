import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { packageRoot } from '../../src/base/paths.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { convertedTokenizerFiles, readTokenizerFiles } from '../../src/text/tokenizer-files.ts';
import { byteTokenizerJson, writeFolder } from './byte-tokenizer.ts';

const root = mkdtempSync(join(tmpdir(), 'understudy-tokenizer-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const goldenFolder = join(packageRoot, 'test/golden');
const llama = readFileSync(join(goldenFolder, 'sentencepiece/llama.model'));
const [vocab, merges] = ['vocab.json', 'merges.txt'].map((name) =>
  readFileSync(join(goldenFolder, 'byte-bpe', name), 'utf8'),
);
let numFolders = 0;
/** Bytes as they are, the rest as `writeFolder` does. */
function write(files: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(files);
  const texts = entries.filter(([, content]) => !Buffer.isBuffer(content));
  const folder = writeFolder(join(root, `${numFolders++}`), Object.fromEntries(texts));
  for (const [name, content] of entries) if (Buffer.isBuffer(content)) writeFileSync(join(folder, name), content);
  return folder;
}
const load = (files: Readonly<Record<string, unknown>>) => loadTokenizer(write(files));

describe('loadTokenizer on older folders', () => {
  it('reads tokenizer.model where nothing else is', () => {
    expect(load({ 'tokenizer.model': llama })).toMatchObject({ vocabSize: 900, bosId: 1, eosId: 2, addsBos: true });
  });

  it('prefers tokenizer.json, then tokenizer.model, then vocab.json with merges.txt', () => {
    const pair = { 'vocab.json': vocab, 'merges.txt': merges };
    const config = { 'tokenizer_config.json': {} };
    expect(load({ ...pair, ...config }).vocabSize).toBe(700);
    expect(load({ ...pair, ...config, 'tokenizer.model': llama }).vocabSize).toBe(900);
    const all = { ...pair, ...config, 'tokenizer.model': llama, 'tokenizer.json': byteTokenizerJson() };
    expect(load(all).vocabSize).toBe(259);
    expect(() => load({ 'vocab.json': vocab })).toThrow(ConfigError);
  });

  it("takes the first LLaMA folders' empty special tokens for none", () => {
    const config = { bos_token: '', eos_token: { content: '' }, unk_token: '', tokenizer_class: 'LLaMATokenizer' };
    const tokenizer = load({ 'tokenizer.model': llama, 'tokenizer_config.json': config });
    expect(tokenizer).toMatchObject({ bosToken: '<s>', eosToken: '</s>', addsBos: true });
  });

  it('takes special_tokens_map.json and added_tokens.json where the configuration lists no added tokens', () => {
    const files = {
      'tokenizer.model': llama,
      'tokenizer_config.json': { eos_token: '<s>', pad_token: null },
      'special_tokens_map.json': { eos_token: '</s>', pad_token: '[PAD]' },
      'added_tokens.json': { '[USER]': 901, '[PAD]': 900 },
    };
    const tokenizer = load(files);
    expect(tokenizer).toMatchObject({ vocabSize: 902, eosId: 2, padId: 900 });
    expect(tokenizer.addedTokens.slice(-2)).toEqual([
      { id: 900, content: '[PAD]', special: true },
      { id: 901, content: '[USER]', special: false },
    ]);
    expect(tokenizer.encode('[USER]a[PAD]').filter((id) => id >= 900)).toEqual([901, 900]);
    const { 'added_tokens.json': _, ...mapAlone } = files;
    expect(load({ ...mapAlone, 'special_tokens_map.json': { eos_token: '</s>' } })).toMatchObject({ eosId: 2 });
    const newer = { eos_token: '<s>', pad_token: null, added_tokens_decoder: {} };
    expect(load({ ...files, 'tokenizer_config.json': newer })).toMatchObject({
      vocabSize: 900,
      eosId: 1,
      padId: undefined,
    });
  });

  it('names the broken file', () => {
    const failing = (files: Readonly<Record<string, unknown>>): DataError => {
      try {
        load(files);
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
        return error as DataError;
      }
      throw new Error('expected a DataError');
    };
    expect(failing({ 'tokenizer.model': llama.subarray(0, 5000) }).file).toContain('tokenizer.model');
    expect(failing({ 'vocab.json': vocab, 'merges.txt': 'a' }).file).toContain('merges.txt');
    expect(failing({ 'vocab.json': '[]', 'merges.txt': '' }).file).toContain('vocab.json');
    expect(failing({ 'tokenizer.model': llama, 'special_tokens_map.json': [] }).file).toContain(
      'special_tokens_map.json',
    );
    const config = { eos_token: '<end>' };
    expect(failing({ 'tokenizer.model': llama, 'tokenizer_config.json': config }).message).toMatch(
      /tokenizer_config\.json: eos_token: the vocabulary has no token "<end>"$/,
    );
  });
});

interface Case {
  readonly config: object;
  readonly files: Readonly<Record<string, unknown>>;
  readonly size: number;
  readonly ids: readonly (readonly number[])[];
  readonly decoded: readonly (string | null)[];
}
const golden = JSON.parse(readFileSync(join(goldenFolder, 'byte-bpe/ids.json'), 'utf8')) as Record<string, Case> & {
  readonly texts: readonly string[];
};

describe.each(['gpt2', 'prefix', 'opt', 'added', 'qwen'])('the byte-level folder %s', (name) => {
  const { config, files, size, ids, decoded } = golden[name]!;
  const folder = { 'vocab.json': vocab, 'merges.txt': merges, 'tokenizer_config.json': config, ...files };

  it('has the ids and texts that transformers has', () => {
    const tokenizer = load(folder);
    expect(tokenizer.vocabSize).toBe(size);
    golden.texts.forEach((text, i) => {
      expect(tokenizer.encode(text, { addSpecialTokens: true }), JSON.stringify(text)).toEqual(ids[i]);
      expect(tokenizer.decode(ids[i]!, { skipSpecialTokens: true }), JSON.stringify(text)).toBe(decoded[i] ?? text);
    });
  });
});

describe('convertedTokenizerFiles', () => {
  it('is a tokenizer.json that loads to the same tokenizer', () => {
    const bos = { content: '<s>', lstrip: false, normalized: true, rstrip: false, single_word: false };
    const config = {
      tokenizer_class: 'LlamaTokenizer',
      auto_map: {},
      chat_template: 'x',
      eos_token: '',
      bos_token: bos,
    };
    const folder = write({
      'tokenizer.model': llama,
      'tokenizer_config.json': config,
      'added_tokens.json': { '[PAD]': 900 },
    });
    const files = convertedTokenizerFiles(folder);
    expect([...files.keys()]).toEqual(['tokenizer.json', 'tokenizer_config.json']);
    const saved = loadTokenizer(write(Object.fromEntries(files)));
    const original = loadTokenizer(folder);
    const text = ' One  two\n三👍 </s>[PAD] 4';
    expect(saved.encode(text, { addSpecialTokens: true })).toEqual(original.encode(text, { addSpecialTokens: true }));
    expect(saved).toMatchObject({ vocabSize: 901, bosId: 1, eosId: 2, addsBos: true });
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    const token = (content: string, special: boolean) => ({ content, ...flags, special });
    expect(JSON.parse(files.get('tokenizer_config.json')!)).toEqual({
      // Not LlamaTokenizer: transformers 5 would keep nothing of tokenizer.json but its vocabulary.
      tokenizer_class: 'PreTrainedTokenizerFast',
      chat_template: 'x',
      clean_up_tokenization_spaces: false,
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '<unk>',
      pad_token: null,
      add_bos_token: true,
      add_eos_token: false,
      added_tokens_decoder: {
        '0': token('<unk>', true),
        '1': token('<s>', true),
        '2': token('</s>', true),
        '900': token('[PAD]', false),
      },
    });
  });

  it('is nothing where the folder has no tokenizer at all', () => {
    expect(convertedTokenizerFiles(write({ 'config.json': {}, 'vocab.json': {} })).size).toBe(0);
  });

  it('is nothing where the folder has a tokenizer.json', () => {
    const folder = write({
      'tokenizer.json': byteTokenizerJson(),
      'tokenizer_config.json': {},
      'tokenizer.model': 'x',
    });
    expect(convertedTokenizerFiles(folder).size).toBe(0);
    expect(readTokenizerFiles(folder).files.tokenizer).toBe(join(folder, 'tokenizer.json'));
  });
});
