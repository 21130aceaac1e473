import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { isLoopback, resolveEndpoint } from '../../src/teacher/endpoint.ts';
import { openTeacher, teacherConfigSchema } from '../../src/teacher/open-teacher.ts';
import { fakeTeacher, price, temporaryFolder } from './fixtures/make.ts';

const noLocal = () => Promise.reject(new Error('no local teacher here'));
const parse = (value: object) => teacherConfigSchema.parse(value);
const open = (value: object) => openTeacher(parse(value), noLocal);

const key = 'test-key-0123456789abcdef';
const before = { ...process.env };
afterEach(() => {
  process.env = { ...before };
});

test('a missing key is a ConfigError that names the variable and says what to do', async () => {
  delete process.env['OPENAI_API_KEY'];
  const error = await open({ provider: 'openai', model: 'gpt-4' }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({
    message: expect.stringContaining('OPENAI_API_KEY'),
    hint: expect.stringContaining('.env'),
  });
  process.env['OPENAI_API_KEY'] = '   ';
  await expect(open({ provider: 'openai', model: 'gpt-4' })).rejects.toThrow('OPENAI_API_KEY is not set');
  await expect(open({ provider: 'anthropic', model: 'x', apiKeyEnv: 'MY_KEY' })).rejects.toThrow('MY_KEY');
});

test('vendors are paid; the list price holds at their own address only, a given price everywhere', async () => {
  process.env['OPENAI_API_KEY'] = key;
  const teacher = await open({ provider: 'openai', model: 'gpt-4' });
  expect(teacher).toMatchObject({
    name: 'openai:gpt-4',
    model: 'gpt-4',
    paid: true,
    price: { inputUsdPerMillion: 30, outputUsdPerMillion: 60 },
    batchSize: 1,
    concurrency: 8,
  });
  const elsewhere = await open({ provider: 'openai', model: 'gpt-4', baseUrl: 'https://proxy.example/v1' });
  expect(elsewhere).toMatchObject({ paid: true, price: undefined });
  expect(await open({ provider: 'openai', model: 'gpt-4', price })).toMatchObject({ paid: true, price });
});

function priceFile(models: object): string {
  const file = join(temporaryFolder(), 'prices.json');
  writeFileSync(file, JSON.stringify({ models }));
  return file;
}

test('a file of prices goes before the list, that of the settings before that of the environment', async () => {
  process.env['OPENAI_API_KEY'] = key;
  const [file, usual] = [priceFile({ 'gpt-4': price }), priceFile({ 'gpt-4': { ...price, inputUsdPerMillion: 7 } })];
  const config = { provider: 'openai', model: 'gpt-4' };
  expect(await open({ ...config, prices: file })).toMatchObject({ price });
  process.env['UNDERSTUDY_PRICES'] = usual;
  expect(await open(config)).toMatchObject({ price: { inputUsdPerMillion: 7 } });
  expect(await open({ ...config, prices: file })).toMatchObject({ price });
  // The user's word holds at any address; what it does not list is as without it.
  expect(await open({ ...config, baseUrl: 'https://proxy.example/v1' })).toMatchObject({
    price: { inputUsdPerMillion: 7 },
  });
  expect(await open({ ...config, model: 'gpt-4o' })).toMatchObject({ price: { inputUsdPerMillion: 2.5 } });
  expect(await open({ ...config, model: 'gpt-unheard-of' })).toMatchObject({ paid: true, price: undefined });
  expect(await open({ ...config, baseUrl: 'http://localhost:8000/v1' })).toMatchObject({ paid: false });
  const free = { inputUsdPerMillion: 0, outputUsdPerMillion: 0 };
  expect(await open({ ...config, prices: priceFile({ 'gpt-4': free }) })).toMatchObject({ paid: false });
  await expect(open({ ...config, prices: 'no/such/file.json' })).rejects.toThrow('no such file');
});

test('by batch: at half the list price, at the share that is given, and at the full price where none is known', async () => {
  process.env['OPENAI_API_KEY'] = key;
  const openai = { provider: 'openai', model: 'gpt-4', batch: true };
  expect(await open(openai)).toMatchObject({
    name: 'openai:gpt-4',
    price: { inputUsdPerMillion: 15, outputUsdPerMillion: 30 },
    batches: { provider: 'openai', baseUrl: 'https://api.openai.com/v1', limits: { requests: 50_000 } },
  });
  expect((await open({ ...openai, batch: false })).batches).toBeUndefined();
  expect((await open({ ...openai, batch: { maxRequests: 7 } })).batches?.limits.requests).toBe(7);
  const half = { inputUsdPerMillion: 0.5, outputUsdPerMillion: 0.5 };
  expect(await open({ ...openai, price })).toMatchObject({ price: half });
  const elsewhere = { ...openai, provider: 'openai-compatible', model: 'm', baseUrl: 'https://batches.example/v1' };
  expect(await open({ ...elsewhere, price: { ...price, batch: 0.25 } })).toMatchObject({
    price: { inputUsdPerMillion: 0.25, outputUsdPerMillion: 0.25 },
  });
  const warnings: string[] = [];
  const listen = (warning: Error) => warnings.push(warning.message);
  process.on('warning', listen);
  expect(await open({ ...elsewhere, price })).toMatchObject({ price });
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listen);
  expect(warnings).toEqual([expect.stringContaining('what m costs in a batch is not known')]);
  expect(await open({ ...openai, baseUrl: 'http://localhost:8000/v1' })).toMatchObject({
    paid: false,
    price: undefined,
  });
});

