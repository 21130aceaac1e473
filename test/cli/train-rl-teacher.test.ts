/** A teacher's word as the reward of `train grpo`, from a server of the OpenAI protocol: machine feedback, no reward model. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LedgerStatistics } from '../../src/teacher/ledger-statistics.ts';
import { chatServer } from './chat-server.ts';
import { type RunOptions, tinyModel, understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-rl-teacher-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string): string => join(scratch, name);

/** The texts between the lines that frame them: the conversation's turn, then the answers. */
const answersIn = (prompt: string): string[] =>
  [...prompt.matchAll(/^Answer \d+:\n<<< (\w+)\n([\s\S]*?)\n>>> \1$/gm)].map(([, , text]) => text as string);

/** What the teacher thinks of an answer, from 1 to 9. */
const worth = (answer: string): number =>
  1 + ([...answer].reduce((sum, one) => sum + (one.codePointAt(0) ?? 0), 0) % 9);

/** Requests that were answered, by content: how often. */
const served = new Map<string, number>();
const numServed = (): number => [...served.values()].reduce((sum, times) => sum + times, 0);
/** Called with each request before it is answered; true: it never is. */
let onRequest: () => boolean = () => false;
const server = chatServer({
  fault: () => (onRequest() ? { kind: 'silent' } : undefined),
  reply: ({ body, messages }) => {
    const request = JSON.stringify(body);
    served.set(request, (served.get(request) ?? 0) + 1);
    const shown = answersIn(messages[0]?.content ?? '');
    return shown.map((text, i) => `Answer ${i + 1}: as it is. [[${worth(text)}]]`).join('\n');
  },
});

const prompts = at('prompts.jsonl');
writeFileSync(prompts, Array.from({ length: 4 }, (_, i) => `${JSON.stringify({ prompt: `Say ${i}.` })}\n`).join(''));

interface Rollout {
  readonly step: number;
  readonly prompt: string;
  readonly text: string;
  readonly reward: number | null;
  readonly teacher: number | null;
}

const iterations = 5;
/** Settings in a file: flags name no teacher. Every model has a ledger key of its own. */
function settings(name: string, model: string, more = ''): string {
  const file = at(`${name}.yaml`);
  const teacher = `{ provider: openai-compatible, model: ${model}, baseUrl: "${server.baseUrl}", concurrency: 1${more} }`;
  writeFileSync(
    file,
    `model: ${tinyModel}\ndata: [${prompts}]\noutput: ${at(name)}\ndtype: float32\nlearningRate: 0.01\n` +
      `iterations: ${iterations}\npromptsPerIteration: 2\nsamples: 3\nmaxNewTokens: 6\ncheckpointEveryIterations: 2\n` +
      `rewards:\n  - { kind: teacher, weight: 0.5, teacher: ${teacher} }\n`,
  );
  return file;
}
const grpo = (file: string, args: readonly string[] = [], options: RunOptions = {}) =>
  understudy(['train', 'grpo', '--config', file, '--threads', '1', '--json', ...args], options);

