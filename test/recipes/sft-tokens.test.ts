import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sftAliases } from '../../recipes/sft-aliases.ts';
import type { SftConfig } from '../../recipes/sft-config.ts';
import { checkSftInput } from '../../recipes/sft-input.ts';
import { encodeDocuments } from '../../src/data/pack.ts';
import { answerOn } from '../../src/local/answer.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { resolveAliases } from '../../src/run/aliases.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { toFloat32 } from '../../src/torch/convert.ts';
import { readHeader } from '../../src/torch/safetensors.ts';
import { liveTensors } from '../../src/torch/tensor.ts';
import { checkpointsIn, configFor, dataFile, fileIn, goldenModel, jsonIn, scratch, train } from './sft-run.ts';

const turns = ['<|turn|>', '<|done|>'];
/** The golden models know neither token; theirs are 259. */
const [turn, done] = [259, 260];
const template = join(scratch, 'turns.jinja');
writeFileSync(
  template,
  `{% for message in messages %}{{ '<|turn|>' + message['role'] + '\\n' + message['content'] + '<|done|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|turn|>assistant\\n' }}{% endif %}`,
);
const data = [
  dataFile(
    'hi',
    Array.from({ length: 8 }, () => ({ instruction: 'Say it.', output: 'hi' })),
  ),
];

const taught = (name: string, model: string, more: Partial<SftConfig> = {}): SftConfig =>
  configFor(name, {
    model,
    data,
    template,
    addTokens: turns,
    epochs: 12,
    learningRate: 1e-2,
    schedule: 'constant',
    ...more,
  });

/** A copy of a golden model with other files; undefined: without it. */
function copyOf(name: string, model: string, files: Readonly<Record<string, object | undefined>>): string {
  const folder = join(scratch, name);
  cpSync(goldenModel(model), folder, { recursive: true });
  for (const [file, value] of Object.entries(files)) {
    if (value === undefined) rmSync(join(folder, file));
    else writeFileSync(join(folder, file), JSON.stringify(value));
  }
  return folder;
}

async function ask(folder: string) {
  const model = loadModel(folder, { dtype: 'float32' });
  const sampling = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 };
  const messages = [{ role: 'user', content: 'Say it.' }] as const;
  const [answer] = await answerOn(model).answer([{ key: 'hi', messages, maxTokens: 16, sampling, stop: [] }]);
  model.decoder.release();
  return { text: answer?.text, finishReason: answer?.finishReason, stopTokens: model.stopTokens };
}

const savedFiles = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
];

