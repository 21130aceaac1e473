/** The batch interfaces of the fault server: their limits, their faults, and that they survive a restart. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../fixtures/make.ts';
import { expectedText, type FaultServer, type Faults, requestHash, startFaultServer } from './start.mjs';

let state: string;
let server: FaultServer;
beforeEach(() => {
  state = join(temporaryFolder(), 'state.jsonl');
});
afterEach(() => server.stop());

const atOnce = { validatingMs: 0, inProgressMs: 0, finalizingMs: 0 };
const never = { validatingMs: 0, inProgressMs: 3_600_000, finalizingMs: 0 };
const start = async (faults: Faults = { batch: atOnce }) => {
  server = await startFaultServer({ state, faults });
};

interface Reply {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of several protocols
  readonly body: any;
}
async function call(method: string, path: string, body?: FormData | object, headers = {}): Promise<Reply> {
  const isForm = body instanceof FormData;
  const response = await fetch(`${server.baseUrl}${path}`, {
    method,
    headers: isForm ? headers : { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith('{') && !text.includes('}\n') ? JSON.parse(text) : {} };
}
const lines = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    // biome-ignore lint/suspicious/noExplicitAny: JSON of several protocols
    .map((line) => JSON.parse(line) as any);

const chat = (content: string, more = {}) => ({
  model: 'test-model',
  messages: [{ role: 'user', content }],
  max_tokens: 50,
  ...more,
});
const row = (id: string, body: object = chat(id), more = {}) => ({
  custom_id: id,
  method: 'POST',
  url: '/v1/chat/completions',
  body,
  ...more,
});
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `row-${i}`);

function form(rows: readonly unknown[], name = 'input.jsonl', more: Record<string, string> = {}): FormData {
  const data = new FormData();
  for (const [member, value] of Object.entries({ purpose: 'batch', ...more })) data.set(member, value);
  const text = rows.map((one) => `${typeof one === 'string' ? one : JSON.stringify(one)}\n`).join('');
  data.set('file', new File([text], name));
  return data;
}
const upload = async (rows: readonly unknown[]): Promise<string> => (await call('POST', '/files', form(rows))).body.id;
const create = (file: string, more = {}) =>
  call('POST', '/batches', {
    input_file_id: file,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    ...more,
  });
const submit = async (rows: readonly unknown[]): Promise<string> => (await create(await upload(rows))).body.id;
const show = async (id: string) => (await call('GET', `/batches/${id}`)).body;
const content = async (id: string) => lines((await call('GET', `/files/${id}/content`)).text);

describe('OpenAI', () => {
  test('from a file to a file: validated, worked on, completed; metadata are kept; rows in another order', async () => {
    await start({ batch: { validatingMs: 3_600_000 } });
    const file = await upload(numbered(50).map((id) => row(id)));
    const metadata = { run: 'r-1', part: '0' };
    const first = (await create(file, { metadata })).body;
    expect(first).toMatchObject({ object: 'batch', status: 'validating', metadata, output_file_id: null });
    await server.set({ batch: never });
    const second = (await create(file, { metadata })).body;
    expect(await show(second.id)).toMatchObject({ status: 'in_progress', request_counts: { total: 50, completed: 0 } });
    await server.set({ batch: { inProgressMs: 0, finalizingMs: 3_600_000 } });
    expect((await create(file)).body.status).toBe('finalizing');
    await server.set({ batch: atOnce });
    const done = await show((await create(file, { metadata })).body.id);
    expect(done).toMatchObject({
      status: 'completed',
      metadata,
      error_file_id: null,
      request_counts: { total: 50, completed: 50, failed: 0 },
    });
    const output = await content(done.output_file_id);
    expect(output.map(({ custom_id }) => custom_id)).not.toEqual(numbered(50));
    expect(output.map(({ custom_id }) => custom_id).sort()).toEqual(numbered(50).sort());
    for (const { custom_id, response, error } of output) {
      expect([response.status_code, error]).toEqual([200, null]);
      expect(response.body.choices[0].message.content).toBe(expectedText(chat(custom_id)));
    }
    // Looked at as often as one likes, it is made once.
    await show(done.id);
    expect(await server.counts()).toMatchObject({ served: 50, batchRows: 50, whole: 50, chargedAgain: 0, asked: 0 });
  });

  test('a row that was bought online and is bought in a batch is counted as bought again', async () => {
    await start();
    await call('POST', '/chat/completions', chat('row-1'));
    await show(await submit([row('a', chat('row-1')), row('b', chat('row-2'))]));
    expect(await server.counts()).toMatchObject({ served: 3, requests: 2, chargedAgain: 1 });
    const hashes = server.events().flatMap(({ e, hash }) => (e === 'served' ? [hash] : []));
    expect(hashes).toContain(requestHash(chat('row-1')));
  });

  test('rows fail, expire, come twice or not at all, at their shares', async () => {
    await start({ batch: { ...atOnce, failShare: 0.05, expireShare: 0.05, missingShare: 0.05, duplicateShare: 0.05 } });
    const done = await show(await submit(numbered(1000).map((id) => row(id))));
    expect(done.status).toBe('expired');
    const output = await content(done.output_file_id);
    const errors = await content(done.error_file_id);
    const expired = errors.filter(({ error }) => error?.code === 'batch_expired');
    const failed = errors.filter(({ response }) => response !== null);
    const answered = new Set(output.map(({ custom_id }) => custom_id));
    const missing = 1000 - answered.size - errors.length;
    // 1,000 rows, share 0.05: 50 expected, standard deviation 6.9.
    for (const count of [expired.length, failed.length, missing, output.length - answered.size]) {
      expect(Math.abs(count - 50)).toBeLessThan(4 * 6.9);
    }
    expect(new Set(failed.map(({ response }) => response.status_code))).toEqual(new Set([500, 429]));
    expect(failed[0].response.body.error.message).toBe('this row failed');
    expect(done.request_counts).toEqual({ total: 1000, completed: answered.size, failed: failed.length });
    expect(await server.counts()).toMatchObject({ served: answered.size, batchRows: answered.size });
  });

  test('only rows that failed are asked again: they meet their chance anew, and not more faults than they may', async () => {
    await start({ batch: { ...atOnce, failShare: 0.5 } });
    let rows = numbered(100).map((id) => row(id));
    for (let round = 0; rows.length > 0 && round < 30; round++) {
      const { error_file_id: file } = await show(await submit(rows));
      const failed = new Set(file === null ? [] : (await content(file)).map(({ custom_id }) => custom_id));
      expect(failed.size).toBeLessThanOrEqual(rows.length);
      rows = rows.filter(({ custom_id }) => failed.has(custom_id));
    }
    expect(rows).toEqual([]);
    expect(await server.counts()).toMatchObject({ served: 100, chargedAgain: 0 });
    await server.set({ batch: { failShare: 1 }, maxFaultsPerRequest: 1 });
    expect((await show(await submit([row('x', chat('new'))]))).request_counts.failed).toBe(1);
    expect((await show(await submit([row('x', chat('new'))]))).request_counts.completed).toBe(1);
  });

  test('a row that is not in order fails alone', async () => {
    await start();
    const done = await show(await submit([row('good'), row('bad', chat('x', { top_k: 1 }))]));
    expect(done).toMatchObject({ status: 'completed', request_counts: { completed: 1, failed: 1 } });
    const [error] = await content(done.error_file_id);
    expect(error).toMatchObject({ custom_id: 'bad', response: { status_code: 400 }, error: null });
  });

  test.each([
    ['duplicate_custom_id', [row('a'), row('b'), row('a')], 3],
    ['invalid_json_line', [row('a'), '{"custom_id":'], 2],
    ['missing_required_parameter', [{ ...row('a'), custom_id: undefined }], 1],
    ['invalid_url', [row('a', chat('a'), { url: '/v1/embeddings' })], 1],
    ['invalid_method', [row('a', chat('a'), { method: 'GET' })], 1],
    ['mismatched_model', [row('a'), row('b', chat('b', { model: 'other-model' }))], 2],
    ['empty_file', [], null],
  ])('a file with %s fails as a whole, and no row is worked on', async (code, rows, line) => {
    await start();
    const failed = await show(await submit(rows));
    expect(failed).toMatchObject({ status: 'failed', output_file_id: null, error_file_id: null });
    expect(failed.errors.data).toEqual([expect.objectContaining({ code, line })]);
    expect((await server.counts()).served).toBe(0);
  });

  test('50,000 requests are taken, one more is not', async () => {
    await start({ batch: never });
    const rows = numbered(50_001).map((id) => row(id, chat('x')));
    expect((await show(await submit(rows.slice(1)))).status).toBe('in_progress');
    expect(await show(await submit(rows))).toMatchObject({
      status: 'failed',
      errors: { data: [{ message: expect.stringContaining('50000') }] },
    });
  });

  test('a file that is too large, of another name, with members that there are not', async () => {
    await start({ batch: { ...atOnce, maxBytes: 400 } });
    const refused = async (data: FormData) => {
      const { status, body } = await call('POST', '/files', data);
      return [status, body.error?.message];
    };
    expect(await refused(form(numbered(3).map((id) => row(id))))).toEqual([400, 'File is too large.']);
    expect(await refused(form([row('a')], 'input.json'))).toEqual([400, expect.stringContaining('.jsonl')]);
    expect(await refused(form([row('a')], 'input.jsonl', { colour: 'red' }))).toEqual([400, expect.any(String)]);
    expect(await refused(form([row('a')], 'input.jsonl', { purpose: 'fun' }))).toEqual([400, expect.any(String)]);
    expect((await call('POST', '/files', form([row('a')]))).status).toBe(200);
  });

  test('a batch of a file that there is not, with metadata or members that may not be', async () => {
    await start();
    const file = await upload([row('a')]);
    const status = async (more: object) => (await create(file, more)).status;
    expect(await status({ input_file_id: 'file-none' })).toBe(400);
    expect(await status({ colour: 'red' })).toBe(400);
    expect(await status({ completion_window: '1h' })).toBe(400);
    expect(await status({ metadata: { run: 1 } })).toBe(400);
    expect(await status({ metadata: { ['k'.repeat(65)]: 'v' } })).toBe(400);
    expect(await status({ metadata: { k: 'v'.repeat(513) } })).toBe(400);
    expect(await status({ metadata: Object.fromEntries(numbered(17).map((name) => [name, ''])) })).toBe(400);
    expect(await status({ metadata: { ['k'.repeat(64)]: 'v'.repeat(512) } })).toBe(200);
  });

  test('what may be enqueued is limited, and free again when a batch is done', async () => {
    // 'x' is 4 tokens of prompt.
    await start({ batch: { ...never, maxEnqueuedTokens: 10 } });
    const file = await upload([row('a', chat('x')), row('b', chat('x'))]);
    const first = (await create(file)).body.id;
    const { errors } = await show((await create(file)).body.id);
    expect(errors.data).toMatchObject([{ code: 'token_limit_exceeded' }]);
    await call('POST', `/batches/${first}/cancel`);
    expect((await show((await create(file)).body.id)).status).toBe('in_progress');
  });

  test('cancelled: what was done is delivered, the rest is not, and a batch that is done cannot be', async () => {
    await start({ batch: never });
    const id = await submit(numbered(10).map((name) => row(name)));
    expect((await call('POST', `/batches/${id}/cancel`)).status).toBe(200);
    const cancelled = await show(id);
    expect(cancelled).toMatchObject({ status: 'cancelled', output_file_id: null, request_counts: { completed: 0 } });
    const errors = await content(cancelled.error_file_id);
    expect(errors.map(({ error }) => error.code)).toEqual(Array.from({ length: 10 }, () => 'batch_cancelled'));
    expect((await call('POST', `/batches/${id}/cancel`)).status).toBe(409);
    expect((await call('POST', '/batches/none/cancel')).status).toBe(404);
  });

  test('lists are paged, newest first', async () => {
    await start();
    const file = await upload([row('a')]);
    const ids: string[] = [];
    for (let i = 0; i < 25; i++) ids.unshift((await create(file)).body.id);
    const page = async (query: string) => (await call('GET', `/batches?${query}`)).body;
    const first = await page('');
    expect(first).toMatchObject({ object: 'list', has_more: true, first_id: ids[0], last_id: ids[19] });
    const second = await page(`after=${first.last_id}&limit=100`);
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids);
    expect(second.has_more).toBe(false);
    expect((await call('GET', '/batches?limit=101')).status).toBe(400);
    const files = (await call('GET', '/files?purpose=batch')).body;
    expect(files.data.map(({ id }: { id: string }) => id)).toEqual([file]);
    expect((await call('DELETE', `/files/${file}`)).body).toEqual({ id: file, object: 'file', deleted: true });
    expect((await call('GET', `/files/${file}`)).status).toBe(404);
  });

  test('a batch can be made without anybody being told', async () => {
    await start();
    const file = await upload([row('a')]);
    await server.set({ controlShares: { resetAfter: 1 } });
    await expect(create(file, { metadata: { run: 'r-7' } })).rejects.toThrow();
    await server.set({ controlShares: { resetAfter: 0 } });
    const { data } = (await call('GET', '/batches')).body;
    expect(data).toMatchObject([{ metadata: { run: 'r-7' } }]);
    expect((await server.counts()).controlFaults).toEqual({ resetAfter: 1 });
    await server.set({ controlShares: { truncated: 1 } });
    expect((await call('GET', '/batches').catch(() => ({ text: '{' }))).text.endsWith('}')).toBe(false);
    await server.set({ controlShares: { truncated: 0, rateLimited: 1 } });
    expect((await call('GET', '/batches')).status).toBe(429);
  });

  test('batches, files and counts survive a kill, wherever the batch is', async () => {
    const shares = { failShare: 0.1, expireShare: 0.1 };
    await start({ batch: { ...never, ...shares } });
    const open = await submit(numbered(100).map((id) => row(id)));
    await server.set({ batch: atOnce });
    const done = await submit(numbered(100).map((id) => row(id, chat(`other ${id}`))));
    const before = await show(done);
    const counts = await server.counts();
    await server.kill();
    await start({ batch: { ...atOnce, ...shares } });
    expect(await show(open)).toMatchObject({ status: 'in_progress', request_counts: { total: 100 } });
    expect(await show(done)).toEqual(before);
    expect(await content(before.output_file_id)).toHaveLength(before.request_counts.completed);
    expect(await server.counts()).toMatchObject({ served: counts.served, chargedAgain: 0, starts: 2 });
  });
});

describe('Anthropic', () => {
  const version = { 'anthropic-version': '2023-06-01' };
  const ask = (method: string, path = '', body?: object) => call(method, `/messages/batches${path}`, body, version);
  const request = (id: string, params: object = chat(id)) => ({ custom_id: id, params });
  const make = async (ids: readonly string[]): Promise<string> =>
    (await ask('POST', '', { requests: ids.map((id) => request(id)) })).body.id;

  test('requests in one body, results as lines when all have ended', async () => {
    await start({ batch: never });
    const id = await make(['a', 'b']);
    expect((await ask('GET', `/${id}`)).body).toMatchObject({
      type: 'message_batch',
      processing_status: 'in_progress',
      request_counts: { processing: 2, succeeded: 0 },
      results_url: null,
    });
    expect((await ask('GET', `/${id}/results`)).status).toBe(404);
    await server.set({ batch: atOnce });
    const done = (await ask('GET', `/${await make(numbered(50))}`)).body;
    expect(done).toMatchObject({ processing_status: 'ended', request_counts: { processing: 0, succeeded: 50 } });
    expect(done.results_url).toBe(`${server.baseUrl}/messages/batches/${done.id}/results`);
    const results = lines((await ask('GET', `/${done.id}/results`)).text);
    expect(results.map(({ custom_id }) => custom_id).sort()).toEqual(numbered(50).sort());
    for (const { custom_id, result } of results) {
      expect(result.type).toBe('succeeded');
      expect(result.message.content[0].text).toBe(expectedText(chat(custom_id)));
    }
    expect(await server.counts()).toMatchObject({ served: 50, batchRows: 50, chargedAgain: 0 });
  });

  test('rows err and expire, and one that is not in order is seen in its result alone', async () => {
    await start({ batch: { ...atOnce, failShare: 0.05, expireShare: 0.05 } });
    const requests = [...numbered(1000).map((id) => request(id)), request('bad', { model: 'test-model' })];
    const { id } = (await ask('POST', '', { requests })).body;
    const { request_counts: counts } = (await ask('GET', `/${id}`)).body;
    const results = lines((await ask('GET', `/${id}/results`)).text);
    const ofType = (type: string) => results.filter(({ result }) => result.type === type);
    for (const type of ['succeeded', 'errored', 'expired', 'canceled']) {
      expect(counts[type]).toBe(ofType(type).length);
    }
    // 1,000 rows, share 0.05: 50 expected, standard deviation 6.9.
    expect(Math.abs(counts.errored - 51)).toBeLessThan(4 * 6.9);
    expect(Math.abs(counts.expired - 50)).toBeLessThan(4 * 6.9);
    const bad = ofType('errored').find(({ custom_id }) => custom_id === 'bad');
    expect(bad.result.error).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } });
    expect((await server.counts()).served).toBe(counts.succeeded);
  });

  test('custom_id: 1 to 64 letters, digits, - and _, each once; nothing that there is not', async () => {
    await start({ batch: atOnce, messageBatch: { maxRequests: 3, maxBytes: 2000 } });
    const status = async (body: object) => (await ask('POST', '', body)).status;
    const withIds = (...ids: string[]) => ({ requests: ids.map((id) => request(id, chat('x'))) });
    expect(await status(withIds('a'.repeat(64), 'A_-9'))).toBe(200);
    for (const id of ['', 'a'.repeat(65), 'a b', 'é', 'a.b', 'a\n']) expect(await status(withIds(id))).toBe(400);
    expect(await status(withIds('a', 'b', 'a'))).toBe(400);
    expect(await status({ requests: [] })).toBe(400);
    expect(await status({ ...withIds('a'), metadata: { run: '1' } })).toBe(400);
    expect(await status({ requests: [{ ...request('a'), priority: 1 }] })).toBe(400);
    expect(await status(withIds('a', 'b', 'c', 'd'))).toBe(400);
    expect(await status({ requests: [request('a', chat('x'.repeat(2000)))] })).toBe(413);
  });

  test('cancelled, deleted, listed, and still there after a kill', async () => {
    await start({ batch: never });
    const open = await make(['a', 'b', 'c']);
    expect((await ask('DELETE', `/${open}`)).status).toBe(400);
    expect((await ask('POST', `/${open}/cancel`)).status).toBe(200);
    expect((await ask('GET', `/${open}`)).body).toMatchObject({
      processing_status: 'ended',
      request_counts: { canceled: 3, succeeded: 0 },
    });
    await server.set({ batch: atOnce });
    const ids = [open];
    for (const name of ['d', 'e', 'f']) ids.unshift(await make([name]));
    const results = (await ask('GET', `/${ids[0]}/results`)).text;
    await server.kill();
    await start({ batch: atOnce });
    const page = (await ask('GET', '?limit=3')).body;
    expect(page).toMatchObject({ has_more: true, first_id: ids[0], last_id: ids[2] });
    const rest = (await ask('GET', `?after_id=${page.last_id}`)).body;
    expect([...page.data, ...rest.data].map(({ id }) => id)).toEqual(ids);
    const back = (await ask('GET', `?before_id=${ids[2]}&limit=1`)).body;
    expect(back.data.map(({ id }: { id: string }) => id)).toEqual([ids[1]]);
    expect((await ask('GET', `/${ids[0]}/results`)).text).toBe(results);
    expect(await server.counts()).toMatchObject({ batchRows: 3, chargedAgain: 0 });
    expect((await ask('DELETE', `/${open}`)).body.type).toBe('message_batch_deleted');
    expect((await ask('GET', `/${open}`)).status).toBe(404);
  });
});
