/**
 * When to ask again, and when not: the one place that says which failures pass, how long to wait, and which failures
 * may have cost money although no answer came. Waiting doubles from attempt to attempt, half of it random, and never
 * ends before the server's own Retry-After (RFC 9110, section 10.2.3). Who asks, and how often at once, is caller.ts's.
 */
import type { TeacherError } from '../base/errors.ts';

export interface RetryPolicy {
  /** Sendings that may fail, the first included. */
  readonly attempts: number;
  /** Sendings that the server may have no room for: it is not at fault for being asked too much, nor is the request. */
  readonly refusals: number;
  readonly firstDelayMs: number;
  /** Cap of the doubling. A longer Retry-After is obeyed all the same. */
  readonly maxDelayMs: number;
}

export const defaultRetry: RetryPolicy = { attempts: 6, refusals: 100, firstDelayMs: 500, maxDelayMs: 30_000 };

/** setTimeout fires at once beyond 2^31 - 1 ms: longer waits are cut into pieces of a day. */
export const longestTimerMs = 24 * 60 * 60 * 1000;

/** Timeout, conflict, rate limit, and every failure of the server's own. */
export const isRetryableStatus = (status: number): boolean =>
  status === 408 || status === 409 || status === 429 || status >= 500;

/** Statuses after which no other request of the same teacher could succeed: wrong key, no credit, no such model. */
export const isSetupStatus = (status: number): boolean => status === 401 || status === 402 || status === 404;

/** The server has no room now: too many requests (429), or overload that says when to come back (503, Anthropic's 529). */
export const isRefusal = ({ status, retryable, retryAfterMs }: TeacherError): boolean =>
  retryable && (status === 429 || status === 529 || (status === 503 && retryAfterMs !== undefined));

/** Nothing left this machine, or nothing arrived. */
const unsentCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The connection broke or fell silent after the request may have arrived. */
const brokenCodes = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

export const isConnectionCode = (code: string): boolean => unsentCodes.has(code) || brokenCodes.has(code);

/** The first system error code in a chain of causes. */
export function connectionCode(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    const { code } = current as NodeJS.ErrnoException;
    if (typeof code === 'string' && isConnectionCode(code)) return code;
    if (current instanceof AggregateError) {
      const inner = current.errors.map(connectionCode).find((found) => found !== undefined);
      if (inner !== undefined) return inner;
    }
    current = current.cause;
  }
  return undefined;
}

/** Whether a failed call may be on the bill: the server had the request and did not refuse it in so many words. */
export function mayHaveCharged(error: TeacherError): boolean {
  // A gateway that gave up waiting (504, Cloudflare's 524) says nothing of the model behind it.
  if (error.status !== undefined) return error.status < 400 || error.status === 504 || error.status === 524;
  const code = connectionCode(error);
  return code === undefined || !unsentCodes.has(code);
}

/** Reads `retry-after-ms` (milliseconds) or `retry-after` (seconds or an HTTP date); undefined where neither is sane. */
export function retryAfterMs(
  headers: Readonly<Record<string, string>> | undefined,
  nowMs = Date.now(),
): number | undefined {
  const header = (name: string) => Object.entries(headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
  const milliseconds = number(header('retry-after-ms'));
  if (milliseconds !== undefined) return milliseconds;
  const after = header('retry-after');
  const seconds = number(after);
  if (seconds !== undefined) return seconds * 1000;
  // Date.parse takes "-5" for a year; every HTTP date ends in GMT.
  const date = after?.trim().endsWith('GMT') ? Date.parse(after) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : undefined;
}

/**
 * How long to wait after the failed `attempt` (from 1); undefined: do not ask again. `random` is uniform in [0, 1).
 */
export function delayBeforeRetryMs(
  error: TeacherError,
  attempt: number,
  policy: RetryPolicy = defaultRetry,
  random: () => number = Math.random,
): number | undefined {
  if (!error.retryable || attempt >= policy.attempts) return undefined;
  const full = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** Math.min(attempt - 1, 30));
  const jittered = full / 2 + (full / 2) * random();
  // Jitter comes on top of Retry-After: all the callers told the same second must not return in the same instant.
  return error.retryAfterMs === undefined ? jittered : error.retryAfterMs + random() * policy.firstDelayMs;
}
