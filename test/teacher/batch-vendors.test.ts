/** The batch interfaces of both providers, over HTTP. What is done with them: batch-caller.test.ts. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { InterruptedError, TeacherError, TeacherSetupError } from '../../src/base/errors.ts';
import type { BatchResult, BatchRow, BatchVendor } from '../../src/teacher/batch-vendor.ts';
import { openBatchVendor } from '../../src/teacher/batch-vendors.ts';
import { resolveEndpoint } from '../../src/teacher/endpoint.ts';
import type { TeacherRequest } from '../../src/teacher/teacher.ts';
import { openVendor } from '../../src/teacher/vendors.ts';
import {
  type BatchServer,
  type BatchServerOptions,
  type Protocol,
  type RowEnd,
  startBatchServer,
} from './fixtures/batch-server.ts';
import { request, temporaryFolder } from './fixtures/make.ts';

const key = 'sk-test-0123456789abcdefghij';
process.env['TEACHER_TEST_KEY'] = key;

let server: BatchServer;
afterEach(() => server.close());

const config = (protocol: Protocol, model = 'test-model') => ({
  provider: protocol,
  model,
  baseUrl: server.baseUrl,
  apiKeyEnv: 'TEACHER_TEST_KEY',
  concurrency: 2,
  timeoutSeconds: 5,
});

async function start(protocol: Protocol, options: BatchServerOptions = {}, model?: string): Promise<BatchVendor> {
  server = await startBatchServer({ protocol, ...options });
  return openBatchVendor(resolveEndpoint(config(protocol, model)), { timeoutSeconds: 5 });
}

const idOf = (i: number): string => `${i}`.padStart(64, 'a');
const metadata = { run: 'run-1', submission: 'submission-1' };

async function* rows(requests: readonly TeacherRequest[]): AsyncGenerator<BatchRow> {
  for (const [i, one] of requests.entries()) yield { customId: idOf(i), request: one };
}

async function submit(vendor: BatchVendor, requests: readonly TeacherRequest[], signal?: AbortSignal) {
  const folder = temporaryFolder();
  const sent: (string | undefined)[] = [];
  const options = { spoolFile: join(folder, 'spool'), onSending: (file?: string) => sent.push(file), signal };
  try {
    return { batch: await vendor.submit(rows(requests), metadata, options), sent };
  } finally {
    expect(existsSync(options.spoolFile)).toBe(false);
  }
}

async function collect(results: AsyncIterable<BatchResult>): Promise<Map<string, BatchResult>> {
  const all = new Map<string, BatchResult>();
  for await (const one of results) all.set(one.customId, one);
  return all;
}

const texts = Array.from({ length: 6 }, (_, i) => request(`row ${i}`));

describe.each(['openai', 'anthropic'] as const)('%s', (protocol) => {
  test('submit, look, collect', async () => {
    const vendor = await start(protocol, { polls: 2 });
    const { batch, sent } = await submit(vendor, texts);
    expect(batch).toMatchObject({ id: 'batch_1', status: 'running', total: 6 });
    expect(sent).toEqual([protocol === 'openai' ? 'file-1' : undefined]);
    expect(Math.abs(batch.createdAtMs - Date.now())).toBeLessThan(60_000);
    expect((await vendor.status('batch_1')).status).toBe('running');
    expect(await vendor.status('batch_1')).toMatchObject({ status: 'ended', served: 6 });
    const results = await collect(vendor.results('batch_1'));
    expect([...results.keys()].sort()).toEqual(texts.map((_, i) => idOf(i)));
    expect(results.get(idOf(4))).toMatchObject({
      result: { text: 'echo: row 4', finishReason: 'stop', usage: { inputTokens: 10, outputTokens: 5 } },
    });
    const header = protocol === 'openai' ? `Bearer ${key}` : key;
    expect([...server.keys]).toEqual([header]);
  });

  test('a row asks byte for byte what the same request by itself does, and its answer is read the same', async () => {
    const model = protocol === 'openai' ? 'o3' : 'claude-haiku-4-5';
    const vendor = await start(protocol, {}, model);
    const base = { model, sample: 0 };
    const requests: TeacherRequest[] = [
      { ...base, messages: [{ role: 'user', content: 'plain “text”\n\u2028 你好 😀' }], parameters: { maxTokens: 7 } },
      {
        ...base,
        messages: [
          { role: 'system', content: 'be kind' },
          { role: 'user', content: 'one' },
          { role: 'assistant', content: 'two' },
          { role: 'user', content: 'three' },
        ],
        parameters: { maxTokens: 70, temperature: 0.25, stop: ['END'], seed: 42 },
      },
    ];
    const teacher = openVendor(config(protocol, model));
    const answers = await teacher.ask(requests, { idempotencyKeys: ['a', 'b'] });
    await submit(vendor, requests);
    expect(server.online).toHaveLength(2);
    for (const body of server.online) expect(server.uploads[0]).toContain(body);
    await vendor.status('batch_1');
    const results = await collect(vendor.results('batch_1'));
    expect([0, 1].map((i) => results.get(idOf(i))?.result)).toEqual(answers);
  });

  test('rows that were not answered say why, whether that may pass, and whether they may be on the bill', async () => {
    const ends: RowEnd[] = ['served', 'failed', 'invalid', 'expired', 'cancelled', 'missing'];
    const vendor = await start(protocol, { end: ({ text }) => ends[Number(text.split(' ')[1])] as RowEnd });
    await submit(vendor, texts);
    await vendor.status('batch_1');
    const results = await collect(vendor.results('batch_1'));
    expect(results.size).toBe(5);
    const told = [1, 2, 3, 4].map((i) => {
      const { result, mayHaveCharged } = results.get(idOf(i)) as BatchResult;
      const { status, retryable } = result as TeacherError;
      return [status, retryable, mayHaveCharged];
    });
    expect(told).toEqual([
      [500, true, false],
      [400, false, false],
      [undefined, true, false],
      [undefined, true, false],
    ]);
    expect(results.get(idOf(3))?.result).toMatchObject({ message: expect.stringContaining('expired') });
  });

  test('the key is in no error, though the server repeats it, and in no answer', async () => {
    const vendor = await start(protocol, {
      extra: () =>
        [
          { custom_id: 'x', response: { status_code: 401, body: { error: { message: `bad key ${key}` } } } },
          {
            custom_id: 'x',
            result: { type: 'errored', error: { error: { type: 'authentication_error', message: key } } },
          },
        ].slice(protocol === 'openai' ? 0 : 1, protocol === 'openai' ? 1 : 2),
    });
    await submit(vendor, [request(`tell me ${key}`)]);
    await vendor.status('batch_1');
    const results = await collect(vendor.results('batch_1'));
    expect(results.get('x')?.result).toBeInstanceOf(TeacherSetupError);
    for (const { result } of results.values()) {
      expect(`${JSON.stringify(result)} ${(result as Error).message}`).not.toContain(key);
    }
    expect(results.get(idOf(0))?.result).toMatchObject({ text: 'echo: tell me [redacted]' });
  });

  test('errors are those of any call: refused, broken, cut off, not there', async () => {
    const path = protocol === 'openai' ? '/batches' : '/messages/batches';
    const faults = [429, 503, 'reset', 'torn', 401] as const;
    const vendor = await start(protocol, { fault: (call, n) => (call === `GET ${path}/*` ? faults[n] : undefined) });
    await submit(vendor, texts);
    const errors = [];
    for (const _ of faults) errors.push(await vendor.status('batch_1').catch((error: unknown) => error));
    expect(errors).toMatchObject([
      { status: 429, retryable: true, retryAfterMs: 1 },
      { status: 503, retryable: true },
      { retryable: true, message: expect.stringContaining('no connection') },
      { retryable: true },
      { status: 401, retryable: false, hint: expect.stringContaining('TEACHER_TEST_KEY') },
    ]);
    for (const error of errors) expect(error).toBeInstanceOf(TeacherError);
    await expect(vendor.status('batch_9')).rejects.toMatchObject({ status: 404 });
    await server.close();
    const torn = await start(protocol, {
      fault: (call) => (/content|results/.test(call) ? 'torn' : undefined),
    });
    await submit(torn, texts);
    await torn.status('batch_1');
    await expect(collect(torn.results('batch_1'))).rejects.toMatchObject({ retryable: true });
  });

  test('cancel', async () => {
    const vendor = await start(protocol, { polls: 99, end: () => 'cancelled' });
    await submit(vendor, texts);
    await vendor.cancel('batch_1');
    expect((await collect(vendor.results('batch_1'))).size).toBe(6);
  });

  test('an upload that is stopped leaves no file behind', async () => {
    const controller = new AbortController();
    const vendor = await start(protocol, {
      fault: (call) => {
        if (call.startsWith('POST')) controller.abort();
        return 503;
      },
    });
    await expect(submit(vendor, texts, controller.signal)).rejects.toBeInstanceOf(InterruptedError);
  });
});

test('OpenAI: the batch says whose it is, and the list tells it from others', async () => {
  const vendor = await start('openai');
  await submit(vendor, texts);
  expect(server.batches[0]?.metadata).toEqual({ program: 'understudy', ...metadata });
  const listed = async (run: string, sinceMs: number) => {
    const ids = [];
    for await (const { id } of vendor.list(run, sinceMs)) ids.push(id);
    return ids;
  };
  expect(await listed('run-1', 0)).toEqual(['batch_1']);
  expect(await listed('run-2', 0)).toEqual([]);
  expect(await listed('run-1', Date.now() + 60_000)).toEqual([]);
});

test('a list is read page by page, and no further than what is new enough', async () => {
  const { createServer } = await import('node:http');
  const asked: string[] = [];
  const pages = createServer((incoming, response) => {
    const { searchParams } = new URL(incoming.url ?? '', 'http://x');
    const after = searchParams.get('after') ?? searchParams.get('after_id');
    asked.push(`${searchParams.get('limit')} ${after}`);
    const from = after === null ? 9 : Number(after) - 1;
    const data = [from, from - 1, from - 2].map((i) => ({
      id: `${i}`,
      status: 'completed',
      processing_status: 'ended',
      created_at: incoming.url?.includes('messages') ? new Date(i * 1000).toISOString() : i,
      request_counts: {},
      metadata: { run: 'r' },
    }));
    response.end(JSON.stringify({ data, has_more: from > 3 }));
  });
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
  server = await startBatchServer();
  const { port } = pages.address() as { port: number };
  for (const provider of ['openai', 'anthropic'] as const) {
    const endpoint = resolveEndpoint({ ...config(provider), baseUrl: `http://127.0.0.1:${port}/v1` });
    const vendor = openBatchVendor(endpoint, { timeoutSeconds: 5 });
    const ids = [];
    for await (const { id } of vendor.list('r', 5000)) ids.push(id);
    expect(ids, provider).toEqual(['9', '8', '7', '6', '5']);
    const all = [];
    for await (const { id } of vendor.list('r', 0)) all.push(id);
    expect(all, provider).toHaveLength(9);
    expect(asked.splice(0)).toEqual(['100 null', '100 7', '100 null', '100 7', '100 4']);
  }
  pages.close();
});

test('what goes up is spooled to a file that only its owner may read, and is streamed from it', async () => {
  const folder = temporaryFolder();
  const seen: string[] = [];
  const vendor = await start('anthropic');
  const many = Array.from({ length: 300 }, (_, i) => request(`${i} ${'x'.repeat(2000)}`));
  const spoolFile = join(folder, 'spool.jsonl');
  const onSending = () => {
    const { mode, size } = statSync(spoolFile);
    seen.push((mode & 0o777).toString(8), `${size > 600_000}`);
  };
  await vendor.submit(rows(many), metadata, { spoolFile, onSending });
  expect(seen).toEqual(['600', 'true']);
  expect(readdirSync(folder)).toEqual([]);
  expect(server.batches[0]?.rows).toHaveLength(300);
});

test('limits are the provider’s, or less', async () => {
  await start('openai');
  const endpoint = resolveEndpoint(config('openai'));
  const limits = (batch: object) => openBatchVendor(endpoint, { timeoutSeconds: 1, batch }).limits;
  expect(limits({})).toEqual({ requests: 50_000, bytes: 200_000_000, enqueuedTokens: undefined });
  expect(limits({ maxRequests: 10, maxEnqueuedTokens: 5 })).toMatchObject({ requests: 10, enqueuedTokens: 5 });
  expect(limits({ maxRequests: 1_000_000 }).requests).toBe(50_000);
});
