/** What Node's fetch and ours must have in common runs on both: the cases say so by `fetches`. */
import { getEventListeners } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createRawServer, type Server as RawServer } from 'node:net';
import { join } from 'node:path';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { askAll } from '../../src/teacher/caller.ts';
import { httpFetch } from '../../src/teacher/http-fetch.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { connectionCode, mayHaveCharged } from '../../src/teacher/retry.ts';
import { connectionError } from '../../src/teacher/vendor-errors.ts';
import { withoutRedirects } from '../../src/teacher/vendor-model.ts';
import { openVendor } from '../../src/teacher/vendors.ts';
import { selfSigned } from './fixtures/certificate.ts';
import { price, request, temporaryFolder } from './fixtures/make.ts';

const key = 'sk-test-0123456789abcdefghij';
const ours = httpFetch({ environment: {} });
const fetches = [
  ['Node’s fetch', withoutRedirects],
  ['our fetch', ours.fetch],
] as const;

const servers: { close(): unknown; closeAllConnections?(): void }[] = [];
afterEach(() => {
  ours.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});

async function listen(server: Server | RawServer, scheme = 'http'): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

/** A server that has read a request to its end when it answers. */
function serve(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void): Promise<string> {
  return listen(createServer(whole(answer)));
}

const whole =
  (answer: (request: IncomingMessage, response: ServerResponse, body: string) => void): RequestListener =>
  async (request, response) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of request) pieces.push(piece as Uint8Array);
    answer(request, response, Buffer.concat(pieces).toString());
  };

/** A server that writes bytes of its own, whatever it is asked, and then does something to the connection. */
function serveRaw(bytes: string, then: 'end' | 'reset'): Promise<string> {
  const server = createRawServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () =>
      socket.write(bytes, () => (then === 'end' ? socket.end() : setTimeout(() => socket.resetAndDestroy(), 20))),
    );
  });
  return listen(server);
}

const post = (send: typeof fetch, url: string, more: RequestInit = {}): Promise<Response> =>
  send(url, { method: 'POST', headers: { Authorization: `Bearer ${key}`, 'x-name': 'value' }, body: 'größe', ...more });

/** Why it fails; nothing of it may show the key. */
async function failure(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: Error) => reason,
  );
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    expect(`${cause.stack} ${JSON.stringify(cause)}`).not.toContain(key);
  return error;
}

/** Whether a call that failed so counts as one that may have been charged. */
function inDoubt(error: Error): boolean | undefined {
  const code = connectionCode(error);
  const endpoint = { baseUrl: 'http://x' } as Parameters<typeof connectionError>[1];
  return code === undefined ? undefined : mayHaveCharged(connectionError('t', endpoint, code));
}

