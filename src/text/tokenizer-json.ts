/**
 * What a tokenizer.json made from older files has in common, whichever files they are: added tokens, and the tokens that
 * begin and end a text.
 */
import { DataError } from '../base/errors.ts';
import { isObject } from '../base/rows.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** The contents of tokenizer.json, and of a tokenizer_config.json that goes with it. */
export interface TokenizerDescription {
  readonly tokenizerJson: JsonObject;
  readonly tokenizerConfig: JsonObject;
}

/** Which file a message names. */
export interface ConfigSource {
  readonly config: JsonObject;
  readonly file: string;
}

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

export const addedToken = (id: number, content: string, special: boolean): AddedTokenJson => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special,
});

/** The `model` of a BPE vocabulary. Byte-level ones have a token for everything and leave `unknown` out. */
export const bpeModel = (parts: {
  readonly vocab: object;
  readonly merges: readonly unknown[];
  readonly unknown?: string | undefined;
  readonly byteFallback?: boolean;
  readonly ignoreMerges?: boolean;
}): JsonObject => ({
  type: 'BPE',
  dropout: null,
  unk_token: parts.unknown ?? null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: parts.unknown !== undefined,
  byte_fallback: parts.byteFallback ?? false,
  ignore_merges: parts.ignoreMerges ?? false,
  vocab: parts.vocab,
  merges: parts.merges,
});

/** Special tokens are given as text, or as an object with the text in it. */
export function tokenText(config: JsonObject, key: string, file: string): string | undefined {
  return config[key] === undefined || config[key] === null ? undefined : textOf(config[key], key, file);
}

function textOf(value: unknown, key: string, file: string): string {
  if (typeof value === 'string') return value;
  if (isObject(value) && typeof value['content'] === 'string') return value['content'];
  throw new DataError(file, { path: key, message: `expected a token's text, got ${JSON.stringify(value)}` });
}

const specialKeys = ['bos_token', 'eos_token', 'unk_token', 'pad_token', 'sep_token', 'cls_token', 'mask_token'];
export const specialLists = ['additional_special_tokens', 'extra_special_tokens'];

/**
 * The tokens that are matched whole in text, in order of id: `own` of the vocabulary's file, those of the
 * configuration's `added_tokens_decoder`, and those that it names as special. `vocab` maps texts to ids; a token that
 * the configuration writes otherwise than the vocabulary's file is renamed in it, as transformers does.
 */
export function addedTokens(
  vocab: Map<string, number>,
  own: readonly AddedTokenJson[],
  { config, file }: ConfigSource,
): AddedTokenJson[] {
  const size = [...vocab.values()].reduce((largest, id) => Math.max(largest, id), -1) + 1;
  const tokens = new Map(own.map((token) => [token.id, token]));
  const texts = new Map([...vocab].map(([text, id]) => [id, text]));
  const ids = new Map(vocab);
  for (const token of decoderTokens(config, file)) {
    const known = ids.get(token.content) ?? token.id;
    if (known !== token.id) fail(file, token, `has id ${token.id} here and ${known} in the vocabulary`);
    const old = texts.get(token.id);
    if (old !== undefined && old !== token.content) {
      vocab.delete(old);
      ids.delete(old);
      vocab.set(token.content, token.id);
    }
    ids.set(token.content, token.id);
    tokens.set(token.id, token);
  }
  for (const { key, value } of namedTokens(config)) {
    const text = textOf(value, key, file);
    const id = ids.get(text);
    if (id === undefined)
      throw new DataError(
        file,
        { path: key, message: `the vocabulary has no token ${JSON.stringify(text)}` },
        { hint: 'tokens beyond the vocabulary stand with their ids in added_tokens.json or in added_tokens_decoder' },
      );
    const token = tokens.get(id) ?? { ...addedToken(id, text, true), ...(isObject(value) ? matching(value) : {}) };
    tokens.set(id, { ...token, special: true, normalized: false });
  }
  const sorted = [...tokens.values()].sort((a, b) => a.id - b.id);
  // Where ids are left out, tokenizers numbers the later tokens anew.
  sorted
    .filter(({ id }) => id >= size)
    .forEach((token, i) => {
      if (token.id !== size + i) fail(file, token, `has id ${token.id}, and no token has id ${size + i}`);
    });
  return sorted;
}

