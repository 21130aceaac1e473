/**
 * One run of the caller (caller.ts says what for): requests come in one after the other and are looked up, sent, sent again
 * where that may help, and stored. What came back since the last turn is stored in one transaction, and what goes out is
 * recorded in one: with hundreds of calls a second the disk is asked a few times. No more is held than what waits or runs.
 */
import { setImmediate } from 'node:timers/promises';
import { InterruptedError, invariant, TeacherError, TeacherSetupError, WorkError } from '../base/errors.ts';
import type { Asked, CallerOptions } from './caller.ts';
import type { FailedEntry, LedgerEntry, StoredEntry } from './ledger.ts';
import { awaitedInBatch } from './ledger-batches.ts';
import { Limits, type Ticket } from './limits.ts';
import { boundOfCallUsd, costOfCallUsd, estimatedTokens } from './prices.ts';
import { Rejections } from './rejections.ts';
import {
  defaultRetry,
  delayBeforeRetryMs,
  isRefusal,
  longestTimerMs,
  mayHaveCharged,
  type RetryPolicy,
} from './retry.ts';
import { committedUsd, usd } from './spending.ts';
import type { TeacherAnswer } from './teacher.ts';

/** A request with how often it was sent and failed, and how often the server had no room for it. */
interface Item extends Asked {
  readonly failures: number;
  readonly refusals: number;
}

/** Requests that are sent together. */
interface Batch {
  readonly items: readonly Item[];
  /** performance.now(): not before. */
  readonly dueMs: number;
}

interface Sending {
  readonly entries: ReadonlyMap<string, { readonly entry: LedgerEntry; readonly item: Item }>;
  readonly ticket: Ticket;
}

/** What came of a request of a sending; `key` undefined: the sending is over. */
type Arrival =
  | { readonly sending: Sending; readonly key: string; readonly result: TeacherAnswer | TeacherError }
  | { readonly sending: Sending; readonly key: undefined; readonly crash?: unknown };

/** Batches that may wait for another try, as a multiple of the calls that may run: then nothing new comes in. */
const waitingPerCall = 4;
/** Requests looked up at a time. */
const lookupSize = 256;

export class AskRun {
  /** Hears of each request's outcome once. */
  readonly #onOutcome: (key: string, result: TeacherAnswer | TeacherError) => void;
  readonly #options: CallerOptions;
  readonly #policy: RetryPolicy;
  readonly #limits: Limits;
  readonly #source: AsyncIterator<Asked> | Iterator<Asked>;
  readonly #total: number;
  #sourceEnded = false;
  readonly #fresh: Batch[] = [];
  readonly #waiting: Batch[] = [];
  /** How often each key that has no outcome yet was asked for: progress counts requests, not rows. */
  readonly #open = new Map<string, number>();
  /** What failed for good in this run is not asked again by it. */
  readonly #failedKeys = new Map<string, TeacherError>();
  readonly #rejections = new Rejections();
  /** What was stored at this time or before came from an earlier run; `<=`, for two short runs may share a millisecond. */
  readonly #startedAt = new Date().toISOString();
  #done = 0;
  #fromLedger = 0;
  #failed = 0;
  #running = 0;
  readonly #arrivals: Arrival[] = [];
  #wake: () => void = () => {};
  #halted = false;
  #reason: unknown;

  constructor(
    source: AsyncIterable<Asked> | Iterable<Asked>,
    total: number,
    options: CallerOptions,
    onOutcome: (key: string, result: TeacherAnswer | TeacherError) => void,
  ) {
    this.#source = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.#total = total;
    this.#options = options;
    this.#policy = { ...defaultRetry, ...options.retry };
    this.#limits = new Limits(options.teacher.concurrency, options.teacher.rates);
    this.#onOutcome = onOutcome;
  }

