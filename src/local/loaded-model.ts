/** A model directory with all it takes to answer: weights, tokenizer, chat template, stop tokens. */

import type { Decoder } from '../model/decoder.ts';
import { loadDecoder, readStopTokens } from '../model/directory.ts';
import { type ChatTemplate, loadChatTemplate } from '../text/chat-template.ts';
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.ts';
import { computesInBf16 } from '../torch/machine.ts';
import type { Dtype } from '../torch/tensor.ts';

export interface LoadedModel {
  readonly folder: string;
  readonly decoder: Decoder;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly stopTokens: readonly number[];
}

/** `auto`: bf16 where the processor computes in it, else fp32. */
export type ComputeDtype = 'auto' | 'float32' | 'bfloat16';

export const resolveDtype = (dtype: ComputeDtype): Dtype =>
  dtype !== 'auto' ? dtype : computesInBf16() ? 'bfloat16' : 'float32';

/** The tokenizer and template are read first: they fail in milliseconds, weights may take a while. */
export function loadModel(
  folder: string,
  options: { dtype: ComputeDtype; template?: string | undefined },
): LoadedModel {
  const tokenizer = loadTokenizer(folder);
  const template = loadChatTemplate(folder, tokenizer, options.template);
  const decoder = loadDecoder(folder, resolveDtype(options.dtype));
  return { folder, decoder, tokenizer, template, stopTokens: readStopTokens(folder, decoder.config) };
}
