/**
 * A SentencePiece BPE vocabulary ("llama": LLaMA, Llama 2, Mistral 7B, TinyLlama) as parts of tokenizer.json. The file
 * has no merges: they follow from the scores. Texts have a space put before them, and so has every stretch after a
 * special token, as llama.cpp does it.
 *
 * Source: llm_tokenizer_spm of llama-vocab.cpp of llama.cpp.
 */
import { reconstructMerges } from '../../text/sentencepiece.ts';
import { bpeModel } from '../../text/tokenizer-json.ts';
import { showValue } from './cursor.ts';
import { list, refuse } from './metadata.ts';
import type { Gguf } from './reader.ts';
import { addedTokens, type Token, type VocabularyParts, vocabularyOf } from './vocabulary.ts';

/** SentencePiece's sign for a space (U+2581). */
const space = '▁';

export function describeSentencePiece(gguf: Gguf, tokens: readonly Token[]): VocabularyParts {
  list(gguf, 'tokenizer.ggml.scores', 'number');
  refuseRewriting(gguf);
  const unknown = tokens.filter(({ type }) => type === 'unknown');
  if (unknown.length !== 1)
    refuse(gguf, 'tokenizer.ggml.token_type', `expected one token for the unknown, found ${unknown.length}`);
  const numBytes = tokens.filter(({ type }) => type === 'byte').length;
  if (numBytes !== 0 && numBytes !== 256)
    refuse(gguf, 'tokenizer.ggml.token_type', `expected a token for each of the 256 bytes, found ${numBytes}`);
  const addsPrefix = gguf.metadata.get('tokenizer.ggml.add_space_prefix') !== false;
  const replace = (from: string, content: string) => ({ type: 'Replace', pattern: { String: from }, content });
  return {
    addsBos: true,
    addedTokens: addedTokens(tokens, ['control', 'user-defined', 'unknown']),
    normalizer: {
      type: 'Sequence',
      normalizers: [...(addsPrefix ? [{ type: 'Prepend', prepend: space }] : []), replace(' ', space)],
    },
    preTokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        replace(space, ' '),
        ...(numBytes > 0 ? [{ type: 'ByteFallback' }] : []),
        { type: 'Fuse' },
        ...(addsPrefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: bpeModel({
      vocab: vocabularyOf(tokens),
      merges: reconstructMerges(tokens),
      unknown: unknown[0]?.text,
      byteFallback: numBytes > 0,
    }),
  };
}

/** llama.cpp rewrites texts for unigram models only, whatever a BPE file says. */
function refuseRewriting(gguf: Gguf): void {
  const charsmap = gguf.metadata.get('tokenizer.ggml.precompiled_charsmap') ?? [];
  if (!Array.isArray(charsmap) || charsmap.length > 0)
    refuse(gguf, 'tokenizer.ggml.precompiled_charsmap', `expected none, got ${showValue(charsmap)}`);
  const collapses = gguf.metadata.get('tokenizer.ggml.remove_extra_whitespaces') ?? false;
  if (collapses !== false)
    refuse(gguf, 'tokenizer.ggml.remove_extra_whitespaces', `expected false, got ${showValue(collapses)}`);
}
