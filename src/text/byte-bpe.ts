/**
 * GPT-2's pair of files, vocab.json and merges.txt (GPT-2, OPT, Phi, Qwen 1.5 and 2), as a Hugging Face tokenizer.json:
 * byte-level BPE with the splitting rule and the special tokens that the class in tokenizer_config.json stands for.
 * Does not know classes that put other tokens around a text (RoBERTa, BART, Whisper): those are refused.
 *
 * Source: Radford et al. 2019, encoder.py; transformers' GPT2Tokenizer and Qwen2Tokenizer for what they take for granted.
 */
import { DataError, type DataIssue } from '../base/errors.ts';
import { isObject } from '../base/rows.ts';
import {
  addedTokens,
  aroundText,
  bpeModel,
  configBeside,
  type JsonObject,
  type TokenizerDescription,
} from './tokenizer-json.ts';

interface Convention {
  readonly normalizer: JsonObject | null;
  readonly preTokenizer: (addsPrefixSpace: boolean) => JsonObject;
  /** Tokens that need no mention in tokenizer_config.json, where the vocabulary has them. */
  readonly tokens: JsonObject;
}

const byteLevel = (addsPrefixSpace: boolean, usesRegex: boolean): JsonObject => ({
  type: 'ByteLevel',
  add_prefix_space: addsPrefixSpace,
  trim_offsets: true,
  use_regex: usesRegex,
});

const endOfText = '<|endoftext|>';

const gpt2: Convention = {
  normalizer: null,
  preTokenizer: (addsPrefixSpace) => byteLevel(addsPrefixSpace, true),
  tokens: { bos_token: endOfText, eos_token: endOfText, unk_token: endOfText },
};

const qwen2Rule =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const qwen2: Convention = {
  normalizer: { type: 'NFC' },
  preTokenizer: (addsPrefixSpace) => ({
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: qwen2Rule }, behavior: 'Isolated', invert: false },
      byteLevel(addsPrefixSpace, false),
    ],
  }),
  tokens: { eos_token: endOfText, pad_token: endOfText },
};

/** By `tokenizer_class`; a folder that names none is GPT-2's. */
const conventions: ReadonlyMap<string, Convention> = new Map([
  ['GPT2Tokenizer', gpt2],
  ['CodeGenTokenizer', gpt2],
  ['Qwen2Tokenizer', qwen2],
]);

export interface ByteBpeFiles {
  readonly vocab: string;
  readonly merges: string;
  readonly config: string;
}

/**
 * `vocab` is the parsed vocab.json, `merges` the text of merges.txt, `tokenizerConfig` the content of
 * tokenizer_config.json; `files` names them in messages. OPT's bos token stands in front because its configuration says
 * `add_bos_token`. Throws DataError with every broken line of a file.
 */
export function byteBpeToTokenizer(
  vocab: unknown,
  merges: string,
  tokenizerConfig: JsonObject = {},
  files: ByteBpeFiles = { vocab: 'vocab.json', merges: 'merges.txt', config: 'tokenizer_config.json' },
): TokenizerDescription {
  const convention = conventionOf(tokenizerConfig, files.config);
  const ids = readVocabulary(vocab, files.vocab);
  const pairs = readMerges(merges, ids, files.merges);
  const config = { ...defaultConfig(convention, ids), ...tokenizerConfig };
  const source = { config, file: files.config };
  const added = addedTokens(ids, [], source);
  return {
    tokenizerJson: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: convention.normalizer,
      pre_tokenizer: convention.preTokenizer(config['add_prefix_space'] === true),
      post_processor: aroundText(added, source),
      decoder: { ...byteLevel(true, true) },
      model: bpeModel({ vocab: Object.fromEntries(ids), merges: pairs }),
    },
    tokenizerConfig: configBeside(added, source),
  };
}

function conventionOf(config: JsonObject, file: string): Convention {
  const name = config['tokenizer_class'];
  if (name === undefined || name === null) return gpt2;
  const convention = conventions.get(String(name).replace(/Fast$/, ''));
  if (convention) return convention;
  throw new DataError(
    file,
    {
      path: 'tokenizer_class',
      message: `${name} with vocab.json is not supported; supported: ${[...conventions.keys()].join(', ')}`,
    },
    { hint: "take the model's tokenizer.json" },
  );
}

function defaultConfig(convention: Convention, ids: ReadonlyMap<string, number>): JsonObject {
  return {
    clean_up_tokenization_spaces: false,
    add_prefix_space: false,
    add_bos_token: false,
    add_eos_token: false,
    ...(ids.has(endOfText) ? convention.tokens : {}),
  };
}

function readVocabulary(vocab: unknown, file: string): Map<string, number> {
  if (!isObject(vocab)) throw new DataError(file, { message: 'expected an object of tokens and their ids' });
  const ids = new Map<string, number>();
  const tokens = new Map<number, string>();
  const issues: DataIssue[] = [];
  for (const [token, id] of Object.entries(vocab)) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0) {
      issues.push({ path: token, message: `expected an id, got ${JSON.stringify(id)}` });
      continue;
    }
    const other = tokens.get(id);
    if (other !== undefined) issues.push({ path: token, message: `has id ${id}, which ${JSON.stringify(other)} has` });
    ids.set(token, id);
    tokens.set(id, token);
  }
  if (ids.size === 0 && issues.length === 0) issues.push({ message: 'expected tokens, found none' });
  if (issues.length > 0) throw new DataError(file, issues);
  return ids;
}

/** A line that begins with "#version" is a comment; "# …" is a merge. */
function readMerges(text: string, ids: ReadonlyMap<string, number>, file: string): [left: string, right: string][] {
  const merges: [string, string][] = [];
  const issues: DataIssue[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    if (line === '' || line.startsWith('#version')) return;
    const [left, right, ...rest] = line.split(' ');
    const row = index + 1;
    if (!left || !right || rest.length > 0) {
      issues.push({ row, message: `expected two tokens, got ${JSON.stringify(line)}` });
      return;
    }
    const missing = [left, right, left + right].filter((token) => !ids.has(token));
    if (missing.length > 0) issues.push({ row, message: `the vocabulary has no ${JSON.stringify(missing[0])}` });
    merges.push([left, right]);
  });
  if (issues.length > 0) throw new DataError(file, issues);
  return merges;
}
