import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RewardConfig } from '../../recipes/reward-config.ts';
import { rewardsOf } from '../../src/infer/rewards.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import { encodeConversation } from '../../src/text/chat-template.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { scope } from '../../src/torch/tensor.ts';
import { comparisons, rewardConfig, rowsFile, trainReward } from '../recipes/comparison-run.ts';
import { grpoConfig, ppoConfig, promptsFile, reinforce, talkative } from '../recipes/rl-run.ts';
import { goldenModel, randomModel } from '../recipes/sft-run.ts';

const python = process.env['PEERS_PYTHON'] as string;

function theirs<Result>(script: string, folder: string, argument: unknown): Result {
  const path = join(import.meta.dirname, '../../scripts/peers', script);
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
  return JSON.parse(
    execFileSync(python, [path, folder, JSON.stringify(argument)], { maxBuffer: 2 ** 30, stdio }).toString(),
  ) as Result;
}

const furthest = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), a.length === b.length ? 0 : Infinity);

/** Conversations of unequal length, as the folder's own template has them, and what we say they are worth. */
async function ours(folder: string) {
  const { decoder, tokenizer, template } = loadModel(folder, { dtype: 'float32', scores: true });
  const documents = comparisons(6).flatMap(({ prompt, chosen, rejected }) =>
    [chosen, `${rejected} and nothing else`].map((content) =>
      encodeConversation(tokenizer, template, [
        { role: 'user', content: prompt },
        { role: 'assistant', content },
      ]),
    ),
  );
  const rewards = await rewardsOf(decoder, documents);
  decoder.release();
  return { sequences: documents.map(({ ids }) => ids), rewards };
}

async function expectSameRewards(folder: string): Promise<void> {
  const { sequences, rewards } = await ours(folder);
  expect(Math.max(...rewards) - Math.min(...rewards)).toBeGreaterThan(0.5);
  const { alone, padded } = theirs<{ alone: number[]; padded: number[] }>('rewards.py', folder, sequences);
  expect(furthest(rewards, alone)).toBeLessThan(1e-4);
  expect(furthest(rewards, padded)).toBeLessThan(1e-4);
}

const settings = (name: string, more: Partial<RewardConfig> & Pick<RewardConfig, 'model'>): RewardConfig =>
  rewardConfig(name, { data: [rowsFile(name, comparisons(24))], epochs: 3, evalShare: 0, ...more });

describe('transformers', () => {
  it.each([
    ['llama-tied', goldenModel('llama-tied')],
    ['llama3-untied', goldenModel('llama3-untied')],
    ['qwen2', randomModel('qwen2')],
    ['opt', randomModel('opt')],
  ])('loads the reward model we trained, and gives the same rewards, padded or not: %s', async (name, model) => {
    const { result } = await trainReward(settings(name, { model }));
    await expectSameRewards(result.model);
  });
});

describe('PEFT', () => {
  it.each([
    ['llama-tied', goldenModel('llama-tied'), 'all'],
    ['qwen2, some layers', randomModel('qwen2', 2), ['q_proj', 'down_proj']],
  ] as const)('loads the reward adapters we trained, and gives the same rewards: %s', async (name, model, targets) => {
    const lora = { rank: 3, alpha: 12, targets: targets === 'all' ? targets : [...targets], dropout: 0 };
    const { result } = await trainReward(settings(`adapters ${name}`, { model, lora, learningRate: 2e-2 }));
    await expectSameRewards(result.model);
  });

  it.each(['grpo', 'ppo'] as const)('loads the policy we trained, with the same logits: %s', async (algorithm) => {
    const model = talkative(algorithm === 'grpo' ? 'llama-tied' : 'llama3-untied');
    const rewards = [{ kind: 'regex', pattern: '[a-k]', flags: 'u', weight: 1 }] as const;
    const more = { model, data: [promptsFile(`prompts ${algorithm}`, 8)], rewards: [...rewards], iterations: 3 };
    const config = algorithm === 'grpo' ? grpoConfig(algorithm, more) : ppoConfig(algorithm, more);
    await reinforce(config);
    const ids = Array.from({ length: 40 }, (_, i) => 3 + ((i * 37) % 256));
    const logits = theirs<{ logits: number[][] }>('logits.py', config.output, ids).logits.flat();
    const of = (folder: string) => {
      const { decoder } = loadModel(folder, { dtype: 'float32' });
      const all = scope(() =>
        noGrad(() => {
          const attention = new PackedAttention(decoder, [ids.length]);
          return [...toFloat32(decoder.logits(decoder.hidden(fromIntegers(ids, [ids.length]), attention)))];
        }),
      );
      decoder.release();
      return all;
    };
    expect(furthest(of(config.output), logits)).toBeLessThan(1e-4);
    expect(furthest(of(model), logits)).toBeGreaterThan(0.05); // had they not been found, PEFT would only have warned
  });
});
