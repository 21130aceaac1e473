import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rewardsOf } from '../../src/infer/rewards.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import type { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { asRewardModel, freshHead } from '../../src/model/reward-head.ts';
import { fromFloat32, fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { keep, liveTensors, scope } from '../../src/torch/tensor.ts';

const golden = (name: string): string => join(import.meta.dirname, '../golden', name);

/** The head's product with the last hidden state at `at`, by hand, of one sequence computed alone. */
function rewardAt(decoder: Decoder, ids: readonly number[], at: number): number {
  const head = toFloat32(decoder.scalarHead!.tensor);
  return scope(() =>
    noGrad(() => {
      const hidden = toFloat32(
        decoder.hidden(fromIntegers(ids, [ids.length]), new PackedAttention(decoder, [ids.length])),
      );
      return head.reduce((sum, weight, i) => sum + weight * hidden[at * head.length + i]!, 0);
    }),
  );
}

const furthest = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), a.length === b.length ? 0 : Infinity);

describe.each(['llama-tied', 'llama3-untied', 'qwen2', 'qwen3', 'mistral', 'opt'])('rewards of %s', (name) => {
  let decoder: Decoder;
  beforeAll(() => {
    const loaded = loadDecoder(golden(name), 'float32');
    decoder = asRewardModel(loaded, { head: freshHead(loaded.config.hiddenSize, 1), padTokenId: 0 });
  });
  afterAll(() => decoder.release());

  const documents = () => {
    const { vocabSize, maxPositions } = decoder.config;
    return Array.from({ length: 12 }, (_, row) => {
      const length = Math.min(maxPositions - 8, 1 + ((row * 17) % 60));
      return { ids: Array.from({ length }, (_, i) => 3 + ((row * 31 + i * 37) % (vocabSize - 3))) };
    });
  };

  it('are the head at the last token, whatever is beside it, in whatever order', async () => {
    const before = liveTensors();
    const all = documents();
    const rewards = await rewardsOf(decoder, all);
    expect(liveTensors()).toBe(before);
    const byHand = all.map(({ ids }) => rewardAt(decoder, ids, ids.length - 1));
    expect(Math.max(...byHand) - Math.min(...byHand)).toBeGreaterThan(0.1);
    expect(furthest(rewards, byHand)).toBeLessThan(1e-4);
    expect(furthest((await rewardsOf(decoder, [...all].reverse())).reverse(), rewards)).toBeLessThan(1e-4);
    const alone = await Promise.all(all.map(async (one) => (await rewardsOf(decoder, [one]))[0] as number));
    expect(furthest(alone, rewards)).toBeLessThan(1e-4);
  });

  it('of answers to one prompt come from computing the prompt once', async () => {
    const { vocabSize, maxPositions } = decoder.config;
    const token = (seed: number, i: number) => 3 + ((seed * 31 + i * 37) % (vocabSize - 3));
    const tokens = (seed: number, length: number) => Array.from({ length }, (_, i) => token(seed, i));
    const prompts = [0, 1].map((prompt) => tokens(prompt, 40));
    const answers = Array.from({ length: 24 }, (_, i) =>
      tokens(100 + i, Math.min(maxPositions - 40, 1 + ((i * 13) % 70))),
    );
    const all = answers.map((answer, i) => ({ ids: [...prompts[i % 2]!, ...answer] }));
    const hidden = vi.spyOn(decoder, 'hidden');
    const rewards = await rewardsOf(decoder, all);
    const rows = hidden.mock.calls.reduce((sum, [, { positions }]) => sum + positions.length, 0);
    hidden.mockRestore();
    const own = answers.reduce((sum, { length }) => sum + length, 0);
    expect(rows - own).toBeLessThan(10 * 40); // families of at most 512 rows each; 24 prompts where none is shared
    const byHand = all.map(({ ids }) => rewardAt(decoder, ids, ids.length - 1));
    expect(furthest(rewards, byHand)).toBeLessThan(1e-4);
  });

  it('are those that are read before the padding', async () => {
    const all = documents();
    const rewards = await rewardsOf(decoder, all);
    const padded = all.map(({ ids }) => rewardAt(decoder, [...ids, 0, 0, 0, 0], ids.length - 1));
    expect(furthest(padded, rewards)).toBeLessThan(1e-4);
  });
});

