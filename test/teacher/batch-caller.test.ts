/** Asking by batches, of both providers: bought once, found again, collected whole. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, InterruptedError, TeacherError, TeacherSetupError, WorkError } from '../../src/base/errors.ts';
import { askByBatch, type BatchOptions } from '../../src/teacher/batch-caller.ts';
import { type Asked, type AskProgress, askAll, askStream } from '../../src/teacher/caller.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { requestKey } from '../../src/teacher/request-key.ts';
import type { Teacher, TeacherAnswer } from '../../src/teacher/teacher.ts';
import { openVendor } from '../../src/teacher/vendors.ts';
import {
  type BatchServer,
  type BatchServerOptions,
  type Protocol,
  type RowEnd,
  startBatchServer,
} from './fixtures/batch-server.ts';
import { price, request, temporaryFolder } from './fixtures/make.ts';

let file: string;
let ledger: Ledger;
let server: BatchServer;
beforeEach(() => {
  file = join(temporaryFolder(), 'ledger.sqlite');
  ledger = new Ledger(file);
});
afterEach(async () => {
  ledger.close();
  await server.close();
});

interface Setting extends BatchServerOptions {
  readonly batch?: Exclude<Parameters<typeof openVendor>[0]['batch'], boolean>;
  readonly paid?: boolean;
}

/** A token is a micro-dollar by itself, half of one in a batch. */
const halfPrice = { ...price, batch: 0.5 };
/** Of `request('row 0')` in a batch: half of 5 bytes + 16 in, 100 out; its answer costs half of 10 + 5. */
const bound = 60.5e-6;
const cost = 7.5e-6;

async function start(protocol: Protocol, { batch, paid = false, ...options }: Setting = {}): Promise<Teacher> {
  server = await startBatchServer({ protocol, ...options });
  return open(protocol, { batch: batch ?? true, ...(paid ? { price: halfPrice } : {}) });
}

const open = (provider: Protocol, options: Partial<Parameters<typeof openVendor>[0]> = {}): Teacher => {
  process.env['TEACHER_TEST_KEY'] = 'sk-test-0123456789abcdefghij';
  return openVendor({
    provider,
    model: 'test-model',
    baseUrl: server.baseUrl,
    apiKeyEnv: 'TEACHER_TEST_KEY',
    concurrency: 4,
    timeoutSeconds: 5,
    ...options,
  });
};

const quick = { firstDelayMs: 1, maxDelayMs: 2 };
const poll = { firstMs: 5, growth: 1, mostMs: 5 };
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `row ${i}`);

/** The text, or the error, of each. */
async function ask(texts: readonly string[], teacher: Teacher, options: Partial<BatchOptions> = {}) {
  const asked: Asked[] = texts.map((text) => ({ key: requestKey(request(text)), request: request(text) }));
  const results = new Map<string, TeacherAnswer | TeacherError>();
  const { batches: vendor } = teacher;
  if (!vendor) throw new Error('a teacher without batches');
  const all = { teacher, vendor, ledger, stage: 'answers', retry: quick, poll, settleMs: 20, ...options };
  await askByBatch(asked, asked.length, all, (key, result) => {
    // A row that is asked for again later in the stream is told of again.
    expect(results.get(key) ?? result).toEqual(result);
    results.set(key, result);
  });
  return asked.map(({ key }) => {
    const result = results.get(key);
    return result instanceof TeacherError ? `error: ${result.message}` : result?.text;
  });
}

const reopen = () => {
  ledger.close();
  ledger = new Ledger(file);
};
const made = (call: string) => server.calls.filter((one) => one === call).length;
const echoes = (texts: readonly string[]) => texts.map((text) => `echo: ${text}`);
const rowsOf = (batch: number) => server.batches[batch]?.rows.map(({ text }) => text).sort();

