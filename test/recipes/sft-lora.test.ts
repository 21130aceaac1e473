import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type SftConfig, sftSchema } from '../../recipes/sft-config.ts';
import { dropoutAt } from '../../recipes/training-student.ts';
import { sha256 } from '../../src/base/hash.ts';
import { readConversations } from '../../src/data/formats.ts';
import { encodeDocuments, holdOut } from '../../src/data/pack.ts';
import { answerLogprobs } from '../../src/infer/logprobs.ts';
import { answerOn } from '../../src/local/answer.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { readHeader } from '../../src/torch/safetensors.ts';
import { liveTensors } from '../../src/torch/tensor.ts';
import {
  checkpointsIn,
  configFor,
  dataFile,
  fileIn,
  goldenModel,
  jsonIn,
  logOf,
  randomModel,
  scratch,
  sums,
  train,
} from './sft-run.ts';

const data = [dataFile('sums', sums(10))];
const lora = (targets: string[] | 'all' = ['q_proj', 'down_proj']): NonNullable<SftConfig['lora']> => ({
  rank: 2,
  alpha: 8,
  targets,
  dropout: 0,
});
const adapters = 'adapter_model.safetensors';

/** Of all its files. */
const content = (folder: string): string =>
  sha256(
    readdirSync(folder)
      .sort()
      .map((name) => [name, sha256(fileIn(folder, name).toString('hex'))]),
  );

const sampling = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 };

/** Greedy answers to rows of `sums`, and the mean log-probability of a right one. */
async function ask(folder: string) {
  const model = loadModel(folder, { dtype: 'float32' });
  const prompt = { role: 'user', content: 'Say it.' } as const;
  const request = { key: 'hi', messages: [prompt], maxTokens: 8, sampling, stop: [] };
  const [answer] = await answerOn(model).answer([request]);
  const [score] = await answerOn(model).score([[prompt, { role: 'assistant', content: 'hi' }]]);
  model.decoder.release();
  return { text: answer?.text, perToken: (score?.sum ?? 0) / (score?.tokens ?? 1) };
}

