import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LoopResult } from '../../recipes/loop.ts';
import { chatServer } from './chat-server.ts';
import { filesUnder, hashesUnder, tinyModel, understudy } from './program.ts';

/** Rounds of feedback, reward model and reinforcement learning after the fine-tuning of a run. */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-loop-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const jsonl = (name: string, rows: object[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};
const colours = ['red', 'blue', 'green', 'grey', 'pink', 'brown', 'white', 'black', 'gold', 'teal'];
const things = colours.flatMap((colour) => [`${colour} and small`, `${colour} and round`]);
const tasks = things.map((thing, i) => ({
  ...{ id: `en-${i}`, category: 'generic', classification: false },
  ...{ instruction: `Name something ${thing}.`, input: '', output: `A ${thing} button.` },
}));
const seeds = jsonl('seeds.jsonl', tasks);
const questions = jsonl(
  'questions.jsonl',
  tasks.slice(0, 4).map((task) => ({ ...task, instruction: `${task.instruction} Be brief.` })),
);
const settings = (loop: string): string => `
name: Tiny
output: ${scratch}/out
seeds: [${seeds}]
answer: { instructions: [${seeds}], teacher: { provider: recorded, files: [${seeds}] } }
sft: { model: ${tinyModel}, dtype: float32, epochs: 2, learningRate: 0.01, batchTokens: 256, packTokens: 256 }
evaluate: { questions: [${questions}], maxTokens: 8 }
loop:
  prompts: [${seeds}]
  heldOut: 4
  samples: 3
  maxTokens: 8
  scorer: logprob
  examples: 1
  promptsPerRound: 12
  teacher: { provider: local, model: ${tinyModel} }
  reward: { dtype: float32, epochs: 8, learningRate: 0.001, evalShare: 0.3, packTokens: 256, batchTokens: 256 }
  rl: { algorithm: grpo, dtype: float32, iterations: 8, promptsPerIteration: 6, samples: 8, maxNewTokens: 8, learningRate: 0.01, klBeta: 0.02 }
${loop}
`;
const judge = chatServer({});
const config = join(scratch, 'run.yaml');
writeFileSync(config, settings('  rounds: 2'));

const results = (folder: string): Record<string, string> =>
  hashesUnder(folder, /(\.safetensors|comparisons\.jsonl|rollouts\.jsonl|(before|after)\.jsonl|check\.json)$/);

describe('run with a loop', () => {
  it('compares, learns a reward, learns from it and checks; ends equal after kills', async () => {
    const { code, stdout, stderr } = await understudy(['run', config, '--json']);
    if (process.env['SHOW']) console.log(stderr);
    expect(stderr).toContain('round 1: ');
    expect(code).toBe(0);
    const { model, loop, report } = JSON.parse(stdout) as { model: string; loop: LoopResult; report: string };
    const page = readFileSync(report, 'utf8');
    for (const words of ['Rounds: gains on held-out prompts', 'Round 1: reinforcement learning', '#rows=run-1-rounds'])
      expect(page).toContain(words);
    const [first] = loop.rounds;
    expect(first?.compared.pairs).toBeGreaterThan(0);
    expect(first?.iterations).toBe(8);
    expect(first?.check.prompts).toBe(4);
    expect(first?.bestOf?.poolSize).toBe(3);
    // What is kept is the policy of the last round that brought something, or the student.
    const wentOn = loop.rounds.filter(({ check }) => check.verdict === 'goes on');
    expect(loop.kept).toBe(wentOn.length);
    expect(loop.model).toBe(model);
    const last = wentOn.at(-1);
    if (last) expect(model).toBe(join(last.folders.rl, 'policy'));
    else expect(model).toMatch(/sft-\w+$/);
    expect(existsSync(join(model, 'config.json'))).toBe(true);
    expect(loop.rounds.length).toBe(loop.ended === 'all rounds done' ? 2 : wentOn.length + 1);
    const record = JSON.parse(readFileSync(join(scratch, 'out/run.json'), 'utf8')) as { loop: LoopResult };
    expect(existsSync(join(scratch, 'out', record.loop.rounds[0]!.folders.check, 'check.json'))).toBe(true);

    // Nothing is done again.
    const times = () =>
      Object.entries(results(join(scratch, 'out'))).map(([name]) => [
        name,
        statSync(join(scratch, 'out', name)).mtimeMs,
      ]);
    const before = times();
    const second = await understudy(['run', config]);
    expect(second.code).toBe(0);
    expect(times()).toEqual(before);

    const killed = join(scratch, 'killed');
    let kills = 0;
    for (const sign of ['answers of policy 0/', 'reward model 1/', 'grpo 1/', 'checking 1/']) {
      const { signal } = await understudy(['run', config, '--out', killed], {
        onStderr: (text) => (text.includes(sign) ? 'SIGKILL' : undefined),
      });
      if (signal === 'SIGKILL') kills += 1;
    }
    expect(kills).toBe(4);
    expect((await understudy(['run', config, '--out', killed])).code).toBe(0);
    expect(results(killed)).toEqual(results(join(scratch, 'out')));
  }, 600_000);

  it('refuses to spend on the rounds’ teacher unasked, before anything is done', async () => {
    const file = join(scratch, 'paid.yaml');
    const price = 'price: { inputUsdPerMillion: 1, outputUsdPerMillion: 2 }';
    const paid = `{ provider: openai-compatible, baseUrl: "${judge.baseUrl}", model: judge, ${price} }`;
    const loop = settings('  rounds: 2')
      .replace('  scorer: logprob\n  examples: 1\n', '')
      .replace(`  teacher: { provider: local, model: ${tinyModel} }`, `  teacher: ${paid}`);
    writeFileSync(file, loop.replace('/out', '/paid'));
    const { code, stderr } = await understudy(['run', file]);
    // Twice: 12 prompts compared, 4 checked.
    expect(stderr).toMatch(/judge costs money: 32 calls, \$[\d.]+ at the very most/);
    expect(code).toBe(2);
    expect(filesUnder(join(scratch, 'paid')).filter((name) => name.endsWith('.jsonl'))).toEqual([]);
    expect(judge.requests).toEqual([]);
  });

  it('refuses more held-out prompts than there are, before anything is done', async () => {
    const file = join(scratch, 'few.yaml');
    writeFileSync(file, settings('').replace('heldOut: 4', 'heldOut: 19').replace('/out', '/few'));
    const { code, stderr } = await understudy(['run', file]);
    expect(code).toBe(2);
    expect(stderr).toContain('20 prompts, of which 19 are to be held out');
    expect(existsSync(join(scratch, 'few'))).toBe(false);
  });

  const unset = `{ kind: teacher, teacher: { provider: openai, model: gpt-4o, apiKeyEnv: UNDERSTUDY_TEST_UNSET } }`;
  it.each([
    ['{ kind: regex, pattern: "[" }', 'reward regex: Invalid regular expression'],
    ['{ kind: words }', 'reward words: expected atMost or atLeast'],
    [`{ kind: model, model: ${tinyModel} }`, 'is no reward model'],
    [unset, 'UNDERSTUDY_TEST_UNSET'],
  ])('refuses reward %s, before anything is done', async (reward, message) => {
    const file = join(scratch, 'rewards.yaml');
    writeFileSync(file, settings('').replace('klBeta: 0.02 }', `rewards: [${reward}] }`).replace('/out', '/rewards'));
    const { code, stderr } = await understudy(['run', file]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(existsSync(join(scratch, 'rewards'))).toBe(false);
  });
});
