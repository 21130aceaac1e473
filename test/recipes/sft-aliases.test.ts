import { describe, expect, it } from 'vitest';
import { runJsonSchema } from '../../recipes/run-config.ts';
import { sftAliases } from '../../recipes/sft-aliases.ts';
import { sftSchema } from '../../recipes/sft-config.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { resolveAliases } from '../../src/run/aliases.ts';
import { parseConfig } from '../../src/run/config.ts';

const config = (raw: Record<string, unknown>) => resolveAliases(raw, sftAliases).config;
const failure = (raw: Record<string, unknown>): ConfigError => {
  try {
    config(raw);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('expected a ConfigError');
};

describe('names of fine-tuning settings elsewhere', () => {
  it('takes a LLaMA-Factory file', () => {
    const raw = {
      model_name_or_path: 'llama',
      finetuning_type: 'lora',
      lora_rank: 8,
      lora_target: 'all',
      dataset: 'identity.json, alpaca.json',
      cutoff_len: 2048,
      output_dir: 'saves',
      save_steps: 500,
      learning_rate: 1e-4,
      num_train_epochs: 3.0,
      lr_scheduler_type: 'cosine',
      warmup_ratio: 0.1,
      bf16: true,
      val_size: 0.1,
      eval_steps: 500,
    };
    expect(config({ ...raw, learning_rate: undefined, warmup_ratio: undefined })).toEqual({
      model: 'llama',
      lora: { rank: 8, targets: 'all' },
      data: ['identity.json', 'alpaca.json'],
      maxTokens: 2048,
      output: 'saves',
      checkpointEverySteps: 500,
      epochs: 3,
      schedule: 'cosine',
      dtype: 'bfloat16',
      evalShare: 0.1,
      evalEverySteps: 500,
    });
  });

  it('computes on the CPU where other tools would', () => {
    expect(config({ use_cpu: true })).toEqual({ device: 'cpu' });
    expect(config({ no_cuda: false })).toEqual({});
  });

  it('takes an Axolotl file', () => {
    const raw = {
      base_model: 'llama',
      datasets: [{ path: 'a.jsonl', type: 'alpaca' }, 'b.jsonl'],
      chat_template: 'chatml',
      adapter: 'lora',
      lora_r: 32,
      lora_alpha: 16,
      lora_dropout: 0.05,
      lora_target_modules: ['q_proj', 'v_proj'],
      sequence_len: 4096,
      num_epochs: 4,
      lr_scheduler: 'linear',
      cosine_min_lr_ratio: 0.1,
      bf16: 'auto',
      val_set_size: 0.05,
    };
    expect(config(raw)).toEqual({
      model: 'llama',
      data: ['a.jsonl', 'b.jsonl'],
      template: 'chatml',
      lora: { rank: 32, alpha: 16, dropout: 0.05, targets: ['q_proj', 'v_proj'] },
      maxTokens: 4096,
      epochs: 4,
      schedule: 'linear',
      minLearningRateRatio: 0.1,
      dtype: 'auto',
      evalShare: 0.05,
    });
    expect(config({ adapter: null, lora_r: null, chat_template: 'tokenizer_default' })).toEqual({});
  });

  it('takes TrainingArguments and PEFT, through our schema too', () => {
    const raw = {
      model_name_or_path: 'm',
      train_file: 'd.json',
      output_dir: 'o',
      adam_beta1: 0.8,
      adam_beta2: 0.95,
      adam_epsilon: 1e-6,
      weight_decay: 0.1,
      max_grad_norm: 2,
      warmup_steps: 0.2,
      learning_rate: 1e-3,
      torch_dtype: 'torch.float32',
      fp16: false,
      seed: 7,
    };
    const mapped: string[] = [];
    const options = {
      aliases: { '': sftAliases },
      onMapped: (all: readonly { from: string }[]) => mapped.push(...all.map(({ from }) => from)),
    };
    expect(parseConfig(sftSchema, raw, 'x', options)).toMatchObject({
      model: 'm',
      data: ['d.json'],
      output: 'o',
      beta1: 0.8,
      beta2: 0.95,
      epsilon: 1e-6,
      weightDecay: 0.1,
      maxGradNorm: 2,
      warmupRatio: 0.2,
      learningRate: 1e-3,
      dtype: 'float32',
      seed: 7,
    });
    expect(mapped).toEqual(Object.keys(raw).filter((name) => !['fp16', 'seed'].includes(name)));
    expect(config({ lora: { r: 4, lora_alpha: 8, target_modules: 'all-linear' } })).toEqual({
      lora: { rank: 4, alpha: 8, targets: 'all' },
    });
    expect(config({ lora_target: 'q_proj, v_proj' })).toEqual({ lora: { targets: ['q_proj', 'v_proj'] } });
    expect(config({ lora_target_linear: true })).toEqual({ lora: { targets: 'all' } });
    expect(config({ use_peft: true })).toEqual({ lora: {} });
    expect(config({ save_total_limit: 2, logging_dir: 'logs', early_stopping_patience: 3 })).toEqual({
      keepCheckpoints: 2,
      tensorboard: 'logs',
      earlyStoppingPatience: 3,
    });
  });

  it('takes the dropout of adapters as a share, in a section, by PEFT’s name and as a flag', () => {
    const given = (raw: Record<string, unknown>, overrides = {}) =>
      parseConfig(sftSchema, { model: 'm', data: ['d'], output: 'o', ...raw }, 'x.yaml', {
        aliases: { '': sftAliases },
        overrides,
      }).lora?.dropout;
    expect(given({ lora: { rank: 4 } })).toBe(0);
    expect(given({ lora: { dropout: 0.05 } })).toBe(0.05);
    expect(given({ lora_dropout: 0.05 })).toBe(0.05);
    expect(given({ lora: { dropout: 0.5 } }, { loraDropout: 0.05 })).toBe(0.05);
    for (const wrong of [-0.1, 1, '0.05']) {
      expect(() => given({ lora: { dropout: wrong } })).toThrow('x.yaml: lora.dropout: ');
      expect(() => given({ lora_dropout: wrong })).toThrow('x.yaml: lora.dropout (given as lora_dropout): ');
    }
  });

  it('takes tokens to be added as a list, or as one text with commas between, under every name', () => {
    const options = { aliases: { '': sftAliases } };
    const given = (raw: Record<string, unknown>) =>
      parseConfig(sftSchema, { model: 'm', data: ['d'], output: 'o', ...raw }, 'x.yaml', options).addTokens;
    const names = ['addTokens', 'add_tokens', 'add-tokens', 'tokens', 'add_special_tokens', 'new_special_tokens'];
    for (const name of names) {
      expect([name, given({ [name]: '<|a|>,  <|b|>' })]).toEqual([name, ['<|a|>', '<|b|>']]);
      expect([name, given({ [name]: '<|a|>' })]).toEqual([name, ['<|a|>']]);
      expect([name, given({ [name]: ['<|a|>', 'b, c'] })]).toEqual([name, ['<|a|>', 'b, c']]);
    }
    for (const wrong of [7, [7], {}]) {
      expect(() => given({ add_tokens: wrong })).toThrow(
        'addTokens (given as add_tokens): expected tokens, in a list such as ["<|im_start|>", "<|im_end|>"], or with',
      );
    }
    const { properties } = runJsonSchema() as { properties: { sft: { properties: Record<string, object> } } };
    expect(properties.sft.properties['addTokens']).toMatchObject({
      anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'string' }],
    });
  });

  it('refuses batches counted in rows, with the arithmetic in tokens', () => {
    const { message, hint } = failure({ per_device_train_batch_size: 4, gradient_accumulation_steps: 8 });
    expect(message).toBe(
      'per_device_train_batch_size, gradient_accumulation_steps: a step is counted in tokens here, not in rows',
    );
    // 4 × 8 rows of 300 tokens.
    expect(hint).toMatch(/set batchTokens instead: .* 4 × 8 rows of 300 tokens would be batchTokens: 9600/);
    expect(failure({ micro_batch_size: 2 }).hint).toMatch('2 rows of 300 tokens would be batchTokens: 600');
  });

  it('refuses counts where we have shares or tokens, and lets pass what means none', () => {
    expect(failure({ warmup_steps: 100 }).hint).toMatch('warmupRatio');
    expect(failure({ val_size: 200 }).hint).toMatch('evalShare');
    expect(failure({ max_steps: 1000 }).hint).toMatch('maxTrainTokens');
    expect(config({ warmup_steps: 0, max_steps: -1 })).toEqual({ warmupRatio: 0 });
  });

  it('refuses what has no counterpart: quantised LoRA, data with a split, a switch that is none', () => {
    expect(failure({ adapter: 'qlora' }).message).toBe('adapter: expected lora, or full fine-tuning, got "qlora"');
    expect(failure({ datasets: [{ path: 'a', split: 'train[:10%]' }] }).message).toMatch('datasets: expected a file');
    expect(failure({ bf16: 'yes' }).message).toBe('bf16: expected true or false, got "yes"');
    expect(config({ fp16: true })).toEqual({ dtype: 'float16' }); // whether that is there is the schema's to say
    expect(failure({ bf16: true, fp16: true }).message).toMatch('are both dtype, and differ');
  });
});