describe.each([
  { model: 'llama-tied', tables: ['model.embed_tokens.weight'] },
  { model: 'llama3-untied', tables: ['lm_head.weight', 'model.embed_tokens.weight'] },
])('tokens added to $model', ({ model, tables }) => {
  const base = goldenModel(model);

  it('are in tokenizer and weights of what is saved, and answers stop at the one that ends a turn', async () => {
    const before = liveTensors();
    const { result, notes } = await train(taught(model, base));
    expect(liveTensors()).toBeLessThanOrEqual(before);
    expect(notes).toContain('added to the vocabulary: <|turn|> (259), <|done|> (260)');
    expect(notes).toContain('answers end with <|done|> in template turns.jinja: decoding will stop at it too');
    expect(loadTokenizer(result.model).encode('a<|turn|>b<|done|>')).toEqual([
      ...loadTokenizer(base).encode('a'),
      turn,
      ...loadTokenizer(base).encode('b'),
      done,
    ]);
    const { entries } = readHeader(join(result.model, 'model.safetensors'));
    const large = [...entries].filter(([, { shape }]) => shape[0] === 261);
    expect(large.map(([name]) => name).sort()).toEqual(tables);
    expect([...entries.values()].some(({ shape }) => shape[0] === 259)).toBe(false);
    expect(jsonIn(result.model, 'config.json')).toMatchObject({ vocab_size: 261, eos_token_id: 2 });
    expect(jsonIn(result.model, 'generation_config.json')).toMatchObject({ eos_token_id: [2, done], bos_token_id: 1 });
    expect(await ask(result.model)).toEqual({ text: 'hi', finishReason: 'stop', stopTokens: [2, done] });
  });

  it('are in every checkpoint: resumed is uninterrupted, bit for bit', async () => {
    const stopped = taught(`${model}-stopped`, base);
    await expect(train(stopped, 2)).rejects.toThrow('saved after step 2');
    expect(checkpointsIn(stopped.output)).toEqual(['checkpoint-2']);
    const checkpoint = join(stopped.output, 'checkpoint-2');
    const saved = loadModel(checkpoint, { dtype: 'float32' });
    expect(saved.tokenizer.encode('<|done|>')).toEqual([done]);
    expect([saved.decoder.config.vocabSize, saved.stopTokens]).toEqual([261, [2, done]]);
    saved.decoder.release();
    await train(stopped);
    for (const name of [...savedFiles, 'chat_template.jinja']) {
      expect([name, fileIn(stopped.output, name).equals(fileIn(join(scratch, model), name))]).toEqual([name, true]);
    }
  });

  it('begin as the mean of the others, of the embedding and of the head', async () => {
    // A learning rate too small to move a float32.
    const { result } = await train(taught(`${model}-still`, base, { epochs: 1, learningRate: 1e-30 }));
    const { decoder } = loadModel(result.model, { dtype: 'float32' });
    for (const name of tables) {
      const values = toFloat32(decoder.parameter(name)); // [261, 32]
      const column = (from: number, to: number, at: number) =>
        Array.from({ length: to - from }, (_, row) => values[(from + row) * 32 + at] as number);
      for (let at = 0; at < 32; at++) {
        const mean = column(0, 259, at).reduce((sum, value) => sum + value, 0) / 259;
        for (const value of column(259, 261, at)) expect(value).toBeCloseTo(mean, 6);
      }
    }
    decoder.release();
  });

  it('are part of what the run is', async () => {
    await expect(train(taught(model, base, { addTokens: [...turns].reverse() }))).rejects.toThrow(
      'holds a run with other settings',
    );
  });
});

