import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { parseModelConfig } from '../../src/model/config.ts';

const read = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../golden', name, 'config.json'), 'utf8')) as object;

/** The smallest file of a family; transformers fills in the rest. */
const bare = {
  vocab_size: 100,
  hidden_size: 64,
  intermediate_size: 48,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 4,
};

describe('what a file leaves out', () => {
  it.each([
    ['llama', { headDim: 8, maxPositions: 2048, windows: [undefined, undefined, undefined, undefined] }],
    ['mistral', { headDim: 8, maxPositions: 131_072, windows: [4096, 4096, 4096, 4096] }],
    ['qwen2', { headDim: 8, maxPositions: 32_768, windows: [undefined, undefined, undefined, undefined] }],
    ['qwen3', { headDim: 128, maxPositions: 32_768, headNorms: true }],
  ])('is as transformers has it: %s', (model_type, expected) => {
    expect(parseModelConfig({ ...bare, model_type })).toMatchObject({
      tiedEmbeddings: false,
      normEpsilon: 1e-6,
      rotary: { theta: 10_000, scaling: undefined },
      eosTokenIds: [],
      ...expected,
    });
  });

  it('is as transformers has it: opt', () => {
    const { intermediate_size: ffn_dim, num_key_value_heads: _, ...sizes } = bare;
    expect(parseModelConfig({ ...sizes, ffn_dim, model_type: 'opt' })).toMatchObject({
      architecture: 'opt',
      intermediateSize: 48,
      numKeyValueHeads: 8,
      tiedEmbeddings: true,
      rotary: undefined,
      maxPositions: 2048,
      biases: { queryKeyValue: true, output: true, mlp: true },
    });
  });
});

describe('windows', () => {
  const windows = (change: object) => parseModelConfig({ ...bare, ...change }).windows;

  it('are null, or one for all blocks, in Mistral', () => {
    expect(windows({ model_type: 'mistral', sliding_window: null })).toEqual(new Array(4).fill(undefined));
    expect(windows({ model_type: 'mistral', sliding_window: 7 })).toEqual([7, 7, 7, 7]);
  });

  it.each(['qwen2', 'qwen3'])(
    'begin at max_window_layers in %s, or stand in layer_types, where they are used',
    (model_type) => {
      const set = { model_type, sliding_window: 7, max_window_layers: 3 };
      expect(windows(set)).toEqual(new Array(4).fill(undefined));
      expect(windows({ ...set, use_sliding_window: true })).toEqual([undefined, undefined, undefined, 7]);
      const [full, sliding] = ['full_attention', 'sliding_attention'];
      const types = { ...set, use_sliding_window: true, layer_types: [sliding, full, sliding, full] };
      expect(windows(types)).toEqual([7, undefined, 7, undefined]);
    },
  );
});

it('rotary settings stand in rope_parameters, in rope_scaling, or beside them', () => {
  const rotary = (change: object) => parseModelConfig({ ...bare, model_type: 'llama', ...change }).rotary;
  expect(rotary({ rope_theta: 5e5 })).toEqual({ theta: 5e5, scaling: undefined });
  expect(rotary({ rope_theta: 5e5, rope_scaling: { type: 'linear', factor: 2 } })).toEqual({
    theta: 5e5,
    scaling: { kind: 'linear', factor: 2 },
  });
  expect(rotary({ rope_parameters: { rope_type: 'default', rope_theta: 1e6 } })?.theta).toBe(1e6);
  const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 512 };
  expect(rotary({ rope_scaling: yarn })?.scaling).toMatchObject({ originalMaxPositions: 512 });
  expect(rotary({ rope_scaling: yarn, original_max_position_embeddings: 256 })?.scaling).toMatchObject({
    originalMaxPositions: 256,
  });
});

describe('what we do not compute', () => {
  it.each([
    ['llama', { hidden_act: 'gelu' }, 'activation "gelu" is not supported'],
    ['llama', { num_key_value_heads: 3 }, '8 heads cannot share 3 key/value heads evenly'],
    ['llama', { num_attention_heads: 12 }, '12 heads cannot share a width of 64 evenly'],
    ['llama', { head_dim: 7 }, 'a rotated head needs an even width, got 7'],
    ['llama', { partial_rotary_factor: 0.5 }, 'partial_rotary_factor: 0.5'],
    ['llama', { rope_scaling: { rope_type: 'longrope', factor: 2 } }, 'rotary scaling "longrope" is not supported'],
    ['llama', { rope_scaling: { rope_type: 'linear' } }, 'rotary scaling "linear" needs factor'],
    ['llama', { rope_scaling: { rope_type: 'llama3', factor: 2 } }, 'rotary scaling "llama3" needs low_freq_factor'],
    ['qwen3', { rope_parameters: { full_attention: { rope_theta: 1e6 } } }, '(full_attention) are not supported'],
    ['llama', { quantization_config: { bits: 4 } }, 'quantization_config'],
    ['llama', { is_causal: false }, 'is_causal'],
    ['mistral', { layer_types: ['full_attention'] }, 'layer_types of a Mistral model'],
    ['qwen2', { use_mrope: true }, 'use_mrope'],
    ['qwen2', { layer_types: ['full_attention'] }, 'layer_types: expected 4, one a block, got 1'],
    ['qwen3', { layer_types: new Array(4).fill('linear_attention') }, '"linear_attention"'],
    ['qwen3', { layer_types: new Array(4).fill('sliding_attention') }, 'use_sliding_window is not set'],
    ['opt', { do_layer_norm_before: false }, 'do_layer_norm_before'],
    ['opt', { word_embed_proj_dim: 32 }, 'word_embed_proj_dim: 32'],
    ['opt', { activation_function: 'gelu' }, 'activation "gelu"'],
    ['opt', { _remove_final_layer_norm: true }, '_remove_final_layer_norm'],
    ['opt', { layer_norm_elementwise_affine: false }, 'norms without weights'],
  ])('is refused by name: %s %j', (model_type, change, message) => {
    const parse = () => parseModelConfig({ ...bare, ffn_dim: 48, model_type, ...change });
    expect(parse).toThrow(DataError);
    expect(parse).toThrow(message);
  });

  it('in families we do not know is refused with those we do', () => {
    try {
      parseModelConfig({ ...read('mistral'), model_type: 'gemma2' });
      expect.unreachable();
    } catch (error) {
      expect((error as DataError).message).toContain('model type "gemma2" is not supported');
      for (const family of ['llama', 'mistral', 'qwen2', 'qwen3', 'opt']) {
        expect((error as DataError).hint).toContain(family);
      }
    }
  });

  it('in the file is named with its place', () => {
    expect(() => parseModelConfig({ ...read('qwen2'), vocab_size: 'many' })).toThrow('vocab_size');
    expect(() => parseModelConfig({})).toThrow('model_type');
    expect(() => parseModelConfig([])).toThrow(DataError);
  });
});
