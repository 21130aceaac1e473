/** What training data will cost, said by `plan generate` before it is bought, against a server that counts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadTokenCounter } from '../../src/teacher/openai-tokens.ts';
import { chatServer } from './chat-server.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-plan-generate-'));
// Of Japanese the two encodings make different numbers of tokens.
const instructions = Array.from(
  { length: 60 },
  (_, i) => `Task ${i}: ${'name a river, '.repeat(1 + (i % 7))}${'お誕生日おめでとう'.repeat(i % 3)}.`,
);
const tasks = join(scratch, 'tasks.jsonl');
writeFileSync(tasks, instructions.map((instruction) => `${JSON.stringify({ instruction })}\n`).join(''));
const prices = join(scratch, 'prices.json');
const price = { inputUsdPerMillion: 100, outputUsdPerMillion: 1000 };
const models = { 'gpt-4.1-mini': { ...price, batch: 0.5 }, 'gpt-4': price, m: price };
writeFileSync(prices, JSON.stringify({ models }));

/** A server that has 7 tokens around each prompt, which it counts by o200k_base; every answer has 20. */
const server = chatServer({
  host: '0.0.0.0',
  reply: () => 'The Ebro.',
  usage: ({ messages }) => [count(messages.at(-1)?.content as string) + 7, 20],
  models: { status: 200, body: JSON.stringify({ data: ['gpt-4.1-mini', 'gpt-4'].map((id) => ({ id })) }) },
});
const numServed = () => server.requests.length;
let count: (text: string) => number;
beforeAll(async () => {
  count = await loadTokenCounter('o200k_base');
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// This machine, by a name that does not say so: what is asked there costs money.
const address = () => server.baseUrl.replace('127.0.0.1', '0.0.0.0');
const plan = (provider: string, model: string, out: string, ...more: string[]) => {
  const teacher = ['--provider', provider, '--model', model, '--base-url', address(), '--api-key-env', 'TEST_KEY'];
  const words = ['plan', 'generate', '--data', tasks, ...teacher, '--out', join(scratch, out), '--pilot', '8'];
  return understudy([...words, '--budget-usd', '10', ...more], { env: { TEST_KEY: 'sk-test-0123456789abcdef' } });
};

it('counts prompts by the tokenizer of the model, and says what batches cost and take beside calls by themselves', async () => {
  const { code, stdout, stderr } = await plan('openai', 'gpt-4.1-mini', 'counted', '--prices', prices, '--json');
  expect(code, stderr).toBe(0);
  const planned = JSON.parse(stdout);
  const inputTokens = instructions.reduce((sum, text) => sum + count(text) + 7, 0);
  expect(planned).toMatchObject({ inputTokensBy: 'o200k_base', paid: true, pilot: { asked: 8 } });
  expect(planned.inputTokens).toEqual({ mean: inputTokens, low: inputTokens, high: inputTokens });
  const cost = (inputTokens * 100 + 60 * 20 * 1000) / 1e6;
  expect(planned.usd.mean).toBeCloseTo(cost, 9);
  expect(planned.batch.usd.mean).toBeCloseTo(cost / 2, 9);
  expect(planned.batch.mostSeconds).toBe(24 * 3600);

  // Asked by itself with --batch too, where it is found; for people.
  const before = numServed();
  const told = await plan('openai', 'gpt-4.1-mini', 'counted', '--prices', prices, '--batch');
  expect([told.code, numServed() - before]).toEqual([0, 0]);
  expect(told.stdout).toMatch(/^prompt tokens +[\d,]+, counted by o200k_base$/m);
  expect(told.stdout).toMatch(/^price +\$\d+\.\d\d$/m);
  expect(told.stdout).toMatch(/^in batches +\$\d+\.\d\d, with --batch$/m);
  expect(told.stdout).toMatch(/^ +up to 24 h: what the provider promises, with --batch$/m);

  // Eight of the sixty are stored; 52 at 30 a minute take 104 s, and 20 tokens each, besides their prompts', more at 100.
  const slow = ['--prices', prices, '--requests-per-minute', '30', '--concurrency', '4'];
  const byRequests = await plan('openai', 'gpt-4.1-mini', 'counted', ...slow);
  expect(byRequests.stdout).toMatch(/^tasks +60, 8 of them answered already$/m);
  expect(byRequests.stdout).toMatch(/^time +104 s with 4 calls at once, 30 requests a minute$/m);
  const byTokens = await plan('openai', 'gpt-4.1-mini', 'counted', ...slow, '--tokens-per-minute', '100', '--json');
  const { inputTokens: left, outputTokens, seconds, rates } = JSON.parse(byTokens.stdout);
  expect(rates).toEqual({ requestsPerMinute: 30, tokensPerMinute: 100 });
  expect(outputTokens.mean).toBe(52 * 20);
  expect(seconds.mean).toBeCloseTo((60 * (left.mean + 52 * 20)) / 100, 6);
  expect(numServed() - before).toBe(0);
});

it('goes by what the pilot’s prompts had to a byte where the server counts by another tokenizer, or none is known', async () => {
  const exact = instructions.reduce((sum, text) => sum + count(text) + 7, 0);
  for (const [provider, model] of [
    ['openai', 'gpt-4'], // whose own is cl100k_base
    ['openai-compatible', 'm'],
  ] as const) {
    const { code, stdout, stderr } = await plan(provider, model, model, '--prices', prices, '--json');
    expect(code, stderr).toBe(0);
    const planned = JSON.parse(stdout);
    expect(planned.inputTokensBy, model).toBe('pilot');
    expect(planned.inputTokens.low).toBeLessThan(exact);
    expect(planned.inputTokens.high).toBeGreaterThan(exact);
    // OpenAI has batches, at a price that is not in the file; of the other server nothing is known.
    if (provider === 'openai') expect(planned.batch).toEqual({ mostSeconds: 24 * 3600 });
    else expect(planned.batch).toBeUndefined();
  }
});

it('a file of prices is held to, and a call to its time', async () => {
  const none = await plan('openai', 'gpt-4.1-mini', 'none');
  expect([none.code, none.stderr]).toEqual([
    2,
    expect.stringContaining('the price of openai:gpt-4.1-mini is not known'),
  ]);
  const missing = await plan('openai', 'gpt-4.1-mini', 'missing', '--prices', join(scratch, 'nowhere.json'));
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('nowhere.json')]);
  const long = await plan('openai', 'gpt-4.1-mini', 'long', '--timeout-seconds', '301');
  expect([long.code, long.stderr]).toEqual([2, expect.stringContaining('teacher.timeoutSeconds')]);
});