const rollouts = (name: string): Rollout[] =>
  readFileSync(join(at(name), 'rollouts.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Rollout);

async function statistics(place: string): Promise<LedgerStatistics> {
  const { code, stdout, stderr } = await understudy(['ledger', 'stats', place, '--json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as LedgerStatistics;
}

describe('train grpo, rewarded by a teacher', () => {
  it('learns from what the teacher said of each answer', async () => {
    const { code, stdout, stderr } = await grpo(settings('whole', 'judge'));
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ model: at('whole'), algorithm: 'grpo', iterations });
    const rows = rollouts('whole');
    expect(rows).toHaveLength(iterations * 2 * 3);
    const scored = rows.filter(({ text }) => text.trim() !== '');
    for (const { text, teacher, reward } of scored) {
      expect([teacher, reward]).toEqual([worth(text.trim()), worth(text.trim()) / 2]);
    }
    expect(new Set(scored.map(({ teacher }) => teacher)).size).toBeGreaterThan(2);
    for (const { text, teacher, reward } of rows) {
      if (text.trim() === '') expect([teacher, reward]).toEqual([null, null]);
    }
    // The answers to a prompt side by side, in one request; the server costs nothing.
    expect(server.requests).toHaveLength(iterations * 2);
    const { total, groups } = await statistics(at('whole'));
    expect(groups).toMatchObject([{ stage: 'rl-rewards', teacher: 'openai-compatible:judge' }]);
    expect(total).toMatchObject({ calls: { stored: iterations * 2, inDoubt: 0 }, usd: { stored: 0 } });
  });

  it('killed again and again goes on as if it had not been, and asks nothing twice that was answered', async () => {
    const file = settings('killed', 'm-killed');
    const before = numServed();
    // In the second iteration, where no checkpoint is yet; in the fourth, two after the checkpoint.
    for (const answered of [3, 4]) {
      let left = answered;
      let pid = 0;
      onRequest = () => {
        if (left-- > 0) return false;
        if (left === -1) process.kill(pid, 'SIGKILL');
        return true;
      };
      const onSpawn = (own: number) => {
        pid = own;
      };
      const { signal, stderr } = await grpo(file, [], { onSpawn });
      expect(signal, stderr).toBe('SIGKILL');
      expect(existsSync(join(at('killed'), 'rl.json'))).toBe(false);
    }
    onRequest = () => false;
    const done = await grpo(file);
    expect([done.code, done.stderr]).toEqual([0, expect.stringContaining('going on after iteration 2')]);
    expect(numServed() - before).toBe(iterations * 2);
    expect([...served.values()].filter((times) => times > 1)).toEqual([]);
    expect(rollouts('killed')).toEqual(rollouts('whole'));
    const again = await grpo(file);
    expect([again.code, again.stdout]).toEqual([0, done.stdout]);
    expect(numServed() - before).toBe(iterations * 2);
  });

  const price = ', price: { inputUsdPerMillion: 1000, outputUsdPerMillion: 2000 }';
  // 10 tokens in and 5 out, as the server says.
  const callUsd = 0.02;

  it('that costs money is refused before anything is sampled, unless there is a budget; the ledger says what it cost', async () => {
    const file = settings('paid', 'm-paid', price);
    const before = server.requests.length;
    const refused = await grpo(file);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(
        /openai-compatible:m-paid costs money: 10 calls, \$[\d.]+ at the very most\n.*--budget-usd/,
      ),
    ]);
    expect(server.requests).toHaveLength(before);
    expect(existsSync(join(at('paid'), 'rollouts.jsonl'))).toBe(false);

    const ledger = at('paid.sqlite');
    const done = await grpo(file, ['--budget-usd', '50', '--ledger', ledger]);
    expect(done.code, done.stderr).toBe(0);
    expect(server.requests).toHaveLength(before + iterations * 2);
    const { total } = await statistics(ledger);
    expect(total.calls).toMatchObject({ stored: iterations * 2, failed: 0, inDoubt: 0 });
    expect(total.usd.stored).toBeCloseTo(iterations * 2 * callUsd, 9);
    expect(rollouts('paid').map(({ teacher }) => teacher)).toEqual(rollouts('whole').map(({ teacher }) => teacher));
  });

  it('spends without a limit where that was confirmed, and says what it may be', async () => {
    const { code, stderr } = await grpo(settings('confirmed', 'm-yes', price), ['--yes', '--iterations', '1']);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/m-yes costs money: 2 calls, \$[\d.]+ at the very most/)]);
    expect((await statistics(at('confirmed'))).total.usd.stored).toBeCloseTo(2 * callUsd, 9);
  });

  it('stops where the budget does, and goes on with a larger one', async () => {
    const file = settings('short', 'm-short', price);
    const before = numServed();
    const bound = (await grpo(file)).stderr.match(/10 calls, \$([\d.]+)/)?.[1];
    // The dearest call alone fits, and a few cheap answers beside it.
    const budget = Number(bound) / 10 + 3 * callUsd;
    const short = await grpo(file, ['--budget-usd', String(budget)]);
    expect([short.code, short.stderr]).toEqual([1, expect.stringContaining('budget')]);
    expect(short.stderr).toMatch(/saved after iteration \d/);
    const bought = numServed() - before;
    expect(bought).toBeGreaterThan(0);
    expect(bought).toBeLessThan(iterations * 2);
    const done = await grpo(file, ['--budget-usd', '50']);
    expect(done.code, done.stderr).toBe(0);
    expect(numServed() - before).toBe(iterations * 2);
    expect(rollouts('short').map(({ teacher }) => teacher)).toEqual(rollouts('whole').map(({ teacher }) => teacher));
  });
});
