/**
 * Models as Hugging Face directories: config.json, weights (safetensors or PyTorch's pickles, which are read without
 * running anything; one file, or shards with an index), tokenizer files.
 * Loading checks every tensor against the configuration; saving keeps the tokenizer, template and generation files of
 * the folder the model came from, so that transformers loads the result.
 */
import { copyFileSync, existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../base/atomic.ts';
import { ConfigError, DataError, type DataIssue } from '../base/errors.ts';
import { readJson } from '../base/jsonl.ts';
import { isObject, kindOf } from '../base/rows.ts';
import { convertedTokenizerFiles } from '../text/tokenizer-files.ts';
import { clone, toDtype } from '../torch/ops.ts';
import { openPytorchFile } from '../torch/pytorch-file.ts';
import { openSafetensors, type TensorSource, writeSafetensors } from '../torch/safetensors.ts';
import { bytesPerElement, type Dtype, keep, scope, type Tensor } from '../torch/tensor.ts';
import type { TensorFile } from '../torch/tensor-file.ts';
import { asList, type ModelConfig, readModelConfig, scalarHeadName } from './config.ts';
import { Decoder, parameterShapes } from './decoder.ts';

const weightsFile = 'model.safetensors';
export const templateFile = 'chat_template.jinja';

/** Files that travel with a model unchanged. */
const companionFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  templateFile,
  'generation_config.json',
];

/** Weights in `dtype`; where the file already has it they are mapped, not copied, until something changes them. */
export function loadDecoder(folder: string, dtype: Dtype): Decoder {
  const config = readModelConfig(folder);
  const files = openWeights(folder);
  try {
    const parameters = scope(() => {
      const loaded = new Map<string, Tensor>();
      for (const [name, { file, storedName }] of locate(files, config, folder)) {
        const tensor = file.tensor(storedName);
        if (tensor.dtype === dtype) {
          // A product with a single row differs in the last bit with the address it begins at: the head's memory is its own,
          // so that a training that is gone on with gives what it would have given.
          loaded.set(name, name === scalarHeadName ? clone(tensor) : tensor);
        } else {
          loaded.set(name, toDtype(tensor, dtype));
          tensor.release(); // where it is a copy, as on a GPU, before the next one is made
        }
      }
      return keep(loaded);
    });
    return new Decoder(config, parameters);
  } finally {
    for (const file of files) file.close();
  }
}

/** In this order of preference: safetensors before pickles, one file before shards with an index. */
const weightsKinds = [
  { whole: weightsFile, index: `${weightsFile}.index.json`, open: openSafetensors },
  { whole: 'pytorch_model.bin', index: 'pytorch_model.bin.index.json', open: openPytorchFile },
] as const;

function openWeights(folder: string): TensorFile[] {
  for (const { whole, index, open } of weightsKinds) {
    if (existsSync(join(folder, whole))) return [open(join(folder, whole))];
    if (existsSync(join(folder, index))) return shardNames(join(folder, index)).map((name) => open(join(folder, name)));
  }
  throw new ConfigError(`${folder} holds no weights`, {
    hint: `expected one of ${weightsKinds.flatMap(({ whole, index }) => [whole, index]).join(', ')}`,
  });
}

function shardNames(index: string): string[] {
  const { weight_map: map } = readJson(index) as { weight_map?: unknown };
  if (!isObject(map)) throw new DataError(index, { message: `expected a "weight_map" object, got ${kindOf(map)}` });
  const names = [...new Set(Object.values(map))];
  for (const name of names) {
    if (typeof name === 'string' && name === basename(name)) continue;
    throw new DataError(index, { path: 'weight_map', message: `expected names of files, got ${JSON.stringify(name)}` });
  }
  return names as string[];
}

interface Stored {
  readonly file: TensorFile;
  readonly storedName: string;
}

/** Files of a model without its output head lack the first part of the names. */
const storedNames = (name: string): string[] => [name, name.replace(/^model\./, '')];

/** What files hold and a decoder has no use for. */
const isRedundant = (name: string, { tiedEmbeddings }: ModelConfig): boolean =>
  /rotary_emb\.inv_freq$|^(model\.)?decoder\.version$/.test(name) || (name === 'lm_head.weight' && tiedEmbeddings);