test('free is what runs on this machine or is priced at 0', async () => {
  const server = { provider: 'openai-compatible', model: 'm' };
  const zero = { inputUsdPerMillion: 0, outputUsdPerMillion: 0 };
  expect(await open({ ...server, baseUrl: 'http://localhost:8000/v1' })).toMatchObject({ paid: false });
  expect(await open({ ...server, baseUrl: 'http://[::1]:8000/v1' })).toMatchObject({ paid: false });
  expect(await open({ ...server, baseUrl: 'http://10.0.0.5:8000/v1' })).toMatchObject({ paid: true, price: undefined });
  expect(await open({ ...server, baseUrl: 'http://10.0.0.5:8000/v1', price: zero })).toMatchObject({ paid: false });
  expect(await open({ ...server, baseUrl: 'http://localhost:8000/v1', price })).toMatchObject({ paid: true, price });
  for (const host of ['localhost.evil.example', '127.0.0.1.evil.example', '1127.0.0.1', 'notlocalhost'])
    expect(isLoopback(host)).toBe(false);
});

test('credentials in an address are taken out; OPENAI_BASE_URL is not read; a query is refused', () => {
  const config = { provider: 'openai-compatible' as const, model: 'm', concurrency: 1, timeoutSeconds: 1 };
  const endpoint = resolveEndpoint({ ...config, baseUrl: 'https://ann:p%40ss-word@host.example/v1/' }, {});
  expect(endpoint.baseUrl).toBe('https://host.example/v1');
  expect(endpoint.headers).toEqual({ Authorization: `Basic ${btoa('ann:p@ss-word')}` });
  const openai = { ...config, provider: 'openai' as const };
  const environment = { OPENAI_API_KEY: key, OPENAI_BASE_URL: 'https://elsewhere.example' };
  expect(resolveEndpoint(openai, environment).baseUrl).toBe('https://api.openai.com/v1');
  expect(() => resolveEndpoint({ ...config, baseUrl: 'https://h.example/v1?api-key=abc' }, {})).toThrow(ConfigError);
  // OpenAI's key does not go to other servers by itself.
  expect(
    resolveEndpoint({ ...config, baseUrl: 'https://h.example/v1' }, { OPENAI_API_KEY: key }).apiKey,
  ).toBeUndefined();
});

test('the schema is strict, fills defaults in, and takes no key for the name of one', () => {
  expect(parse({ provider: 'local' })).toEqual({ provider: 'local', model: 'builtin' });
  expect(parse({ provider: 'openai', model: 'm' })).toEqual({
    provider: 'openai',
    model: 'm',
    concurrency: 8,
    timeoutSeconds: 120,
  });
  const wrong: object[] = [
    { provider: 'openai' },
    { provider: 'openai', model: 'm', modle: 'x' },
    { provider: 'openai-compatible', model: 'm' },
    { provider: 'openai-compatible', model: 'm', baseUrl: 'ftp://x' },
    { provider: 'openai', model: 'm', concurrency: 0 },
    { provider: 'openai', model: 'm', price: { inputUsdPerMillion: -1, outputUsdPerMillion: 1 } },
    { provider: 'openai', model: 'm', batch: 'yes' },
    { provider: 'openai', model: 'm', batch: { maxRequests: 0 } },
    { provider: 'openai', model: 'm', price: { inputUsdPerMillion: 1, outputUsdPerMillion: 1, batch: 2 } },
    { provider: 'recorded' },
    { provider: 'gguf' },
    { provider: 'gguf', model: 'x.gguf', contextSize: 0 },
    { provider: 'gguf', model: 'x.gguf', batch: true },
    { provider: 'parrot' },
  ];
  for (const value of wrong) expect(teacherConfigSchema.safeParse(value).success, JSON.stringify(value)).toBe(false);
  const pasted = teacherConfigSchema.safeParse({ provider: 'openai', model: 'm', apiKeyEnv: 'sk-secret-0123456789' });
  expect(pasted.error?.message).toContain('name of an environment variable');
  expect(pasted.error?.message).not.toContain('sk-secret');
});

test('local teachers are opened by the caller, recorded ones here', async () => {
  const local = fakeTeacher();
  const asked: unknown[] = [];
  const opened = await openTeacher(parse({ provider: 'local', model: '/models/x' }), async (config) => {
    asked.push(config);
    return local;
  });
  expect(opened).toBe(local);
  const gguf = parse({ provider: 'gguf', model: 'x.gguf', contextSize: 512, template: 'chatml' });
  await openTeacher(gguf, async (config) => {
    asked.push(config);
    return local;
  });
  expect(asked).toEqual([
    { provider: 'local', model: '/models/x' },
    { provider: 'gguf', model: 'x.gguf', contextSize: 512, template: 'chatml', concurrency: 4 },
  ]);
  const file = join(temporaryFolder(), 'r.jsonl');
  writeFileSync(file, '{"instruction":"I","output":"O"}\n');
  expect(await open({ provider: 'recorded', files: [file] })).toMatchObject({
    model: expect.stringMatching(/^recorded:[0-9a-f]{12}$/),
  });
});
