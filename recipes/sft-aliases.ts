/**
 * What fine-tuning's settings are called elsewhere: Hugging Face TrainingArguments, TRL's SFTConfig and ModelConfig,
 * PEFT's LoraConfig, LLaMA-Factory, Axolotl. Keys are those of sft-config.ts. Our own names need no line here: their
 * spellings are taken from the schema (src/run/config.ts), but for those inside a section.
 */
import { ConfigError } from '../src/base/errors.ts';
import { isObject } from '../src/base/rows.ts';
import { type Alias, type AliasTable, type Refusal, type Settings, unset } from '../src/run/aliases.ts';
import { tokensOf } from './sft-config.ts';

type Convert = NonNullable<Alias['convert']>;

const noCounterpart = (name: string, value: unknown, expected: string, hint?: string): ConfigError =>
  new ConfigError(`${name}: expected ${expected}, got ${JSON.stringify(value)}`, { hint });

const isNumber = (value: unknown): value is number => typeof value === 'number';

/** A switch that is on: `ours`; off: nothing is said. */
const whenOn =
  (ours: unknown): Convert =>
  (value, name) => {
    if (value === true) return ours;
    if (value === false || value === null) return undefined;
    throw noCounterpart(name, value, 'true or false');
  };

/** Names of torch's types, with or without `torch.`; others are left to the schema. */
const dtypeNames: Readonly<Record<string, string>> = { bf16: 'bfloat16', fp32: 'float32', float: 'float32' };
const toDtype: Convert = (value) => {
  if (typeof value !== 'string') return value ?? undefined;
  const name = value.replace(/^torch\./, '');
  return dtypeNames[name] ?? name;
};

/** LLaMA-Factory: names with commas between. Axolotl: objects with a path, whose type we see by looking inside. */
const toFiles: Convert = (value, name) => {
  if (value === null) return undefined;
  const many = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? (value as unknown[]) : [value];
  return many.map((one) => {
    if (typeof one === 'string') return one.trim();
    const other = isObject(one) ? Object.keys(one).filter((key) => key !== 'path' && key !== 'type') : [];
    if (!isObject(one) || typeof one['path'] !== 'string' || other.length > 0)
      throw noCounterpart(name, one, 'a file, or an object with nothing but its path and type');
    return one['path'];
  });
};

/** LLaMA-Factory: with commas between. */
const toTokens: Convert = (value, name) => {
  if (typeof value === 'string') return tokensOf(value);
  if (value === null || Array.isArray(value)) return value ?? undefined;
  throw noCounterpart(name, value, 'tokens, in a list or with commas between');
};

const scheduleNames: Readonly<Record<string, string>> = {
  constant_with_warmup: 'constant',
  cosine_with_min_lr: 'cosine',
};
const toSchedule: Convert = (value) => scheduleNames[value as string] ?? value ?? undefined;

/** transformers from version 5 on takes a share of the steps here too. */
const toWarmupRatio: Convert = (value, name) => {
  if (value === null) return undefined;
  if (isNumber(value) && value >= 0 && value < 1) return value;
  throw noCounterpart(name, value, 'a share of the steps, from 0 to 1', 'warmupRatio = warm-up steps / all steps');
};

/** From 1 on LLaMA-Factory and Axolotl count rows. */
const toEvalShare: Convert = (value, name) => {
  if (value === null) return undefined;
  if (!isNumber(value) || value < 1) return value;
  throw noCounterpart(name, value, 'a share of the rows, below 1', 'evalShare = rows held out / all rows');
};

/** `all`: every matrix of a block, whatever the family calls them. PEFT's word for it is all-linear. */
const toTargets: Convert = (value) => {
  if (typeof value !== 'string') return value ?? undefined;
  return ['all', 'all-linear'].includes(value) ? 'all' : value.split(',').map((one) => one.trim());
};

/** The defaults of LoRA, or none of it. */
const toLora: Convert = (value, name) => {
  if (value === 'lora' || value === true) return {};
  if (value === 'full' || value === false || value === null) return unset;
  throw noCounterpart(
    name,
    value,
    'lora, or full fine-tuning',
    'weights are neither quantised nor frozen in part here',
  );
};

