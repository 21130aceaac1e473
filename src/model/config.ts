/**
 * What a model is, read from a Hugging Face `config.json`. Families of models (families.ts) differ in this description;
 * every setting that would change the arithmetic and that we do not compute is refused by name, never ignored. Dropout
 * is no part of it: nothing is dropped, in training neither.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError, DataError } from '../base/errors.ts';
import { readJson } from '../base/jsonl.ts';
import { families, type Refuse, supportedFamilies } from './families.ts';
import type { Rotary } from './rotary-scaling.ts';

/** The scalar head's weight [1, hidden], as transformers' …ForSequenceClassification spells it. */
export const scalarHeadName = 'score.weight';

export interface ModelConfig {
  /** `model_type` of the file. */
  readonly family: string;
  readonly architecture: 'llama' | 'opt';
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly normEpsilon: number;
  /** Which linear layers of a block add a bias. */
  readonly biases: { readonly queryKeyValue: boolean; readonly output: boolean; readonly mlp: boolean };
  /** Whether every query and key head is normed before it is rotated. */
  readonly headNorms: boolean;
  /** By block: how many tokens a token sees, itself among them; undefined: all before it. */
  readonly windows: readonly (number | undefined)[];
  /** undefined: positions are learned. */
  readonly rotary: Rotary | undefined;
  readonly maxPositions: number;
  readonly tiedEmbeddings: boolean;
  /** Whether it gives one number a token and no logits: a reward model, …ForSequenceClassification of one label. */
  readonly scalarHead: boolean;
  readonly eosTokenIds: readonly number[];
  /** The whole file, so that saving keeps what we do not use. */
  readonly source: Readonly<Record<string, unknown>>;
}

/** What every family's file says in the same words. */
const commonSchema = z.looseObject({
  model_type: z.string(),
  eos_token_id: z.union([z.number().int(), z.array(z.number().int())]).nullish(),
  quantization_config: z.unknown().optional(),
  is_causal: z.boolean().nullish(),
  architectures: z.array(z.string()).nullish(),
  num_labels: z.number().int().nullish(),
  id2label: z.record(z.string(), z.unknown()).nullish(),
});

export function readModelConfig(folder: string): ModelConfig {
  const file = join(folder, 'config.json');
  if (!existsSync(folder)) {
    throw new ConfigError(`no such model: ${folder}`, {
      hint: 'give a folder with config.json and model.safetensors, or `builtin` for the embedded SmolLM2-135M-Instruct',
    });
  }
  if (!existsSync(file)) {
    throw new ConfigError(`${folder} is not a model folder: config.json is missing`, {
      hint: 'a model folder holds config.json, *.safetensors and tokenizer.json, as Hugging Face writes them',
    });
  }
  return parseModelConfig(readJson(file), file);
}

export function parseModelConfig(value: unknown, file = 'config.json'): ModelConfig {
  const refuse: Refuse = (message) => {
    throw new DataError(file, { message }, { hint: `supported: ${supportedFamilies}` });
  };
  const parse = <T>(schema: z.ZodType<T>, input: unknown): T => {
    const parsed = schema.safeParse(input);
    if (parsed.success) return parsed.data;
    const issues = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
    throw new DataError(file, issues);
  };
  const common = parse(commonSchema, value);
  const source = value as Readonly<Record<string, unknown>>;
  const family = families.get(common.model_type) ?? refuse(`model type "${common.model_type}" is not supported`);
  if (common.quantization_config) refuse('quantized weights (quantization_config) are not supported');
  if (common.is_causal === false) refuse('attention to later tokens (is_causal: false) is not supported');
  const config: ModelConfig = {
    ...family(source, parse, refuse),
    family: common.model_type,
    scalarHead: hasScalarHead(common, refuse),
    eosTokenIds: asList(common.eos_token_id),
    source,
  };
  checkHeads(config, refuse);
  return config;
}

export const asList = (ids: number | readonly number[] | null | undefined): readonly number[] =>
  ids === null || ids === undefined ? [] : typeof ids === 'number' ? [ids] : ids;

function hasScalarHead(
  { architectures, num_labels: stated, id2label }: z.infer<typeof commonSchema>,
  refuse: Refuse,
): boolean {
  if (!architectures?.some((name) => name.endsWith('ForSequenceClassification'))) return false;
  // transformers leaves out what is the default: two.
  const labels = stated ?? (id2label ? Object.keys(id2label).length : 2);
  if (labels !== 1) refuse(`a reward model has one label, this classifier has ${labels}`);
  return true;
}

function checkHeads({ hiddenSize, numHeads, numKeyValueHeads, headDim, rotary }: ModelConfig, refuse: Refuse): void {
  if (numHeads % numKeyValueHeads !== 0) {
    refuse(`${numHeads} heads cannot share ${numKeyValueHeads} key/value heads evenly`);
  }
  if (!Number.isInteger(headDim)) refuse(`${numHeads} heads cannot share a width of ${hiddenSize} evenly`);
  if (rotary && headDim % 2 !== 0) refuse(`a rotated head needs an even width, got ${headDim}`);
}
