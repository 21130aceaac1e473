import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { packageRoot } from '../../../src/base/paths.ts';
import { parseModelConfig } from '../../../src/model/config.ts';
import { ggufToHuggingFace, readHuggingFaceTensor } from '../../../src/model/gguf/hugging-face.ts';
import { openGguf } from '../../../src/model/gguf/reader.ts';
import { type Changes, constant, describeSmall, smallTensors } from './small-model.ts';
import type { TensorSpec } from './writer.ts';

const goldenFolder = join(packageRoot, 'test/golden');
const golden = JSON.parse(readFileSync(join(goldenFolder, 'gguf-families.json'), 'utf8')) as Record<
  string,
  { config: Record<string, unknown>; tensors: Record<string, [shape: number[], hash: string]> }
>;

describe.each(Object.keys(golden))('%s, written with the gguf package', (name) => {
  it('has the configuration, names, shapes and values of the model it was made from', () => {
    const expected = golden[name]!;
    const gguf = openGguf(join(goldenFolder, 'gguf', `${name}.gguf`));
    try {
      const { config, tensorMap } = ggufToHuggingFace(gguf);
      expect(config).toMatchObject(expected.config);
      const tensors = [...tensorMap].map(([ggufName, hfName]) => {
        const values = readHuggingFaceTensor(gguf, config, ggufName);
        const hash = createHash('sha256').update(values).digest('hex').slice(0, 16);
        return [hfName, [gguf.tensor(ggufName)!.shape, hash]];
      });
      expect(Object.fromEntries(tensors)).toEqual(expected.tensors);
    } finally {
      gguf.close();
    }
  });
});

it('"mixed" has the types of a Q4_K_M file', () => {
  const gguf = openGguf(join(goldenFolder, 'gguf', 'mixed.gguf'));
  const types = new Set(gguf.tensors.map((tensor) => tensor.type));
  gguf.close();
  expect([...types].sort()).toEqual(['F32', 'Q4_K', 'Q5_0', 'Q6_K', 'Q8_0']);
});

const blocks = (parts: readonly (readonly [name: string, length: number])[]): TensorSpec[] =>
  [0, 1].flatMap((block) => parts.map(([name, length]) => constant(`blk.${block}.${name}`, [length])));
const queryKeyValueBiases = blocks([
  ['attn_q.bias', 4],
  ['attn_k.bias', 2],
  ['attn_v.bias', 2],
]);
const headNorms = blocks([
  ['attn_q_norm.weight', 2],
  ['attn_k_norm.weight', 2],
]);