const rowBatches: Refusal = {
  refuse: [
    'per_device_train_batch_size',
    'gradient_accumulation_steps',
    'micro_batch_size',
    'batch_size',
    'train_batch_size',
  ],
  why(given) {
    const names = Object.keys(given);
    const factors = Object.values(given).filter(isNumber);
    const rows = factors.reduce((product, factor) => product * factor, 1);
    return {
      message: `${names.join(', ')}: a step is counted in tokens here, not in rows`,
      hint:
        `set batchTokens instead: rows of a step (batch size × accumulation × devices) × tokens of a mean row; ` +
        `${factors.join(' × ') || '1'} rows of 300 tokens would be batchTokens: ${300 * rows}`,
    };
  },
};

/** Zero and below mean no limit in TrainingArguments. */
const stepLimit: Refusal = {
  refuse: ['max_steps'],
  why(given: Settings) {
    const [name, steps] = Object.entries(given)[0] as [string, unknown];
    if (steps === null || (isNumber(steps) && steps <= 0)) return undefined;
    return {
      message: `${name}: the length of a training is counted in tokens here, not in steps`,
      hint: 'set maxTrainTokens instead: steps × batchTokens',
    };
  },
};

export const sftAliases: AliasTable = [
  {
    to: 'model',
    from: ['model_name_or_path', 'base_model', 'model_name', 'pretrained_model_name_or_path', 'model_path'],
  },
  { to: 'data', from: ['dataset', 'datasets', 'dataset_name', 'train_file', 'train_files'], convert: toFiles },
  { to: 'output', from: ['output_dir', 'out'] },
  {
    to: 'template',
    from: ['chat_template', 'chat_template_path'],
    convert: (value) => (value === 'tokenizer_default' ? undefined : (value ?? undefined)),
  },

  { to: 'addTokens', from: ['tokens', 'add_special_tokens', 'new_special_tokens'], convert: toTokens },

  {
    to: 'dtype',
    from: ['bf16'],
    convert: (value, name) => (value === 'auto' ? 'auto' : whenOn('bfloat16')(value, name)),
  },
  { to: 'dtype', from: ['fp16'], convert: whenOn('float16') },
  { to: 'dtype', from: ['fp32'], convert: whenOn('float32') },
  { to: 'dtype', from: ['torch_dtype', 'compute_dtype'], convert: toDtype },

  { to: 'device', from: ['use_cpu', 'no_cuda'], convert: whenOn('cpu') },

  { to: 'epochs', from: ['num_train_epochs', 'num_epochs'] },
  { to: 'learningRate', from: ['lr'] },
  { to: 'schedule', from: ['lr_scheduler_type', 'lr_scheduler'], convert: toSchedule },
  { to: 'warmupRatio', from: ['warmup_steps'], convert: toWarmupRatio },
  { to: 'minLearningRateRatio', from: ['cosine_min_lr_ratio', 'min_lr_ratio', 'min_lr_rate'] },
  { to: 'maxTokens', from: ['cutoff_len', 'max_seq_length', 'max_seq_len', 'max_length', 'sequence_len'] },
  { to: 'beta1', from: ['adam_beta1'] },
  { to: 'beta2', from: ['adam_beta2'] },
  { to: 'epsilon', from: ['adam_epsilon', 'adam_eps'] },
  { to: 'checkpointEverySteps', from: ['save_steps', 'checkpoint_every'] },
  { to: 'keepCheckpoints', from: ['save_total_limit'] },
  { to: 'tensorboard', from: ['logging_dir'] },

  { to: 'evalShare', from: ['val_size', 'val_set_size'], convert: toEvalShare },
  { to: 'evalEverySteps', from: ['eval_steps'] },
  { to: 'earlyStoppingPatience', from: [] },

  { to: 'lora', from: ['adapter', 'finetuning_type', 'use_peft'], convert: toLora },
  { to: 'lora.rank', from: ['lora_r'] },
  { to: 'lora.alpha', from: [] },
  { to: 'lora.dropout', from: [] },
  { to: 'lora.targets', from: ['lora_target', 'lora_target_modules', 'target_modules'], convert: toTargets },
  { to: 'lora.targets', from: ['lora_target_linear'], convert: whenOn('all') },

  rowBatches,
  stepLimit,
];
