/**
 * One run of the caller by batches (batch-caller.ts says what for): rows that are in no ledger and no batch are put into
 * batches as far as limits and budget allow, batches are polled and collected, and what failed goes into another. All of
 * it stands in the ledger before it is done, so that a process that ends anywhere is gone on with by the next. Held are
 * the keys of rows that have no outcome yet, not the rows.
 */
import { rmSync } from 'node:fs';
import { TeacherError, type TeacherSetupError, throwIfAborted, WorkError } from '../base/errors.ts';
import { redact } from '../base/redact.ts';
import type { BatchOptions, PollPolicy } from './batch-caller.ts';
import { collectBatch, failRows } from './batch-collect.ts';
import { BatchFiller } from './batch-fill.ts';
import {
  budgetError,
  describeCollected,
  describeUnknown,
  interruptedBy,
  setupError,
  withoutBatch,
  withoutInterface,
} from './batch-messages.ts';
import { BatchRows } from './batch-rows.ts';
import { type Found, findSubmission, pause, type SubmitContext, spoolFile, submitBatch } from './batch-submit.ts';
import type { ProviderBatch } from './batch-vendor.ts';
import type { Asked } from './caller.ts';
import { awaitedInBatch, type LedgerBatch } from './ledger-batches.ts';
import { defaultRetry } from './retry.ts';
import type { TeacherAnswer } from './teacher.ts';

/** A batch that goes on at the provider. */
interface Awaited {
  readonly batch: LedgerBatch;
  /** It may be that one of the provider's batches is it. */
  readonly isUnclear: boolean;
  /** There are rows in it that this run asks for. */
  isWanted: boolean;
  /** In a row, of calls about it. */
  failures: number;
}

/** Batches that may be refused in a row, but for lack of room, before it is taken to be no accident. */
const mostRefusals = 3;

export class BatchRun {
  readonly #options: BatchOptions;
  readonly #poll: PollPolicy;
  readonly #context: SubmitContext;
  readonly #rows: BatchRows;
  readonly #total: number;
  readonly #awaited = new Map<string, Awaited>();
  /** Batches that no other run of this process looks after meanwhile. */
  readonly #claimed = new Set<string>();
  readonly #filler: BatchFiller;
  /** The provider takes no more for now. */
  #isFull = false;
  #fullTimes = 0;
  #refusals = 0;
  #askedToWaitMs = 0;

