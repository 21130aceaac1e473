/**
 * One run of `askAll`: its workers, the calls in flight, the reason to stop. A worker takes a batch and stays with it,
 * retries included. `caller.ts` says what the whole is for.
 */
import { InterruptedError, invariant, TeacherError, TeacherSetupError, WorkError } from '../base/errors.ts';
import type { AskAllOptions, Asked } from './caller.ts';
import type { FailedEntry, LedgerEntry, StoredEntry } from './ledger.ts';
import { costUsd, upperBoundUsd } from './prices.ts';
import { defaultRetry, delayBeforeRetryMs, mayHaveCharged, type RetryPolicy, sleep } from './retry.ts';
import { committedUsd, usd } from './spending.ts';
import type { TeacherAnswer } from './teacher.ts';

export class AskRun {
  readonly results = new Map<string, TeacherAnswer | TeacherError>();
  readonly #options: AskAllOptions;
  readonly #policy: RetryPolicy;
  /** How often each key was asked for: progress counts requests, not rows. */
  readonly #times = new Map<string, number>();
  readonly #total: number;
  readonly #batches: readonly Asked[][];
  #next = 0;
  #done = 0;
  #fromLedger = 0;
  #failed = 0;
  /** Calls now running. */
  #running = 0;
  /** Nothing new starts once this has aborted: the first reason wins. */
  readonly #halt = new AbortController();
  #reason: unknown;
  /** Until when a Retry-After holds everyone back. */
  #pauseUntilMs = 0;
  /** Who waits for a running call to come back, to see whether the budget then has room. */
  readonly #waiting: (() => void)[] = [];

  constructor(asked: readonly Asked[], options: AskAllOptions) {
    this.#options = options;
    this.#policy = { ...defaultRetry, ...options.retry };
    this.#total = asked.length;
    for (const { key } of asked) this.#times.set(key, (this.#times.get(key) ?? 0) + 1);
    const unique = [...new Map(asked.map((one) => [one.key, one])).values()];
    const stored = this.#takeStored(unique);
    // Cut first, then drop what is stored: what a batch is made of does not depend on how far an earlier run got.
    this.#batches = cut(unique, options.teacher.batchSize)
      .map((batch) => batch.filter(({ key }) => !stored.has(key)))
      .filter((batch) => batch.length > 0);
  }

