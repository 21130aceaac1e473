/**
 * When the hub is asked again: after failures that may pass, with waits that double and never end before the server's
 * own Retry-After (RFC 9110, section 10.2.3) or, as the hub says it, the `t` of its RateLimit header
 * (draft-ietf-httpapi-ratelimit-headers-09). A download that got any further starts counting anew.
 */
import { setTimeout } from 'node:timers/promises';
import { throwIfAborted, WorkError } from '../base/errors.ts';

export interface RetryPolicy {
  /** Failures in a row, without a byte in between, after which it is over. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  /** Cap of the doubling. A longer Retry-After is obeyed all the same. */
  readonly maxDelayMs: number;
  /** Resolves after `ms`; rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

export const defaultRetry: RetryPolicy = {
  attempts: 6,
  firstDelayMs: 500,
  maxDelayMs: 30_000,
  sleep: (ms, signal) => setTimeout(ms, undefined, { signal }),
};

/** The hub's limits count over five minutes; who asks for much more is not waited for. */
const longestRetryAfterMs = 15 * 60 * 1000;

export interface Asking {
  readonly signal: AbortSignal;
  readonly retry: RetryPolicy;
  /** Called before every wait. */
  readonly onNotice: (text: string) => void;
}

/** A failure that may pass. Where it does not, it is the error that ends the work. */
export class PassingError extends WorkError {
  readonly retryAfterMs: number;
  /** Bytes came before it failed. */
  readonly progressed: boolean;

  constructor(message: string, options: { hint?: string | undefined; retryAfterMs?: number; progressed?: boolean }) {
    super(message, { hint: options.hint });
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.progressed = options.progressed ?? false;
  }
}

/** Throws InterruptedError on abort, whatever else then failed. */
export async function withRetries<T>({ signal, retry, onNotice }: Asking, attempt: () => Promise<T>): Promise<T> {
  let failures = 0;
  while (true) {
    throwIfAborted(signal);
    try {
      return await attempt();
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof PassingError)) throw error;
      failures = error.progressed ? 1 : failures + 1;
      if (failures >= retry.attempts || error.retryAfterMs > longestRetryAfterMs) throw error;
      const delayMs = Math.max(
        error.retryAfterMs,
        Math.min(retry.maxDelayMs, retry.firstDelayMs * 2 ** (failures - 1)),
      );
      onNotice(`${error.message}: trying again in ${Math.ceil(delayMs / 1000)} s`);
      await retry.sleep(delayMs, signal).catch((reason: unknown) => {
        throwIfAborted(signal);
        throw reason;
      });
    }
  }
}

/** How long the server asked to wait, in milliseconds; 0 where it did not say. */
export function askedDelayMs(headers: Headers, nowMs = Date.now()): number {
  const after = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  // Date.parse takes "-5" for a year; every HTTP date ends in GMT.
  if (after.endsWith('GMT')) return Math.max(0, Date.parse(after) - nowMs) || 0;
  const [, seconds] = /;\s*r=0\s*;\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '') ?? [];
  return Number(seconds ?? 0) * 1000;
}
