import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { promptsAt } from '../../recipes/rl.ts';
import { type GrpoConfig, grpoSchema, type PpoConfig, type RlConfig } from '../../recipes/rl-config.ts';
import { checkRlInput } from '../../recipes/rl-input.ts';
import { readPrompts } from '../../src/data/prompts.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { toFloat32 } from '../../src/torch/convert.ts';
import { openSafetensors } from '../../src/torch/safetensors.ts';
import { liveTensors, scope } from '../../src/torch/tensor.ts';
import { comparisons, rewardConfig, rowsFile, trainReward } from './comparison-run.ts';
import { grpoConfig, ppoConfig, promptsFile, reinforce, talkative } from './rl-run.ts';
import { checkpointsIn, fileIn, goldenModel, jsonIn, randomModel, scratch } from './sft-run.ts';

const model = talkative();
const data = [promptsFile('prompts', 10)];
/** What random answers have about one time in seven. */
const rewards = [{ kind: 'regex', pattern: '[a-k]', flags: 'u', weight: 1 }] as const;
const adapters = 'adapter_model.safetensors';

const grpo = (name: string, more: Partial<GrpoConfig> = {}): GrpoConfig =>
  grpoConfig(name, { model, data, rewards: [...rewards], ...more });
const ppo = (name: string, more: Partial<PpoConfig> = {}): PpoConfig =>
  ppoConfig(name, { model, data, rewards: [...rewards], ...more });

interface Row {
  readonly step: number;
  readonly reward: number;
  readonly metrics: Record<string, number>;
}
const linesOf = <T>(folder: string, file: string): T[] =>
  fileIn(folder, file)
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
/** train.jsonl, without the time that each iteration took. */
const rowsOf = (folder: string): Row[] =>
  linesOf<Row & { seconds?: number; secondsOf?: object }>(folder, 'train.jsonl').map(
    ({ seconds: _, secondsOf: _of, ...row }) => row,
  );
const rolloutsOf = (folder: string) =>
  linesOf<{
    step: number;
    prompt: string;
    asked: string;
    text: string;
    finishReason: string;
    tokens: number;
    reward: number | null;
  }>(folder, 'rollouts.jsonl');

function expectSame(one: RlConfig, other: RlConfig): void {
  expect(fileIn(one.output, adapters).equals(fileIn(other.output, adapters))).toBe(true);
  expect(fileIn(one.output, 'rollouts.jsonl').equals(fileIn(other.output, 'rollouts.jsonl'))).toBe(true);
  expect(rowsOf(one.output)).toEqual(rowsOf(other.output));
}

/** Whether any adapter has moved from where it began: its second matrix was 0. */
function hasLearned(folder: string): boolean {
  const file = openSafetensors(join(folder, adapters));
  const names = [...file.entries.keys()].filter((name) => name.endsWith('lora_B.weight'));
  const moved = scope(() => names.some((name) => toFloat32(file.tensor(name)).some((value) => value !== 0)));
  file.close();
  return moved;
}

