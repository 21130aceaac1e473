/**
 * tokenizer.json and tokenizer_config.json of a GGUF file's vocabulary: what both kinds of vocabulary have in common.
 *
 * Source: llama-vocab.cpp of llama.cpp for the meaning of keys and token types.
 */
import { describeByteLevel } from './byte-level.ts';
import type { ModelConfigJson } from './config.ts';
import { showValue } from './cursor.ts';
import { list, optionalId, refuse } from './metadata.ts';
import type { Gguf } from './reader.ts';
import { describeSentencePiece } from './sentencepiece.ts';
import { readTokens, type Token, type VocabularyParts } from './vocabulary.ts';

export interface TokenizerFiles {
  readonly tokenizerJson: Readonly<Record<string, unknown>>;
  readonly tokenizerConfig: Readonly<Record<string, unknown>>;
}

export function describeTokenizer(gguf: Gguf, config: ModelConfigJson): TokenizerFiles {
  const describeVocabulary = vocabularyKind(gguf);
  const texts = list(gguf, 'tokenizer.ggml.tokens', 'string');
  if (texts.length > config.vocab_size)
    refuse(gguf, 'tokenizer.ggml.tokens', `${texts.length} tokens, but ${config.vocab_size} rows of the embedding`);
  const tokenAt = (id: number | null, key: string): string | null =>
    id === null ? null : (texts[id] ?? refuse(gguf, key, `expected an id below ${texts.length}, got ${id}`));
  const bos = tokenAt(config.bos_token_id, 'tokenizer.ggml.bos_token_id');
  const eos = tokenAt(config.eos_token_id, 'tokenizer.ggml.eos_token_id');
  const unknown = optionalId(gguf, 'tokenizer.ggml.unknown_token_id');
  const parts = describeVocabulary(gguf, readTokens(gguf, texts));
  return {
    tokenizerJson: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: parts.addedTokens,
      normalizer: parts.normalizer,
      pre_tokenizer: parts.preTokenizer,
      decoder: parts.decoder,
      model: parts.model,
      post_processor: describePostProcessor(gguf, config, { bos, eos, addsBos: parts.addsBos }),
    },
    tokenizerConfig: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      model_max_length: config.max_position_embeddings,
      clean_up_tokenization_spaces: false,
      bos_token: bos,
      eos_token: eos,
      unk_token: tokenAt(unknown, 'tokenizer.ggml.unknown_token_id'),
      pad_token: tokenAt(config.pad_token_id, 'tokenizer.ggml.padding_token_id'),
    },
  };
}

function vocabularyKind(gguf: Gguf): (gguf: Gguf, tokens: readonly Token[]) => VocabularyParts {
  const model = gguf.metadata.get('tokenizer.ggml.model');
  if (model === 'gpt2') return describeByteLevel;
  if (model === 'llama') return describeSentencePiece;
  return refuse(
    gguf,
    'tokenizer.ggml.model',
    `tokenizer model ${showValue(model)} is not supported; supported: "gpt2" (byte-level BPE), "llama" (SentencePiece BPE)`,
    'use the model as a Hugging Face directory with its tokenizer.json',
  );
}

/** Adds the first and last token where the file says that texts have them; null where they have neither. */
function describePostProcessor(
  gguf: Gguf,
  config: ModelConfigJson,
  ends: { readonly bos: string | null; readonly eos: string | null; readonly addsBos: boolean },
): object | null {
  const before = (gguf.metadata.get('tokenizer.ggml.add_bos_token') ?? ends.addsBos) === true;
  const after = gguf.metadata.get('tokenizer.ggml.add_eos_token') === true;
  if (before && ends.bos === null) refuse(gguf, 'tokenizer.ggml.bos_token_id', 'is missing; texts begin with it');
  if (after && ends.eos === null) refuse(gguf, 'tokenizer.ggml.eos_token_id', 'is missing; texts end with it');
  if (!before && !after) return null;
  const around = (sequence: 'A' | 'B', type_id: 0 | 1): object[] => [
    ...(before ? [{ SpecialToken: { id: ends.bos, type_id } }] : []),
    { Sequence: { id: sequence, type_id } },
    ...(after ? [{ SpecialToken: { id: ends.eos, type_id } }] : []),
  ];
  const special = (token: string | null, id: number | null) =>
    token === null ? [] : [[token, { id: token, ids: [id], tokens: [token] }] as const];
  return {
    type: 'TemplateProcessing',
    single: around('A', 0),
    pair: [...around('A', 0), ...around('B', 1)],
    special_tokens: Object.fromEntries([
      ...(before ? special(ends.bos, config.bos_token_id) : []),
      ...(after ? special(ends.eos, config.eos_token_id) : []),
    ]),
  };
}
