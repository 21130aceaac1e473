/**
 * Tokens added to a tokenizer: what its files then hold, so that Hugging Face's `tokenizers` and transformers read the
 * same ids. A new token is special, is matched whole, before any normalization, and gets the next id. A token that the
 * vocabulary has stays as it is. Resizes no model (src/model/resize.ts) and writes no files.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError } from '../base/errors.ts';
import { readJson } from '../base/jsonl.ts';
import { isObject } from '../base/rows.ts';
import { Tokenizer } from './tokenizer.ts';
import { readTokenizerFiles } from './tokenizer-files.ts';
import { type AddedTokenJson, addedToken, type JsonObject, specialLists } from './tokenizer-json.ts';

/** What a folder says about its tokens: the parsed files that it has, by name. */
export interface VocabularyFiles {
  readonly 'tokenizer.json': JsonObject;
  readonly 'tokenizer_config.json': JsonObject;
  readonly 'special_tokens_map.json'?: JsonObject;
  readonly 'added_tokens.json'?: JsonObject;
}

export interface TokenAddition {
  /** In the order given, which is the order of their ids. */
  readonly added: readonly AddedTokenJson[];
  /** Those that were there already. */
  readonly known: readonly string[];
  /** Of the known ones those that text does not match whole: ordinary pieces of the vocabulary. */
  readonly pieces: readonly string[];
  readonly files: VocabularyFiles;
  /** Of `files`. */
  readonly tokenizer: Tokenizer;
}

/** Older folders' files as they are converted. Throws ConfigError where one is missing, DataError where one is broken. */
export function readVocabularyFiles(folder: string): VocabularyFiles {
  const { tokenizerJson, tokenizerConfig, files } = readTokenizerFiles(folder);
  const beside = (['special_tokens_map.json', 'added_tokens.json'] as const)
    .map((name) => [name, join(folder, name)] as const)
    .filter(([, file]) => existsSync(file));
  return {
    'tokenizer.json': asObject(tokenizerJson, files.tokenizer),
    'tokenizer_config.json': asObject(tokenizerConfig, files.config),
    ...Object.fromEntries(beside.map(([name, file]) => [name, asObject(readJson(file), file)])),
  };
}

/** Throws one ConfigError with all that is wrong with tokens to be added, whatever the tokenizer. */
export function checkNewTokens(tokens: readonly string[]): void {
  const twice = new Set(tokens.filter((token, i) => token !== '' && tokens.indexOf(token) < i));
  const problems = [
    ...(tokens.includes('') ? ['an empty one'] : []),
    ...[...twice].map((token) => `${JSON.stringify(token)} more than once`),
  ];
  if (problems.length === 0) return;
  throw new ConfigError(`addTokens: expected different tokens, each with a text, got ${problems.join(', ')}`, {
    hint: 'give every token once, such as <|im_start|> <|im_end|>',
  });
}

/** `tokenizer` is that of `files`. Throws ConfigError for bad tokens, and where ids are left out (`checkIds`). */
export function addTokens(files: VocabularyFiles, tokenizer: Tokenizer, tokens: readonly string[]): TokenAddition {
  checkNewTokens(tokens);
  const known = tokens.filter((token) => tokenizer.tokenId(token) !== undefined);
  const matched = new Set(tokenizer.addedTokens.map(({ content }) => content));
  const added = tokens
    .filter((token) => !known.includes(token))
    .map((token, i) => addedToken(tokenizer.vocabSize + i, token, true));
  const pieces = known.filter((token) => !matched.has(token));
  if (added.length === 0) return { added, known, pieces, files, tokenizer };
  checkIds(files['tokenizer.json'], tokenizer);
  const grown = filesWith(files, added);
  const { 'tokenizer.json': definition, 'tokenizer_config.json': config } = grown;
  return { added, known, pieces, files: grown, tokenizer: new Tokenizer(definition, config) };
}

/** The tokenizer that training with these tokens has, from that of the model in `folder`; with `additionNotes`. */
export function tokenizerWith(
  folder: string,
  tokenizer: Tokenizer,
  tokens: readonly string[] = [],
): { readonly tokenizer: Tokenizer; readonly notes: readonly string[] } {
  if (tokens.length === 0) return { tokenizer, notes: [] };
  const addition = addTokens(readVocabularyFiles(folder), tokenizer, tokens);
  return { tokenizer: addition.tokenizer, notes: additionNotes(addition) };
}

/** For people: which tokens are new, and which were there. */
export function additionNotes({ added, known, pieces }: TokenAddition): string[] {
  const whole = known.filter((token) => !pieces.includes(token));
  const listed = [
    ['added to the vocabulary', added.map(({ id, content }) => `${content} (${id})`)],
    ['in the vocabulary already, left as they are', whole],
    ['in the vocabulary already, left as they are: ordinary pieces, not matched whole', pieces],
  ] as const;
  return listed.flatMap(([what, names]) => (names.length > 0 ? [`${what}: ${names.join(', ')}`] : []));
}

/** `tokenizers` counts ids instead of reading them: where some are left out, it gives new tokens those of others. */
function checkIds({ model, added_tokens: added }: JsonObject, { vocabSize }: Tokenizer): void {
  const texts = new Set([...modelTexts(model), ...asList(added).map((token) => (token as JsonObject)['content'])]);
  if (texts.size === vocabSize) return;
  throw new ConfigError(
    `addTokens: expected a tokenizer whose ids leave none out, got ${texts.size} tokens with ids up to ${vocabSize - 1}`,
    { hint: 'other programs would give new tokens other ids; choose a template of tokens that the model has' },
  );
}

/** A unigram's vocabulary is a list of texts with their scores, every other's an object of ids. */
function modelTexts(model: unknown): unknown[] {
  const vocab = isObject(model) ? model['vocab'] : undefined;
  return Array.isArray(vocab) ? vocab.map((piece: unknown[]) => piece[0]) : Object.keys(isObject(vocab) ? vocab : {});
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function filesWith(files: VocabularyFiles, added: readonly AddedTokenJson[]): VocabularyFiles {
  const {
    'tokenizer.json': definition,
    'tokenizer_config.json': config,
    'special_tokens_map.json': map,
    'added_tokens.json': ids,
  } = files;
  const texts = added.map(({ content }) => content);
  return {
    'tokenizer.json': { ...definition, added_tokens: [...asList(definition['added_tokens']), ...added] },
    'tokenizer_config.json': {
      ...config,
      ...listed(config, texts),
      ...(isObject(config['added_tokens_decoder']) && {
        added_tokens_decoder: { ...config['added_tokens_decoder'], ...decoderEntries(added) },
      }),
    },
    ...(map && { 'special_tokens_map.json': { ...map, ...listed({ additional_special_tokens: [], ...map }, texts) } }),
    ...(ids && {
      'added_tokens.json': { ...ids, ...Object.fromEntries(added.map(({ id, content }) => [content, id])) },
    }),
  };
}

/** The lists of special tokens that are there, with new ones at their end. */
const listed = (config: JsonObject, texts: readonly string[]): JsonObject =>
  Object.fromEntries(
    specialLists.flatMap((key) => {
      const list = config[key];
      return Array.isArray(list) ? [[key, [...(list as unknown[]), ...texts]]] : [];
    }),
  );

const decoderEntries = (added: readonly AddedTokenJson[]): JsonObject =>
  Object.fromEntries(added.map(({ id, ...token }) => [String(id), token]));

function asObject(value: unknown, file: string): JsonObject {
  if (isObject(value)) return value;
  throw new DataError(file, { message: 'expected a JSON object' });
}
