/**
 * Requests to a Hugging Face hub, and what its refusals mean. Redirects are followed here and not by fetch, because the
 * token goes to the endpoint's own origin and to no other. Neither the token nor an address a redirect led to (it may
 * carry a signature) gets into an error. Asking again is retry.ts's.
 */
import { ConfigError, throwIfAborted, WorkError } from '../base/errors.ts';
import { version } from '../base/paths.ts';
import { redact, rememberSecret } from '../base/redact.ts';
import { type Asking, askedDelayMs, PassingError } from './retry.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Connection extends Asking {
  /** HF_ENDPOINT, without a trailing slash. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** What else may be wrong where nothing answers. */
  readonly proxyHint: string;
}

/** What is asked for, as errors name it. */
export interface Wanted {
  /** `org/name`. */
  readonly name: string;
  readonly revision: string;
}

const defaultEndpoint = 'https://huggingface.co';
const redirects = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 10;

/** Throws ConfigError for an HF_ENDPOINT or HF_TOKEN that cannot be one. */
export function connect(env: Environment, asking: Asking): Connection {
  const token = env['HF_TOKEN']?.trim() || undefined;
  rememberSecret(token);
  // fetch would name the whole header in its error.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new ConfigError('HF_TOKEN: expected one word of ASCII, found white space or other characters', {
      hint: 'copy the token again, from https://huggingface.co/settings/tokens',
    });
  const throughProxy = (env['HTTPS_PROXY'] ?? env['https_proxy']) && env['NODE_USE_ENV_PROXY'] !== '1';
  const proxyHint = throughProxy
    ? '; HTTPS_PROXY is set, and Node heeds it from 22.21 and 24 on, with NODE_USE_ENV_PROXY=1'
    : '';
  return { ...asking, endpoint: readEndpoint(env['HF_ENDPOINT']?.trim() || defaultEndpoint), token, proxyHint };
}

function readEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (!isPlain || !/^https?:$/.test(url.protocol))
    throw new ConfigError('HF_ENDPOINT: expected an http or https address without user, query or fragment', {
      hint: `for example ${defaultEndpoint}; the token goes into HF_TOKEN`,
    });
  return url.href.replace(/\/+$/, '');
}

/** GET, redirects followed; any other status is the caller's. Throws PassingError where nothing answers. */
export async function get(
  connection: Connection,
  address: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  let url = new URL(address);
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const response = await send(connection, url, headers);
    const location = response.headers.get('location');
    if (!redirects.has(response.status) || location === null) return response;
    await drop(response);
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (next === undefined || !/^https?:$/.test(next.protocol))
      throw new WorkError(`${placeOf(connection, url)} redirects to what is no http address`);
    url = next;
  }
  throw new WorkError(`${connection.endpoint} redirects more than ${maxRedirects} times`);
}

/** Lets go of an answer's content. That it breaks off on the way changes nothing. */
export async function drop(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

async function send(connection: Connection, url: URL, headers: Readonly<Record<string, string>>): Promise<Response> {
  const { endpoint, token, signal, proxyHint } = connection;
  const authorization = token !== undefined && isEndpoint(connection, url) ? { authorization: `Bearer ${token}` } : {};
  // Compressed, a range would be one of the compressed bytes.
  const common = { 'accept-encoding': 'identity', 'user-agent': `understudy/${version}` };
  try {
    return await fetch(url, { headers: { ...common, ...headers, ...authorization }, redirect: 'manual', signal });
  } catch (error) {
    throwIfAborted(signal);
    throw new PassingError(`cannot reach ${placeOf(connection, url)}: ${reasonOf(error)}`, {
      hint: `see that this machine gets to ${endpoint}, or name a mirror in HF_ENDPOINT; what was downloaded before is used with HF_HUB_OFFLINE=1${proxyHint}`,
    });
  }
}

const isEndpoint = ({ endpoint }: Connection, url: URL): boolean => url.origin === new URL(endpoint).origin;

const placeOf = (connection: Connection, url: URL): string =>
  isEndpoint(connection, url) ? connection.endpoint : url.host;

/** What broke, in the words of the innermost cause: fetch itself says only that it failed. */
export function reasonOf(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  const { code, message } = inner as NodeJS.ErrnoException;
  return redact(message || code || String(inner));
}

/** The error that an answer without content stands for. Drops the answer's body. */
export async function refusal(connection: Connection, response: Response, wanted: Wanted): Promise<Error> {
  await drop(response);
  const { status, headers } = response;
  const url = new URL(response.url);
  const ours = isEndpoint(connection, url);
  const answered = `${placeOf(connection, url)} answered ${status}${reasonGiven(headers)}`;
  // Elsewhere the address itself is the permission, for a while: asked again, the endpoint gives a fresh one.
  const expired = !ours && (status === 401 || status === 403);
  if (expired || status === 408 || status === 429 || status >= 500) {
    const hint =
      status === 429 && connection.token === undefined ? 'set HF_TOKEN: limits are wider with an account' : undefined;
    return new PassingError(answered, { retryAfterMs: askedDelayMs(headers), hint });
  }
  if (ours && (status === 401 || status === 403)) return notAllowed(connection, answered, wanted);
  if (ours && status === 404) return notFound(answered, wanted, headers.get('x-error-code'));
  return new WorkError(`${answered}, asked for ${wanted.name}@${wanted.revision}`);
}

/** The server's words, shortened and without what would move a terminal's cursor. */
function reasonGiven(headers: Headers): string {
  const text = redact(headers.get('x-error-message') ?? '')
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, 200)
    .trim();
  return text === '' ? '' : ` (${text})`;
}

/** To those without a token the hub answers 401 for what does not exist, too. */
function notAllowed(connection: Connection, answered: string, { name }: Wanted): ConfigError {
  const page = `${connection.endpoint}/${name}`;
  return connection.token === undefined
    ? new ConfigError(`${name}: ${answered}; it is gated, private, or does not exist`, {
        hint: `check the name; where ${page} asks for it, accept the licence there and set HF_TOKEN to a token of that account`,
      })
    : new ConfigError(`${name}: ${answered}; the token in HF_TOKEN is wrong or gives no access`, {
        hint: `accept the licence at ${page} with the token's account, and see that the token may read`,
      });
}

function notFound(answered: string, { name, revision }: Wanted, code: string | null): ConfigError {
  const what = code === 'RevisionNotFound' ? `no revision ${revision} of ${name}` : `no model ${name}@${revision}`;
  return new ConfigError(`${what}: ${answered}`, {
    hint: 'check the name, and the revision after the @; where it is private, see that HF_TOKEN may read it',
  });
}
