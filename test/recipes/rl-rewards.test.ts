import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grpoSchema, type RlConfig } from '../../recipes/rl-config.ts';
import { assertMayReward, rewardAll } from '../../recipes/rl-rewards.ts';
import { TeacherError } from '../../src/base/errors.ts';
import type { Prompt } from '../../src/data/prompts.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import type { Teacher } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, price, temporaryFolder } from '../teacher/fixtures/make.ts';

const prompts: Prompt[] = ['Say 0.', 'Say 1.'].map((content, i) => ({
  id: `p${i}`,
  messages: [{ role: 'user', content }],
  reference: `It is ${i}.`,
}));
const sampled = (...texts: [prompt: number, text: string][]) =>
  texts.map(([prompt, text]) => ({ prompt: `p${prompt}`, text, finishReason: 'stop' as const, tokens: 3 }));
const engine = { call: () => Promise.reject(new Error('not asked')) };
const { signal } = new AbortController();
const settings = (rewards: object[]): RlConfig =>
  grpoSchema.parse({
    model: 'm',
    data: ['d'],
    output: 'o',
    dtype: 'float32',
    iterations: 3,
    promptsPerIteration: 2,
    rewards,
  });

describe('checks', () => {
  it('are weighted and added up, and told by themselves', async () => {
    const sources = [
      { kind: 'words', atMost: 2, slack: 2 },
      { kind: 'exact', weight: 10 },
      { kind: 'json', weight: -0.5 },
    ];
    const answers = sampled([0, 'It is 0.'], [1, '3']);
    expect(await rewardAll(settings(sources), prompts, answers, { engine, signal })).toEqual([
      { total: 10.5, parts: { 'words 1': 0.5, 'exact 2': 1, 'json 3': 0 } },
      { total: 0.5, parts: { 'words 1': 1, 'exact 2': 0, 'json 3': 1 } },
    ]);
    const regex = settings([{ kind: 'regex', pattern: '^a' }]);
    expect(await rewardAll(regex, prompts, sampled([0, 'zz'], [1, 'ab']), { engine, signal })).toEqual([
      { total: 0, parts: { regex: 0 } },
      { total: 1, parts: { regex: 1 } },
    ]);
  });
});

describe('a teacher', () => {
  let ledger: Ledger;
  beforeEach(() => {
    ledger = new Ledger(join(temporaryFolder(), 'ledger.sqlite'));
  });
  afterEach(() => ledger.close());

  /** Answers say what they are worth. */
  const judge = (more: Partial<Teacher> = {}) =>
    fakeTeacher({
      name: 'fake:judge',
      model: 'judge',
      ...more,
      reply: async ({ messages }) => {
        const worths = [...(messages[0]?.content ?? '').matchAll(/worth (\S+)/g)].map(([, worth]) => worth);
        if (worths.includes('failure')) return new TeacherError('down', { status: 400 });
        return answer(worths.map((worth, i) => `Answer ${i + 1}: so it says. [[${worth}]]`).join('\n'));
      },
    });
  const asking = (teacher: Teacher, spending: { budgetUsd?: number; yes?: boolean } = {}) => ({
    ...{ ledger, budgetUsd: undefined, yes: false, ...spending },
    progress: () => ({ update: () => {}, note: () => {}, finish: () => {} }),
    teacher: async () => teacher,
  });
  const teacher = { provider: 'openai', model: 'judge' };
  const config = settings([{ kind: 'teacher', teacher, weight: 2 }]);

  it('scores all answers to a prompt at once, the same text once, an empty one not at all', async () => {
    const one = judge();
    const answers = sampled([0, 'worth 7'], [0, ' worth 7 '], [1, 'worth 3'], [0, ''], [0, 'worth 9.5']);
    const context = { engine, signal, asking: asking(one) };
    const earned = await rewardAll(config, prompts, answers, context);
    expect(earned.map(({ total }) => total)).toEqual([14, 14, 6, Number.NaN, 19]);
    expect(earned[4]?.parts).toEqual({ teacher: 9.5 });
    expect(one.asked.length).toBe(2);
    // A round that is made again after a kill asks nothing again.
    expect(await rewardAll(config, prompts, answers, context)).toEqual(earned);
    expect(one.asked.length).toBe(2);
    expect(Object.keys(ledger.spent().byStage)).toEqual(['rl-rewards']);
  });

  it('that cannot be read or fails leaves its answers out, and the others in', async () => {
    const answers = sampled([0, 'worth 7'], [1, 'worth nothing'], [0, 'worth 2']);
    const earned = await rewardAll(config, prompts, answers, { engine, signal, asking: asking(judge()) });
    expect(earned.map(({ total }) => total)).toEqual([14, Number.NaN, 4]);
    const failing = sampled([0, 'worth 8'], [1, 'worth failure']);
    const rest = await rewardAll(config, prompts, failing, { engine, signal, asking: asking(judge()) });
    expect(rest.map(({ total }) => total)).toEqual([16, Number.NaN]);
  });

  it('that costs money needs a budget or a yes, before anything is sampled', async () => {
    const paid = judge({ paid: true, price });
    await expect(assertMayReward(config, prompts, asking(paid))).rejects.toThrow(/fake:judge costs money: 6 calls, \$/);
    await assertMayReward(config, prompts, asking(paid, { budgetUsd: 1 }));
    await assertMayReward(config, prompts, asking(paid, { yes: true }));
    await assertMayReward(config, prompts, asking(judge()));
    await expect(assertMayReward(config, prompts, undefined)).rejects.toThrow('a teacher cannot be asked here');
  });
});