describe.each(['openai', 'anthropic'] as const)('%s', (protocol) => {
  const listing = protocol === 'openai' ? 'GET /batches' : 'GET /messages/batches';
  const making = protocol === 'openai' ? 'POST /batches' : 'POST /messages/batches';

  test('submit, poll, collect; then all of it is in the ledger', async () => {
    const teacher = await start(protocol, { polls: 3 });
    const notices: string[] = [];
    const texts = [...numbered(600), 'row 3', 'row 3'];
    expect(await ask(texts, teacher, { onNotice: (text) => notices.push(text) })).toEqual(echoes(texts));
    expect(server.batches).toHaveLength(1);
    expect(server.batches[0]?.rows).toHaveLength(600);
    for (const { customId, text } of server.batches[0]?.rows ?? []) expect(customId).toBe(requestKey(request(text)));
    // Listed before it was submitted.
    expect(server.calls.indexOf(listing)).toBeLessThan(server.calls.indexOf(making));
    expect(notices).toEqual(['batch batch_1: 600 requests submitted', 'batch batch_1: 600 answers']);
    expect(ledger.batches.unfinished()).toEqual([]);
    reopen();
    expect(await ask(texts, teacher)).toEqual(echoes(texts));
    expect(server.batches).toHaveLength(1);
    expect(ledger.spent()).toMatchObject({ storedCalls: 600, awaitedCalls: 0, inDoubtCalls: 0, failedCalls: 0 });
  });

  test('askAll and askStream of such a teacher go by batch', async () => {
    const teacher = await start(protocol);
    const options = { teacher, ledger, stage: 'answers' };
    const outcomes = await askAll([request('a'), request('b'), request('a')], options);
    expect(outcomes.map((outcome) => outcome.answer?.text)).toEqual(['echo: a', 'echo: b', 'echo: a']);
    const streamed = [];
    for await (const outcome of askStream(() => [request('c'), request('a')], 2, options)) streamed.push(outcome);
    expect(streamed.map((outcome) => outcome.answer?.text)).toEqual(['echo: c', 'echo: a']);
    expect(server.batches.map(({ rows }) => rows.length)).toEqual([2, 1]);
    expect(server.online).toEqual([]);
  });

  test('batches are cut by the number of requests', async () => {
    const teacher = await start(protocol, { batch: { maxRequests: 250 } });
    expect(await ask(numbered(600), teacher)).toEqual(echoes(numbered(600)));
    expect(server.batches.map(({ rows }) => rows.length)).toEqual([250, 250, 100]);
  });

  test('batches are cut by bytes, and the bound that is kept is one', async () => {
    const teacher = await start(protocol);
    const vendor = teacher.batches;
    if (!vendor) throw new Error('no batches');
    const texts = Array.from({ length: 40 }, (_, i) => `${i} ${'\u0001"\\好'.repeat(100 * (i % 7))}`);
    const bytes = 20_000;
    await ask(texts, teacher, { vendor: { ...vendor, limits: { ...vendor.limits, bytes } } });
    expect(server.batches.length).toBeGreaterThan(3);
    expect(server.uploads.filter((text) => Buffer.byteLength(text) > bytes + 1000)).toEqual([]);
  });

  test('only failed and expired rows go out again, in bounds; what cannot pass is an outcome', async () => {
    const end = ({ text }: { text: string }, batch: number): RowEnd => {
      const n = Number(text.split(' ')[1]);
      if (n === 7) return 'invalid';
      if (n === 13) return 'failed';
      if (batch > 0) return 'served';
      return n % 20 === 3 ? 'failed' : n % 20 === 9 ? 'expired' : n % 50 === 11 ? 'cancelled' : 'served';
    };
    const teacher = await start(protocol, { end });
    const progress: AskProgress[] = [];
    const onProgress = (one: AskProgress) => progress.push(one);
    const outcomes = await ask(numbered(200), teacher, { retry: { ...quick, attempts: 3 }, onProgress });
    const good = numbered(200).filter((text) => text !== 'row 7' && text !== 'row 13');
    expect(outcomes.filter((text) => text?.startsWith('echo'))).toEqual(echoes(good));
    expect(outcomes[7]).toContain('too long');
    expect(outcomes[13]).toContain('broken');
    const again = numbered(200).filter((_, n) => n === 13 || n % 20 === 3 || n % 20 === 9 || n % 50 === 11);
    expect([1, 2].map(rowsOf)).toEqual([again.sort(), ['row 13']]);
    expect(server.batches).toHaveLength(3);
    expect(ledger.spent()).toMatchObject({ storedCalls: 198, failedCalls: 2, awaitedCalls: 0, lostUsd: 0 });
    expect(progress.at(-1)).toMatchObject({ done: 200, failed: 2, fromLedger: 0, awaited: { batches: 0, calls: 0 } });
    expect(progress.some(({ awaited }) => awaited?.batches === 1 && awaited.calls === 200)).toBe(true);
  });

  test('results that come twice, or that nobody asked for, change nothing', async () => {
    const stranger = { custom_id: 'f'.repeat(64) };
    const teacher = await start(protocol, {
      paid: true,
      times: 2,
      extra: () =>
        [{ ...stranger, response: { status_code: 200, body: { choices: [] } } }].map((line) =>
          protocol === 'openai' ? line : { ...stranger, result: { type: 'expired' } },
        ),
    });
    const notices: string[] = [];
    expect(await ask(numbered(5), teacher, { onNotice: (text) => notices.push(text) })).toEqual(echoes(numbered(5)));
    expect(notices.at(-1)).toContain(`results that nobody asked for (${'f'.repeat(64)})`);
    expect(ledger.spent().storedUsd).toBeCloseTo(5 * cost, 12);
    expect(ledger.lookup(['f'.repeat(64)]).size).toBe(0);
  });

  test('rows of which nothing is said are asked again; they count where they may have been computed', async () => {
    const end = ({ text }: { text: string }, batch: number): RowEnd => {
      return batch === 0 && text === 'row 1' ? 'missing' : 'served';
    };
    const teacher = await start(protocol, { paid: true, end });
    expect(await ask(numbered(3), teacher)).toEqual(echoes(numbered(3)));
    expect(rowsOf(1)).toEqual(['row 1']);
    expect(ledger.spent()).toMatchObject({ storedCalls: 3, lostUsd: 0 });
  });

  test('the word that a batch was made gets lost: it is found, and not made again', async () => {
    const teacher = await start(protocol, { made: (batch) => (batch.id === 'batch_1' ? 'lost' : undefined), polls: 2 });
    expect(await ask(numbered(5), teacher)).toEqual(echoes(numbered(5)));
    expect(made(making)).toBe(1);
    expect(server.batches).toHaveLength(1);
  });

  test('calls that go wrong on the way are made again, and no batch with them', async () => {
    const wrong: Record<string, (number | 'reset' | 'torn')[]> = {
      'POST /files': [500, 'reset', 429],
      [listing]: ['torn', 503],
      [making]: [429, 'reset'],
      [`${listing}/*`]: ['reset', 500, 'torn'],
      'GET /files/*/content': ['torn', 500, 'torn'],
      'GET /messages/batches/*/results': ['torn', 500],
    };
    const teacher = await start(protocol, { fault: (call, n) => wrong[call]?.[n] });
    expect(await ask(numbered(700), teacher)).toEqual(echoes(numbered(700)));
    expect(server.batches).toHaveLength(1);
    expect(ledger.spent()).toMatchObject({ storedCalls: 700, failedCalls: 0 });
  });

  test('bought by itself is not bought in a batch', async () => {
    const teacher = await start(protocol);
    const alone = open(protocol);
    await askAll([request('row 1'), request('row 3')], { teacher: alone, ledger, stage: 'other' });
    expect(server.online).toHaveLength(2);
    expect(await ask(numbered(5), teacher)).toEqual(echoes(numbered(5)));
    expect(rowsOf(0)).toEqual(['row 0', 'row 2', 'row 4']);
  });

  test('bought in a batch, or awaited in one, is not bought by itself', async () => {
    const teacher = await start(protocol, { polls: 100 });
    const controller = new AbortController();
    const onProgress = ({ awaited }: AskProgress) => awaited?.batches === 1 && controller.abort();
    await expect(ask(numbered(3), teacher, { signal: controller.signal, onProgress })).rejects.toThrow(
      InterruptedError,
    );
    const alone = { teacher: open(protocol), ledger, stage: 'answers' };
    const refused = await askAll([request('row 9'), request('row 1')], alone).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConfigError);
    expect(refused).toMatchObject({ message: expect.stringContaining('awaited in batch batch_1') });
    expect(server.online).toEqual([]);
    for (const batch of server.batches) batch.polls = 100;
    expect(await ask(numbered(3), teacher)).toEqual(echoes(numbered(3)));
    const outcomes = await askAll([request('row 1')], alone);
    expect(outcomes[0]?.answer?.text).toBe('echo: row 1');
    expect(server.online).toEqual([]);
  });

  test('Ctrl-C leaves the batches running and says so; the next run goes on with them', async () => {
    const teacher = await start(protocol, { polls: 4, batch: { maxRequests: 2 } });
    const controller = new AbortController();
    const onProgress = ({ awaited }: AskProgress) => awaited?.batches === 3 && controller.abort();
    const stopped = await ask(numbered(5), teacher, { signal: controller.signal, onProgress }).catch((e: unknown) => e);
    expect(stopped).toBeInstanceOf(InterruptedError);
    expect((stopped as Error).message).toBe(
      `interrupted; 3 batches with 5 requests go on at ${server.baseUrl}; run the same command again to collect them`,
    );
    reopen();
    expect(ledger.spent()).toMatchObject({ awaitedCalls: 5, inDoubtCalls: 0 });
    expect(await ask(numbered(6), teacher)).toEqual(echoes(numbered(6)));
    expect(server.batches.map(({ rows }) => rows.length)).toEqual([2, 2, 1, 1]);
  });

  test('budget: calls in batches count at their bound, at the price of batches, until they are collected', async () => {
    const teacher = await start(protocol, { paid: true });
    expect(teacher.price).toEqual({ inputUsdPerMillion: 0.5, outputUsdPerMillion: 0.5 });
    // Room for two calls at their bound; two that cost 7.5 leave room for one more, and so on.
    const budgetUsd = 2 * bound + 5e-6;
    const committed: number[] = [];
    const onProgress = () => {
      const { storedUsd, awaitedUsd } = ledger.spent();
      committed.push(storedUsd + awaitedUsd);
    };
    const stopped = (await ask(numbered(30), teacher, { budgetUsd, onProgress }).catch((e: unknown) => e)) as WorkError;
    expect(stopped).toBeInstanceOf(WorkError);
    expect(stopped.message).toMatch(/^the budget of \$0\.00013 is used up: .* 9 of 30 requests are done$/);
    expect(Math.max(...committed)).toBeLessThanOrEqual(budgetUsd + 1e-9);
    expect(Math.max(...committed)).toBeGreaterThan(1.9 * bound);
    expect(ledger.spent().storedUsd).toBeCloseTo(9 * cost, 12);
    expect(ledger.spent().awaitedCalls).toBe(0);
    expect(await ask(numbered(30), teacher, { budgetUsd: 1 })).toEqual(echoes(numbered(30)));
    expect(ledger.spent().storedUsd).toBeCloseTo(30 * cost, 12);
  });

  test('a wrong key, and rows that say that nothing can succeed, end the run', async () => {
    const teacher = await start(protocol, { fault: (call) => (call === listing ? 401 : undefined) });
    await expect(ask(numbered(3), teacher)).rejects.toBeInstanceOf(TeacherSetupError);
    expect(ledger.spent()).toMatchObject({ awaitedCalls: 0, failedCalls: 3, inDoubtCalls: 0, lostUsd: 0 });
    expect(server.batches).toEqual([]);
  });

  test('a refused submission leaves nothing awaited', async () => {
    const teacher = await start(protocol, { fault: (call) => (call === making ? 400 : undefined), paid: true });
    await expect(ask(numbered(3), teacher)).rejects.toMatchObject({ status: 400 });
    expect(made(making)).toBe(1);
    expect(ledger.spent()).toMatchObject({ awaitedCalls: 0, failedCalls: 3, lostUsd: 0 });
    expect(ledger.batches.unfinished()).toEqual([]);
  });

  test('a batch that the provider does not know is not given up unless the user says so', async () => {
    const teacher = await start(protocol, { polls: 99, paid: true });
    const controller = new AbortController();
    const onProgress = ({ awaited }: AskProgress) => awaited?.batches === 1 && controller.abort();
    await expect(ask(numbered(2), teacher, { signal: controller.signal, onProgress })).rejects.toThrow(
      InterruptedError,
    );
    server.batches.length = 0;
    const missing = (await ask(numbered(2), teacher).catch((error: unknown) => error)) as TeacherSetupError;
    expect(missing).toBeInstanceOf(TeacherSetupError);
    expect(missing.hint).toContain('--forget-batches batch_1, or batch: {forget: [batch_1]}');
    expect(ledger.spent().awaitedCalls).toBe(2);
    const told = open(protocol, { batch: { forget: ['batch_1'] }, price: halfPrice });
    const done = ask(numbered(2), told);
    while (server.batches.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const batch of server.batches) batch.polls = 99;
    expect(await done).toEqual(echoes(numbered(2)));
    expect(ledger.spent().lostUsd).toBeCloseTo(2 * bound, 12);
  });

  test('results that are gone are said once, counted, and asked for by the next run', async () => {
    let gone = true;
    const teacher = await start(protocol, {
      paid: true,
      fault: (call) => (gone && /content|results/.test(call) ? 404 : undefined),
    });
    await expect(ask(numbered(2), teacher)).rejects.toThrow(
      /results of batch batch_1 are no longer to be had .* 2 rows/,
    );
    expect(ledger.spent().lostUsd).toBeCloseTo(2 * bound, 12);
    gone = false;
    expect(await ask(numbered(2), teacher)).toEqual(echoes(numbered(2)));
    expect(server.batches).toHaveLength(2);
  });

  test('rows of a run that is over are collected on the way, and not asked again', async () => {
    const end = ({ text }: { text: string }): RowEnd => (text === 'row 1' ? 'failed' : 'served');
    const teacher = await start(protocol, { end, polls: 99 });
    const controller = new AbortController();
    const onProgress = ({ awaited }: AskProgress) => awaited?.batches === 1 && controller.abort();
    await expect(ask(numbered(3), teacher, { signal: controller.signal, onProgress })).rejects.toThrow(
      InterruptedError,
    );
    for (const batch of server.batches) batch.polls = 99;
    const other = ask(['another'], teacher);
    while (server.batches.length === 1) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const batch of server.batches) batch.polls = 99;
    expect(await other).toEqual(['echo: another']);
    expect(ledger.spent()).toMatchObject({ storedCalls: 3, failedCalls: 1, awaitedCalls: 0 });
    expect(server.batches).toHaveLength(2);
  });
});