describe('config.json', () => {
  it('of a Qwen2 model has no attention_bias, and every block has three', () => {
    const { config, tensorMap } = describeSmall({}, [...smallTensors(), ...queryKeyValueBiases], 'qwen2');
    expect(config).toMatchObject({ model_type: 'qwen2', use_sliding_window: false, sliding_window: null });
    expect(config).not.toHaveProperty('attention_bias');
    expect(config).not.toHaveProperty('mlp_bias');
    expect(tensorMap.get('blk.1.attn_v.bias')).toBe('model.layers.1.self_attn.v_proj.bias');
    expect(parseModelConfig(config)).toMatchObject({
      family: 'qwen2',
      biases: { queryKeyValue: true, output: false, mlp: false },
      windows: [undefined, undefined],
    });
  });

  it('of a Qwen3 model has heads of their own width, and norms of them', () => {
    const { config, tensorMap } = describeSmall({}, [...smallTensors(), ...headNorms], 'qwen3');
    expect(tensorMap.get('blk.0.attn_q_norm.weight')).toBe('model.layers.0.self_attn.q_norm.weight');
    expect(tensorMap.get('blk.1.attn_k_norm.weight')).toBe('model.layers.1.self_attn.k_norm.weight');
    expect(parseModelConfig(config)).toMatchObject({ family: 'qwen3', headNorms: true, headDim: 2 });
  });

  it('of a Llama file with a sliding window is of a Mistral model, of one without of a Llama', () => {
    const typeOf = (changes: Changes, architecture?: string) =>
      describeSmall(changes, smallTensors(), architecture).config;
    const windowed = typeOf({ 'llama.attention.sliding_window': ['u32', 16] });
    expect(windowed).toMatchObject({
      model_type: 'mistral',
      architectures: ['MistralForCausalLM'],
      sliding_window: 16,
    });
    expect(parseModelConfig(windowed).windows).toEqual([16, 16]);
    expect(typeOf({ 'llama.attention.sliding_window': ['u32', 0] }).model_type).toBe('llama');
    expect(typeOf({ 'general.name': ['string', 'Mistral-7B-v0.3'] }).model_type).toBe('llama');
    const named = typeOf({}, 'mistral');
    expect(named).toMatchObject({ model_type: 'mistral', sliding_window: null });
    expect(parseModelConfig(named).windows).toEqual([undefined, undefined]);
  });

  // biome-ignore format: one fault a line
  const faults: [what: string, architecture: string, tensors: TensorSpec[], changes: Changes, message: string][] = [
    ['a window in a Qwen2 model', 'qwen2', queryKeyValueBiases, { 'qwen2.attention.sliding_window': ['u32', 16] }, 'qwen2.attention.sliding_window: a sliding window (16) in a qwen2 model'],
    ['windows in some blocks', 'llama', [], { 'llama.attention.sliding_window_pattern': ['u32', 4] }, 'llama.attention.sliding_window_pattern: a sliding window in some blocks only'],
    ['a window that is no number', 'llama', [], { 'llama.attention.sliding_window': ['array', 'u32', [8, 0]] }, 'llama.attention.sliding_window: expected a whole number above 0, got an array of 2'],
    ['unknown scaled rotary of Qwen', 'qwen3', headNorms, { 'qwen3.rope.scaling.type': ['string', 'longrope'] }, 'qwen3.rope.scaling.type: rotary scaling "longrope"'],
    ['Qwen2 without biases', 'qwen2', [], {}, 'blk.0.attn_q.bias: the tensor is missing'],
    ['Qwen3 without head norms', 'qwen3', [], {}, 'blk.0.attn_q_norm.weight: the tensor is missing'],
    ['Qwen3 with biases', 'qwen3', [...headNorms, ...queryKeyValueBiases], {}, 'blk.0.attn_q.bias: no tensor of a Qwen3 model has this name'],
    ['head norms in a Llama', 'llama', headNorms, {}, 'blk.0.attn_q_norm.weight: no tensor of a Llama model has this name'],
  ];

  it.each(faults)('is refused: %s', (_, architecture, tensors, changes, message) => {
    const describeIt = () => describeSmall(changes, [...smallTensors(), ...tensors], architecture);
    expect(describeIt).toThrow(DataError);
    expect(describeIt).toThrow(message);
  });
});

it('tensors that cannot be decoded are refused before any is read, once a type', () => {
  const tensors = smallTensors().map((tensor) => ({ ...tensor }));
  // I8, I8, F64: types whose blocks are single values, so that the small shapes stay as they are.
  for (const [name, type, bytes] of [
    ['blk.0.ffn_up.weight', 24, 1],
    ['blk.1.ffn_up.weight', 24, 1],
    ['blk.1.ffn_down.weight', 28, 8],
  ] as const) {
    const index = tensors.findIndex((tensor) => tensor.name === name);
    tensors[index] = { ...tensors[index]!, type, data: new Uint8Array(24 * bytes) };
  }
  try {
    describeSmall({}, tensors);
    expect.unreachable();
  } catch (error) {
    expect((error as DataError).issues.map(({ path, message }) => [path, message.slice(0, 34)])).toEqual([
      ['blk.0.ffn_up.weight', 'tensor type I8 is not supported; s'],
      ['blk.1.ffn_down.weight', 'tensor type F64 is not supported; '],
    ]);
  }
});