describe.each([
  // What rank 2 adds to q_proj [32, 32] and down_proj [32, 48] or [32, 40], in two layers or three.
  { name: 'llama-tied', model: goldenModel('llama-tied'), trained: 2 * (2 * (32 + 32) + 2 * (32 + 48)) },
  { name: 'qwen2', model: randomModel('qwen2'), trained: 3 * (2 * (32 + 32) + 2 * (32 + 40)) },
])('adapters of $name', ({ name, model, trained }) => {
  const settings = (folder: string, more: Partial<SftConfig> = {}): SftConfig =>
    configFor(`${name}-${folder}`, { model, data, lora: lora(), learningRate: 2e-2, ...more });

  it('are a PEFT folder that has learned; the model itself is untouched', async () => {
    const before = { live: liveTensors(), base: content(model) };
    const { result } = await train(settings('float32'));
    expect(liveTensors()).toBeLessThanOrEqual(before.live); // what interrupted runs left may go meanwhile
    expect(content(model)).toBe(before.base);
    const files = readdirSync(result.model).filter((name) => /\.(json|jinja|safetensors)$/.test(name));
    expect(files.sort()).toEqual(['adapter_config.json', adapters, 'sft.json']);
    expect(jsonIn(result.model, 'adapter_config.json')).toMatchObject({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: model,
      r: 2,
      lora_alpha: 8,
      target_modules: ['q_proj', 'down_proj'],
    });
    const { entries } = readHeader(join(result.model, adapters));
    const layer = 'base_model.model.model.layers.1.self_attn.q_proj';
    expect(entries.get(`${layer}.lora_A.weight`)).toMatchObject({ dtype: 'float32', shape: [2, 32] });
    expect(entries.get(`${layer}.lora_B.weight`)).toMatchObject({ dtype: 'float32', shape: [32, 2] });
    expect([...entries.values()].reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0)).toBe(trained);
    expect(result.trained).toBe(trained);
    expect(result.parameters).toBeGreaterThan(10_000);
    const losses = logOf(result.model).map(({ loss }) => loss!);
    expect(losses.at(-1)).toBeLessThan(losses[0]! * 0.8);
  });

  it.each(['float32', 'bfloat16'] as const)('interrupted and resumed in %s are the same bits', async (dtype) => {
    const whole = settings(dtype, { dtype });
    if (dtype !== 'float32') await train(whole);
    const stopped = settings(`${dtype}-stopped`, { dtype });
    await expect(train(stopped, 2)).rejects.toThrow('saved after step 2');
    const files = readdirSync(join(stopped.output, 'checkpoint-2'));
    expect(files).toEqual(expect.arrayContaining(['adapter_config.json', adapters, 'optimizer.safetensors']));
    await expect(train(stopped, 5)).rejects.toThrow('saved after step 5');
    const { events } = await train(stopped);
    expect(events.find((event) => event.kind === 'step')).toMatchObject({ row: { step: 6 } });
    expect(checkpointsIn(stopped.output)).toEqual([]);
    expect(fileIn(stopped.output, adapters).equals(fileIn(whole.output, adapters))).toBe(true);
    expect(logOf(stopped.output)).toEqual(logOf(whole.output));
  });

  it('are the same bits where blocks are recomputed, as are all weights', async () => {
    const again = await train(settings('recomputed', { recompute: 'always' }));
    expect(fileIn(again.result.model, adapters).equals(fileIn(settings('float32').output, adapters))).toBe(true);
    const [kept, recomputed] = await Promise.all(
      (['never', 'always'] as const).map((recompute) =>
        train(settings(`all-weights-${recompute}`, { recompute, lora: undefined, epochs: 1 })),
      ),
    );
    const weights = ({ result }: Awaited<ReturnType<typeof train>>) => fileIn(result.model, 'model.safetensors');
    expect(weights(recomputed!).equals(weights(kept!))).toBe(true);
    expect(weights(kept!).equals(fileIn(model, 'model.safetensors'))).toBe(false);
  });

  it('are the same bits with dropout too, interrupted or recomputed', async () => {
    const dropping = (folder: string, more: Partial<SftConfig> = {}) =>
      settings(`dropout-${folder}`, { lora: { ...lora(), dropout: 0.3 }, batchTokens: 256, epochs: 3, ...more });
    const { result } = await train(dropping('whole'));
    const stopped = dropping('stopped');
    await expect(train(stopped, 2)).rejects.toThrow('saved after step 2');
    await train(stopped);
    await train(dropping('recomputed', { recompute: 'always' }));
    for (const other of ['stopped', 'recomputed']) {
      const { output } = dropping(other);
      expect(fileIn(output, adapters).equals(fileIn(result.model, adapters)), other).toBe(true);
      expect(logOf(output), other).toEqual(logOf(result.model));
    }
    expect(jsonIn(result.model, 'adapter_config.json')).toMatchObject({ lora_dropout: 0.3 });
    // Adapters begin without effect: what they do not see shows from the second step on.
    await train(dropping('none', { lora: lora() }));
    const [withDropout, without] = ['whole', 'none'].map((name) =>
      logOf(dropping(name).output).map(({ loss }) => loss),
    );
    expect(withDropout![0]).toBe(without![0]);
    expect(withDropout![1]).not.toBe(without![1]);
  });

  it('are merged where the folder is loaded as a model, which then answers as it was taught', async () => {
    const taught = dataFile(
      'hi',
      Array.from({ length: 8 }, () => ({ instruction: 'Say it.', output: 'hi' })),
    );
    const { result } = await train(
      settings('taught', {
        data: [taught],
        lora: { ...lora('all'), rank: 4 },
        epochs: 12,
        learningRate: 3e-2,
        schedule: 'constant',
      }),
    );
    const [base, adapted] = [await ask(model), await ask(result.model)];
    expect(base.text).not.toBe('hi');
    expect(adapted.text).toBe('hi');
    // Adapters begin without effect, and one step at the end of the training changes little.
    const losses = logOf(result.model).map(({ loss }) => loss as number);
    expect(base.perToken).toBeCloseTo(-losses[0]!, 4);
    expect(adapted.perToken).toBeCloseTo(-losses.at(-1)!, 1);
  });
});

