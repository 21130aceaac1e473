/**
 * Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): a linear layer's output gains scale · up · down · x, and only
 * `down` and `up` are trained. Read and written as PEFT directories (adapter_config.json, adapter_model.safetensors).
 * What would change the arithmetic and is not computed here (DoRA, biases, trained modules beside the adapters) is refused
 * by name. Dropout is adapter-dropout.ts's: of a folder it is read and written, and changes nothing but training.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { writeJsonAtomic } from '../base/atomic.ts';
import { ConfigError, DataError, type DataIssue } from '../base/errors.ts';
import { readJson } from '../base/jsonl.ts';
import { Rng } from '../base/rng.ts';
import { fromFloat32 } from '../torch/convert.ts';
import { add, clone, copyInto, matmul, mulScalar, toDtype, zeros } from '../torch/ops.ts';
import { openSafetensors, type TensorSource, writeSafetensors } from '../torch/safetensors.ts';
import { type Dtype, keep, scope, type Tensor } from '../torch/tensor.ts';
import { adapterConfigFile } from './adapter-folder.ts';
import { scalarHeadName } from './config.ts';

/** down [rank, in] is PEFT's lora_A, up [out, rank] its lora_B. */
export interface Adapter {
  readonly down: Tensor;
  readonly up: Tensor;
  readonly scale: number;
}

/** By the name of the linear layer, such as `model.layers.0.self_attn.q_proj`. */
export type Adapters = ReadonlyMap<string, Adapter>;

export interface LoraSettings {
  readonly rank: number;
  readonly alpha: number;
  /** Last parts of layers' names (`q_proj`); empty: all linear layers of the blocks. */
  readonly targets: readonly string[];
  /** How much of its input an adapter does not see in training: a share. Default 0. */
  readonly dropout?: number;
}

export interface AdapterFolder {
  readonly settings: LoraSettings;
  /** Of the model it belongs to: a folder, a name on the hub, or nothing. */
  readonly base: string | undefined;
  readonly adapters: Adapters;
  /** [1, hidden], of a reward model: what PEFT calls a module to save. */
  readonly scalarHead: Tensor | undefined;
}

const weightsFile = 'adapter_model.safetensors';
const peftPrefix = 'base_model.model.';
const scalarHeadModule = scalarHeadName.replace(/\.weight$/, '');

const lastPart = (layer: string): string => layer.slice(layer.lastIndexOf('.') + 1);

/** The linear layers that get adapters. Throws ConfigError where a target names none. */
export function adapterTargets(parameterNames: Iterable<string>, targets: readonly string[]): string[] {
  const layers = [...parameterNames].flatMap((name) => {
    const [, layer] = /^(.*\.layers\.\d+\..*(?:_proj|fc\d|out_proj))\.weight$/.exec(name) ?? [];
    return layer === undefined ? [] : [layer];
  });
  const known = [...new Set(layers.map(lastPart))];
  const unknown = targets.filter((target) => !known.includes(target));
  if (unknown.length > 0) {
    throw new ConfigError(`lora.targets: this model has no layer ${unknown.join(', ')}`, {
      hint: `its linear layers: ${known.join(', ')}`,
    });
  }
  return targets.length === 0 ? layers : layers.filter((layer) => targets.includes(lastPart(layer)));
}

/**
 * As PEFT begins: `down` uniform within ±1/√in (He et al. 2015 with a = √5), `up` zero, so that nothing changes yet. A
 * layer's numbers depend on the seed and its name alone.
 */
export function createAdapters(
  parameters: ReadonlyMap<string, Tensor>,
  { rank, alpha, targets }: LoraSettings,
  seed: number,
): Adapters {
  const adapters = new Map<string, Adapter>();
  for (const layer of adapterTargets(parameters.keys(), targets)) {
    const [out, width] = (parameters.get(`${layer}.weight`) as Tensor).shape as [number, number];
    const rng = new Rng('lora', seed, layer);
    const bound = 1 / Math.sqrt(width);
    const values = Float32Array.from({ length: rank * width }, () => (2 * rng.uniform() - 1) * bound);
    const made = scope(() => ({
      down: fromFloat32(values, [rank, width]),
      up: zeros([out, rank], 'float32'),
      scale: alpha / rank,
    }));
    adapters.set(layer, keep(made));
  }
  return adapters;
}

/** The adapters' tensors by their names in a PEFT file, less its prefix. */
export const adapterParameters = (adapters: Adapters): Map<string, Tensor> =>
  new Map(
    [...adapters].flatMap(([layer, { down, up }]) => [
      [`${layer}.lora_A.weight`, down] as const,
      [`${layer}.lora_B.weight`, up] as const,
    ]),
  );

/** weight += scale · up · down, for every adapted layer, in the weights' dtype. */
export function mergeAdapters(parameters: ReadonlyMap<string, Tensor>, adapters: Adapters): void {
  for (const [layer, { down, up, scale }] of adapters) {
    const weight = parameters.get(`${layer}.weight`);
    if (!weight) throw new ConfigError(`the adapter is for another model: this one has no layer ${layer}`);
    scope(() => {
      const [a, b] = [up, down].map((tensor) => toDtype(tensor, 'float32')) as [Tensor, Tensor];
      const [out, width] = [a.size(0), b.size(1)];
      if (weight.size(0) !== out || weight.size(1) !== width) {
        throw new ConfigError(
          `the adapter is for another model: ${layer} is [${weight.shape.join(', ')}] here, [${out}, ${width}] there`,
        );
      }
      copyInto(weight, add(toDtype(weight, 'float32'), mulScalar(matmul(a, b), scale)));
    });
  }
}

