/**
 * Models as Hugging Face directories: config.json, safetensors (one file or shards with an index), tokenizer files.
 * Loading checks every tensor against the configuration; saving keeps the tokenizer, template and generation files of
 * the folder the model came from, so that transformers loads the result.
 */
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../base/atomic.ts';
import { ConfigError, DataError, type DataIssue } from '../base/errors.ts';
import { readJson } from '../base/jsonl.ts';
import { toDtype } from '../torch/ops.ts';
import { openSafetensors, type SafetensorsFile, type TensorSource, writeSafetensors } from '../torch/safetensors.ts';
import { type Dtype, keep, scope, type Tensor } from '../torch/tensor.ts';
import { asList, type ModelConfig, readModelConfig } from './config.ts';
import { Decoder, parameterShapes } from './decoder.ts';

const weightsFile = 'model.safetensors';
const indexFile = 'model.safetensors.index.json';

/** Files that travel with a model unchanged. */
const companionFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'generation_config.json',
];

/** Weights in `dtype`; where the file already has it they are mapped, not copied, until something changes them. */
export function loadDecoder(folder: string, dtype: Dtype): Decoder {
  const config = readModelConfig(folder);
  const files = openWeights(folder);
  try {
    const parameters = scope(() => {
      const loaded = new Map<string, Tensor>();
      for (const [name, file] of locate(files, config, folder)) {
        const tensor = file.tensor(name);
        loaded.set(name, tensor.dtype === dtype ? tensor : toDtype(tensor, dtype));
      }
      return keep(loaded);
    });
    return new Decoder(config, parameters);
  } finally {
    for (const file of files) file.close();
  }
}

function openWeights(folder: string): SafetensorsFile[] {
  if (existsSync(join(folder, weightsFile))) return [openSafetensors(join(folder, weightsFile))];
  if (!existsSync(join(folder, indexFile))) {
    throw new ConfigError(`${folder} holds no weights: expected ${weightsFile} or ${indexFile}`, {
      hint: 'weights as pytorch_model.bin are not read; convert them to safetensors',
    });
  }
  const index = readJson(join(folder, indexFile)) as { weight_map?: Record<string, string> };
  if (!index.weight_map) throw new DataError(join(folder, indexFile), { message: 'expected a "weight_map"' });
  return [...new Set(Object.values(index.weight_map))].map((name) => openSafetensors(join(folder, name)));
}

/** Which file holds each parameter; every missing, misshapen or unknown tensor is named at once. */
function locate(files: readonly SafetensorsFile[], config: ModelConfig, folder: string): Map<string, SafetensorsFile> {
  const found = new Map<string, SafetensorsFile>();
  const issues: DataIssue[] = [];
  const shapes = parameterShapes(config);
  for (const [name, shape] of shapes) {
    const file = files.find((candidate) => candidate.entries.has(name));
    const actual = file?.entries.get(name)?.shape;
    if (!file || !actual) issues.push({ message: `no tensor named ${name}` });
    else if (actual.join() !== shape.join()) {
      issues.push({
        message: `tensor ${name}: config.json wants [${shape.join(', ')}], the file has [${actual.join(', ')}]`,
      });
    } else found.set(name, file);
  }
  for (const name of files.flatMap((file) => [...file.entries.keys()])) {
    const redundant = name.endsWith('rotary_emb.inv_freq') || (name === 'lm_head.weight' && config.tiedEmbeddings);
    if (!shapes.has(name) && !redundant) issues.push({ message: `a tensor the Llama family does not have: ${name}` });
  }
  if (issues.length > 0) throw new DataError(files[0]?.file ?? folder, issues);
  return found;
}

/** End-of-turn tokens: those of generation_config.json, else of config.json. */
export function readStopTokens(folder: string, config: ModelConfig): readonly number[] {
  const file = join(folder, 'generation_config.json');
  const ids = existsSync(file) ? (readJson(file) as { eos_token_id?: number | number[] }).eos_token_id : undefined;
  const stops = asList(ids);
  return stops.length > 0 ? stops : config.eosTokenIds;
}

/**
 * Fills `folder` (which exists and is being written atomically by the caller) with a model directory.
 * `from` is the folder whose tokenizer and templates go with it; `template` replaces its chat template.
 */
export function writeModelFolder(
  folder: string,
  options: {
    config: ModelConfig;
    weights: ReadonlyMap<string, TensorSource>;
    from: string | undefined;
    template?: string | undefined;
  },
): void {
  const { config, weights, from, template } = options;
  const dtype = weights.values().next().value?.dtype ?? 'float32';
  const { torch_dtype: _old, quantization_config: _quantization, ...rest } = config.source;
  writeJsonAtomic(join(folder, 'config.json'), { ...rest, dtype });
  writeSafetensors(join(folder, weightsFile), weights);
  for (const name of from === undefined ? [] : companionFiles) {
    const source = join(from as string, name);
    if (existsSync(source)) copyFileSync(source, join(folder, name));
  }
  if (template !== undefined) writeFileAtomic(join(folder, 'chat_template.jinja'), template);
}