describe.each(fetches)('%s', (_, send) => {
  test('sends text and headers, and gives the answer’s status, headers and text', async () => {
    const url = await serve(({ method, url: path, headers }, response, body) => {
      response.writeHead(429, 'Too Many', { 'retry-after': '3', 'x-two': ['a', 'b'], 'set-cookie': ['a=1', 'b=2'] });
      response.end([method, path, headers['x-name'], headers['content-length'], headers.accept, body].join(' '));
    });
    const response = await post(send, url);
    expect([response.status, response.statusText, response.ok]).toEqual([429, 'Too Many', false]);
    expect(Object.fromEntries(response.headers)).toMatchObject({ 'retry-after': '3', 'x-two': 'a, b' });
    expect([response.headers.get('Retry-After'), response.headers.get('set-cookie')]).toEqual(['3', 'a=1, b=2']);
    expect(await response.text()).toBe('POST /v1 value 7 */* größe');
  });

  test('an answer without a body has an empty text, JSON comes as such, a GET has no body', async () => {
    const url = await serve(({ method }, response) =>
      method === 'GET' ? response.end('{"a":[1]}') : response.writeHead(204).end(),
    );
    const empty = await post(send, url);
    expect([empty.status, empty.ok, await empty.text()]).toEqual([204, true, '']);
    expect(await (await send(url)).json()).toEqual({ a: [1] });
  });

  test('large texts of many bytes a character arrive whole, in both directions', async () => {
    const url = await serve(({ headers }, response, body) => {
      expect(headers['content-length']).toBe(String(Buffer.byteLength(body)));
      const bytes = Buffer.from(`${body}。`);
      // Cut where characters are, so that pieces end within them.
      for (let at = 0; at < bytes.length; at += 100_001) response.write(bytes.subarray(at, at + 100_001));
      response.end();
    });
    const text = '山水田园 🏞 größe '.repeat(100_000);
    const answered = await (await post(send, url, { body: text })).text();
    expect(answered === `${text}。`).toBe(true);
  });

  test.each<[string, (text: string) => Uint8Array]>([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['gzip, br', (text) => brotliCompressSync(gzipSync(text))],
  ])('unpacks %s', async (coding, pack) => {
    const text = '山水 größe '.repeat(2000);
    const url = await serve((__, response) => {
      response.writeHead(200, { 'content-encoding': coding }).end(pack(text));
    });
    expect((await (await post(send, url)).text()) === text).toBe(true);
  });

  test('packed texts: what is cut off is given as far as it goes, what is broken fails, what is unknown stays', async () => {
    const packed = gzipSync(JSON.stringify(Array.from({ length: 5000 }, (__, i) => i * i)));
    const url = await serve(({ url: path }, response) => {
      if (path === '/v1/cut') response.setHeader('content-encoding', 'gzip').end(packed.subarray(0, 5000));
      else if (path === '/v1/empty') response.writeHead(200, { 'content-encoding': 'gzip' }).end();
      else if (path === '/v1/broken') response.setHeader('content-encoding', 'gzip').end('no gzip at all');
      else response.setHeader('content-encoding', 'rot13').end('grkg');
    });
    expect(await (await post(send, `${url}/cut`)).text()).toMatch(/^\[0,1,4,9,16,25,/);
    expect(await (await post(send, `${url}/empty`)).text()).toBe('');
    expect(await (await post(send, `${url}/unknown`)).text()).toBe('grkg');
    const broken = await failure(post(send, `${url}/broken`).then((response) => response.text()));
    expect([broken.constructor, inDoubt(broken)]).toEqual([TypeError, undefined]);
  });

  test.each([301, 302, 303, 307, 308])(
    'no redirect is followed (%i): who it leads to hears nothing',
    async (status) => {
      let heard = 0;
      const other = await serve((__, response) => {
        heard += 1;
        response.end();
      });
      const url = await serve((__, response) => response.writeHead(status, { location: other }).end('moved'));
      const error = await failure(post(send, url));
      expect([error.constructor, error.message]).toEqual([TypeError, 'fetch failed']);
      expect([(error.cause as Error).message, connectionCode(error), heard]).toEqual([
        'unexpected redirect',
        undefined,
        0,
      ]);
    },
  );

  test('300 and 304 are answers', async () => {
    const url = await serve(({ url: path }, response) => response.writeHead(path === '/v1/304' ? 304 : 300).end());
    expect([(await post(send, url)).status, (await post(send, `${url}/304`)).status]).toEqual([300, 304]);
  });

  test('nobody there, and a name that there is not: nothing was sent', async () => {
    const url = await serve(() => {});
    servers.pop()?.close();
    const refused = await failure(post(send, url));
    expect([refused.constructor, refused.message]).toEqual([TypeError, 'fetch failed']);
    expect([connectionCode(refused), inDoubt(refused)]).toEqual(['ECONNREFUSED', false]);
    expect(inDoubt(await failure(post(send, 'http://no-such-host.invalid/v1')))).toBe(false);
  });

  test('a connection that breaks before the answer leaves the call in doubt', async () => {
    for (const then of ['end', 'reset'] as const) {
      const error = await failure(post(send, await serveRaw('', then)));
      expect([error.message, inDoubt(error)], then).toEqual(['fetch failed', true]);
    }
  });

  test.each([
    ['of a known length', 'content-length: 100\r\n\r\nhalf'],
    ['in chunks', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ])('an answer %s that breaks off has its status, and a text that cannot be read', async (__, text) => {
    for (const then of ['end', 'reset'] as const) {
      const response = await post(send, await serveRaw(`HTTP/1.1 500 No\r\n${text}`, then));
      expect(response.status).toBe(500);
      const error = await failure(response.text());
      expect([error.constructor, error.message, inDoubt(error)], then).toEqual([TypeError, 'terminated', true]);
    }
  });

  test('what is no HTTP is neither an answer nor a broken connection', async () => {
    const error = await failure(post(send, await serveRaw('SSH-2.0-OpenSSH_9.2\r\n', 'end')));
    expect([error.message, connectionCode(error)]).toEqual(['fetch failed', undefined]);
    expect((error.cause as NodeJS.ErrnoException).code).toMatch(/^HPE_/);
  });

  test('a certificate that nobody signed is refused before anything is sent', async () => {
    let heard = 0;
    const server = createSecureServer(selfSigned, (__, response) => {
      heard += 1;
      response.end();
    });
    const error = await failure(post(send, await listen(server, 'https')));
    expect([error.message, connectionCode(error), heard]).toEqual(['fetch failed', undefined, 0]);
    expect((error.cause as NodeJS.ErrnoException).code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  test('stops when it is told to: before it begins, while it waits, and in the middle of an answer', async () => {
    let asked = 0;
    const closed: (() => void)[] = [];
    const controllers: AbortController[] = [];
    const url = await serve(({ url: path, socket }, response) => {
      asked += 1;
      socket.once('close', () => closed.pop()?.());
      if (path === '/v1/half') response.writeHead(200, { 'content-length': '100' }).write('half');
      setTimeout(() => controllers.pop()?.abort(), 20);
    });
    const stopped = (path: string): Promise<Error> => {
      const controller = new AbortController();
      controllers.push(controller);
      return failure(post(send, url + path, { signal: controller.signal }).then((response) => response.text()));
    };
    expect((await failure(post(send, url, { signal: AbortSignal.abort() }))).name).toBe('AbortError');
    expect(asked).toBe(0);
    for (const path of ['', '/half']) {
      const hungUp = new Promise<void>((resolve) => closed.push(resolve));
      expect((await stopped(path)).name, path).toBe('AbortError');
      await hungUp;
    }
  });

  test('a proxy that the environment names is not used', async () => {
    const url = await serve((__, response) => response.end('direct'));
    const names = ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY'];
    for (const name of names) process.env[name] = 'http://127.0.0.1:9';
    try {
      expect(await (await post(send, url)).text()).toBe('direct');
    } finally {
      for (const name of names) delete process.env[name];
    }
  });
});

describe('our fetch alone', () => {
  test('where Node is told to use proxies, its fetch is used, which does', () => {
    for (const environment of [{ NODE_USE_ENV_PROXY: '1' }, { NODE_OPTIONS: '--use-env-proxy --no-warnings' }])
      expect(httpFetch({ environment }).fetch).toBe(withoutRedirects);
    for (const environment of [{}, { HTTP_PROXY: 'http://x' }, { NODE_USE_ENV_PROXY: '0' }])
      expect(httpFetch({ environment }).fetch).not.toBe(withoutRedirects);
  });

  test('an answer that is not read leaves its connection to the next, and a signal hears no more', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve(({ socket }, response) => {
      ports.add(socket.remotePort);
      response.end('x'.repeat(1_000_000));
    });
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) expect((await post(ours.fetch, url, { signal })).status).toBe(200);
    await failure(post(ours.fetch, 'http://127.0.0.1:1/', { signal }));
    expect([ports.size, getEventListeners(signal, 'abort')]).toEqual([1, []]);
  });

  test('a connection that is kept keeps no process alive', async () => {
    const alive = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    await expect.poll(alive).toBe(0); // those of other tests have gone
    let open = 0;
    const url = await serve(({ socket }, response) => {
      open += 1;
      socket.unref(); // the server's end, which is in this process too
      socket.once('close', () => {
        open -= 1;
      });
      response.end('x');
    });
    await post(ours.fetch, url);
    await expect.poll(alive).toBe(0);
    expect(open).toBe(1);
  });

  test('a connection that does not come about in time was not used; an answer may take longer', async () => {
    const impatient = httpFetch({ environment: {}, connectTimeoutMs: 50 });
    servers.push(impatient);
    const mute = await listen(
      createRawServer((socket) => socket.on('error', () => {}).resume()),
      'https',
    );
    const error = await failure(post(impatient.fetch, mute));
    expect([error.message, connectionCode(error), inDoubt(error)]).toEqual([
      'fetch failed',
      'UND_ERR_CONNECT_TIMEOUT',
      false,
    ]);
    const slow = await serve((_, response) => setTimeout(() => response.end('late'), 100));
    expect(await (await post(impatient.fetch, slow)).text()).toBe('late');
  });

  test('a header that cannot be sent, and a body that is no text, are said without what is in them', async () => {
    const headers = { Authorization: `Bearer ${key}\n` };
    expect((await failure(post(ours.fetch, 'http://127.0.0.1:1/', { headers }))).message).toMatch(/authorization/i);
    const body = new Blob(['x']);
    expect((await failure(post(ours.fetch, 'http://127.0.0.1:1/', { body }))).message).toContain('a text to send');
  });
});

test('a kept connection that the server closes as it is used costs a call in doubt, which is asked again', async () => {
  const asked = new Map<unknown, number>();
  const baseUrl = await serve(({ socket }, response) => {
    const times = (asked.get(socket) ?? 0) + 1;
    asked.set(socket, times);
    if (times > 1) {
      socket.destroy();
      return;
    }
    const choices = [{ index: 0, message: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }];
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ id: 'x', choices, usage }));
  });
  const config = { provider: 'openai-compatible', model: 'test-model', concurrency: 1, timeoutSeconds: 20 } as const;
  const teacher = openVendor({ ...config, baseUrl, price });
  const ledger = new Ledger(join(temporaryFolder(), 'ledger.sqlite'));
  const options = { teacher, ledger, stage: 'answers', retry: { firstDelayMs: 1, maxDelayMs: 2 } };
  const outcomes = await askAll([request('a'), request('b')], options);
  const spent = ledger.spent();
  ledger.close();
  await teacher.close();
  expect(outcomes.map(({ answer }) => answer?.text)).toEqual(['yes', 'yes']);
  expect([...asked.values()]).toEqual([2, 1]);
  expect(spent).toMatchObject({ storedCalls: 2, inDoubtCalls: 0, failedCalls: 0 });
  // One byte and 16 tokens around it in, 100 out, at a dollar a million.
  expect(spent.lostUsd).toBeCloseTo(117e-6, 12);
});