const adapterSchema = z.looseObject({
  peft_type: z.string(),
  base_model_name_or_path: z.string().nullish(),
  r: z.number().int().positive(),
  lora_alpha: z.number(),
  lora_dropout: z.number().nullish(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  use_rslora: z.boolean().nullish(),
  fan_in_fan_out: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
  bias: z.string().nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  rank_pattern: z.record(z.string(), z.number()).nullish(),
  alpha_pattern: z.record(z.string(), z.number()).nullish(),
});

/** Reads a PEFT directory; tensors in `dtype`, kept. */
export function readAdapterFolder(folder: string, dtype: Dtype): AdapterFolder {
  const file = join(folder, adapterConfigFile);
  const parsed = adapterSchema.safeParse(readJson(file));
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
    throw new DataError(file, issues);
  }
  const raw = parsed.data;
  const refused = [
    raw.peft_type === 'LORA' ? '' : `peft_type ${raw.peft_type}`,
    raw.use_dora ? 'use_dora' : '',
    raw.fan_in_fan_out ? 'fan_in_fan_out' : '',
    raw.bias && raw.bias !== 'none' ? `bias ${raw.bias}` : '',
    raw.modules_to_save?.some((name) => name !== scalarHeadModule) ? 'modules_to_save' : '',
    Object.keys(raw.rank_pattern ?? {}).length > 0 ? 'rank_pattern' : '',
    Object.keys(raw.alpha_pattern ?? {}).length > 0 ? 'alpha_pattern' : '',
  ].filter((name) => name !== '');
  if (refused.length > 0) {
    throw new DataError(file, { message: `not supported: ${refused.join(', ')}` }, { hint: 'plain LoRA is' });
  }
  const scale = raw.lora_alpha / (raw.use_rslora ? Math.sqrt(raw.r) : raw.r);
  const { adapters, scalarHead } = readAdapterWeights(join(folder, weightsFile), raw.r, scale, dtype);
  const targets = [...new Set([...adapters.keys()].map(lastPart))];
  return {
    settings: { rank: raw.r, alpha: scale * raw.r, targets, dropout: raw.lora_dropout ?? 0 },
    base: raw.base_model_name_or_path ?? undefined,
    adapters,
    scalarHead,
  };
}

function readAdapterWeights(
  file: string,
  rank: number,
  scale: number,
  dtype: Dtype,
): Pick<AdapterFolder, 'adapters' | 'scalarHead'> {
  const weights = openSafetensors(file);
  try {
    const issues: DataIssue[] = [];
    const layers = new Set<string>();
    const headName = peftPrefix + scalarHeadName;
    for (const { name } of weights.entries.values()) {
      if (name === headName) continue;
      const [, layer] = /^base_model\.model\.(.+)\.lora_[AB]\.weight$/.exec(name) ?? [];
      if (layer === undefined) issues.push({ message: `not a tensor of a LoRA adapter: ${name}` });
      else layers.add(layer);
    }
    // Memory of their own, not the file's: products with a single row (rank 1, a scalar head) differ in the last bit with the
    // address they begin at, and a training that is gone on with must give what it would have given.
    const load = (name: string) => {
      const tensor = weights.tensor(name);
      return tensor.dtype === dtype ? clone(tensor) : toDtype(tensor, dtype);
    };
    const adapters = new Map<string, Adapter>();
    for (const layer of layers) {
      const [downName, upName] = ['A', 'B'].map((part) => `${peftPrefix}${layer}.lora_${part}.weight`) as [
        string,
        string,
      ];
      const [down, up] = [weights.entries.get(downName), weights.entries.get(upName)];
      if (down?.shape[0] !== rank || up?.shape[1] !== rank) {
        issues.push({ message: `${layer}: expected lora_A [${rank}, in] and lora_B [out, ${rank}]` });
        continue;
      }
      adapters.set(layer, keep(scope(() => ({ down: load(downName), up: load(upName), scale }))));
    }
    if (issues.length > 0) throw new DataError(file, issues);
    const scalarHead = weights.entries.has(headName) ? keep(scope(() => load(headName))) : undefined;
    return { adapters, scalarHead };
  } finally {
    weights.close();
  }
}

/** Fills `folder` with a PEFT directory for transformers and peft to load. */
export function writeAdapterFolder(
  folder: string,
  options: {
    readonly settings: LoraSettings;
    readonly base: string;
    /** By the names of `adapterParameters`, and a scalar head's. */
    readonly weights: ReadonlyMap<string, TensorSource>;
  },
): void {
  const { settings, base, weights } = options;
  const isReward = weights.has(scalarHeadName);
  const names = [...weights.keys()].filter((name) => name !== scalarHeadName);
  const layers = names.map((name) => name.replace(/\.lora_[AB]\.weight$/, ''));
  const targets = [...new Set(layers.map(lastPart))];
  writeSafetensors(
    join(folder, weightsFile),
    new Map([...weights].map(([name, source]) => [peftPrefix + name, source])),
  );
  writeJsonAtomic(join(folder, adapterConfigFile), {
    peft_type: 'LORA',
    task_type: isReward ? 'SEQ_CLS' : 'CAUSAL_LM',
    base_model_name_or_path: base,
    r: settings.rank,
    lora_alpha: settings.alpha,
    lora_dropout: settings.dropout ?? 0,
    bias: 'none',
    target_modules: targets,
    fan_in_fan_out: false,
    use_rslora: false,
    use_dora: false,
    modules_to_save: isReward ? [scalarHeadModule] : null,
    inference_mode: true,
  });
}
