import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { heldOutFile } from '../../recipes/reward-card.ts';
import type { RewardConfig } from '../../recipes/reward-config.ts';
import { readPreferences } from '../../src/data/formats.ts';
import type { RewardedGroup } from '../../src/evaluate/reward-card.ts';
import { rewardsOf } from '../../src/infer/rewards.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { encodeConversation } from '../../src/text/chat-template.ts';
import { readHeader } from '../../src/torch/safetensors.ts';
import { liveTensors } from '../../src/torch/tensor.ts';
import { comparisons, rewardConfig, rowsFile, trainReward } from './comparison-run.ts';
import {
  checkpointsIn,
  configFor,
  dataFile,
  fileIn,
  goldenModel,
  jsonIn,
  logOf,
  modelWithBrokenLetter,
  randomModel,
  scratch,
  sums,
  train,
} from './sft-run.ts';

const model = goldenModel('llama-tied');
const data = [rowsFile('yes', comparisons(30))];
const lora = { rank: 4, alpha: 8, targets: 'all', dropout: 0 } as const;
const few = { rank: 1, alpha: 8, targets: ['q_proj', 'v_proj', 'down_proj'], dropout: 0 };

const configure = (name: string, more: Partial<RewardConfig> = {}): RewardConfig =>
  rewardConfig(name, { model, data, epochs: 5, evalShare: 0.2, ...more });

const heldOutOf = (folder: string): RewardedGroup[] =>
  fileIn(folder, heldOutFile)
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RewardedGroup);

/** What the folder says of all answers of held-out groups, as anybody would ask it. */
async function rewardsBy(folder: string, groups: readonly RewardedGroup[]): Promise<number[]> {
  const { decoder, tokenizer, template } = loadModel(folder, { dtype: 'float32', scores: true });
  const documents = groups.flatMap(({ prompt, answers }) =>
    answers.map(({ content }) => encodeConversation(tokenizer, template, [...prompt, { role: 'assistant', content }])),
  );
  const rewards = await rewardsOf(decoder, documents);
  decoder.release();
  return rewards;
}

describe.each([
  { name: 'all weights', more: {}, file: 'model.safetensors' },
  { name: 'all weights, embeddings untied', more: { model: goldenModel('llama3-untied') }, file: 'model.safetensors' },
  { name: 'adapters', more: { lora, learningRate: 2e-2 }, file: 'adapter_model.safetensors' },
  {
    name: 'adapters of qwen2 in bf16',
    more: { lora: few, learningRate: 2e-2, model: randomModel('qwen2'), dtype: 'bfloat16' },
    file: 'adapter_model.safetensors',
  },
] as const)('a reward model, $name', ({ name, more, file }) => {
  const whole = configure(`${name} whole`, more);

  it('learns which answers win', async () => {
    const before = liveTensors();
    const { result, rows } = await trainReward(whole);
    expect(liveTensors()).toBeLessThanOrEqual(before);
    expect(result.receipt).toMatchObject({ prompts: 30, kept: 30, pairs: 30, ties: 0, dropped: [] });
    const metrics = rows.map((row) => row.metrics!);
    // The first reward of a fresh model says little.
    expect(Math.abs(rows[0]!.loss - Math.LN2)).toBeLessThan(0.3);
    const last = metrics.slice(-3).map(({ accuracy }) => accuracy!);
    expect(last.reduce((sum, one) => sum + one, 0) / last.length).toBeGreaterThan(0.9);
    const evaluated = metrics.findLast((own) => own['eval/accuracy'] !== undefined)!;
    expect(evaluated['eval/accuracy']).toBeGreaterThan(0.9);
    expect(evaluated['eval/min_reward']).toBeLessThan(evaluated['eval/mean_reward']!);
    expect(evaluated['eval/mean_reward']).toBeLessThan(evaluated['eval/max_reward']!);
    expect(result.heldOut?.rows).toBe(6);
  });

  it('interrupted and resumed, has the same bits', async () => {
    const stopped = configure(`${name} stopped`, more);
    await expect(trainReward(stopped, 2)).rejects.toThrow('saved after step 2');
    await expect(trainReward(stopped, 7)).rejects.toThrow('saved after step 7');
    const { rows, notes } = await trainReward(stopped);
    expect(rows[0]).toMatchObject({ step: 8 });
    expect(notes).toContain('going on after step 7');
    expect(checkpointsIn(stopped.output)).toEqual([]);
    expect(fileIn(stopped.output, file).equals(fileIn(whole.output, file))).toBe(true);
    expect(fileIn(stopped.output, heldOutFile).equals(fileIn(whole.output, heldOutFile))).toBe(true);
    expect(logOf(stopped.output)).toEqual(logOf(whole.output));
  });

  it('does nothing again when it is done, and never mixes two settings in one folder', async () => {
    const { rows, result } = await trainReward(whole);
    expect(rows).toEqual([]);
    expect(result.heldOutFile).toBe(join(whole.output, heldOutFile));
    await expect(trainReward({ ...whole, centering: 0.01 })).rejects.toThrow('holds a run with other settings');
  });

  it('leaves the rewards of what was held out, which are those of its folder', async () => {
    const groups = heldOutOf(whole.output);
    expect(groups).toHaveLength(6);
    const prompts = readPreferences(data[0] as string).map(({ prompt }) => prompt);
    for (const { prompt, answers, pairs } of groups) {
      expect(prompts).toContainEqual(prompt);
      expect(pairs).toEqual([{ better: 0, worse: 1 }]);
      expect(answers.map(({ rank }) => rank)).toEqual([1, 2]);
      expect(answers.map(({ tokens }) => tokens)).toEqual(answers.map(({ content }) => content.length + 1)); // bytes
    }
    const kept = groups.flatMap(({ answers }) => answers.map(({ reward }) => reward));
    const again = await rewardsBy(whole.output, groups);
    const tolerance = whole.dtype === 'bfloat16' ? 0.1 : 1e-4;
    kept.forEach((reward, i) => {
      expect(Math.abs(reward - again[i]!)).toBeLessThan(tolerance);
    });
    const right = groups.filter(({ answers: [better, worse] }) => better!.reward > worse!.reward);
    expect(right).toHaveLength(6);
  });
});