test('OpenAI: a batch that was not taken for lack of room is cut smaller and waits', async () => {
  const refuse: BatchServerOptions['refuse'] = ({ rows }) =>
    rows.length > 30 ? { code: 'token_limit_exceeded', message: 'Enqueued token limit reached' } : undefined;
  const teacher = await start('openai', { refuse });
  expect(await ask(numbered(100), teacher)).toEqual(echoes(numbered(100)));
  expect(server.batches.map(({ rows, status }) => [rows.length > 30, status])).toContainEqual([true, 'failed']);
  const done = server.batches.filter(({ status }) => status === 'completed');
  expect(done.reduce((sum, { rows }) => sum + rows.length, 0)).toBe(100);
  expect(ledger.spent()).toMatchObject({ storedCalls: 100, failedCalls: 0, lostUsd: 0 });
});

test('OpenAI: the account’s limit of prompt tokens is kept', async () => {
  // Each row is of 2 tokens, as it is estimated.
  const teacher = await start('openai', { batch: { maxEnqueuedTokens: 20 }, polls: 2 });
  expect(await ask(numbered(35), teacher)).toEqual(echoes(numbered(35)));
  expect(server.batches.map(({ rows }) => rows.length)).toEqual([10, 10, 10, 5]);
});

test('OpenAI: a batch that is refused again and again ends the run, with its reason and nothing awaited', async () => {
  const refuse = () => ({ code: 'model_not_found', message: 'no such model in batches' });
  const teacher = await start('openai', { refuse, paid: true });
  await expect(ask(numbered(3), teacher)).rejects.toThrow(/batch_3 was refused: no such model in batches/);
  expect(ledger.spent()).toMatchObject({ awaitedCalls: 0, failedCalls: 3, lostUsd: 0 });
});