describe('dropout', () => {
  it('is of the seed, the step and its pack; there is none without a rate', () => {
    const config = (more: Partial<SftConfig> = {}) =>
      configFor('keys', { model: '', data, lora: { ...lora(), dropout: 0.1 }, ...more });
    const first = dropoutAt(config(), 7, 0);
    expect(first?.rate).toBe(0.1);
    expect(dropoutAt(config(), 7, 0)).toEqual(first);
    for (const other of [dropoutAt(config(), 8, 0), dropoutAt(config(), 7, 1), dropoutAt(config({ seed: 2 }), 7, 0)]) {
      expect(other?.key).not.toEqual(first?.key);
    }
    expect(dropoutAt(config({ lora: lora() }), 7, 0)).toBeUndefined();
    expect(dropoutAt(config({ lora: undefined }), 7, 0)).toBeUndefined();
  });

  it('is a share of the input: from 0 up to, and without, 1', () => {
    const parse = (dropout: number) => sftSchema.safeParse({ model: 'm', data: ['d'], output: 'o', lora: { dropout } });
    expect([0, 0.05, 0.999].map((rate) => parse(rate).data?.lora?.dropout)).toEqual([0, 0.05, 0.999]);
    const messages = [-0.1, 1, 2].map((rate) => parse(rate).error?.issues.map(({ path }) => path.join('.')));
    expect(messages).toEqual([['lora.dropout'], ['lora.dropout'], ['lora.dropout']]);
  });

  it('is not there where the loss is measured on held-out rows', async () => {
    const model = goldenModel('llama-tied');
    const dropping = { ...lora(), dropout: 0.5 };
    const settings = { model, data, lora: dropping, evalShare: 0.3, learningRate: 2e-2, evalEverySteps: 1 };
    const { result } = await train(configFor('held-out', settings));
    const best = result.heldOut!.losses.find(({ step }) => step === result.heldOut!.bestStep)!;
    // The same rows, with the adapters that were saved.
    const { decoder, tokenizer, template } = loadModel(result.model, { dtype: 'float32' });
    const conversations = data.flatMap((file) => readConversations(file));
    const { documents } = encodeDocuments(conversations, tokenizer, template, 1024);
    const { heldOut } = holdOut(documents, 0.3, 1);
    const scores = await answerLogprobs(decoder, heldOut);
    const [sum, tokens] = scores.reduce(([s, t], one) => [s + one.sum, t + one.tokens], [0, 0]);
    expect(-sum! / tokens!).toBeCloseTo(best.loss, 4);
    decoder.release();
  });
});

describe('adapters', () => {
  const model = goldenModel('llama-tied');

  it('of layers that the model does not have are refused by name', async () => {
    const config = configFor('wrong', { model, data, lora: lora(['q_proj', 'query', 'c_attn']) });
    const error: unknown = await train(config).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'config',
      message: 'lora.targets: this model has no layer query, c_attn',
      hint: 'its linear layers: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj',
    });
    expect(readdirSync(config.output)).toEqual(['.lock']);
  });

  it('find the model they belong to where it was, or beside them; else they say what is missing', async () => {
    const there = join(scratch, 'there');
    mkdirSync(there);
    cpSync(model, join(there, 'base'), { recursive: true });
    const config = configFor('there/adapters', { model: join(there, 'base'), data, lora: lora(), epochs: 1 });
    const { result } = await train(config);
    const [base, adapted] = [await ask(model), await ask(result.model)];
    expect(adapted.perToken).not.toBe(base.perToken);
    const elsewhere = join(scratch, 'elsewhere');
    renameSync(there, elsewhere);
    expect(await ask(join(elsewhere, 'adapters'))).toEqual(adapted);
    rmSync(join(elsewhere, 'base'), { recursive: true });
    expect(() => loadModel(join(elsewhere, 'adapters'), { dtype: 'float32' })).toThrow(
      `${join(elsewhere, 'adapters')} holds adapters for ${join(there, 'base')}, and there is no such model folder`,
    );
  });
});