/** Where each parameter is; every missing, misshapen or unknown tensor is named at once. */
function locate(files: readonly TensorFile[], config: ModelConfig, folder: string): Map<string, Stored> {
  const found = new Map<string, Stored>();
  const issues: DataIssue[] = [];
  const shapes = parameterShapes(config);
  const known = new Set([...shapes.keys()].flatMap(storedNames));
  for (const [name, shape] of shapes) {
    const [place] = storedNames(name).flatMap((storedName) => {
      const file = files.find((candidate) => candidate.entries.has(storedName));
      return file ? [{ file, storedName }] : [];
    });
    const actual = place?.file.entries.get(place.storedName)?.shape;
    if (!place || !actual) issues.push({ message: `no tensor named ${name}` });
    else if (actual.join() !== shape.join()) {
      issues.push({
        message: `tensor ${name}: config.json wants [${shape.join(', ')}], the file has [${actual.join(', ')}]`,
      });
    } else found.set(name, place);
  }
  for (const name of files.flatMap((file) => [...file.entries.keys()])) {
    if (!known.has(name) && !isRedundant(name, config)) {
      issues.push({ message: `a tensor that this ${config.family} model does not have: ${name}` });
    }
  }
  if (issues.length > 0) throw new DataError(files[0]?.file ?? folder, issues);
  return found;
}

/** End-of-turn tokens: those of generation_config.json, else of config.json. */
export function readStopTokens(folder: string, config: ModelConfig): readonly number[] {
  const stops = asList(readGeneration(folder)?.eos_token_id);
  return stops.length > 0 ? stops : config.eosTokenIds;
}

/** What has to be changed for `readStopTokens` to give these: the configuration, and files, JSON by name. */
export function withStopTokens(
  folder: string,
  config: ModelConfig,
  stopTokens: readonly number[],
): { config: ModelConfig; files: ReadonlyMap<string, object> } {
  const generation = readGeneration(folder);
  const changed = { ...config, eosTokenIds: stopTokens, source: { ...config.source, eos_token_id: stopTokens } };
  return {
    config: asList(generation?.eos_token_id).length > 0 ? config : changed,
    files: new Map(generation ? [[generationFile, { ...generation, eos_token_id: stopTokens }]] : []),
  };
}

const generationFile = 'generation_config.json';

function readGeneration(folder: string): { readonly eos_token_id?: number | readonly number[] | null } | undefined {
  const file = join(folder, generationFile);
  return existsSync(file) ? (readJson(file) as object) : undefined;
}

/**
 * Fills `folder` (which exists and is being written atomically by the caller) with a model directory.
 * `from` is the folder whose tokenizer and templates go with it; `template` replaces its chat template, `files` (JSON
 * by name) any of its files.
 */
export function writeModelFolder(
  folder: string,
  options: {
    config: ModelConfig;
    weights: ReadonlyMap<string, TensorSource>;
    from: string | undefined;
    template?: string | undefined;
    files?: ReadonlyMap<string, object>;
    /** Larger models are written as several files of at most this size. */
    shardBytes?: number;
  },
): void {
  const { config, weights, from, template, files = new Map<string, object>(), shardBytes = 5e9 } = options;
  const dtype = weights.values().next().value?.dtype ?? 'float32';
  const { torch_dtype: _old, quantization_config: _quantization, ...rest } = config.source;
  writeJsonAtomic(join(folder, 'config.json'), { ...rest, dtype });
  writeWeights(folder, weights, shardBytes);
  if (from !== undefined) copyCompanions(folder, from);
  for (const [name, value] of files) writeJsonAtomic(join(folder, name), value);
  if (template !== undefined) writeTemplate(folder, template);
}

/** A folder without a tokenizer.json gets one: transformers and we then read the same. */
function copyCompanions(folder: string, from: string): void {
  for (const name of companionFiles) {
    const source = join(from, name);
    if (existsSync(source)) copyFileSync(source, join(folder, name));
  }
  for (const [name, text] of convertedTokenizerFiles(from)) writeFileAtomic(join(folder, name), text);
}

/** One file, or shards of at most `shardBytes` with an index, as transformers writes them. */
function writeWeights(folder: string, weights: ReadonlyMap<string, TensorSource>, shardBytes: number): void {
  const shards: Map<string, TensorSource>[] = [];
  let used = Number.POSITIVE_INFINITY;
  let total = 0;
  for (const [name, source] of weights) {
    const bytes = source.shape.reduce((product, length) => product * length, bytesPerElement[source.dtype]);
    if (used + bytes > shardBytes) {
      shards.push(new Map());
      used = 0;
    }
    shards.at(-1)?.set(name, source);
    used += bytes;
    total += bytes;
  }
  if (shards.length <= 1) {
    writeSafetensors(join(folder, weightsFile), weights);
    return;
  }
  const weightMap: Record<string, string> = {};
  shards.forEach((shard, i) => {
    const number = (n: number) => String(n).padStart(5, '0');
    const file = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    writeSafetensors(join(folder, file), shard);
    for (const name of shard.keys()) weightMap[name] = file;
  });
  writeJsonAtomic(join(folder, `${weightsFile}.index.json`), {
    metadata: { total_size: total },
    weight_map: weightMap,
  });
}

export const writeTemplate = (folder: string, template: string): void =>
  writeFileAtomic(join(folder, templateFile), template);