function fail(file: string, token: { readonly content: string }, message: string): never {
  throw new DataError(file, {
    path: 'added tokens',
    message: `the token ${JSON.stringify(token.content)} ${message}`,
  });
}

function decoderTokens(config: JsonObject, file: string): AddedTokenJson[] {
  const decoder = config['added_tokens_decoder'] ?? {};
  if (!isObject(decoder))
    throw new DataError(file, { path: 'added_tokens_decoder', message: 'expected an object of ids' });
  return Object.entries(decoder).map(([key, value]) => {
    if (!/^\d{1,9}$/.test(key) || !isObject(value) || typeof value['content'] !== 'string' || value['content'] === '')
      throw new DataError(file, {
        path: `added_tokens_decoder.${key}`,
        message: `expected an id and a token with its "content", got ${JSON.stringify(value)}`,
      });
    const token = addedToken(Number(key), value['content'], value['special'] === true);
    return { ...token, ...matching(value), normalized: value['normalized'] === true };
  });
}

/** How a token is matched, where a configuration writes it as an object. */
const matching = (token: JsonObject): Pick<AddedTokenJson, 'single_word' | 'lstrip' | 'rstrip'> => ({
  single_word: token['single_word'] === true,
  lstrip: token['lstrip'] === true,
  rstrip: token['rstrip'] === true,
});

/** Lists may be objects of named tokens too. */
function namedTokens(config: JsonObject): { key: string; value: unknown }[] {
  const single = specialKeys.map((key) => ({ key, value: config[key] }));
  const lists = specialLists.flatMap((key) => Object.values(config[key] ?? {}).map((value) => ({ key, value })));
  return [...single, ...lists].filter(({ value }) => value !== undefined && value !== null);
}

/**
 * The configuration that goes with a tokenizer.json made here: special tokens as texts, every added token with its id,
 * and the class that takes tokenizer.json at its word (LlamaTokenizer of transformers 5 takes its vocabulary alone).
 */
export function configBeside(added: readonly AddedTokenJson[], { config, file }: ConfigSource): JsonObject {
  const { auto_map: _codeOfItsOwn, ...rest } = config;
  const text = (key: string, value: unknown) => (value === null ? null : textOf(value, key, file));
  const single = specialKeys.filter((key) => key in rest).map((key) => [key, text(key, rest[key])]);
  const lists = specialLists
    .filter((key) => Array.isArray(rest[key]))
    .map((key) => [key, (rest[key] as unknown[]).map((value) => text(key, value))]);
  return {
    ...rest,
    ...Object.fromEntries([...single, ...lists]),
    tokenizer_class: 'PreTrainedTokenizerFast',
    added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [id, token])),
  };
}

/**
 * Which tokens stand around a text where special tokens are added; null where none does. Every token that the
 * configuration names is among `tokens` (`addedTokens`).
 */
export function aroundText(tokens: readonly AddedTokenJson[], { config, file }: ConfigSource): JsonObject | null {
  const edge = (adds: string, key: string): AddedTokenJson[] => {
    const text = config[adds] === true ? tokenText(config, key, file) : undefined;
    return tokens.filter(({ content }) => content === text);
  };
  const before = edge('add_bos_token', 'bos_token');
  const after = edge('add_eos_token', 'eos_token');
  if (before.length + after.length === 0) return null;
  const special = (type_id: 0 | 1) => (token: AddedTokenJson) => ({ SpecialToken: { id: token.content, type_id } });
  const around = (sequence: 'A' | 'B', type_id: 0 | 1): object[] => [
    ...before.map(special(type_id)),
    { Sequence: { id: sequence, type_id } },
    ...after.map(special(type_id)),
  ];
  return {
    type: 'TemplateProcessing',
    single: around('A', 0),
    pair: [...around('A', 0), ...around('B', 1)],
    special_tokens: Object.fromEntries(
      [...before, ...after].map(({ id, content }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  };
}