describe.each([
  { name: 'grpo', config: (folder: string) => grpo(folder, { iterations: 12, klBeta: 0.01, learningRate: 3e-2 }) },
  {
    name: 'rloo',
    config: (folder: string) =>
      grpo(folder, {
        iterations: 12,
        baseline: 'rloo',
        divideByDeviation: false,
        lossAverage: 'sequence',
        learningRate: 3e-2,
      }),
  },
  {
    name: 'ppo',
    config: (folder: string) => ppo(folder, { iterations: 12, minibatches: 2, klTarget: 3, learningRate: 2e-2 }),
  },
] as { name: string; config: (folder: string) => RlConfig }[])('$name', ({ name, config }) => {
  const whole = config(`${name} whole`);

  it('raises what its answers earn, from where the policy is its reference', async () => {
    const before = liveTensors();
    await reinforce(whole);
    expect(liveTensors()).toBeLessThanOrEqual(before);
    const rows = rowsOf(whole.output);
    expect(rows.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    const mean = (own: readonly Row[]) => own.reduce((sum, { reward }) => sum + reward, 0) / own.length;
    expect(mean(rows.slice(0, 2))).toBeLessThan(0.3);
    expect(mean(rows.slice(-4))).toBeGreaterThan(mean(rows.slice(0, 2)) + 0.1);
    const { metrics } = rows[0]!;
    expect(Math.abs(metrics['objective/kl']!)).toBeLessThan(1e-4);
    expect(metrics['sampling/logp_gap']).toBeLessThan(1e-4);
    // With one step an iteration the policy is still the one that sampled.
    if (whole.algorithm === 'grpo') {
      for (const { metrics: own } of rows) {
        expect(Math.abs(own['val/ratio']! - 1)).toBeLessThan(1e-4);
        expect(own['policy/clipfrac_avg']).toBe(0);
      }
    } else expect(metrics['val/ratio']).not.toBe(1);
    expect(rows.at(-1)!.metrics['objective/kl']).toBeGreaterThan(0.05);
  });

  it('tells every answer, and what it earned', () => {
    const rollouts = rolloutsOf(whole.output);
    expect(rollouts).toHaveLength(12 * 4 * 6);
    for (const { prompt, asked, text, reward, tokens, finishReason } of rollouts) {
      expect(asked).toBe(`Say ${prompt.slice(1)}.`);
      expect(reward).toBe(/[a-k]/u.test(text) ? 1 : 0);
      expect(finishReason === 'length' ? tokens === 6 : tokens < 6).toBe(true);
    }
    const rows = rowsOf(whole.output);
    for (const { step, reward, metrics } of rows) {
      const own = rollouts.filter((rollout) => rollout.step === step);
      expect(reward).toBeCloseTo(own.reduce((sum, one) => sum + one.reward!, 0) / own.length, 12);
      expect(metrics['completions/clipped_ratio']).toBe(own.filter((one) => one.finishReason === 'length').length / 24);
    }
    expect(new Set(rollouts.map(({ text }) => text)).size).toBeGreaterThan(rollouts.length / 2);
  });

  it('interrupted anywhere and resumed, has the same bits', async () => {
    const stopped = config(`${name} stopped`);
    const at = (method: string, iteration: number) => ({
      before: (called: string, params: { iteration?: number }, abort: () => void) => {
        if (called === method && params.iteration === iteration) abort();
      },
    });
    await expect(reinforce(stopped, at('rlSample', 1))).rejects.toThrow('interrupted');
    await expect(reinforce(stopped, at('rlSample', 4))).rejects.toThrow('saved after iteration 3; run the same');
    expect(checkpointsIn(stopped.output)).toEqual(['checkpoint-3']);
    await expect(reinforce(stopped, at('rlLearn', 7))).rejects.toThrow('saved after iteration 6');
    const { notes, methods } = await reinforce(stopped);
    expect(notes[0]).toBe('going on after iteration 6');
    expect(methods.slice(0, 3)).toEqual(['rlOpen', 'rlSample', 'rlLearn']);
    expect(checkpointsIn(stopped.output)).toEqual([]);
    expectSame(stopped, whole);
  });

  it('killed, goes on from its last checkpoint: what came after is made again', async () => {
    const killed = { ...config(`${name} killed`), checkpointEveryIterations: 4 };
    const dying = {
      before: (method: string, params: { iteration?: number }) => {
        if (method === 'rlLearn' && params.iteration === 7) throw new Error('killed');
      },
    };
    await expect(reinforce(killed, dying)).rejects.toThrow('killed');
    expect(rowsOf(killed.output)).toHaveLength(6);
    // How often it is saved is no part of what a run is.
    const { notes } = await reinforce({ ...killed, checkpointEveryIterations: 5 });
    expect(notes[0]).toBe('going on after iteration 4');
    expectSame(killed, whole);
  });

  it('does nothing again when it is done, and never mixes two settings in one folder', async () => {
    const { methods } = await reinforce(whole);
    expect(methods).toEqual(['rlOpen']);
    await expect(reinforce({ ...whole, temperature: 0.5 })).rejects.toThrow('holds a run with other settings');
    const other = { ...whole, rewards: [{ ...rewards[0], pattern: '[l-z]' }] };
    await expect(reinforce(other)).rejects.toThrow('holds a run with other settings');
  });

  it('leaves adapters of a language model, and nothing of its critic', () => {
    expect(jsonIn(whole.output, 'adapter_config.json')).toMatchObject({
      task_type: 'CAUSAL_LM',
      modules_to_save: null,
    });
    const files = readdirSync(whole.output).filter((file) => /json|safetensors/.test(file));
    expect(files.sort()).toEqual(['adapter_config.json', adapters, 'rl.json', 'rollouts.jsonl', 'train.jsonl']);
    const { decoder } = loadModel(whole.output, { dtype: 'float32' });
    expect(decoder.scalarHead).toBeUndefined();
    decoder.release();
  });
});

describe('what is not learned from', () => {
  it('are answers that all earned the same: counted, and nothing moves', async () => {
    const config = grpo('flat', { iterations: 2 });
    await reinforce(config, { rewards: (given) => given.map(() => 0.5) });
    for (const { metrics } of rowsOf(config.output)) {
      expect(metrics).toMatchObject({ reward: 0.5, reward_std: 0, frac_reward_zero_std: 1, grad_norm: 0 });
    }
    expect(hasLearned(config.output)).toBe(false);
    const apart = grpo('flat by prompt', { iterations: 2 });
    await reinforce(apart, { rewards: (given) => given.map((_, i) => (i < 6 ? i % 2 : 1)) });
    expect(rowsOf(apart.output)[0]!.metrics['frac_reward_zero_std']).toBe(0.75);
    expect(hasLearned(apart.output)).toBe(true);
  });

  it.each(['grpo', 'ppo'] as const)('are answers that nobody could score: counted, %s', async (algorithm) => {
    const configure = algorithm === 'grpo' ? grpo : ppo;
    const none = configure(`unscored ${algorithm}`, { iterations: 2 });
    await reinforce(none, { rewards: (given) => given.map(() => Number.NaN) });
    for (const { metrics, reward } of rowsOf(none.output)) {
      expect([reward, metrics['answers/unscored'], metrics['answers/learned'], metrics['grad_norm']]).toEqual([
        0, 24, 0, 0,
      ]);
    }
    expect(hasLearned(none.output)).toBe(false);
    const some = configure(`half scored ${algorithm}`, { iterations: 2 });
    await reinforce(some, { rewards: (given) => given.map((one, i) => (i % 2 === 0 ? one : Number.NaN)) });
    const [{ metrics }] = rowsOf(some.output) as [Row];
    expect([metrics['answers/unscored'], metrics['answers/learned']]).toEqual([12, 12]);
    const own = rolloutsOf(some.output).filter(({ step }, i) => step === 1 && i % 2 === 0);
    expect(metrics['reward']).toBeCloseTo(own.reduce((sum, one) => sum + one.reward!, 0) / 12, 12);
    expect(hasLearned(some.output)).toBe(true);
  });

  it('are answers that were cut, where they are masked; where there is a penalty they earn that', async () => {
    const allEarn = { rewards: (given: readonly number[]) => given.map(() => 1) };
    const masked = grpo('masked', { iterations: 2, truncated: 'mask' });
    await reinforce(masked, allEarn);
    const first = rolloutsOf(masked.output).filter(({ step }) => step === 1);
    const cut = first.filter(({ finishReason }) => finishReason === 'length').length;
    expect(cut).toBeGreaterThan(0);
    expect(cut).toBeLessThan(24);
    const { metrics } = rowsOf(masked.output)[0]!;
    expect(metrics['answers/learned']).toBe(24 - cut);
    expect(metrics['completions/clipped_ratio']).toBe(cut / 24);
    expect(hasLearned(masked.output)).toBe(false); // all others earned the same
    const penalty = grpo('penalty', {
      iterations: 10,
      truncated: 'penalty',
      truncatedReward: -1,
      learningRate: 3e-2,
      klBeta: 0.01,
    });
    await reinforce(penalty, allEarn);
    const rows = rowsOf(penalty.output);
    expect(rows[0]!.metrics).toMatchObject({ 'answers/learned': 24, 'completions/clipped_ratio': cut / 24 });
    const last = rows.slice(-3).map((row) => row.metrics['completions/clipped_ratio']!);
    expect(last.reduce((sum, one) => sum + one, 0) / 3).toBeLessThan(cut / 24 - 0.1);
  });

  it('are prompts without room for an answer', async () => {
    const long = [rowsFile('long prompts', [{ prompt: 'word '.repeat(500) }, { prompt: 'Say it.' }])];
    const config = grpo('long prompts', { data: long, iterations: 1, promptsPerIteration: 2 });
    await reinforce(config);
    expect(rowsOf(config.output)[0]!.metrics).toMatchObject({ 'answers/learned': 6 });
    expect(rolloutsOf(config.output).filter(({ tokens }) => tokens === 0)).toHaveLength(6);
  });
});

describe('a reward model', () => {
  it('scores the prompt with the answer, in its own tokens, whatever the policy’s are', async () => {
    const judge = rewardConfig('judge', { model: randomModel('qwen2'), data: [rowsFile('yes', comparisons(8))] });
    await trainReward(judge);
    const source = { kind: 'model', model: judge.output, weight: 0.5 } as const;
    const config = grpo('judged', { rewards: [source, { ...rewards[0], weight: 2 }], iterations: 2, temperature: 0.8 });
    const { methods } = await reinforce(config);
    expect(methods.filter((method) => method === 'rewards')).toHaveLength(2);
    const rollouts = rolloutsOf(config.output) as unknown as Record<string, number>[];
    for (const row of rollouts) {
      expect(row['reward']).toBeCloseTo(0.5 * row['model 1']! + 2 * row['regex 2']!, 12);
    }
    expect(new Set(rollouts.map((row) => row['model 1'])).size).toBeGreaterThan(20);
    // The same model elsewhere is the same; another one is another run.
    const moved = join(scratch, 'judge moved');
    cpSync(judge.output, moved, { recursive: true });
    const elsewhere = { ...config, rewards: [{ ...source, model: moved }, config.rewards[1]!] };
    expect((await reinforce(elsewhere)).methods).toEqual(['rlOpen']);
    const further = rewardConfig('judge 2', { model: judge.output, data: judge.data });
    await trainReward(further);
    const another = { ...config, rewards: [{ ...source, model: further.output }, config.rewards[1]!] };
    await expect(reinforce(another)).rejects.toThrow('holds a run with other settings');
    await expect(reinforce(grpo('no policy', { model: judge.output }))).rejects.toThrow(
      'is a reward model: it gives scores',
    );
  });

  it('is known from its folder before anything is loaded', async () => {
    const file = [rowsFile('yes', comparisons(4))];
    const judge = rewardConfig('judge of adapters', {
      model: goldenModel('llama-tied'),
      data: file,
      lora: { rank: 2, alpha: 4, targets: 'all', dropout: 0 },
    });
    await trainReward(judge);
    const checked = (folder: string) => () =>
      checkRlInput(grpo('checked', { rewards: [{ kind: 'model', model: folder, weight: 1 }] }));
    expect(checked(judge.output)).not.toThrow();
    expect(checked(goldenModel('llama-tied'))).toThrow('is no reward model');
    expect(checked(goldenModel('lora-llama-tied'))).toThrow();
    expect(checked(grpo('flat').output)).toThrow('is no reward model'); // adapters of a policy
    expect(checked(join(scratch, 'absent'))).toThrow('no such model');
  });
});

describe('promptsAt', () => {
  const prompts = readPrompts(data[0] as string);
  const at = (promptsPerIteration: number, iteration: number, seed = 1) =>
    promptsAt(prompts, { ...grpo('order'), promptsPerIteration, seed }, iteration).map(({ id }) => id);

  it('takes every prompt once before any comes again, in an order of each round’s own', () => {
    const rounds = [0, 1, 2].map((round) => [1, 2, 3, 4, 5].flatMap((i) => at(2, 5 * round + i)));
    const all = prompts.map(({ id }) => id).sort();
    for (const round of rounds) expect([...round].sort()).toEqual(all);
    expect(rounds[0]).not.toEqual(rounds[1]);
    expect(at(2, 3)).toEqual(at(2, 3));
    expect([1, 2, 3, 4, 5].flatMap((i) => at(2, i, 2))).not.toEqual(rounds[0]);
  });

  it('takes a prompt once where one round ends and the next begins, and all where there are fewer', () => {
    const seen = Array.from({ length: 10 }, (_, i) => at(7, i + 1));
    for (const ids of seen) expect(new Set(ids).size).toBe(ids.length);
    expect(seen.flat().length).toBeGreaterThan(60);
    expect(seen.flat().length).toBeLessThanOrEqual(70);
    for (const { id } of prompts) expect(seen.flat().filter((one) => one === id).length).toBeGreaterThanOrEqual(6);
    expect([...at(25, 2)].sort()).toEqual(prompts.map(({ id }) => id).sort());
  });
});

describe('what can be found wrong before anything is loaded', () => {
  const check = (more: Partial<GrpoConfig>) => () => checkRlInput(grpo('wrong', more));

  it('is said: prompts, rewards, patterns', () => {
    expect(check({})).not.toThrow();
    expect(check({ data: [data[0]!, data[0]!] })).toThrow('"p0" is another file');
    expect(check({ rewards: [{ kind: 'regex', pattern: '(', flags: 'u', weight: 1 }] })).toThrow(
      'reward regex: Invalid regular expression',
    );
    expect(check({ rewards: [{ kind: 'words', weight: 1 }] })).toThrow('expected atMost or atLeast');
    const bare = [rowsFile('bare', [{ prompt: 'Say it.' }])];
    expect(check({ data: bare, rewards: [{ kind: 'exact', weight: 1 }] })).toThrow("needs the row's own answer");
    expect(check({ model: goldenModel('lora-llama-tied') })).toThrow('holds adapters, not a model to train');
  });

  it('is a group of one, and no reward at all', () => {
    const settings = { model, data, output: join(scratch, 'none'), rewards: [...rewards] };
    expect(grpoSchema.safeParse({ ...settings, samples: 1 }).error?.issues[0]?.message).toBe(
      'a group of one has nothing to be compared with',
    );
    expect(grpoSchema.safeParse({ ...settings, rewards: [] }).success).toBe(false);
    expect(grpoSchema.safeParse(settings).success).toBe(true);
  });
});