test('OpenAI’s protocol without metadata: a batch is known by the file it is made of', async () => {
  const made = ({ id }: { id: string }) => (id === 'batch_1' ? ('lost' as const) : undefined);
  const teacher = await start('openai', { forgetsMetadata: true, made });
  expect(await ask(numbered(4), teacher)).toEqual(echoes(numbered(4)));
  expect(server.batches).toHaveLength(1);
});

test('Anthropic: another’s batch of as many rows is waited for, told apart by its rows, and left alone', async () => {
  let mine = 0;
  const teacher = await start('anthropic', {
    polls: 3,
    // The first submission is lost with what it asked for; somebody else's batch was made in the same minute.
    fault: (call) => (call === 'POST /messages/batches' && mine++ === 0 ? 'reset' : undefined),
  });
  const foreign = { id: 'batch_1', rows: [1, 2, 3].map((i) => ({ customId: `theirs-${i}`, text: 'x', body: {} })) };
  server.batches.push({
    ...foreign,
    rows: foreign.rows.map((row) => ({ ...row, body: { messages: [{ role: 'user', content: 'x' }] } })),
    metadata: undefined,
    file: undefined,
    createdAt: Date.now(),
    status: 'in_progress',
    polls: 0,
  });
  const notices: string[] = [];
  const done = ask(numbered(3), teacher, { onNotice: (text) => notices.push(text) });
  while (notices.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(notices).toEqual(['whether a batch of 3 requests was submitted shows when one of as many has ended']);
  expect(server.batches).toHaveLength(1);
  (server.batches[0] as { status: string }).status = 'ended';
  expect(await done).toEqual(echoes(numbered(3)));
  expect(server.batches).toHaveLength(2);
});

test('a server without batches says so', async () => {
  const teacher = await start('openai', { fault: () => 404 });
  const error = await ask(numbered(2), teacher).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TeacherSetupError);
  expect(error).toMatchObject({ message: `${server.baseUrl} has no batch interface (HTTP 404)` });
  expect(ledger.spent()).toMatchObject({ awaitedCalls: 0, failedCalls: 2 });
});

