/**
 * One abort signal for one call: it fires when the time is up or when the caller's signal does. AbortSignal.any and
 * AbortSignal.timeout would do the same, but Node 20 keeps what they register on a long-lived signal until that one is
 * collected: tens of thousands of calls under one Ctrl-C signal. `clear` leaves nothing behind.
 */
export interface Deadline {
  readonly signal: AbortSignal;
  /** The time ran out, as opposed to the caller's signal. */
  readonly expired: boolean;
  clear(): void;
}

export function withDeadline(timeoutMs: number, outer: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    controller.abort();
  }, timeoutMs);
  const onAbort = () => controller.abort();
  if (outer?.aborted) controller.abort();
  outer?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    clear() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onAbort);
    },
  };
}
