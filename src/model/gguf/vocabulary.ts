/** The tokens of a GGUF file, and what both kinds of vocabulary (byte-level.ts, sentencepiece.ts) say of them. */
import type { Piece, PieceType } from '../../text/sentencepiece-model.ts';
import { type AddedTokenJson, addedToken } from '../../text/tokenizer-json.ts';
import { showValue } from './cursor.ts';
import { list, refuse } from './metadata.ts';
import type { Gguf } from './reader.ts';

/** Scores are 0 where the vocabulary has none. */
export interface Token extends Piece {
  readonly id: number;
}

/** Parts of tokenizer.json. */
export interface VocabularyParts {
  /** Whether texts begin with the bos token where the file does not say. */
  readonly addsBos: boolean;
  readonly addedTokens: readonly AddedTokenJson[];
  readonly normalizer: object | null;
  readonly preTokenizer: object | null;
  readonly decoder: object;
  readonly model: object;
}

/** By the values of `tokenizer.ggml.token_type`; 0 is "undefined", which llama.cpp treats as normal. */
const types: readonly PieceType[] = ['normal', 'normal', 'unknown', 'control', 'user-defined', 'unused', 'byte'];

/**
 * In order of id, without the rows that llama.cpp fills the vocabulary up with to the embedding's size: no text ever
 * becomes one of them.
 */
export function readTokens(gguf: Gguf, texts: readonly string[]): Token[] {
  const typeNumbers = list(gguf, 'tokenizer.ggml.token_type', 'number');
  if (typeNumbers.length !== texts.length)
    refuse(gguf, 'tokenizer.ggml.token_type', `${typeNumbers.length} types for ${texts.length} tokens`);
  const scores = gguf.metadata.has('tokenizer.ggml.scores') ? list(gguf, 'tokenizer.ggml.scores', 'number') : [];
  if (scores.length !== 0 && scores.length !== texts.length)
    refuse(gguf, 'tokenizer.ggml.scores', `${scores.length} scores for ${texts.length} tokens`);
  const seen = new Set<string>();
  return texts.flatMap((text, id) => {
    const type =
      types[typeNumbers[id]!] ??
      refuse(gguf, `tokenizer.ggml.token_type[${id}]`, `expected 0 to ${types.length - 1}, got ${typeNumbers[id]}`);
    if (type === 'unused' && /^\[PAD\d+\]$/.test(text)) return [];
    if (seen.has(text)) refuse(gguf, `tokenizer.ggml.tokens[${id}]`, `${showValue(text)} is there twice`);
    seen.add(text);
    return [{ id, text, type, score: scores[id] ?? 0 }];
  });
}

/** Tokens that are matched whole wherever a text has them. All but user-defined ones are special. */
export const addedTokens = (tokens: readonly Token[], matched: readonly PieceType[]): AddedTokenJson[] =>
  tokens
    .filter(({ type }) => matched.includes(type))
    .map(({ id, text, type }) => addedToken(id, text, type !== 'user-defined'));

export const vocabularyOf = (tokens: readonly Token[]): Readonly<Record<string, number>> =>
  Object.fromEntries(tokens.map(({ text, id }) => [text, id]));