describe('tokens listed for a model', () => {
  const tied = goldenModel('llama-tied');
  const once = { epochs: 1 };

  it('are computed with in bf16 as well', async () => {
    const { result } = await train(taught('bf16', tied, { dtype: 'bfloat16' }));
    expect(await ask(result.model)).toEqual({ text: 'hi', finishReason: 'stop', stopTokens: [2, done] });
  });

  it('are left as they are where it has them: nothing of tokenizer and stop tokens changes', async () => {
    const config = configFor('known', { model: tied, data, ...once, addTokens: ['<|im_start|>', '<|im_end|>', 'a'] });
    const { result, notes } = await train(config);
    expect(notes.filter((text) => text.includes('vocabulary'))).toEqual([
      'in the vocabulary already, left as they are: <|im_start|>, <|im_end|>',
      'in the vocabulary already, left as they are: ordinary pieces, not matched whole: a',
    ]);
    for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'])
      expect([name, fileIn(result.model, name).equals(fileIn(tied, name))]).toEqual([name, true]);
    expect(jsonIn(result.model, 'config.json')).toMatchObject({ vocab_size: 259, eos_token_id: 2 });
  });

  it('stop answers where they end them, also those that it had', async () => {
    const model = copyOf('stops-elsewhere', 'llama-tied', { 'generation_config.json': { eos_token_id: 0, top_k: 5 } });
    const config = configFor('had', { model, data, ...once, addTokens: ['<|im_end|>'] });
    const { result } = await train(config);
    expect(jsonIn(result.model, 'generation_config.json')).toEqual({ eos_token_id: [0, 2], top_k: 5 });
    expect(jsonIn(result.model, 'config.json')).toMatchObject({ vocab_size: 259, eos_token_id: 2 });
  });

  it('become stop tokens of config.json where those are read from it', async () => {
    const without = copyOf('no-generation', 'llama-tied', { 'generation_config.json': undefined });
    const { result } = await train(taught('no-generation-student', without, once));
    expect(existsSync(join(result.model, 'generation_config.json'))).toBe(false);
    expect(jsonIn(result.model, 'config.json')).toMatchObject({ eos_token_id: [2, done] });
    const silent = copyOf('silent-generation', 'llama-tied', { 'generation_config.json': { top_k: 5 } });
    const { result: other } = await train(taught('silent-generation-student', silent, once));
    expect(jsonIn(other.model, 'generation_config.json')).toEqual({ top_k: 5, eos_token_id: [2, done] });
    expect(jsonIn(other.model, 'config.json')).toMatchObject({ eos_token_id: [2, done] });
  });

  it('cannot be new where adapters are trained: the embeddings are frozen', async () => {
    const lora = { rank: 2, alpha: 8, targets: 'all', dropout: 0 } as const;
    const refused = taught('adapters', tied, { ...once, lora });
    await expect(train(refused)).rejects.toMatchObject({
      code: 'config',
      message: 'addTokens: <|turn|>, <|done|>: new to the model, and with lora its embeddings are frozen',
    });
    expect(readdirSync(refused.output)).toEqual(['.lock']);
    const known = { model: tied, data, ...once, lora, addTokens: ['<|im_end|>'] };
    const { result, notes } = await train(configFor('adapters-known', known));
    expect(notes).toContain('in the vocabulary already, left as they are: <|im_end|>');
    expect(readdirSync(result.model)).not.toContain('tokenizer.json');
  });

  it('are refused before anything is loaded where one is empty or given twice', async () => {
    const config = taught('bad', 'no-such-model', { addTokens: ['<|turn|>', '', '<|turn|>'] });
    expect(() => checkSftInput(config)).toThrow(
      'addTokens: expected different tokens, each with a text, got an empty one, "<|turn|>" more than once',
    );
  });

  it('are taken by the names of other tools', () => {
    const ours = (raw: Record<string, unknown>) => resolveAliases(raw, sftAliases).config;
    const addTokens = turns;
    expect(ours({ tokens: turns })).toEqual({ addTokens });
    expect(ours({ add_special_tokens: '<|turn|>, <|done|>' })).toEqual({ addTokens });
    expect(ours({ new_special_tokens: '<|turn|>,<|done|>' })).toEqual({ addTokens });
    expect(ours({ tokens: null })).toEqual({});
    expect(() => ours({ add_special_tokens: true })).toThrow(
      'add_special_tokens: expected tokens, in a list or with commas between, got true',
    );
  });
});

describe('a pad token that is the end of a turn and the eos token', () => {
  const model = copyOf('padded', 'llama-tied', {
    'tokenizer_config.json': { bos_token: '<|im_start|>', eos_token: '<|im_end|>', pad_token: '<|im_end|>' },
  });

  it('is trained wherever it ends an answer, and nowhere else: labels go by position', () => {
    const { tokenizer, template: own, decoder } = loadModel(model, { dtype: 'float32' });
    decoder.release();
    expect([tokenizer.padId, tokenizer.eosId]).toEqual([2, 2]);
    const messages = ['Hi.', 'hi', 'Again.', 'ho'].map((content, i) => {
      return { role: i % 2 === 0 ? ('user' as const) : ('assistant' as const), content };
    });
    const conversation = { id: 'x', messages, provenance: { source: 'seed' as const } };
    const { documents } = encodeDocuments([conversation], tokenizer, own, 1024);
    const { ids, labelMask } = documents[0] as (typeof documents)[number];
    const ends = ids.flatMap((id, i) => (id === tokenizer.padId ? [labelMask[i]] : []));
    expect(ends).toEqual([0, 1, 0, 1]);
    expect(tokenizer.decode(ids.filter((_, i) => labelMask[i] === 1))).toBe('hi<|im_end|>ho<|im_end|>');
  });

  it('is what a student learns to stop with', async () => {
    const { result } = await train(configFor('padded-student', { model, data, epochs: 12, learningRate: 1e-2 }));
    expect(await ask(result.model)).toEqual({ text: 'hi', finishReason: 'stop', stopTokens: [2] });
  });
});
