/**
 * A Hugging Face hub on this machine with one model, as far as downloading goes: the API, `resolve` with its redirects
 * (small files stay on the host, large ones go to another one with a signed address, which refuses authorization), and
 * ranges. It does wrong where a test says so, and remembers what it was asked.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const model = 'acme/tiny-chat';
export const commit = 'a1b2c3d4e5f60718293a4b5c6d7e8f9001122334';

export type Fault =
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** Sends `at` bytes, waits, and breaks the connection. */
  | { kind: 'cut'; at: number; when: Promise<void> }
  | { kind: 'hold'; until: Promise<void> }
  | { kind: 'content'; content: Buffer; ignoreRange?: boolean }
  | { kind: 'ignoreRange' }
  /** Says 206, from a byte that was not asked for. */
  | { kind: 'wrongRange' };

export interface HubRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly host: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  readonly status: number;
  /** Bytes of content sent. */
  readonly sent: number;
}

export interface HubServerOptions {
  readonly files: Readonly<Record<string, Buffer | string>>;
  readonly commit?: string;
  /** Branches and tags of `commit`; default main. */
  readonly revisions?: readonly string[];
  /** Who may have the files; default everybody. */
  readonly token?: string;
  /** What goes wrong with a request: `n` of that path, from 0. */
  readonly fault?: (path: string, n: number) => Fault | undefined;
  /** Changes what the API answers. */
  readonly listing?: (answer: { sha: string; siblings: Record<string, unknown>[] }) => unknown;
}

export interface HubServer {
  readonly endpoint: string;
  /** Of the other host, to which large files are redirected. */
  readonly cdnHost: string;
  readonly requests: readonly HubRequest[];
  /** Those for a file's content, in order. */
  served(file: string): HubRequest[];
  close(): Promise<void>;
}

export const gitBlob = (content: Buffer): string =>
  createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest('hex');
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/** What a repository keeps in git LFS. */
const isLarge = (name: string): boolean => /\.(safetensors|bin|model)$|^tokenizer\.json$/.test(name);

const signed = '?X-Amz-Signature=0123456789abcdef';