test('two runs of one process on one ledger leave each other’s batches alone', async () => {
  const teacher = await start('openai', { polls: 5 });
  const texts = [numbered(300), Array.from({ length: 300 }, (_, i) => `other ${i}`)];
  expect(await Promise.all(texts.map((some) => ask(some, teacher)))).toEqual(texts.map(echoes));
  expect(server.batches.map(({ rows }) => rows.length)).toEqual([300, 300]);
  expect(ledger.spent()).toMatchObject({ storedCalls: 600, failedCalls: 0 });
});

test('batches of another teacher at the same address are not collected at this one’s price', async () => {
  const first = await start('openai', { paid: true, polls: 99 });
  const controller = new AbortController();
  const onProgress = ({ awaited }: AskProgress) => awaited?.batches === 1 && controller.abort();
  await expect(ask(numbered(2), first, { signal: controller.signal, onProgress })).rejects.toThrow(InterruptedError);
  const free = { inputUsdPerMillion: 0, outputUsdPerMillion: 0 };
  const second = open('openai', { model: 'judge', batch: true, price: free });
  for (const batch of server.batches) batch.polls = 99;
  const judged = { ...request('verdict', 0, 'judge') };
  const done = askAll([judged], { teacher: second, ledger, stage: 'judge' });
  while (server.batches.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  for (const batch of server.batches) batch.polls = 99;
  expect((await done)[0]?.answer?.text).toBe('echo: verdict');
  expect(ledger.spent()).toMatchObject({ storedCalls: 1, storedUsd: 0, awaitedCalls: 2 });
  expect(await ask(numbered(2), first)).toEqual(echoes(numbered(2)));
  expect(ledger.spent().storedUsd).toBeCloseTo(2 * cost, 12);
});

test('batches of another address are not collected, and their rows not bought', async () => {
  const teacher = await start('openai', { polls: 99 });
  const controller = new AbortController();
  const onProgress = ({ awaited }: AskProgress) => awaited?.batches === 1 && controller.abort();
  await expect(ask(numbered(2), teacher, { signal: controller.signal, onProgress })).rejects.toThrow(InterruptedError);
  const first = server.baseUrl;
  await server.close();
  const other = await start('openai');
  await expect(ask(numbered(2), other)).rejects.toThrow(`awaited in batch batch_1 of openai at ${first}`);
  expect(server.batches).toEqual([]);
});
