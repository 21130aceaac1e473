/** A model directory with all it takes to answer: weights, tokenizer, chat template, stop tokens. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../base/errors.ts';
import { baseFolder, isAdapterFolder } from '../model/adapter-folder.ts';
import { Decoder } from '../model/decoder.ts';
import { loadDecoder, readStopTokens, templateFile } from '../model/directory.ts';
import { mergeAdapters, readAdapterFolder } from '../model/lora.ts';
import { quantizeParameters, type WeightFormat } from '../model/quantize.ts';
import { asRewardModel } from '../model/reward-head.ts';
import { type ChatTemplate, loadChatTemplate } from '../text/chat-template.ts';
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.ts';
import { noGrad } from '../torch/grad.ts';
import { computesInBf16 } from '../torch/machine.ts';
import { type Dtype, releaseAll } from '../torch/tensor.ts';

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

export interface LoadOptions {
  readonly dtype: ComputeDtype;
  /** A name or file in place of the folder's own. */
  readonly template?: string | undefined;
  /** How linear layers are stored once loaded: for inference. Default full: in the compute type. */
  readonly weights?: WeightFormat | undefined;
  /** Whether a reward model is wanted, or (false, the default) one that writes; `any`: either. */
  readonly scores?: boolean | 'any';
}

/**
 * A model folder, or a PEFT folder of adapters, which are merged into the model they belong to. The tokenizer and template
 * are read first: they fail in milliseconds, weights may take a while.
 */
export function loadModel(folder: string, options: LoadOptions): LoadedModel {
  const base = isAdapterFolder(folder) ? baseFolder(folder) : folder;
  const tokenizer = loadTokenizer(base);
  const ownTemplate = join(folder, templateFile);
  const template = loadChatTemplate(
    base,
    tokenizer,
    options.template ?? (existsSync(ownTemplate) ? ownTemplate : undefined),
  );
  let decoder = loadDecoder(base, resolveDtype(options.dtype));
  if (base !== folder) {
    const { adapters, scalarHead } = readAdapterFolder(folder, 'float32');
    noGrad(() => mergeAdapters(decoder.parameters, adapters));
    releaseAll(adapters);
    if (scalarHead) decoder = asRewardModel(decoder, { head: scalarHead });
  }
  const { scores = false } = options;
  if (scores !== 'any' && decoder.config.scalarHead !== scores) {
    decoder.release();
    throw wrongHead(folder, scores);
  }
  const stopTokens = readStopTokens(base, decoder.config);
  return { folder, decoder: inFormat(decoder, options.weights ?? 'full'), tokenizer, template, stopTokens };
}

const wrongHead = (folder: string, wanted: boolean): ConfigError =>
  wanted
    ? new ConfigError(`${folder} is no reward model: it writes text and gives no scores`, {
        hint: 'train one: ./understudy train reward --model FOLDER --data COMPARISONS --out REWARD-MODEL',
      })
    : new ConfigError(`${folder} is a reward model: it gives scores and writes no text`, {
        hint: 'give a language model here, and this one as --reward-model',
      });

/** Takes the decoder over. */
function inFormat(decoder: Decoder, format: WeightFormat): Decoder {
  if (format === 'full') return decoder;
  try {
    return noGrad(() => new Decoder(decoder.config, quantizeParameters(decoder.parameters, decoder.headName, format)));
  } catch (error) {
    decoder.release();
    throw error;
  }
}
