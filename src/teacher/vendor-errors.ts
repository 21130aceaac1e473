/**
 * Whatever the AI SDK or the network throws, as a TeacherError: status, whether asking again may help, how long to wait,
 * and a message that names the teacher and shows no credential. The original error is not kept as the cause: it holds
 * the request, and some servers repeat the key in their answer.
 */
import { TeacherError, TeacherSetupError } from '../base/errors.ts';
import { redact } from '../base/redact.ts';
import type { Endpoint } from './endpoint.ts';
import { connectionCode, isRetryableStatus, isSetupStatus, retryAfterMs } from './retry.ts';

/** How much of a server's own words an error quotes. */
const quotedCharacters = 400;

/** What of the SDK's APICallError is used; its class would have to be imported, with all of the SDK. */
interface CallError extends Error {
  readonly statusCode?: number;
  readonly responseHeaders?: Record<string, string>;
  readonly responseBody?: string;
}

export function toTeacherError(error: unknown, name: string, endpoint: Endpoint): TeacherError {
  if (error instanceof TeacherError) return error;
  const { statusCode: status, responseHeaders, responseBody } = error as CallError;
  const code = connectionCode(error);
  if (status === undefined || status < 400) {
    if (code !== undefined) return connectionError(name, endpoint, code);
    return unreadableAnswer(error, name, status);
  }
  const said = quote(responseBody || (error as Error).message);
  const message = `${name}: HTTP ${status}${said && `: ${said}`}`;
  // OpenAI answers 429 both to haste, which passes, and to an empty account, which does not.
  if (isSetupStatus(status) || (status === 429 && responseBody?.includes('insufficient_quota')))
    return new TeacherSetupError(message, { status, hint: setupHint(status, endpoint) });
  const wait = retryAfterMs(responseHeaders);
  return new TeacherError(message, {
    status,
    retryable: isRetryableStatus(status),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

export function timeoutError(name: string, timeoutMs: number): TeacherError {
  return new TeacherError(`${name}: no answer within ${timeoutMs / 1000} s`, {
    retryable: true,
    hint: 'raise timeoutSeconds, or lower concurrency or maxTokens',
    cause: codeOnly('ETIMEDOUT'),
  });
}

export function connectionError(name: string, endpoint: Endpoint, code: string): TeacherError {
  return new TeacherError(`${name}: no connection to ${endpoint.baseUrl} (${code})`, {
    retryable: true,
    cause: codeOnly(code),
  });
}

/** The server's words: its `error.message` or `detail` (FastAPI's) where there is one, else the start of its body. */
export function quote(body: string): string {
  let said = body;
  try {
    const parsed = JSON.parse(body) as { error?: { message?: unknown } | string; message?: unknown; detail?: unknown };
    const { error, message, detail } = parsed;
    const found = typeof error === 'string' ? error : (error?.message ?? message ?? detail);
    if (typeof found === 'string') said = found;
  } catch {
    // Not JSON: a proxy's page, or nothing.
  }
  const clean = redact(said).replace(/\s+/g, ' ').trim();
  return clean.length > quotedCharacters ? `${clean.slice(0, quotedCharacters)}…` : clean;
}

export function setupHint(status: number | undefined, endpoint: Endpoint): string {
  if (status === 404) return `see that baseUrl ${endpoint.baseUrl} and model ${endpoint.model} are right`;
  if (status === 402 || status === 429) return 'the account has no credit left; nothing that was stored is lost';
  return endpoint.apiKeyEnv === undefined
    ? 'no key was sent; name the environment variable that holds it with apiKeyEnv'
    : `the key was read from the environment variable ${endpoint.apiKeyEnv}`;
}

/** A 2xx answer that is not what the protocol says. Cut-off JSON may come whole next time; another shape will not. */
function unreadableAnswer(error: unknown, name: string, status: number | undefined): TeacherError {
  const message = quote(error instanceof Error ? error.message : String(error));
  return new TeacherError(`${name}: the answer could not be read: ${message}`, {
    ...(status === undefined ? {} : { status }),
    retryable: chain(error).some((cause) => cause.name === 'AI_JSONParseError'),
  });
}

function chain(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let current = error; current instanceof Error && causes.length < 10; current = current.cause)
    causes.push(current);
  return causes;
}

const codeOnly = (code: string): Error => Object.assign(new Error(code), { code });
