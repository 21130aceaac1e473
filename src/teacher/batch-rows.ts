/** The requests of a run by batches: which come next, which have no outcome yet. Asks no one. */
import type { TeacherError } from '../base/errors.ts';
import type { Asked } from './caller.ts';
import type { Ledger, LedgerRow } from './ledger.ts';
import type { TeacherAnswer } from './teacher.ts';

export interface BatchRowsOptions {
  readonly source: Iterable<Asked> | AsyncIterable<Asked>;
  readonly ledger: Ledger;
  /** Sendings of a row in this run that may fail, the first included. */
  readonly attempts: number;
  /** Hears of each request's outcome once. */
  readonly onOutcome: (key: string, result: TeacherAnswer | TeacherError) => void;
  /** A row is in a batch already. */
  readonly onAwaited: (row: LedgerRow, batch: string) => void;
}

/** Requests looked up at a time. */
const lookupSize = 256;

export class BatchRows {
  readonly #options: BatchRowsOptions;
  readonly #source: AsyncIterator<Asked> | Iterator<Asked>;
  /** What was stored at this time or before came from an earlier run; `<=`, for two short runs may share a millisecond. */
  readonly #startedAt = new Date().toISOString();
  #sourceEnded = false;
  /** Rows for which there was no room. */
  #held: readonly Asked[] = [];
  /** Keys of rows that go out again. */
  #again: string[] = [];
  /** How often each key that has no outcome yet was asked for. */
  readonly #open = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  /** What failed for good in this run is not asked again by it. */
  readonly #failed = new Map<string, TeacherError>();
  /** Requests with an outcome; of these, from the ledger, and failed. */
  readonly counts = { done: 0, fromLedger: 0, failed: 0 };

  constructor(options: BatchRowsOptions) {
    const { source } = options;
    this.#options = options;
    this.#source = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** Rows that are to be asked, a few hundred at most; none: there are no more, or none for now. */
  async next(): Promise<readonly Asked[]> {
    if (this.#held.length > 0) {
      const held = this.#held;
      this.#held = [];
      return held;
    }
    while (this.#again.length > 0) {
      const rows = this.#options.ledger.lookup(this.#again.splice(0, lookupSize));
      const asked = this.#toAsk([...rows.values()], rows);
      if (asked.length > 0) return asked;
    }
    while (!this.#sourceEnded) {
      const some: Asked[] = [];
      while (some.length < lookupSize && !this.#sourceEnded) {
        const { done, value } = await this.#source.next();
        if (done) this.#sourceEnded = true;
        else if (this.#isNew(value)) some.push(value);
      }
      const asked = this.#toAsk(some, this.#options.ledger.lookup(some.map(({ key }) => key)));
      if (asked.length > 0) return asked;
    }
    return [];
  }

  /** Gives rows back that found no room; `next` brings them again. */
  hold(rows: readonly Asked[]): void {
    this.#held = rows;
  }

  get holds(): boolean {
    return this.#held.length > 0;
  }

  /** There is nothing to be asked. */
  get isEmpty(): boolean {
    return this.#sourceEnded && this.#held.length === 0 && this.#again.length === 0;
  }

  /** Whether this run waits for the row. */
  isOpen(key: string): boolean {
    return this.#open.has(key);
  }

  /** The row was not asked after all. */
  askAgain(key: string): void {
    if (this.#open.has(key)) this.#again.push(key);
  }

  answered(key: string, answer: TeacherAnswer): void {
    this.#settle(key, answer);
  }

  /** Asks once more, or takes the failure for the outcome. */
  failed(key: string, error: TeacherError): void {
    if (!this.#open.has(key)) return;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    if (error.retryable && failures < this.#options.attempts) {
      this.#failures.set(key, failures);
      this.#again.push(key);
      return;
    }
    this.#failures.delete(key);
    this.#failed.set(key, error);
    this.#settle(key, error);
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  /** A request that is open or has failed already is counted with that one. */
  #isNew({ key }: Asked): boolean {
    const times = this.#open.get(key);
    this.#open.set(key, (times ?? 0) + 1);
    if (times !== undefined) return false;
    const failed = this.#failed.get(key);
    if (failed) this.#settle(key, failed);
    return failed === undefined;
  }

  /** What the ledger has is done, what is in a batch is awaited. */
  #toAsk(some: readonly Asked[], rows: ReadonlyMap<string, LedgerRow>): Asked[] {
    return some.flatMap(({ key, request }) => {
      const row = rows.get(key);
      if (row?.answer) {
        if ((row.finishedAt ?? '') <= this.#startedAt) this.counts.fromLedger += this.#open.get(key) as number;
        this.#settle(key, row.answer);
        return [];
      }
      if (row?.state !== 'sent' || row.batch === undefined) return [{ key, request }];
      this.#options.onAwaited(row, row.batch);
      return [];
    });
  }

  #settle(key: string, result: TeacherAnswer | TeacherError): void {
    const times = this.#open.get(key);
    if (times === undefined) return;
    this.#open.delete(key);
    this.counts.done += times;
    if (result instanceof Error) this.counts.failed += times;
    this.#options.onOutcome(key, result);
  }
}
