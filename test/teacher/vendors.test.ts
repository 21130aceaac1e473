import { createServer } from 'node:http';
import { type AddressInfo, createServer as createRawServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { InterruptedError, TeacherError, TeacherSetupError } from '../../src/base/errors.ts';
import type { VendorConfig } from '../../src/teacher/endpoint.ts';
import type { Teacher, TeacherAnswer, TeacherRequest } from '../../src/teacher/teacher.ts';
import { openVendor } from '../../src/teacher/vendors.ts';
import { type ChatServer, type ChatServerOptions, type Fault, startChatServer } from './fixtures/chat-server.ts';
import { request } from './fixtures/make.ts';

const key = 'sk-test-0123456789abcdefghij';
process.env['TEACHER_TEST_KEY'] = key;

let server: ChatServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(options: ChatServerOptions = {}, config: Partial<VendorConfig> = {}): Promise<Teacher> {
  server = await startChatServer(options);
  return open({ baseUrl: server.baseUrl, ...config });
}

const open = (config: Partial<VendorConfig>): Teacher =>
  openVendor({
    provider: 'openai-compatible',
    model: 'test-model',
    apiKeyEnv: 'TEACHER_TEST_KEY',
    concurrency: 4,
    timeoutSeconds: 20,
    ...config,
  });

async function ask(teacher: Teacher, one: TeacherRequest = request('hi'), signal?: AbortSignal) {
  const [answer] = await teacher.ask([one], { idempotencyKeys: ['idem-1'], signal });
  return answer as TeacherAnswer | TeacherError;
}

async function askWith(fault: Fault): Promise<TeacherError> {
  const error = await ask(await start({ fault: () => fault }));
  expect(error).toBeInstanceOf(TeacherError);
  expect(`${(error as TeacherError).stack} ${JSON.stringify(error)}`).not.toContain(key);
  expect((error as TeacherError).message).toContain('openai-compatible:test-model');
  return error as TeacherError;
}

test('a compatible server: every parameter goes out, the answer comes back whole', async () => {
  const teacher = await start();
  const one: TeacherRequest = {
    model: 'test-model',
    messages: [
      { role: 'system', content: 'be kind' },
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'two' },
      { role: 'user', content: 'three' },
    ],
    parameters: { maxTokens: 7, temperature: 0.25, topP: 0.5, seed: 42, stop: ['END'] },
    sample: 0,
  };
  expect(await ask(teacher, one)).toMatchObject({
    text: 'echo: three',
    finishReason: 'stop',
    usage: { inputTokens: 10, outputTokens: 5 },
    raw: { id: 'chatcmpl-1', usage: { total_tokens: 15 } },
  });
  expect(server?.requests[0]).toMatchObject({
    model: 'test-model',
    messages: one.messages,
    idempotencyKey: 'idem-1',
    authorization: `Bearer ${key}`,
    body: { max_tokens: 7, temperature: 0.25, top_p: 0.5, seed: 42, stop: ['END'] },
  });
});

test('what is not set is not sent, and a server without a key gets none', async () => {
  const teacher = await start({}, { apiKeyEnv: undefined });
  await ask(teacher);
  expect(server?.requests[0]?.authorization).toBeUndefined();
  const body = server?.requests[0]?.body ?? {};
  expect(
    Object.keys(body)
      .filter((name) => body[name] !== undefined)
      .sort(),
  ).toEqual(['max_tokens', 'messages', 'model']);
});

test('OpenAI itself goes through its chat interface', async () => {
  const teacher = await start({}, { provider: 'openai' });
  expect(teacher.name).toBe('openai:test-model');
  expect(await ask(teacher)).toMatchObject({ text: 'echo: hi', usage: { inputTokens: 10, outputTokens: 5 } });
  expect(server?.requests[0]).toMatchObject({ idempotencyKey: 'idem-1', authorization: `Bearer ${key}` });
});

test('a parameter that a model does not take is said once, not dropped in silence', async () => {
  const warnings: string[] = [];
  const listen = (warning: Error) => warnings.push(warning.message);
  process.on('warning', listen);
  const teacher = await start({}, { provider: 'openai', model: 'o3' });
  const one = { ...request('hi', 0, 'o3'), parameters: { maxTokens: 5, temperature: 0.7 } };
  for (let i = 0; i < 2; i++) await ask(teacher, one);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listen);
  expect(server?.requests[0]?.body['temperature']).toBeUndefined();
  expect(warnings.filter((warning) => warning.includes('temperature'))).toHaveLength(1);
});