describe('the folder of a reward model', () => {
  it('is a classifier of one label, with its template, padded by what ends no conversation', () => {
    const { output } = configure('all weights, embeddings untied whole');
    expect(jsonIn(output, 'config.json')).toMatchObject({
      architectures: ['LlamaForSequenceClassification'],
      id2label: { 0: 'reward' },
      pad_token_id: 0,
    });
    const { entries } = readHeader(join(output, 'model.safetensors'));
    expect(entries.get('score.weight')?.shape).toEqual([1, 32]);
    expect(entries.has('lm_head.weight')).toBe(false);
    expect(readdirSync(output)).toEqual(expect.arrayContaining(['chat_template.jinja', 'tokenizer.json']));
  });

  it('of adapters has its head beside them, trained and in fp32', () => {
    const { output } = configure('adapters of qwen2 in bf16 whole');
    expect(jsonIn(output, 'adapter_config.json')).toMatchObject({ task_type: 'SEQ_CLS', modules_to_save: ['score'] });
    const { entries } = readHeader(join(output, 'adapter_model.safetensors'));
    expect(entries.get('base_model.model.score.weight')).toMatchObject({ dtype: 'float32', shape: [1, 32] });
  });

  it('takes another token for padding where conversations end with the tokenizer’s', async () => {
    const copy = join(scratch, 'pad-is-end');
    cpSync(model, copy, { recursive: true });
    const settings = jsonIn<object>(copy, 'tokenizer_config.json');
    writeFileSync(join(copy, 'tokenizer_config.json'), JSON.stringify({ ...settings, pad_token: '<|im_end|>' }));
    const ending = join(scratch, 'ends-with-end.jinja');
    const turn = "'<|im_start|>' + message['role'] + ':' + message['content'] + '<|im_end|>'";
    const start = "{% if add_generation_prompt %}{{ '<|im_start|>assistant:' }}{% endif %}";
    writeFileSync(ending, `{% for message in messages %}{{ ${turn} }}{% endfor %}${start}`);
    const { result } = await trainReward(configure('padded', { model: copy, template: ending, epochs: 1 }));
    expect(jsonIn(result.model, 'config.json')).toMatchObject({ pad_token_id: 1 }); // <|im_start|>
  });

  it('can be trained further, with the head it has', async () => {
    const from = configure('all weights whole').output;
    const { rows, result } = await trainReward(configure('further', { model: from, epochs: 1, learningRate: 1e-6 }));
    expect(rows[0]?.metrics?.['accuracy']).toBeGreaterThan(0.9);
    expect(rows[0]?.loss).toBeLessThan(0.3);
    const onTop = await trainReward(configure('on top', { model: from, epochs: 1, lora, learningRate: 1e-6 }));
    const before = liveTensors();
    const groups = heldOutOf(onTop.result.model);
    const first = await rewardsBy(from, groups);
    const second = await rewardsBy(onTop.result.model, groups);
    expect(liveTensors()).toBe(before);
    first.forEach((reward, i) => {
      expect(Math.abs(reward - second[i]!)).toBeLessThan(0.02);
    });
    expect(result.model).not.toBe(from);
  });

  it('is gone on with by the same bits wherever in its file the head begins', async () => {
    const from = configure('all weights whole').output;
    const weights = [0, 8].map(async (bytes) => {
      const copy = join(scratch, `moved by ${bytes}`);
      cpSync(from, copy, { recursive: true });
      const file = fileIn(copy, 'model.safetensors');
      const header = Number(file.readBigUInt64LE(0));
      const spaces = Buffer.alloc(((64 - ((8 + header) % 64)) % 64) + bytes, ' ');
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header + spaces.length));
      const parts = [length, file.subarray(8, 8 + header), spaces, file.subarray(8 + header)];
      writeFileSync(join(copy, 'model.safetensors'), Buffer.concat(parts));
      const { result } = await trainReward(configure(`on by ${bytes}`, { model: copy, epochs: 2, evalShare: 0 }));
      return fileIn(result.model, 'model.safetensors');
    });
    const [first, second] = await Promise.all(weights);
    expect(first!.equals(second!)).toBe(true);
  });

  it('gives scores and writes nothing; a language model writes and gives none', async () => {
    const folders = ['all weights whole', 'adapters whole'].map((name) => configure(name).output);
    for (const folder of folders) {
      expect(() => loadModel(folder, { dtype: 'float32' })).toThrow('is a reward model: it gives scores');
    }
    expect(() => loadModel(model, { dtype: 'float32', scores: true })).toThrow('is no reward model');
    const student = configFor('student', { model: folders[0] as string, data: [dataFile('sums', sums(4))] });
    await expect(train(student)).rejects.toThrow('is a reward model: it gives scores and writes no text');
  });

  it('with two labels is refused by that', () => {
    const copy = join(scratch, 'two-labels');
    cpSync(configure('all weights whole').output, copy, { recursive: true });
    const config = { ...jsonIn<object>(copy, 'config.json'), id2label: { 0: 'bad', 1: 'good' } };
    writeFileSync(join(copy, 'config.json'), JSON.stringify(config));
    const load = () => loadModel(copy, { dtype: 'float32', scores: true });
    expect(load).toThrow('a reward model has one label, this classifier has 2');
  });
});

