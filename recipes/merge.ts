/**
 * Adapters merged into the model they belong to: a model folder that needs no adapters any more. What merging changes is
 * measured and written down: the largest difference of any logit between the model beside its adapters, in fp32, and the
 * merged weights as they are saved. Runs in the engine's process.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFolderAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { ConfigError } from '../src/base/errors.ts';
import { readText } from '../src/base/jsonl.ts';
import { baseFolder, isAdapterFolder } from '../src/model/adapter-folder.ts';
import { PackedAttention } from '../src/model/attention.ts';
import { Decoder } from '../src/model/decoder.ts';
import { loadDecoder, templateFile, writeModelFolder, writeTemplate } from '../src/model/directory.ts';
import { mergeAdapters, readAdapterFolder } from '../src/model/lora.ts';
import { loadTokenizer } from '../src/text/tokenizer.ts';
import { fromIntegers, toFloat32 } from '../src/torch/convert.ts';
import { noGrad } from '../src/torch/grad.ts';
import { toDtype } from '../src/torch/ops.ts';
import { releaseAll, scope } from '../src/torch/tensor.ts';
import { sourcesOf } from '../src/train/checkpoint.ts';

export interface MergeConfig {
  readonly adapter: string;
  readonly output: string;
  readonly dtype: 'float32' | 'bfloat16';
}

/** Also written to merge.json in the model's folder. */
export interface MergeResult {
  readonly base: string;
  readonly adapter: string;
  readonly dtype: string;
  readonly largestLogitDifference: number;
  /** Between the highest and the lowest logit at one position, the largest: what the difference is to be held against. */
  readonly logitRange: number;
  readonly tokens: number;
}

const resultFile = 'merge.json';

/** Some language, some code, some digits, some Chinese: tokens of many kinds. */
const texts = [
  'The tide goes out twice a day, and with it the small boats that lean on the mud until evening.',
  'function area(width, height) { return width * height; } // 12 × 7 = 84',
  '潮水每天退两次，小船靠在泥滩上，等着傍晚。',
];

/** Whether something may be written there: nothing, or what an earlier merge left. */
export function checkMergeOutput({ adapter, output }: Pick<MergeConfig, 'adapter' | 'output'>): void {
  if (!isAdapterFolder(adapter)) {
    throw new ConfigError(`${adapter} holds no adapters: adapter_config.json is missing`, {
      hint: 'give a folder that `train sft --lora-rank` or PEFT made',
    });
  }
  baseFolder(adapter);
  if (existsSync(output) && readdirSync(output).length > 0 && !existsSync(join(output, resultFile))) {
    throw new ConfigError(`${output} is there already and no merged model`, { hint: 'choose another --out' });
  }
}

export async function run({ adapter, output, dtype }: MergeConfig): Promise<MergeResult> {
  const base = baseFolder(adapter);
  const { config, parameters } = loadDecoder(base, 'float32');
  const { adapters } = readAdapterFolder(adapter, 'float32');
  const tokenizer = loadTokenizer(base);
  const samples = texts.map((text) => tokenizer.encode(text));
  const beside = logitsOf(new Decoder(config, parameters, adapters), samples);
  noGrad(() => mergeAdapters(parameters, adapters));
  const merged = scope(() => [...parameters].map(([name, tensor]) => [name, toDtype(tensor, dtype)] as const));
  const rounded = new Decoder(config, new Map(merged));
  const after = logitsOf(rounded, samples);
  const result: MergeResult = {
    base,
    adapter,
    dtype,
    largestLogitDifference: largest(
      beside.map((row, i) => largest(row.map((logit, id) => Math.abs(logit - (after[i]?.[id] ?? 0))))),
    ),
    logitRange: largest(beside.map((row) => largest(row) - row.reduce((a, b) => Math.min(a, b)))),
    tokens: beside.length,
  };
  await writeFolderAtomic(output, (folder) => {
    writeModelFolder(folder, { config, weights: sourcesOf(rounded.parameters), from: base });
    const template = join(adapter, templateFile);
    if (existsSync(template)) writeTemplate(folder, readText(template));
    writeJsonAtomic(join(folder, resultFile), result);
  });
  releaseAll([rounded.parameters, parameters, adapters]);
  return result;
}

/** By position of all texts. */
function logitsOf(decoder: Decoder, texts: readonly (readonly number[])[]): Float32Array[] {
  return texts.flatMap((ids) =>
    scope(() =>
      noGrad(() => {
        const attention = new PackedAttention(decoder, [ids.length]);
        const logits = toFloat32(decoder.logits(decoder.hidden(fromIntegers(ids, [ids.length]), attention)));
        const vocab = logits.length / ids.length;
        return ids.map((_, i) => logits.slice(i * vocab, (i + 1) * vocab));
      }),
    ),
  );
}

const largest = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => Math.max(a, b), 0);