describe('rewardsOf', () => {
  it('computes more than fits at once in several goes, and can be cancelled between them', async () => {
    const loaded = loadDecoder(golden('llama-tied'), 'float32');
    const decoder = asRewardModel(loaded, { head: freshHead(32, 1) });
    const documents = [700, 1300, 100, 2048, 30].map((length, row) => ({
      ids: Array.from({ length }, (_, i) => 3 + ((row * 31 + i * 37) % 256)),
    }));
    const done: number[] = [];
    const rewards = await rewardsOf(decoder, documents, { onProgress: (count) => done.push(count) });
    expect(done).toEqual([2, 4, 5]); // both short ones, then 2,000 tokens, then 2,048
    const byHand = documents.map(({ ids }) => rewardAt(decoder, ids, ids.length - 1));
    expect(furthest(rewards, byHand)).toBeLessThan(1e-4);

    const controller = new AbortController();
    const onProgress = () => controller.abort();
    await expect(rewardsOf(decoder, documents, { signal: controller.signal, onProgress })).rejects.toThrow(
      'interrupted',
    );
    decoder.release();
  });

  it('refuses a model without a head; NaN is what an empty conversation has, and one beyond the last position', async () => {
    const language = loadDecoder(golden('llama-tied'), 'float32');
    await expect(rewardsOf(language, [{ ids: [3] }])).rejects.toThrow('no scalar head');
    const decoder = asRewardModel(language, { head: freshHead(32, 1) });
    const [alone] = await rewardsOf(decoder, [{ ids: [3] }]);
    const long = { ids: Array<number>(2049).fill(3) };
    const seen: number[] = [];
    const rewards = await rewardsOf(decoder, [{ ids: [] }, { ids: [3] }, long], {
      onProgress: (done) => seen.push(done),
    });
    expect(rewards).toEqual([Number.NaN, alone, Number.NaN]);
    expect(seen).toEqual([3]);
    decoder.release();
  });
});

describe('a reward model', () => {
  it('is one for transformers, too: architecture, one label, padding', () => {
    const source = JSON.parse(readFileSync(join(golden('qwen2'), 'config.json'), 'utf8')) as object;
    const decoder = asRewardModel(loadDecoder(golden('qwen2'), 'float32'), { head: freshHead(32, 1), padTokenId: 5 });
    expect(decoder.config.source).toEqual({
      ...source,
      architectures: ['Qwen2ForSequenceClassification'],
      id2label: { 0: 'reward' },
      label2id: { reward: 0 },
      problem_type: null,
      pad_token_id: 5,
    });
    decoder.release();
  });

  it('has nothing left of the head it had', () => {
    const before = liveTensors();
    const first = asRewardModel(loadDecoder(golden('llama3-untied'), 'float32'), { head: freshHead(32, 1) });
    expect(first.hasHead).toBe(false);
    const second = asRewardModel(first, { head: keep(scope(() => fromFloat32(new Float32Array(32), [1, 32]))) });
    expect([...second.parameters.keys()].filter((name) => /head|score/.test(name))).toEqual(['score.weight']);
    second.release();
    expect(liveTensors()).toBe(before);
  });

  it('begins with a head of the deviation that was meant, another for another seed', () => {
    const values = [1, 2].map((seed) => {
      const head = freshHead(4095, seed);
      const numbers = toFloat32(head);
      head.release();
      return numbers;
    });
    const deviation = Math.sqrt(values[0]!.reduce((sum, x) => sum + x * x, 0) / 4095);
    expect(deviation * 64).toBeGreaterThan(0.95); // 1 / √4096
    expect(deviation * 64).toBeLessThan(1.05);
    expect(values[0]).not.toEqual(values[1]);
  });
});