export async function startHubServer(options: HubServerOptions): Promise<HubServer> {
  const requests: HubRequest[] = [];
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0] as string);
    const n = counts.get(path) ?? 0;
    counts.set(path, n + 1);
    let sent = 0;
    const write = response.write.bind(response);
    response.write = ((chunk: Buffer, ...rest: []) => {
      sent += chunk.byteLength;
      return write(chunk, ...rest);
    }) as typeof response.write;
    requests.push({
      method: request.method ?? '',
      path,
      host: request.headers.host ?? '',
      authorization: request.headers.authorization,
      range: request.headers.range,
      get status() {
        return response.statusCode;
      },
      get sent() {
        return sent;
      },
    });
    void answer(request, response, path, { options, cdnHost: cdnHost(), fault: options.fault?.(path, n) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cdnHost = () => `localhost:${port}`;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    cdnHost: cdnHost(),
    requests,
    served: (file) =>
      requests.filter(({ path }) => /^\/(cdn|api\/resolve-cache)\//.test(path) && path.endsWith(`/${file}`)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Context {
  readonly options: HubServerOptions;
  readonly cdnHost: string;
  readonly fault: Fault | undefined;
}

async function answer(request: IncomingMessage, response: ServerResponse, path: string, context: Context) {
  const { options, fault, cdnHost } = context;
  if (fault?.kind === 'status') return refuse(response, fault.status, fault.headers);
  if (fault?.kind === 'hold') await fault.until;
  const sha = options.commit ?? commit;
  const known = [sha, ...(options.revisions ?? ['main'])];
  const [, api, name, revision] = /^\/(api\/models\/)?(\w+\/[^/]+)\/(?:revision|resolve)\/(.+)$/.exec(path) ?? [];
  if (path.startsWith('/cdn/')) {
    if (request.headers.authorization !== undefined) return refuse(response, 400);
    return sendFile(request, response, path.slice('/cdn/'.length), context);
  }
  if (path.startsWith('/api/resolve-cache/'))
    return sendFile(request, response, path.split('/').at(-1) as string, context);
  if (name !== model || revision === undefined) {
    // To strangers the hub does not say what there is.
    const status = request.headers.authorization === undefined ? 401 : 404;
    return refuse(response, status, { 'x-error-code': 'RepoNotFound', 'x-error-message': 'Repository not found' });
  }
  if (api !== undefined) {
    if (fault?.kind === 'content') return void response.end(fault.content);
    if (!known.includes(revision)) return refuse(response, 404, { 'x-error-code': 'RevisionNotFound' });
    return sendJson(response, options.listing?.(listing(options, sha)) ?? listing(options, sha));
  }
  const file = revision.split('/').at(-1) as string;
  if (!known.includes(revision.slice(0, -file.length - 1)) || options.files[file] === undefined)
    return refuse(response, 404, { 'x-error-code': 'EntryNotFound' });
  if (options.token !== undefined && request.headers.authorization !== `Bearer ${options.token}`) {
    const status = request.headers.authorization === undefined ? 401 : 403;
    const echo = request.headers.authorization ?? 'log in first';
    return refuse(response, status, { 'x-error-code': 'GatedRepo', 'x-error-message': `restricted: ${echo}` });
  }
  const content = Buffer.from(options.files[file]);
  response.writeHead(isLarge(file) ? 302 : 307, {
    location: isLarge(file) ? `http://${cdnHost}/cdn/${file}${signed}` : `/api/resolve-cache/models/${sha}/${file}`,
    etag: `"${gitBlob(content)}"`,
    'x-repo-commit': sha,
    'x-linked-size': String(content.byteLength),
    'x-linked-etag': `"${isLarge(file) ? sha256(content) : gitBlob(content)}"`,
  });
  response.end();
}

function listing({ files }: HubServerOptions, sha: string) {
  const siblings = Object.entries(files).map(([rfilename, text]) => {
    const content = Buffer.from(text);
    const size = content.byteLength;
    const lfs = { sha256: sha256(content), size, pointerSize: 134 };
    // The blob of a file in LFS is its pointer: any other hash will do.
    return isLarge(rfilename)
      ? { rfilename, size, blobId: 'f'.repeat(40), lfs }
      : { rfilename, size, blobId: gitBlob(content) };
  });
  return { id: model, modelId: model, sha, private: false, siblings: siblings as Record<string, unknown>[] };
}

function sendFile(request: IncomingMessage, response: ServerResponse, file: string, { options, fault }: Context) {
  const content = fault?.kind === 'content' ? fault.content : Buffer.from(options.files[file] as Buffer | string);
  const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
  const ignoresRange = fault?.kind === 'ignoreRange' || (fault?.kind === 'content' && fault.ignoreRange === true);
  const isRange = from !== undefined && !ignoresRange;
  const start = isRange ? Number(from) + (fault?.kind === 'wrongRange' ? 1 : 0) : 0;
  const etag = isLarge(file) ? sha256(content) : gitBlob(content);
  response.writeHead(isRange ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': content.byteLength - start,
    etag: `"${etag}"`,
    'x-repo-commit': options.commit ?? commit,
    ...(isRange ? { 'content-range': `bytes ${start}-${content.byteLength - 1}/${content.byteLength}` } : {}),
    'accept-ranges': 'bytes',
  });
  if (request.method === 'HEAD') return response.end();
  if (fault?.kind !== 'cut') {
    if (start < content.byteLength) response.write(content.subarray(start));
    return response.end();
  }
  response.write(content.subarray(start, fault.at));
  return void fault.when.then(() => response.socket?.destroy());
}

function sendJson(response: ServerResponse, value: unknown) {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, headers: Record<string, string> = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end('{"error":"no"}');
}