test('Anthropic: its own protocol, headers, stop reasons and counts', async () => {
  const seen: { url: string; headers: NodeJS.Dict<string | string[]>; body: string }[] = [];
  const own = createServer(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += chunk;
    seen.push({ url: incoming.url ?? '', headers: incoming.headers, body });
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        type: 'message',
        id: 'msg_1',
        role: 'assistant',
        model: 'claude-haiku-4-5',
        content: [{ type: 'text', text: 'no' }],
        stop_reason: 'refusal',
        stop_sequence: null,
        usage: { input_tokens: 12, output_tokens: 3 },
      }),
    );
  });
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(own.address() as AddressInfo).port}/v1`;
  const teacher = open({ provider: 'anthropic', model: 'claude-haiku-4-5', baseUrl });
  const one = request('hi', 0, 'claude-haiku-4-5');
  expect(await ask(teacher, one)).toMatchObject({
    text: 'no',
    finishReason: 'content-filter',
    usage: { inputTokens: 12, outputTokens: 3 },
    raw: { id: 'msg_1' },
  });
  expect(seen[0]?.url).toBe('/v1/messages');
  expect(seen[0]?.headers).toMatchObject({ 'x-api-key': key, 'idempotency-key': 'idem-1' });
  expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ model: 'claude-haiku-4-5', max_tokens: 100 });
  own.close();
});

test.each([
  ['stop', 'stop'],
  ['length', 'length'],
  ['content_filter', 'content-filter'],
  ['tool_calls', 'other'],
  ['something_new', 'other'],
])('finish reason %s is %s', async (theirs, ours) => {
  expect(await ask(await start({ finishReason: theirs }))).toMatchObject({ finishReason: ours });
});

test('a server that does not count leaves usage undefined', async () => {
  expect(await ask(await start({ withoutUsage: true }))).toMatchObject({ text: 'echo: hi', usage: undefined });
});

test('429 with Retry-After', async () => {
  const fault: Fault = { kind: 'status', status: 429, headers: { 'retry-after': '7' } };
  expect(await askWith(fault)).toMatchObject({ status: 429, retryable: true, retryAfterMs: 7000 });
  expect(server?.requests).toHaveLength(1); // The SDK does not retry by itself.
});

test('429 of an empty account does not pass with time', async () => {
  const body = JSON.stringify({ error: { message: 'You exceeded your quota', code: 'insufficient_quota' } });
  const error = await askWith({ kind: 'status', status: 429, body });
  expect(error).toBeInstanceOf(TeacherSetupError);
  expect(error.retryable).toBe(false);
});

test('500, and 400 with the server’s words', async () => {
  expect(await askWith({ kind: 'status', status: 500 })).toMatchObject({ status: 500, retryable: true });
  for (const body of [{ error: { message: 'prompt too long' } }, { detail: 'prompt too long' }]) {
    await server?.close();
    const error = await askWith({ kind: 'status', status: 400, body: JSON.stringify(body) });
    expect(error).toMatchObject({ status: 400, retryable: false });
    expect(error.message).toMatch(/: prompt too long$/);
  }
});

test('502 with a proxy’s page', async () => {
  const error = await askWith({ kind: 'status', status: 502, body: `<html>${'x'.repeat(5000)}</html>` });
  expect(error).toMatchObject({ status: 502, retryable: true });
  expect(error.message.length).toBeLessThan(600);
});

test('401 is a set-up error that names the variable; a key the server repeats does not show', async () => {
  const body = JSON.stringify({ error: { message: `Incorrect API key provided: ${key}.` } });
  const error = await askWith({ kind: 'status', status: 401, body });
  expect(error).toBeInstanceOf(TeacherSetupError);
  expect(error).toMatchObject({ exitCode: 2, retryable: false, hint: expect.stringContaining('TEACHER_TEST_KEY') });
  expect(error.message).toContain('[redacted]');
});

test('a connection that breaks in the middle of the answer, and an answer cut short, may come whole next time', async () => {
  expect(await askWith({ kind: 'reset' })).toMatchObject({
    retryable: true,
    message: expect.stringContaining('no connection'),
  });
  await server?.close();
  const error = await askWith({ kind: 'truncated' });
  expect(error).toMatchObject({ retryable: true, message: expect.stringContaining('could not be read') });
});

test('JSON of another shape will not be better next time', async () => {
  expect(await askWith({ kind: 'body', body: '{"hello":1}' })).toMatchObject({ retryable: false });
  await server?.close();
  expect(await askWith({ kind: 'body', body: '{"choices":[]}' })).toMatchObject({ retryable: false });
});

test('a silent server: time runs out', async () => {
  const teacher = await start({ fault: () => ({ kind: 'silent' }) }, { timeoutSeconds: 0.2 });
  const error = await ask(teacher);
  expect(error).toBeInstanceOf(TeacherError);
  expect(error).toMatchObject({ retryable: true, message: expect.stringContaining('no answer within 0.2 s') });
});

test('abort ends a running call with InterruptedError', async () => {
  const teacher = await start({ fault: () => ({ kind: 'silent' }) });
  const controller = new AbortController();
  const answer = ask(teacher, request('hi'), controller.signal);
  while (server?.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  await expect(answer).rejects.toBeInstanceOf(InterruptedError);
});

test('a server that repeats the key in its answer does not get it into text or raw', async () => {
  const body = {
    id: 'x',
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: `key ${key}` }, finish_reason: 'stop' }],
    debug: { [key]: [`Bearer ${key}`] },
  };
  const answer = await ask(await start({ fault: () => ({ kind: 'body', body: JSON.stringify(body) }) }));
  expect(JSON.stringify(answer)).not.toContain(key);
  expect(answer).toMatchObject({ text: 'key [redacted]', raw: { id: 'x' } });
});

test('probe: a list, a list without the model, no list, 405 and a failing list are all reachable for a compatible server', async () => {
  await (await start()).probe();
  await server?.close();
  await (await start({}, { model: 'unlisted' })).probe();
  for (const status of [404, 405, 500]) {
    await server?.close();
    await (await start({ models: { status, body: 'nope' } })).probe();
  }
  expect(server?.requests).toHaveLength(0); // Probing costs nothing.
});

test('probe of a vendor proper: an unknown model is named with its neighbour', async () => {
  await (await start({}, { provider: 'openai' })).probe();
  await server?.close();
  const error = await (await start({}, { provider: 'openai', model: 'test-modle' })).probe().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(TeacherSetupError);
  expect(error).toMatchObject({ exitCode: 2, hint: 'did you mean test-model?' });
});

test.each([401, 403])('probe: %i names the variable and not the key', async (status) => {
  const teacher = await start({ models: { status, body: JSON.stringify({ error: { message: `bad ${key}` } }) } });
  const error = (await teacher.probe().catch((e: unknown) => e)) as TeacherSetupError;
  expect(error).toBeInstanceOf(TeacherSetupError);
  expect(error).toMatchObject({ status, hint: expect.stringContaining('TEACHER_TEST_KEY') });
  expect(`${error.message}${error.hint}`).not.toContain(key);
});

test('probe: a broken server and a web page are no teachers', async () => {
  const broken = await start({ models: { status: 503, body: '' } });
  await expect(broken.probe()).rejects.toBeInstanceOf(TeacherSetupError);
  await server?.close();
  const vendor = await start({ models: { status: 500, body: '' } }, { provider: 'openai' });
  await expect(vendor.probe()).rejects.toBeInstanceOf(TeacherSetupError);
  await server?.close();
  const page = await start({ models: { status: 200, body: '<!doctype html>' } });
  await expect(page.probe()).rejects.toThrow(/expected JSON/);
});

test('probe: nobody there; the address is named without its credentials', async () => {
  const free = createRawServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const { port } = free.address() as AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const teacher = open({ baseUrl: `http://ann:pass-word@127.0.0.1:${port}/v1`, apiKeyEnv: undefined });
  const error = (await teacher.probe().catch((e: unknown) => e)) as TeacherSetupError;
  expect(error).toBeInstanceOf(TeacherSetupError);
  expect(error.message).toBe(`cannot reach http://127.0.0.1:${port}/v1: ECONNREFUSED`);
  const asked = await ask(teacher);
  expect(asked).toMatchObject({ retryable: true, message: expect.stringContaining('ECONNREFUSED') });
  expect((asked as TeacherError).message).not.toContain('pass-word');
});

test('probe: a name that does not resolve', async () => {
  const teacher = open({ baseUrl: 'http://no-such-host.invalid/v1' });
  await expect(teacher.probe()).rejects.toThrow(
    /cannot reach http:\/\/no-such-host\.invalid\/v1: (ENOTFOUND|EAI_AGAIN)/,
  );
});