describe('what cannot be ranked', () => {
  it('ends it before a step: nothing but ties', async () => {
    const tied = comparisons(4).map(({ prompt, chosen, rejected }) => ({
      prompt,
      answers: [chosen, rejected].map((content) => ({ content, score: 9 })),
    }));
    const config = configure('tied', { data: [rowsFile('tied', tied)] });
    await expect(trainReward(config)).rejects.toMatchObject({
      message: expect.stringContaining('no two answers are left of which one is better'),
      hint: 'ties: 4, judge them again, head to head',
      exitCode: 2,
    });
  });

  it('is left out and counted: answers that are too long', async () => {
    const rows = comparisons(10).with(3, { prompt: 'Is it?', chosen: 'yes '.repeat(60), rejected: 'no' });
    const config = configure('long', { data: [rowsFile('long', rows)], maxTokens: 120, epochs: 1, evalShare: 0 });
    const { result, notes } = await trainReward(config);
    expect(result.receipt).toMatchObject({ prompts: 10, kept: 9, pairs: 9 });
    expect(result.receipt.dropped).toHaveLength(2); // the answer, and then its prompt
    expect(notes[0]).toMatch(/answer 1 with its prompt has \d+ tokens, the limit is 120$/);
    expect(result.heldOutFile).toBeUndefined();
    expect(readdirSync(config.output)).not.toContain(heldOutFile);
  });

  it('stops it, and changes nothing: a reward that is no number', async () => {
    const broken = modelWithBrokenLetter('Z');
    const rows = [...comparisons(10), { prompt: 'Is Z small?', chosen: 'yes', rejected: 'no' }];
    const file = rowsFile('broken', rows);
    const config = configure('broken', { model: broken, data: [file], evalShare: 0, epochs: 1 });
    await expect(trainReward(config)).rejects.toThrow(/the loss is NaN, .*; nothing was changed/);
    const { notes } = await trainReward({ ...config, output: join(scratch, 'skipped'), onNonFinite: 'skip' });
    expect(notes.at(-1)).toMatch(/the loss is NaN.*skipped/);
  });
});

describe('settings of its loss', () => {
  it('count: margins that must be passed, rewards about 0', async () => {
    const rows = comparisons(12).map((row) => ({ ...row, margin: 4 }));
    const file = [rowsFile('margins', rows)];
    const lastOf = async (name: string, more: Partial<RewardConfig>) => {
      const { rows: steps } = await trainReward(configure(name, { data: file, evalShare: 0, epochs: 8, ...more }));
      return steps.at(-1)!.metrics!;
    };
    const plain = await lastOf('plain', {});
    const wide = await lastOf('wide', { marginScale: 2 });
    expect(wide['margin']).toBeGreaterThan(plain['margin']! + 1);
    const centred = await lastOf('centred', { centering: 1 });
    expect(Math.abs(centred['mean_reward']!)).toBeLessThan(0.2);
  });
});