  async work(): Promise<void> {
    const { signal, teacher } = this.#options;
    const onAbort = () => this.#stop(new InterruptedError());
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      this.#report();
      const workers = Math.min(teacher.concurrency, this.#batches.length);
      await Promise.all(Array.from({ length: workers }, () => this.#workThrough()));
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    const complete = this.results.size === this.#times.size;
    if (this.#halted && !(complete && this.#reason instanceof InterruptedError)) throw this.#reason;
  }

  async #workThrough(): Promise<void> {
    while (!this.#halted) {
      const batch = this.#batches[this.#next++];
      if (!batch) return;
      try {
        await this.#askUntilDone(batch);
      } catch (error) {
        this.#stop(error);
      }
    }
  }

  /** Sends a batch, and what failed of it again, until every row has its outcome or everything stops. */
  async #askUntilDone(batch: readonly Asked[]): Promise<void> {
    let left = batch;
    for (let attempt = 1; left.length > 0; attempt++) {
      await this.#pause();
      const entries = left.map((one) => this.#entry(one));
      const idempotencyKeys = await this.#reserve(entries);
      if (!idempotencyKeys) return;
      const failed = await this.#send(entries, idempotencyKeys);
      const again = failed.flatMap((entry) => this.#settleFailure(entry, attempt) ?? []);
      this.#report();
      if (again.length === 0) return;
      await this.#waitToRetry(again, attempt);
      left = again;
    }
  }

  /** One sending, whose intent is recorded already. Answers are stored; returns what failed, recorded as failed. */
  async #send(entries: readonly LedgerEntry[], idempotencyKeys: readonly string[]): Promise<FailedEntry[]> {
    const { ledger } = this.#options;
    try {
      const answers = await this.#ask(entries, idempotencyKeys);
      invariant(answers.length === entries.length, `${answers.length} answers to ${entries.length} requests`);
      const { stored, failed } = this.#sort(entries, answers);
      ledger.store(stored);
      for (const { key, answer } of stored) this.#settle(key, answer);
      // After Ctrl-C an error says only that the call was cut off: such rows stay in doubt.
      if (this.#options.signal?.aborted) throw new InterruptedError();
      ledger.fail(failed);
      return failed;
    } finally {
      ledger.abandon(entries.map((entry) => entry.key));
      this.#running -= 1;
      for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  async #ask(
    entries: readonly LedgerEntry[],
    idempotencyKeys: readonly string[],
  ): Promise<readonly (TeacherAnswer | TeacherError)[]> {
    const { teacher, signal } = this.#options;
    try {
      const requests = entries.map((entry) => entry.request);
      return await teacher.ask(requests, { idempotencyKeys, signal });
    } catch (error) {
      if (signal?.aborted) throw new InterruptedError();
      if (error instanceof TeacherError) return entries.map(() => error);
      throw error;
    }
  }

  #sort(entries: readonly LedgerEntry[], answers: readonly (TeacherAnswer | TeacherError)[]) {
    const stored: StoredEntry[] = [];
    const failed: FailedEntry[] = [];
    entries.forEach((entry, i) => {
      const answer = answers[i] as TeacherAnswer | TeacherError;
      if (answer instanceof TeacherError) {
        failed.push({ ...entry, error: answer, mayHaveCharged: this.#options.teacher.paid && mayHaveCharged(answer) });
      } else {
        stored.push({ ...entry, answer, costUsd: this.#cost(entry, answer) });
      }
    });
    return { stored, failed };
  }

  /** What is to be asked again; undefined where the failure stands, which is then the outcome. */
  #settleFailure(
    { key, request, error }: FailedEntry,
    attempt: number,
  ): (Asked & { delayMs: number; error: TeacherError }) | undefined {
    const delayMs = delayBeforeRetryMs(error, attempt, this.#policy);
    if (delayMs !== undefined) return { key, request, error, delayMs };
    this.#settle(key, error);
    if (error instanceof TeacherSetupError) this.#stop(error);
    return undefined;
  }

  async #pause(): Promise<void> {
    // In a loop: while one waits, another may be told to wait longer.
    while (this.#pauseUntilMs > Date.now()) await sleep(this.#pauseUntilMs - Date.now(), this.#halt.signal);
  }

  async #waitToRetry(again: readonly { delayMs: number; error: TeacherError }[], attempt: number): Promise<void> {
    const longest = again.reduce((a, b) => (b.delayMs > a.delayMs ? b : a));
    const { error, delayMs } = longest;
    if (error.retryAfterMs !== undefined)
      this.#pauseUntilMs = Math.max(this.#pauseUntilMs, Date.now() + error.retryAfterMs);
    this.#options.onRetry?.({ error, attempt, attempts: this.#policy.attempts, delayMs });
    await sleep(delayMs, this.#halt.signal);
  }

  /**
   * Waits until the budget has room for a batch, and takes it by recording the intent in the same breath: between look and
   * record no other worker may run. What runs counts at its upper bound, so a call that comes back cheaper makes room;
   * only when nothing runs any more and there still is none does everything stop. undefined: stopped.
   */
  async #reserve(entries: readonly LedgerEntry[]): Promise<string[] | undefined> {
    const { budgetUsd, ledger, teacher } = this.#options;
    const limitUsd = teacher.paid && budgetUsd !== undefined ? budgetUsd : Number.POSITIVE_INFINITY;
    const boundUsd = entries.reduce((sum, entry) => sum + (entry.upperBoundUsd ?? 0), 0);
    while (!this.#halted) {
      const committed = committedUsd(ledger.spent());
      // A billionth of a dollar of slack for sums of floats.
      if (committed + boundUsd <= limitUsd + 1e-9) {
        const idempotencyKeys = ledger.markSent(entries);
        this.#running += 1;
        return idempotencyKeys;
      }
      if (this.#running === 0) this.#stop(this.#budgetError(committed, boundUsd));
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return undefined;
  }

  #budgetError(committed: number, boundUsd: number): WorkError {
    const { budgetUsd, ledger } = this.#options;
    const { storedUsd } = ledger.spent();
    const { size } = this.results;
    return new WorkError(
      `the budget of ${usd(budgetUsd as number)} is used up: ${usd(storedUsd)} spent, ${usd(committed - storedUsd)} in doubt, ` +
        `the next call may cost ${usd(boundUsd)}; ${size} of ${this.#times.size} requests are done`,
      { hint: 'raise budgetUsd and run again: nothing that was stored is lost or bought twice' },
    );
  }

  #entry({ key, request }: Asked): LedgerEntry {
    const { teacher, stage } = this.#options;
    const bound = !teacher.paid ? 0 : teacher.price && upperBoundUsd(teacher.price, request);
    return { key, request, teacher: teacher.name, stage, upperBoundUsd: bound };
  }

  /** Without a count of tokens the answer is taken to have cost the most it could. */
  #cost(entry: LedgerEntry, { usage }: TeacherAnswer): number | undefined {
    const { paid, price } = this.#options.teacher;
    if (!paid) return 0;
    return price && usage ? costUsd(price, usage) : entry.upperBoundUsd;
  }

  #takeStored(unique: readonly Asked[]): Set<string> {
    const stored = new Set<string>();
    for (const row of this.#options.ledger.lookup(unique.map(({ key }) => key)).values()) {
      if (row.answer === undefined) continue;
      stored.add(row.key);
      this.#settle(row.key, row.answer);
    }
    this.#fromLedger = this.#done;
    return stored;
  }

  #settle(key: string, result: TeacherAnswer | TeacherError): void {
    const times = this.#times.get(key) as number;
    this.results.set(key, result);
    this.#done += times;
    if (result instanceof TeacherError) this.#failed += times;
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

  get #halted(): boolean {
    return this.#halt.signal.aborted;
  }

  /** Starts nothing more. The first reason is the one thrown; running calls come back first. */
  #stop(reason: unknown): void {
    if (this.#halted) return;
    this.#reason = reason;
    this.#halt.abort();
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

function cut<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