  async work(): Promise<void> {
    const { signal } = this.#options;
    const onAbort = () => {
      this.#stop(new InterruptedError());
      this.#wake();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await this.#takeIn();
      this.#report();
      while (true) {
        const waitMs = this.#halted ? Number.POSITIVE_INFINITY : this.#start();
        if (this.#running === 0 && this.#arrivals.length === 0 && (this.#halted || this.#isEmpty)) break;
        await this.#event(waitMs);
        this.#settleArrivals();
        if (!this.#halted) await this.#takeIn();
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      await this.#source.return?.();
    }
    const complete = this.#sourceEnded && this.#isEmpty && this.#open.size === 0;
    if (this.#halted && !(complete && this.#reason instanceof InterruptedError)) throw this.#reason;
  }

  get #isEmpty(): boolean {
    return this.#sourceEnded && this.#fresh.length === 0 && this.#waiting.length === 0;
  }

  /** Reads on until there is enough to send; what the ledger has is done. */
  async #takeIn(): Promise<void> {
    const { batchSize } = this.#options.teacher;
    // Cut first, then drop what is stored: what a batch is made of does not depend on how far an earlier run got.
    const size = Math.ceil(lookupSize / batchSize) * batchSize;
    const room = waitingPerCall * this.#options.teacher.concurrency;
    while (!this.#sourceEnded && this.#fresh.length < this.#limits.window && this.#waiting.length < room) {
      const chunk: Asked[] = [];
      while (chunk.length < size && !this.#sourceEnded) {
        const { done, value } = await this.#source.next();
        if (done) this.#sourceEnded = true;
        else if (this.#isNew(value)) chunk.push(value);
      }
      const rows = this.#options.ledger.lookup(chunk.map(({ key }) => key));
      for (let from = 0; from < chunk.length; from += batchSize) {
        const items = chunk.slice(from, from + batchSize).filter(({ key }) => {
          const row = rows.get(key);
          if (row?.state === 'sent' && row.batch !== undefined) {
            this.#stop(awaitedInBatch(this.#options.ledger.batches.get(row.batch)));
            return false;
          }
          if (row?.answer === undefined) return true;
          if ((row.finishedAt ?? '') <= this.#startedAt) this.#fromLedger += this.#open.get(key) as number;
          this.#settle(key, row.answer);
          return false;
        });
        const fresh = items.map((asked) => ({ ...asked, failures: 0, refusals: 0 }));
        if (fresh.length > 0) this.#fresh.push({ items: fresh, dueMs: 0 });
      }
    }
  }

  /** A request that is open or has failed already is counted with that one. */
  #isNew({ key }: Asked): boolean {
    const times = this.#open.get(key);
    this.#open.set(key, (times ?? 0) + 1);
    if (times !== undefined) return false;
    const failed = this.#failedKeys.get(key);
    if (failed) this.#settle(key, failed);
    return failed === undefined;
  }

  /** Sends all that may go now; how long until more may, Infinity where only an arrival can tell. */
  #start(): number {
    const { teacher } = this.#options;
    const sendings: Batch[] = [];
    const tickets: Ticket[] = [];
    let waitMs = Number.POSITIVE_INFINITY;
    let boundUsd = 0;
    while (true) {
      const nowMs = performance.now();
      const due = this.#waiting.findIndex(({ dueMs }) => dueMs <= nowMs);
      const queue = due >= 0 ? this.#waiting : this.#fresh;
      const batch = queue[Math.max(0, due)];
      if (!batch) {
        const next = this.#waiting.reduce((soonest, { dueMs }) => Math.min(soonest, dueMs), Number.POSITIVE_INFINITY);
        waitMs = next - nowMs;
        break;
      }
      const tokens = batch.items.reduce((sum, { request }) => sum + estimatedTokens(request), 0);
      waitMs = this.#limits.waitMs(this.#running + sendings.length, tokens, nowMs);
      if (waitMs > 0) break;
      const costs = batch.items.reduce((sum, { request }) => sum + (boundOfCallUsd(teacher, request) ?? 0), 0);
      if (!this.#hasRoom(boundUsd + costs, sendings.length)) {
        waitMs = Number.POSITIVE_INFINITY;
        break;
      }
      boundUsd += costs;
      queue.splice(Math.max(0, due), 1);
      sendings.push(batch);
      tickets.push(this.#limits.start(tokens, nowMs));
    }
    if (sendings.length > 0) this.#send(sendings, tickets);
    return waitMs;
  }

  /**
   * Whether the budget has room for so much more. What runs counts at its upper bound, so a call that comes back cheaper
   * makes room; only when nothing runs any more and there still is none does everything stop.
   */
  #hasRoom(boundUsd: number, aboutToStart: number): boolean {
    const { budgetUsd, ledger, teacher } = this.#options;
    if (!teacher.paid || budgetUsd === undefined) return true;
    const committed = committedUsd(ledger.spent());
    // A billionth of a dollar of slack for sums of floats.
    if (committed + boundUsd <= budgetUsd + 1e-9) return true;
    if (this.#running === 0 && aboutToStart === 0) this.#stop(this.#budgetError(committed, boundUsd));
    return false;
  }

  #send(batches: readonly Batch[], tickets: readonly Ticket[]): void {
    const entries = batches.map(({ items }) => items.map((item) => this.#entry(item)));
    let idempotencyKeys: string[];
    try {
      idempotencyKeys = this.#options.ledger.markSent(entries.flat());
    } catch (error) {
      this.#stop(error);
      return;
    }
    batches.forEach(({ items }, i) => {
      const own = entries[i] as LedgerEntry[];
      const map = new Map(own.map((entry, j) => [entry.key, { entry, item: items[j] as Item }]));
      const sending: Sending = { entries: map, ticket: tickets[i] as Ticket };
      this.#running += 1;
      void this.#ask(sending, idempotencyKeys.splice(0, own.length)).then(
        () => this.#arrive({ sending, key: undefined }),
        (crash: unknown) => this.#arrive({ sending, key: undefined, crash }),
      );
    });
  }

  async #ask(sending: Sending, idempotencyKeys: readonly string[]): Promise<void> {
    const { teacher, signal } = this.#options;
    const keys = [...sending.entries.keys()];
    const requests = [...sending.entries.values()].map(({ item }) => item.request);
    const told = new Set<number>();
    const onAnswer = (i: number, result: TeacherAnswer | TeacherError) => {
      if (told.has(i)) return;
      told.add(i);
      this.#arrive({ sending, key: keys[i] as string, result });
    };
    try {
      const onLimits = (hints: Parameters<Limits['observe']>[0]) => this.#limits.observe(hints);
      const answers = await teacher.ask(requests, { idempotencyKeys, signal, onAnswer, onLimits });
      invariant(answers.length === requests.length, `${answers.length} answers to ${requests.length} requests`);
      answers.forEach((answer, i) => {
        onAnswer(i, answer);
      });
    } catch (error) {
      if (signal?.aborted || !(error instanceof TeacherError)) throw error;
      requests.forEach((_, i) => {
        onAnswer(i, error);
      });
    }
  }

  #arrive(arrival: Arrival): void {
    this.#arrivals.push(arrival);
    this.#wake();
  }

  /** Something arrived, or the time is up, or everything stops. */
  async #event(waitMs: number): Promise<void> {
    if (this.#arrivals.length === 0 && waitMs > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (waitMs < Number.POSITIVE_INFINITY) timer = setTimeout(resolve, Math.min(Math.ceil(waitMs), longestTimerMs));
        if (this.#halted && this.#running === 0) resolve();
      });
      clearTimeout(timer);
      this.#wake = () => {};
    }
    // What arrives in the same turn is settled together.
    await setImmediate();
  }

  /** Stores what came back, all in one transaction, before anyone hears of it. */
  #settleArrivals(): void {
    const arrivals = this.#arrivals.splice(0);
    if (arrivals.length === 0) return;
    const { ledger, signal, teacher } = this.#options;
    const stored: StoredEntry[] = [];
    const failed: { readonly entry: FailedEntry; readonly item: Item; readonly ticket: Ticket }[] = [];
    for (const arrival of arrivals) {
      if (arrival.key === undefined) continue;
      const { entry, item } = arrival.sending.entries.get(arrival.key) as { entry: LedgerEntry; item: Item };
      const { ticket } = arrival.sending;
      const { result } = arrival;
      if (!(result instanceof TeacherError)) {
        stored.push({ ...entry, answer: result, costUsd: costOfCallUsd(teacher, result, entry.upperBoundUsd) });
        this.#limits.answered(ticket, result.usage);
        continue;
      }
      if (isRefusal(result)) this.#limits.refused(ticket);
      const charged = teacher.paid && mayHaveCharged(result);
      failed.push({ entry: { ...entry, error: result, mayHaveCharged: charged }, item, ticket });
    }
    try {
      ledger.store(stored);
      if (stored.length > 0) this.#rejections.answered();
      for (const { key, answer } of stored) this.#settle(key, answer);
      // After Ctrl-C an error says only that the call was cut off: such rows stay in doubt.
      if (!signal?.aborted) {
        ledger.fail(failed.map(({ entry }) => entry));
        for (const { entry, item } of failed) this.#settleFailure(entry.error, item);
      }
    } catch (error) {
      this.#stop(error);
    }
    for (const arrival of arrivals) {
      if (arrival.key !== undefined) continue;
      this.#running -= 1;
      ledger.abandon([...arrival.sending.entries.keys()]);
      if (arrival.crash !== undefined) this.#stop(signal?.aborted ? new InterruptedError() : arrival.crash);
    }
    if (signal?.aborted) this.#stop(new InterruptedError());
    this.#report();
  }

  /** Asks again later, or takes the failure for the outcome. */
  #settleFailure(error: TeacherError, item: Item): void {
    const refused = isRefusal(error);
    const failures = item.failures + (refused ? 0 : 1);
    const refusals = item.refusals + (refused ? 1 : 0);
    const attempts = refused ? this.#policy.refusals : this.#policy.attempts;
    const attempt = refused ? refusals : failures;
    const delayMs = delayBeforeRetryMs(error, attempt, { ...this.#policy, attempts });
    if (delayMs === undefined) {
      this.#failedKeys.set(item.key, error);
      this.#settle(item.key, error);
      const stopWith = error instanceof TeacherSetupError ? error : this.#rejections.rejected(error);
      if (stopWith) this.#stop(stopWith);
      return;
    }
    this.#options.onRetry?.({ error, attempt, attempts, delayMs });
    this.#waiting.push({ items: [{ ...item, failures, refusals }], dueMs: performance.now() + delayMs });
  }

  #budgetError(committed: number, boundUsd: number): WorkError {
    const { budgetUsd, ledger } = this.#options;
    const { storedUsd } = ledger.spent();
    return new WorkError(
      `the budget of ${usd(budgetUsd as number)} is used up: ${usd(storedUsd)} spent, ${usd(committed - storedUsd)} in doubt, ` +
        `the next call may cost ${usd(boundUsd)}; ${this.#done} of ${this.#total} requests are done`,
      { hint: 'raise budgetUsd and run again: nothing that was stored is lost or bought twice' },
    );
  }

  #entry({ key, request }: Asked): LedgerEntry {
    const { teacher, stage } = this.#options;
    return { key, request, teacher: teacher.name, stage, upperBoundUsd: boundOfCallUsd(teacher, request) };
  }

  #settle(key: string, result: TeacherAnswer | TeacherError): void {
    const times = this.#open.get(key) as number;
    this.#open.delete(key);
    this.#done += times;
    if (result instanceof TeacherError) this.#failed += times;
    this.#onOutcome(key, result);
  }

  #report(): void {
    const { onProgress, ledger } = this.#options;
    if (!onProgress) return;
    const { storedUsd, unpricedCalls, inDoubtCalls, inDoubtUsd, lostUsd } = ledger.spent();
    onProgress({
      done: this.#done,
      total: this.#total,
      fromLedger: this.#fromLedger,
      failed: this.#failed,
      spentUsd: storedUsd,
      unpricedCalls,
      inDoubtCalls,
      inDoubtUsd: inDoubtUsd + lostUsd,
    });
  }

  /** Starts nothing more. The first reason is the one thrown; running calls come back first. */
  #stop(reason: unknown): void {
    if (this.#halted) return;
    this.#halted = true;
    this.#reason = reason;
  }
}
