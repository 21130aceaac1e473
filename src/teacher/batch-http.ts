/**
 * Plain HTTP for batch interfaces: calls with a JSON answer, uploads from a file and downloads line by line, of any size.
 * Errors are those of calls for an answer (vendor-errors.ts); the key goes to the endpoint alone and into no message.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { InterruptedError, TeacherError } from '../base/errors.ts';
import { redact } from '../base/redact.ts';
import type { BatchResult } from './batch-vendor.ts';
import { withDeadline } from './deadline.ts';
import { credentials, type Endpoint } from './endpoint.ts';
import { timeoutError, toTeacherError } from './vendor-errors.ts';
import { withoutRedirects } from './vendor-model.ts';

/** Who is called, and as whom errors speak of it. */
export interface BatchClient {
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly timeoutMs: number;
}

interface Call {
  readonly method?: 'GET' | 'POST';
  /** JSON-able. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** A file on its way, between two pieces of text. */
export interface FileBody {
  readonly before: string;
  readonly file: string;
  readonly after: string;
  readonly contentType: string;
}

/** How much of a server's text an error quotes. */
const quotedCharacters = 80;

/** An upload has at least so much time for each byte. */
const slowestBytesPerMs = 50;

/** The answer as parsed JSON. Throws TeacherError, InterruptedError on abort. */
export async function callJson(client: BatchClient, path: string, call: Call = {}): Promise<unknown> {
  const { method = 'GET', body, signal } = call;
  return limited(client, client.timeoutMs, signal, async (bound) => {
    const response = await send(client, path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      signal: bound,
    });
    return parseAnswer(client, response.status, await response.text());
  });
}

/** Posts a file from the disk. */
export async function postFile(
  client: BatchClient,
  path: string,
  { before, file, after, contentType }: FileBody,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const { size } = await stat(file);
  const bytes = Buffer.byteLength(before) + size + Buffer.byteLength(after);
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(before);
    yield* createReadStream(file) as AsyncIterable<Uint8Array>;
    yield Buffer.from(after);
  }
  return limited(client, client.timeoutMs + bytes / slowestBytesPerMs, signal, async (bound) => {
    const response = await send(client, path, {
      method: 'POST',
      // With its length, which is known: not every server takes a body in chunks.
      headers: { 'content-type': contentType, 'content-length': String(bytes) },
      body: body(),
      duplex: 'half',
      signal: bound,
    });
    return parseAnswer(client, response.status, await response.text());
  });
}

/** The lines of an answer of any length, as they come, without empty ones. */
export async function* getLines(
  client: BatchClient,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  try {
    // No deadline: the answer may take long, and fetch itself gives up one that falls silent.
    const { body } = await send(client, path, { ...(signal && { signal }) });
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      yield* lines.filter((line) => line.trim() !== '');
    }
    if (rest.trim() !== '') yield rest;
  } catch (error) {
    throw signal?.aborted ? new InterruptedError() : toTeacherError(error, client.name, client.endpoint);
  }
}

/** Throws where a text of the server is no JSON: what was cut off may come whole next time. */
export function parseAnswer(client: BatchClient, status: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable(client, `expected JSON, got ${shown(text)}`, status, true);
  }
}

/** JSON of another protocol will be no other next time. */
export const unexpected = (client: BatchClient, what: string, found: unknown): TeacherError =>
  unreadable(client, `expected ${what}, got ${shown(JSON.stringify(found))}`, 200, false);

const unreadable = ({ name }: BatchClient, what: string, status: number, retryable: boolean): TeacherError =>
  new TeacherError(`${name}: ${what}`, { status, retryable });

const shown = (text: string): string => JSON.stringify(redact(text.slice(0, quotedCharacters)));

/** A row that was not computed, for a reason that passes: it costs nothing. */
export const unserved = ({ name }: BatchClient, customId: string, why: string): BatchResult => ({
  customId,
  result: new TeacherError(`${name}: not answered in its batch: ${redact(why)}`, { retryable: true }),
  mayHaveCharged: false,
});

/** Throws what `toTeacherError` reads, where the status is none of success. */
async function send({ endpoint }: BatchClient, path: string, init: RequestInit): Promise<Response> {
  const response = await withoutRedirects(`${endpoint.baseUrl}${path}`, {
    ...init,
    headers: { ...credentials(endpoint), ...(init.headers as Record<string, string> | undefined) },
  });
  if (response.ok) return response;
  const responseBody = await response.text();
  throw Object.assign(new Error(`HTTP ${response.status}`), {
    statusCode: response.status,
    responseHeaders: Object.fromEntries(response.headers),
    responseBody,
  });
}

async function limited<T>(
  client: BatchClient,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = withDeadline(timeoutMs, signal);
  try {
    return await work(deadline.signal);
  } catch (error) {
    if (signal?.aborted) throw new InterruptedError();
    throw deadline.expired ? timeoutError(client.name, timeoutMs) : toTeacherError(error, client.name, client.endpoint);
  } finally {
    deadline.clear();
  }
}
