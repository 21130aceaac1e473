/**
 * A byte-level BPE vocabulary ("gpt2") as parts of tokenizer.json: merges come with the file, and how texts are split
 * into words goes by a name; an unknown name is refused.
 *
 * Source: llama-vocab.cpp of llama.cpp for the names, published tokenizer.json files for the rules.
 */
import { bpeModel } from '../../text/tokenizer-json.ts';
import { showValue } from './cursor.ts';
import { list, refuse } from './metadata.ts';
import type { Gguf } from './reader.ts';
import { addedTokens, type Token, type VocabularyParts, vocabularyOf } from './vocabulary.ts';

const byteLevel = (useRegex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const splitThenBytes = (regex: string) => ({
  type: 'Sequence',
  pretokenizers: [{ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false }, byteLevel(false)],
});
const digitsThenBytes = {
  type: 'Sequence',
  pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel(true)],
};
/** The splitting rules of Llama 3 and Qwen 2 as their tokenizer.json files publish them; they differ in the digits. */
const wordRules = (digits: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

interface Splitting {
  readonly preTokenizer: object;
  readonly normalizer?: object;
  /** A whole word of the vocabulary is taken as it is, whatever the merges say. */
  readonly ignoreMerges?: boolean;
  readonly addsBos?: boolean;
}

const llamaThree: Splitting = {
  preTokenizer: splitThenBytes(wordRules('\\p{N}{1,3}')),
  ignoreMerges: true,
  addsBos: true,
};

/** By the names llama.cpp gives them in `tokenizer.ggml.pre`. */
const splittings: ReadonlyMap<string, Splitting> = new Map<string, Splitting>([
  ['smollm', { preTokenizer: digitsThenBytes }],
  ['starcoder', { preTokenizer: digitsThenBytes }],
  ['refact', { preTokenizer: digitsThenBytes }],
  ['gpt-2', { preTokenizer: byteLevel(true) }],
  ['llama-bpe', llamaThree],
  ['llama3', llamaThree],
  ['llama-v3', llamaThree],
  ['qwen2', { preTokenizer: splitThenBytes(wordRules('\\p{N}')), normalizer: { type: 'NFC' } }],
]);

export function describeByteLevel(gguf: Gguf, tokens: readonly Token[]): VocabularyParts {
  const name = gguf.metadata.get('tokenizer.ggml.pre');
  const splitting =
    splittings.get(String(name)) ??
    refuse(
      gguf,
      'tokenizer.ggml.pre',
      `pre-tokenizer ${showValue(name)} is not known; known: ${[...splittings.keys()].join(', ')}`,
      'use the model as a Hugging Face directory with its tokenizer.json',
    );
  return {
    addsBos: splitting.addsBos ?? false,
    addedTokens: addedTokens(tokens, ['control', 'user-defined']),
    normalizer: splitting.normalizer ?? null,
    preTokenizer: splitting.preTokenizer,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: bpeModel({
      vocab: vocabularyOf(tokens),
      merges: readMerges(gguf),
      ignoreMerges: splitting.ignoreMerges ?? false,
    }),
  };
}

function readMerges(gguf: Gguf): readonly string[] {
  const merges = list(gguf, 'tokenizer.ggml.merges', 'string');
  const broken = merges.findIndex((merge) => !/^[^ ]+ [^ ]+$/.test(merge));
  if (broken >= 0)
    refuse(gguf, `tokenizer.ggml.merges[${broken}]`, `expected two tokens, got ${showValue(merges[broken])}`);
  return merges;
}
