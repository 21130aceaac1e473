/**
 * The tokenizer of a model folder as the contents of tokenizer.json and tokenizer_config.json: read where they are, or
 * made from the files of older models, tokenizer.model (sentencepiece.ts) or vocab.json with merges.txt (byte-bpe.ts).
 * Does not encode (tokenizer.ts).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError } from '../base/errors.ts';
import { readJson, readText, unreadable } from '../base/jsonl.ts';
import { isObject } from '../base/rows.ts';
import { byteBpeToTokenizer } from './byte-bpe.ts';
import { sentencePieceToTokenizer } from './sentencepiece.ts';
import { type JsonObject, type TokenizerDescription, tokenText } from './tokenizer-json.ts';

export interface TokenizerFiles {
  readonly tokenizerJson: unknown;
  readonly tokenizerConfig: unknown;
  /** Where they were read, for messages. */
  readonly files: { readonly tokenizer: string; readonly config: string };
}

/** Throws ConfigError where a file is missing, DataError where one is broken. */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  if (!existsSync(folder)) throw new ConfigError(`no such folder: ${folder}`);
  const tokenizer = join(folder, 'tokenizer.json');
  const config = join(folder, 'tokenizer_config.json');
  if (!existsSync(tokenizer)) {
    const { from, ...description } = convert(folder);
    return { ...description, files: { tokenizer: from, config } };
  }
  if (!existsSync(config))
    throw new ConfigError(`expected a tokenizer in ${folder}: there is no tokenizer_config.json`, {
      hint: 'copy it from where tokenizer.json came from: it says which tokens begin and end a text',
    });
  return { tokenizerJson: readJson(tokenizer), tokenizerConfig: readJson(config), files: { tokenizer, config } };
}

/**
 * Names and texts of the files that a copy of the model needs and `folder` has not: tokenizer.json made from older
 * files, and the tokenizer_config.json that goes with it, which takes the place of the folder's own. Empty where
 * `folder` has a tokenizer.json, or no tokenizer at all.
 */
export function convertedTokenizerFiles(folder: string): ReadonlyMap<string, string> {
  const has = (name: string) => existsSync(join(folder, name));
  const isOlder = has('tokenizer.model') || (has('vocab.json') && has('merges.txt'));
  if (has('tokenizer.json') || !isOlder) return new Map();
  const { tokenizerJson, tokenizerConfig } = convert(folder);
  return new Map([
    ['tokenizer.json', `${JSON.stringify(tokenizerJson)}\n`],
    ['tokenizer_config.json', `${JSON.stringify(tokenizerConfig, null, 2)}\n`],
  ]);
}

function convert(folder: string): TokenizerDescription & { readonly from: string } {
  const [model, vocab, merges] = ['tokenizer.model', 'vocab.json', 'merges.txt'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const config = join(folder, 'tokenizer_config.json');
  if (existsSync(model))
    return { from: model, ...sentencePieceToTokenizer(readBytes(model), olderConfig(folder), { model, config }) };
  if (existsSync(vocab) && existsSync(merges)) {
    const files = { vocab, merges, config };
    return { from: vocab, ...byteBpeToTokenizer(readJson(vocab), readText(merges), olderConfig(folder), files) };
  }
  throw new ConfigError(
    `expected a tokenizer in ${folder}: there is no tokenizer.json, tokenizer.model, or vocab.json with merges.txt`,
    { hint: 'give the folder of a whole Hugging Face model, not only its weights' },
  );
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/**
 * tokenizer_config.json with what older folders have beside it. As in transformers: where it lists the added tokens
 * itself it is the newer, and comes first; otherwise special_tokens_map.json and added_tokens.json do. An empty text,
 * as the first LLaMA folders have it for every special token, says nothing.
 */
function olderConfig(folder: string): JsonObject {
  const config = optionalJson(folder, 'tokenizer_config.json');
  const map = optionalJson(folder, 'special_tokens_map.json');
  if (config['added_tokens_decoder'] !== undefined) return { ...saying(map), ...saying(config) };
  const added = optionalJson(folder, 'added_tokens.json');
  if (Object.keys(added).length === 0) return { ...saying(config), ...saying(map) };
  const decoder = Object.entries(added).map(([content, id]) => [String(id), { content, special: false }]);
  return { ...saying(config), ...saying(map), added_tokens_decoder: Object.fromEntries(decoder) };
}

const saying = (config: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(config).filter(([key, value]) => !(key.endsWith('_token') && isSilent(config, key, value))),
  );

const isSilent = (config: JsonObject, key: string, value: unknown): boolean =>
  value === '' || (isObject(value) && tokenText(config, key, 'tokenizer_config.json') === '');

function optionalJson(folder: string, name: string): JsonObject {
  const file = join(folder, name);
  if (!existsSync(file)) return {};
  const value = readJson(file);
  if (isObject(value)) return value;
  throw new DataError(file, { message: 'expected a JSON object' });
}