  constructor(
    source: Iterable<Asked> | AsyncIterable<Asked>,
    total: number,
    options: BatchOptions & { readonly poll: PollPolicy; readonly settleMs: number },
    onOutcome: (key: string, result: TeacherAnswer | TeacherError) => void,
  ) {
    const { ledger, vendor, signal, onRetry, settleMs } = options;
    const policy = { ...defaultRetry, ...options.retry };
    this.#options = options;
    this.#poll = options.poll;
    this.#total = total;
    this.#context = { ledger, vendor, signal, onRetry, policy, settleMs };
    this.#filler = new BatchFiller(options, {
      onBegun: ({ id }) => this.#claimed.add(id),
      submit: (batch) => this.#submit(batch),
      queuedTokens: () => [...this.#awaited.values()].reduce((sum, { batch }) => sum + batch.promptTokens, 0),
    });
    const onAwaited = (_: unknown, batch: string) => this.#want(batch);
    this.#rows = new BatchRows({ source, ledger, attempts: policy.attempts, onOutcome, onAwaited });
  }

  async work(): Promise<void> {
    const { signal } = this.#options;
    let { firstMs: delayMs } = this.#poll;
    let hasNews = true;
    try {
      for (const batch of this.#unfinished()) if (this.#claim(batch)) await this.#resume(batch);
      while (true) {
        throwIfAborted(signal);
        // What is full has room again when one of our batches has left it.
        if (hasNews || !this.#isFull || this.#awaited.size === 0) await this.#fill();
        this.#report();
        if (this.#rows.isEmpty && ![...this.#awaited.values()].some(({ isWanted }) => isWanted)) return;
        await pause(Math.max(delayMs, this.#askedToWaitMs), signal);
        hasNews = await this.#checkAll();
        delayMs = hasNews ? this.#poll.firstMs : Math.min(this.#poll.mostMs, delayMs * this.#poll.growth);
      }
    } catch (error) {
      throw signal?.aborted ? interruptedBy(this.#unfinished(), this.#options.vendor.baseUrl) : error;
    } finally {
      for (const id of this.#claimed) this.#options.ledger.batches.unclaim(id);
      await this.#rows.close();
    }
  }

  /** Batches of this teacher that an earlier run left, or this one. */
  #unfinished(): LedgerBatch[] {
    const { ledger, vendor, teacher } = this.#options;
    const batches = ledger.batches.unfinished();
    return batches.filter((batch) => batch.teacher === teacher.name && batch.baseUrl === vendor.baseUrl);
  }

  #claim({ id }: LedgerBatch): boolean {
    if (!this.#options.ledger.batches.claim(id)) return false;
    this.#claimed.add(id);
    return true;
  }

  async #resume(batch: LedgerBatch): Promise<void> {
    const { vendor, teacher, ledger } = this.#options;
    rmSync(spoolFile(ledger, batch.id), { force: true });
    if (batch.providerId !== undefined && vendor.forgotten.includes(batch.providerId)) {
      const error = new TeacherError(`${teacher.name}: batch ${batch.providerId} is gone`, { retryable: true });
      this.#release(batch, error, true);
    } else if (batch.state === 'submitted') {
      this.#awaited.set(batch.id, { batch, isUnclear: false, isWanted: false, failures: 0 });
    } else this.#found(batch, await findSubmission(batch, this.#context), false);
  }

  /** A row of this batch is asked for. */
  #want(id: string): void {
    const awaited = this.#awaited.get(id);
    if (awaited) awaited.isWanted = true;
    else throw awaitedInBatch(this.#options.ledger.batches.get(id));
  }

  /** Puts rows into batches until there are none, or no room. */
  async #fill(): Promise<void> {
    this.#isFull = false;
    while (true) {
      const rows = await this.#rows.next();
      if (rows.length === 0) break;
      this.#rows.hold(await this.#filler.place(rows));
      if (this.#rows.holds) break;
    }
    await this.#filler.submit();
    // What comes back cheaper than it might have been makes room; here nothing will come.
    if (this.#rows.holds && this.#awaited.size === 0)
      throw budgetError(this.#options, this.#rows.counts.done, this.#total);
  }

  async #submit(batch: LedgerBatch): Promise<void> {
    const { ledger } = this.#options;
    try {
      this.#found(batch, await submitBatch(batch, this.#context), true);
    } catch (error) {
      const wasSent = ledger.batches.get(batch.id)?.sentAt !== undefined;
      if (error instanceof TeacherError && !wasSent) this.#release(batch, error, false);
      throw withoutInterface(error, batch);
    }
  }

  #found({ id }: LedgerBatch, found: Found, isWanted: boolean): void {
    const { ledger, onNotice } = this.#options;
    const batch = (): LedgerBatch => ledger.batches.get(id) as LedgerBatch;
    if (found === 'absent') {
      this.#awaited.delete(id);
      this.#release(batch(), new TeacherError('its batch was not submitted', { retryable: true }), false);
      return;
    }
    const isUnclear = found === 'unclear';
    if (!isUnclear) ledger.batches.submitted(id, found.id);
    this.#awaited.set(id, { batch: batch(), isUnclear, isWanted, failures: 0 });
    const { requests } = batch();
    onNotice?.(
      isUnclear
        ? `whether a batch of ${requests} requests was submitted shows when one of as many has ended`
        : `batch ${found.id}: ${requests} requests submitted`,
    );
  }

  /** Asks about every batch; whether one has ended. */
  async #checkAll(): Promise<boolean> {
    const { policy, onRetry, signal } = this.#context;
    let hasNews = false;
    this.#askedToWaitMs = 0;
    for (const awaited of [...this.#awaited.values()]) {
      throwIfAborted(signal);
      try {
        if (await this.#check(awaited)) hasNews = true;
        awaited.failures = 0;
      } catch (error) {
        if (!(error instanceof TeacherError)) throw error;
        // The batch goes on whether it is asked about or not.
        const attempt = ++awaited.failures;
        if (!error.retryable || attempt > policy.refusals) throw withoutBatch(error, awaited.batch);
        this.#askedToWaitMs = Math.max(this.#askedToWaitMs, error.retryAfterMs ?? 0);
        onRetry?.({ error, attempt, attempts: policy.refusals, delayMs: this.#askedToWaitMs });
      }
      this.#report();
    }
    return hasNews;
  }

  async #check({ batch, isUnclear, isWanted }: Awaited): Promise<boolean> {
    const { vendor, signal } = this.#options;
    if (isUnclear) {
      const found = await findSubmission(batch, this.#context);
      if (found !== 'unclear') this.#found(batch, found, isWanted);
      return found === 'absent';
    }
    const provider = await vendor.status(batch.providerId as string, signal);
    if (provider.status === 'running') return false;
    if (provider.status === 'refused') {
      this.#refused(batch, provider);
      return false;
    }
    await this.#collect(batch, provider);
    return true;
  }

  #refused(batch: LedgerBatch, { id, refusal }: ProviderBatch): void {
    const { teacher } = this.#options;
    const message = `${teacher.name}: batch ${id} was refused: ${redact(refusal?.message ?? 'no reason given')}`;
    this.#awaited.delete(batch.id);
    this.#release(batch, new TeacherError(message, { retryable: true }), false);
    if (refusal?.isFull) {
      this.#isFull = true;
      this.#fullTimes += 1;
      // Full of nothing but this one: it is too large, or others' batches take the room.
      if (this.#awaited.size === 0) this.#filler.halve(batch);
    } else this.#refusals += 1;
    if (this.#refusals < mostRefusals && this.#fullTimes <= this.#context.policy.refusals) return;
    throw new WorkError(message, { hint: 'nothing of it was done or paid; run again when the reason is gone' });
  }

  async #collect(batch: LedgerBatch, provider: ProviderBatch): Promise<void> {
    const { ledger, teacher, vendor, signal, onNotice } = this.#options;
    const onAnswer = (key: string, answer: TeacherAnswer) => this.#rows.answered(key, answer);
    const collected = await collectBatch(batch, provider, { ledger, teacher, vendor, signal, onAnswer });
    this.#awaited.delete(batch.id);
    this.#fullTimes = 0;
    this.#refusals = 0;
    onNotice?.(describeCollected(provider.id, collected));
    if (collected.unknown.length > 0) {
      const text = describeUnknown(provider.id, collected.unknown);
      if (onNotice) onNotice(text);
      else process.emitWarning(text);
    }
    let useless: TeacherSetupError | undefined;
    for (const rows of ledger.batches.rows(batch.id, 'failed')) {
      for (const { key, error } of rows) {
        if (!error) continue;
        this.#rows.failed(key, error);
        useless = setupError(error) ?? useless;
      }
    }
    if (useless) throw useless;
  }

  /** Its rows are in no batch any more; those of this run are asked again. */
  #release(batch: LedgerBatch, error: TeacherError, mayHaveCharged: boolean): void {
    const { ledger } = this.#options;
    failRows(batch, error, mayHaveCharged, this.#options);
    ledger.batches.close(batch.id, 'refused');
    for (const rows of ledger.batches.rows(batch.id, 'failed')) for (const { key } of rows) this.#rows.askAgain(key);
  }

  #report(): void {
    const { onProgress, ledger } = this.#options;
    if (!onProgress) return;
    const { storedUsd, unpricedCalls, inDoubtCalls, inDoubtUsd, lostUsd, awaitedCalls } = ledger.spent();
    onProgress({
      ...this.#rows.counts,
      total: this.#total,
      spentUsd: storedUsd,
      unpricedCalls,
      inDoubtCalls,
      inDoubtUsd: inDoubtUsd + lostUsd,
      awaited: { batches: this.#awaited.size, calls: awaitedCalls },
    });
  }
}
