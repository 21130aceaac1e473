/**
 * fetch over node:http, for calls that send a text and get one. Node's own takes most of what a call costs the processor
 * here, which with hundreds of calls under way is what answers wait for (docs/log.md has figures). As Node's own does it
 * keeps connections, unpacks packed answers, leaves HTTP_PROXY alone unless it is told to heed it, and throws an AbortError,
 * or a TypeError whose cause has the system's code. What it does not: follow redirects, which would take the key to another
 * host; ask for packed answers; know streams: when the promise is kept the answer is there, whole or torn.
 */
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import { invariant } from '../base/errors.ts';
import { unpacked } from './content-encoding.ts';
import { withoutRedirects } from './vendor-model.ts';

export interface HttpFetch {
  readonly fetch: typeof fetch;
  /** Closes connections that are kept for more calls. These keep no process alive. */
  close(): void;
}

/** What a server said: its text, or why that broke off. */
interface Said {
  readonly message: IncomingMessage;
  readonly body: Uint8Array | Error;
}

export interface HttpFetchOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** For a connection to be there, and secure. Default: what Node's fetch waits. */
  readonly connectTimeoutMs?: number;
}

/** Connections that are kept, at most: as many as there may be calls at once. */
const keptSockets = 1024;
/** An idle connection is closed after this, as by Node's fetch, before the usual server closes it: after five seconds. */
const keptMs = 4000;

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function httpFetch({ environment = process.env, connectTimeoutMs = 10_000 }: HttpFetchOptions = {}): HttpFetch {
  if (isToldToUseProxies(environment)) return { fetch: withoutRedirects, close() {} };
  const options = { keepAlive: true, maxFreeSockets: keptSockets, timeout: keptMs };
  const [http, https] = [new HttpAgent(options), new HttpsAgent(options)];

  async function send(url: string | URL, init: RequestInit = {}): Promise<Response> {
    const { method = 'GET', headers = {}, body, signal } = init;
    invariant(typeof body === 'string' || body == null, 'httpFetch: expected a text to send');
    signal?.throwIfAborted();
    const text = body ?? '';
    const isSecure = `${url}`.startsWith('https:');
    const sending = (isSecure ? requestHttps : requestHttp)(url, {
      agent: isSecure ? https : http,
      method,
      headers: { accept: '*/*', ...plain(headers), 'content-length': Buffer.byteLength(text) },
    });
    sending.once('socket', (socket) => {
      limitConnecting(socket, isSecure ? 'secureConnect' : 'connect', connectTimeoutMs);
    });
    const said = answerTo(sending, signal ?? undefined);
    sending.end(text);
    return toResponse(await unpackedBody(await said));
  }

  return {
    fetch: (input, init) => send(input as string | URL, init),
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

/** From 22.21 and 24 on Node's fetch goes through the proxies of the environment, where it is told to. */
function isToldToUseProxies(environment: Readonly<Record<string, string | undefined>>): boolean {
  const options = [...process.execArgv, ...(environment['NODE_OPTIONS'] ?? '').split(/\s+/)];
  return environment['NODE_USE_ENV_PROXY'] === '1' || options.includes('--use-env-proxy');
}

const plain = (headers: NonNullable<RequestInit['headers']>): Record<string, string> =>
  headers instanceof Headers || Array.isArray(headers)
    ? Object.fromEntries(new Headers(headers))
    : (headers as Record<string, string>);

/** The error's code is that of Node's fetch: nothing was sent. */
function limitConnecting(socket: Socket, connected: 'connect' | 'secureConnect', timeoutMs: number): void {
  if (!socket.connecting) return;
  const error = Object.assign(new Error('no connection in time'), { code: 'UND_ERR_CONNECT_TIMEOUT' });
  const timer = setTimeout(() => socket.destroy(error), timeoutMs);
  const clear = (): void => clearTimeout(timer);
  socket.once(connected, clear).once('close', clear);
}

/** By events: the request's own `signal`, and iterating over the message, make a call as dear as Node's fetch does. */
function answerTo(sending: ClientRequest, signal: AbortSignal | undefined): Promise<Said> {
  return new Promise<Said>((resolve, reject) => {
    let message: IncomingMessage | undefined;
    const over = (): void => signal?.removeEventListener('abort', onAbort);
    const onAbort = (): void => {
      over();
      reject(signal?.reason);
      sending.destroy();
    };
    const fail = (cause: Error): void => {
      over();
      // What the server said with its status is known all the same.
      if (message) resolve({ message, body: torn(cause) });
      else reject(new TypeError('fetch failed', { cause }));
    };
    signal?.addEventListener('abort', onAbort);
    // It stays for good: an error that comes when all is over would else end the process.
    sending.on('error', fail);
    sending.once('response', (head) => {
      if (redirects.has(head.statusCode ?? 0)) {
        fail(new Error('unexpected redirect'));
        sending.destroy();
        return;
      }
      message = head;
      const chunks: Buffer[] = [];
      head.on('data', (chunk: Buffer) => chunks.push(chunk));
      head.on('error', fail);
      head.on('end', () => {
        over();
        resolve({ message: head, body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks) });
      });
    });
  });
}

const torn = (cause: unknown): Error => new TypeError('terminated', { cause });

async function unpackedBody({ message, body }: Said): Promise<Said> {
  const { 'content-encoding': coding } = message.headers;
  if (coding === undefined || body instanceof Error) return { message, body };
  return { message, body: await unpacked(body, coding).catch(torn) };
}

/** As much of a Response as those who read it to its end use: a real one, with its stream, costs a quarter of the call. */
function toResponse({ message, body }: Said): Response {
  const { statusCode: status = 0, statusMessage: statusText = '' } = message;
  const named = Object.entries(message.headers as Record<string, string | string[]>);
  const headers = new Headers(named.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
  const bytes = async (): Promise<Uint8Array> => {
    if (body instanceof Error) throw body;
    return body;
  };
  const text = async (): Promise<string> => new TextDecoder().decode(await bytes());
  const json = async (): Promise<unknown> => JSON.parse(await text());
  const response = { ok: status >= 200 && status < 300, status, statusText, headers, body: read(bytes), text, json };
  return response as unknown as Response;
}

/** A stream of one piece. */
function read(bytes: () => Promise<Uint8Array>): { getReader(): object; cancel(): Promise<void> } {
  let isRead = false;
  const cancel = async (): Promise<void> => {
    isRead = true;
  };
  const reader = {
    async read() {
      if (isRead) return { done: true, value: undefined };
      isRead = true;
      return { done: false, value: await bytes() };
    },
    cancel,
    releaseLock() {},
  };
  return { getReader: () => reader, cancel };
}
