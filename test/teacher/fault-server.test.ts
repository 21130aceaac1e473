/** The server that the teacher layer is tested against, tested itself: calls for an answer. Batches: fault-server/. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Counts, expectedText, type FaultServer, type Faults, startFaultServer } from './fault-server/start.mjs';
import { temporaryFolder } from './fixtures/make.ts';

let state: string;
let server: FaultServer;
beforeEach(() => {
  state = join(temporaryFolder(), 'state.jsonl');
});
afterEach(() => server.stop());

const start = async (faults: Faults = {}, seed = 1) => {
  server = await startFaultServer({ state, seed, faults });
};

type Json = Record<string, unknown>;
const body = (content: string, more: Json = {}) => ({
  model: 'test-model',
  messages: [{ role: 'user', content }],
  max_tokens: 100,
  ...more,
});
const post = (what: Json, headers: Record<string, string> = {}, path = '/chat/completions', signal?: AbortSignal) =>
  fetch(`${server.baseUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(what),
    ...(signal ? { signal } : {}),
  });
const toAnthropic = (what: Json, headers: Record<string, string> = {}) =>
  post(what, { 'anthropic-version': '2023-06-01', ...headers }, '/messages');

interface Completion {
  choices: { message: { content: string }; finish_reason: string }[];
  usage: { prompt_tokens: number; completion_tokens: number };
  error: { message: string; type: string; param: string | null; code: string | null };
}
const json = async (response: Response) => (await response.json()) as Completion;

/** Answers that were on their way are counted when their connection is done with them. */
async function settled(): Promise<Counts> {
  for (;;) {
    const counts = await server.counts();
    if (counts.inFlight === 0 && counts.served === counts.whole + counts.torn + counts.unknown) return counts;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Asks all, a number of them at once, and says how each ended. */
async function askMany(count: number, concurrency: number): Promise<string[]> {
  const ends: string[] = [];
  let next = 0;
  const work = async () => {
    while (next < count) {
      const i = next++;
      ends[i] = await post(body(`question ${i}`)).then(
        async (response) => `${response.status} ${await response.text().catch(() => 'broken')}`,
        () => 'no answer',
      );
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return ends;
}

const oneOf = [
  'rateLimited',
  'error500',
  'error502',
  'error503',
  'error529',
  'resetBefore',
  'resetMidBody',
  'slow',
  'wrongJson',
  'wrongShape',
  'htmlPage',
  'truncated',
  'length',
  'contentFilter',
  'refusal',
];

test('each fault comes at its share, by the seed and not by the order of arrival, and is counted', async () => {
  const shares = Object.fromEntries(oneOf.map((name) => [name, 0.05]));
  await start({ shares, slowMs: 1 });
  const ends = await askMany(800, 60);
  const counts = await settled();
  // 800 calls, share 0.05: 40 expected, standard deviation 6.2.
  for (const name of oneOf) {
    expect(counts.faults[name], name).toBeGreaterThan(40 - 4 * 6.2);
    expect(counts.faults[name], name).toBeLessThan(40 + 4 * 6.2);
  }
  const told = (name: string) => counts.faults[name] ?? 0;
  const ended = (pattern: RegExp) => ends.filter((end) => pattern.test(end)).length;
  expect(ended(/^429 /)).toBe(told('rateLimited'));
  expect(ended(/^500 /)).toBe(told('error500'));
  expect(ended(/^529 /)).toBe(told('error529'));
  expect(ended(/^no answer/)).toBe(told('resetBefore'));
  expect(ended(/^200 broken/)).toBe(told('resetMidBody'));
  expect(ended(/<!doctype html>/)).toBe(told('htmlPage'));
  const made = ['resetMidBody', 'slow', 'wrongJson', 'truncated', 'length', 'contentFilter', 'refusal'];
  const unharmed = 800 - oneOf.reduce((sum, name) => sum + told(name), 0);
  expect(counts).toMatchObject({
    asked: 800,
    served: made.reduce((sum, name) => sum + told(name), unharmed),
    torn: told('resetMidBody') + told('wrongJson') + told('truncated'),
    duplicates: 0,
    chargedAgain: 0,
  });
  expect(counts.maxInFlight).toBeLessThanOrEqual(60);

  await server.stop();
  state = join(temporaryFolder(), 'again.jsonl');
  await start({ shares, slowMs: 1 });
  await askMany(150, 7);
  const firstFew = (await settled()).faults;
  await server.stop();
  state = join(temporaryFolder(), 'other.jsonl');
  await start({ shares, slowMs: 1 }, 2);
  await askMany(150, 7);
  expect((await settled()).faults).not.toEqual(firstFew);
  await server.stop();
  state = join(temporaryFolder(), 'same.jsonl');
  await start({ shares, slowMs: 1 });
  await askMany(150, 40);
  expect((await settled()).faults).toEqual(firstFew);
});

test('a request is answered after so many faults, and not before', async () => {
  await start({ shares: { error500: 1 }, maxFaultsPerRequest: 2 });
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await post(body('hi'))).status);
  expect(statuses).toEqual([500, 500, 200]);
});

describe('what a 429 tells', () => {
  const told = async (form: string, retryAfterMs: number, anthropic = false) => {
    await server.set({ retryAfterForms: [form], retryAfterMs });
    const { status, headers } = await (anthropic ? toAnthropic : post)(body(`${form} ${retryAfterMs}`));
    expect(status).toBe(429);
    return (name: string) => headers.get(name);
  };

  test('to wait, in every spelling', async () => {
    await start({ shares: { rateLimited: 1 } });
    expect((await told('seconds', 2500))('retry-after')).toBe('3');
    expect((await told('milliseconds', 2500))('retry-after-ms')).toBe('2500');
    const date = (await told('date', 2500))('retry-after') ?? '';
    expect(date).toMatch(/GMT$/);
    const ms = Date.parse(date) - Date.now();
    expect(ms > 1500 && ms <= 3500).toBe(true);
    const reset = await told('headers', 90_000);
    expect([reset('x-ratelimit-remaining-requests'), reset('x-ratelimit-reset-requests')]).toEqual(['0', '1m30s']);
    const anthropic = await told('headers', 90_000, true);
    expect(Date.parse(anthropic('anthropic-ratelimit-requests-reset') ?? '')).toBeGreaterThan(Date.now() + 80_000);
    const none = await told('none', 2500);
    expect(['retry-after', 'retry-after-ms', 'x-ratelimit-reset-requests'].map(none)).toEqual([null, null, null]);
  });

  test('who comes before the time is counted, who heeds it is not', async () => {
    await start({ shares: { rateLimited: 1 }, retryAfterForms: ['milliseconds'], retryAfterMs: 60_000 });
    await post(body('hasty'));
    await post(body('hasty'));
    await server.set({ retryAfterMs: 20 });
    await post(body('patient'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await post(body('patient'));
    expect((await server.counts()).early).toBe(1);
    expect(server.events().filter(({ earlyMs }) => earlyMs !== undefined)).toHaveLength(1);
  });

  test('a storm is for everyone, and passes', async () => {
    await start({ storm: { everyMs: 1, forMs: 1 } });
    expect([(await post(body('a'))).status, (await toAnthropic(body('b'))).status]).toEqual([429, 429]);
    await server.set({ storm: { everyMs: 0, forMs: 0 } });
    expect((await post(body('a'))).status).toBe(200);
    expect((await server.counts()).faults).toEqual({ storm: 2 });
  });
});

describe('real limits', () => {
  test('requests a minute: a bucket, and headers that tell what is in it', async () => {
    await start({ limits: { requestsPerMinute: 1, burstSeconds: 300 }, retryAfterForms: ['milliseconds'] });
    const responses: Response[] = [];
    for (let i = 0; i < 8; i++) responses.push(await post(body(`row ${i}`)));
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
    const header = (i: number, name: string) => responses[i]?.headers.get(name);
    expect(header(0, 'x-ratelimit-limit-requests')).toBe('1');
    expect(header(0, 'x-ratelimit-remaining-requests')).toBe('4');
    expect(header(4, 'x-ratelimit-remaining-requests')).toBe('0');
    expect(header(4, 'x-ratelimit-reset-requests')).toMatch(/^(5m0s|4m\d+(\.\d+)?s)$/);
    const waitMs = Number(header(5, 'retry-after-ms'));
    expect(waitMs > 30_000 && waitMs <= 60_000).toBe(true);
    expect(await server.counts()).toMatchObject({ early: 0, faults: { limit: 3 } });
  });

  test('who waits as long as was told gets in', async () => {
    await start({ limits: { requestsPerMinute: 60, burstSeconds: 1 }, retryAfterForms: ['milliseconds'] });
    const together = await Promise.all(Array.from({ length: 20 }, () => post(body('row'))));
    const waits = together.map(({ headers }) => Number(headers.get('retry-after-ms')));
    expect(Math.max(...waits)).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.max(...waits)));
    expect((await post(body('row'))).status).toBe(200);
  });

  test('tokens a minute: prompt and most of the answer', async () => {
    // 3 + 1 tokens of prompt and 100 of answer, twice; a third does not fit.
    await start({ limits: { tokensPerMinute: 220, burstSeconds: 60 } });
    const responses = [];
    for (const name of ['a', 'b', 'c']) responses.push(await toAnthropic(body(name)));
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(responses[1]?.headers.get('anthropic-ratelimit-tokens-remaining')).toBe('12');
  });
});

test('an answer is that of the request, in its language, and no longer than it may be', async () => {
  await start();
  const { choices, usage } = await json(await post(body('hello')));
  expect(choices[0]?.message.content).toBe(expectedText(body('hello')));
  expect(choices[0]).toMatchObject({ finish_reason: 'stop' });
  expect(usage).toEqual({ prompt_tokens: 5, completion_tokens: 12, total_tokens: 17 });
  const others = [body('hello!'), body('hello', { temperature: 1 }), body('hello', { model: 'other-model' })];
  const texts = await Promise.all(others.map(async (one) => (await json(await post(one))).choices[0]?.message.content));
  expect(new Set([choices[0]?.message.content, ...texts]).size).toBe(4);
  expect((await json(await post(body('你好')))).choices[0]?.message.content).toMatch(
    /^答案\w+：\p{Script=Han}{12}。$/u,
  );
  const short = await json(await post(body('hello', { max_tokens: 3 })));
  expect([short.choices[0]?.finish_reason, short.usage.completion_tokens]).toEqual(['length', 3]);
  const message = await (await toAnthropic(body('hello', { system: 'Be brief.' }))).json();
  expect(message).toMatchObject({
    type: 'message',
    content: [{ type: 'text', text: expectedText(body('hello', { system: 'Be brief.' })) }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 11, output_tokens: 12 },
  });
});

test.each([
  ['length', 'length', 'max_tokens', /^Answer \w+:( \w+){6}$/],
  ['contentFilter', 'content_filter', 'refusal', /^Answer \w+:( \w+){6}$/],
  ['refusal', 'stop', 'end_turn', /I cannot help/],
])('%s', async (name, finishReason, stopReason, text) => {
  await start({ shares: { [name]: 1 } });
  const { choices } = await json(await post(body('hello')));
  expect(choices[0]).toMatchObject({ finish_reason: finishReason, message: { content: expect.stringMatching(text) } });
  const message = await (await toAnthropic(body('hi'))).json();
  expect(message).toMatchObject({ stop_reason: stopReason, content: [{ text: expect.stringMatching(text) }] });
});

test('answers that never come whole are made, charged and counted as torn', async () => {
  await start({ shares: { slow: 1 }, slowMs: 2000 });
  const patience = new AbortController();
  const late = post(body('late'), {}, '/chat/completions', patience.signal);
  while ((await server.counts()).inFlight === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  patience.abort();
  await expect(late).rejects.toThrow();
  expect(await settledAfter(1)).toMatchObject({ served: 1, torn: 1, whole: 0, tokensOut: 12 });
  await server.set({ shares: { slow: 0, truncated: 1 } });
  const half = await (await post(body('half'))).text();
  expect(() => JSON.parse(half)).toThrow();
  expect(half.startsWith('{"id":"chatcmpl-')).toBe(true);
  await server.set({ shares: { truncated: 0, wrongJson: 1 } });
  expect((await (await post(body('wrong'))).text()).startsWith('{,"id"')).toBe(true);
  await server.set({ shares: { wrongJson: 0, resetBefore: 1 } });
  await expect(post(body('gone'))).rejects.toThrow();
  expect(await settledAfter(3)).toMatchObject({ asked: 4, served: 3, torn: 3 });

  async function settledAfter(served: number): Promise<Counts> {
    while ((await server.counts()).served < served) await new Promise((resolve) => setTimeout(resolve, 5));
    return settled();
  }
});

test('streams: the same answer in pieces, with its usage; a truncated one just ends', async () => {
  await start();
  const streamed = body('hello', { stream: true, stream_options: { include_usage: true } });
  const text = await (await post(streamed)).text();
  const chunks = text.split('\n\n').filter((line) => line.startsWith('data: {'));
  const parsed = chunks.map((line) => JSON.parse(line.slice(6)) as { choices: { delta: { content?: string } }[] });
  expect(parsed.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(expectedText(body('hello')));
  expect(parsed.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 12 } });
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  const events = await (await toAnthropic(body('hello', { stream: true }))).text();
  expect([...events.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name)).toEqual([
    'message_start',
    'content_block_start',
    ...Array.from({ length: 14 }, () => 'content_block_delta'),
    'content_block_stop',
    'message_delta',
    'message_stop',
  ]);
  await server.set({ shares: { truncated: 1 } });
  const cut = await (await post(streamed)).text();
  expect(text.startsWith(cut.slice(0, 20)) && !cut.includes('[DONE]')).toBe(true);
  await server.set({ shares: { truncated: 0, resetMidBody: 1 } });
  await expect((await post(streamed)).text()).rejects.toThrow();
});

test('a repeated Idempotency-Key brings the same answer and is not charged again', async () => {
  await start({ shares: { resetMidBody: 1 } });
  const key = { 'idempotency-key': 'k1' };
  await expect(post(body('hello'), key).then((response) => response.text())).rejects.toThrow();
  await server.set({ shares: { resetMidBody: 0 } });
  for (let i = 0; i < 2; i++) {
    expect((await json(await post(body('hello'), key))).choices[0]?.message.content).toBe(expectedText(body('hello')));
  }
  expect(await settled()).toMatchObject({ served: 3, whole: 2, duplicates: 2, chargedAgain: 0, tokensOut: 12 });
  expect((await post(body('another'), key)).status).toBe(400);
  await post(body('hello'), { 'idempotency-key': 'k2' });
  await server.set({ idempotency: false });
  await post(body('hello'), key);
  expect(await settled()).toMatchObject({ duplicates: 2, chargedAgain: 2, requests: 1, tokensOut: 36 });
});

test('an answer cut off is cut off when it is told again', async () => {
  await start({ shares: { length: 1 } });
  const key = { 'idempotency-key': 'k1' };
  const first = await json(await post(body('hello'), key));
  await server.set({ shares: { length: 0 } });
  expect(await json(await post(body('hello'), key))).toMatchObject({ choices: first.choices });
});

test('it counts on in the same file after it was killed, without the line that was cut', async () => {
  await start({ shares: { error500: 0.3 }, latencyMs: 5 });
  await askMany(50, 10);
  const before = await settled();
  const [served] = server.events().filter(({ e }) => e === 'served');
  expect(served).toMatchObject({ route: 'chat', hash: expect.stringMatching(/^[0-9a-f]{64}$/), fault: null });
  await server.kill();
  appendFileSync(state, '{"e":"served","id":99,"ha');
  await start({ shares: { error500: 0.3 } });
  const after = await server.counts();
  expect({ ...after, maxInFlight: 0 }).toEqual({ ...before, maxInFlight: 0, starts: 2 });
  // What a request met before the restart, it does not meet again as if it were new.
  await askMany(50, 10);
  expect(await settled()).toMatchObject({ asked: 100, chargedAgain: expect.any(Number) });
});

describe('what the real ones refuse', () => {
  const refused = async (response: Response) => [response.status, (await json(response)).error.message];

  test('OpenAI', async () => {
    await start();
    expect(await refused(await post(body('a', { top_k: 3 })))).toEqual([400, expect.stringContaining('top_k')]);
    expect(await refused(await post({ ...body('a'), model: 'gpt-0' }))).toEqual([404, expect.any(String)]);
    expect(await refused(await post(body('a', { temperature: 2.1 })))).toEqual([400, expect.any(String)]);
    expect(await refused(await post(body('a', { messages: [] })))).toEqual([400, expect.any(String)]);
    expect(await refused(await post(body('a', { max_tokens: 0 })))).toEqual([400, expect.any(String)]);
    expect((await server.counts()).faults).toEqual({ invalid: 5 });
  });

  test('Anthropic', async () => {
    await start();
    const { max_tokens: _, ...unlimited } = body('a');
    expect(await refused(await toAnthropic(body('a', { seed: 1 })))).toEqual([
      400,
      'seed: Extra inputs are not permitted',
    ]);
    expect(await refused(await toAnthropic(unlimited))).toEqual([400, 'max_tokens: Field required']);
    expect(await refused(await toAnthropic(body('a', { temperature: 1.5 })))).toEqual([400, expect.any(String)]);
    const system = [{ role: 'system', content: 'x' }];
    expect(await refused(await toAnthropic(body('a', { messages: system })))).toEqual([400, expect.any(String)]);
    expect(await refused(await post(body('a'), {}, '/messages'))).toEqual([400, expect.stringContaining('version')]);
  });

  test('another key', async () => {
    await start({ apiKey: 'secret' });
    expect((await post(body('a'))).status).toBe(401);
    expect((await post(body('a'), { authorization: 'Bearer secret' })).status).toBe(200);
    expect((await toAnthropic(body('a'), { 'x-api-key': 'secret' })).status).toBe(200);
    expect((await fetch(`${server.baseUrl}/models`)).status).toBe(401);
  });
});

test('models are listed, and found by name', async () => {
  await start();
  const list = (await (await fetch(`${server.baseUrl}/models`)).json()) as { data: { id: string }[] };
  expect(list.data.map(({ id }) => id)).toEqual(['test-model', 'other-model']);
  expect((await fetch(`${server.baseUrl}/models/test-model`)).status).toBe(200);
  expect((await fetch(`${server.baseUrl}/models/none`)).status).toBe(404);
});

test('settings that there are not are not taken', async () => {
  await start();
  await expect(server.set({ shares: { flood: 1 } })).rejects.toThrow('settings.shares: there is no flood');
  await expect(server.set({ latencyMs: '5' })).rejects.toThrow('settings.latencyMs: expected number, got string');
  await expect(server.set({ shares: { slow: 0.6, refusal: 0.6 } })).rejects.toThrow('shares of at most 1');
  await expect(server.set({ retryAfterForms: ['never'] })).rejects.toThrow('never');
});
