/**
 * Gets a batch to the provider once. Whether it has it is looked up in the list of its batches before each try: the word
 * that it was made may have been lost, with the connection or with the process that waited for it.
 */
import { setTimeout } from 'node:timers/promises';
import { InterruptedError, TeacherError } from '../base/errors.ts';
import { promptTokens } from './batch-draft.ts';
import type { BatchRow, BatchVendor, ProviderBatch } from './batch-vendor.ts';
import type { CallerOptions } from './caller.ts';
import type { Ledger } from './ledger.ts';
import type { LedgerBatch } from './ledger-batches.ts';
import { delayBeforeRetryMs, longestTimerMs, mayHaveCharged, type RetryPolicy } from './retry.ts';

export interface SubmitContext extends Pick<CallerOptions, 'ledger' | 'signal' | 'onRetry'> {
  readonly vendor: BatchVendor;
  readonly policy: RetryPolicy;
  /** How long after it was sent a batch may take to show in the provider's list. */
  readonly settleMs: number;
}

/** `absent`: the provider does not have it. `unclear`: it has one that may be it, which shows when that has ended. */
export type Found = ProviderBatch | 'absent' | 'unclear';

/** How far the provider's clock may be behind ours. */
const clockSkewMs = 15 * 60 * 1000;

/** Where a batch is put together. A process that is killed leaves it behind. */
export const spoolFile = ({ file }: Pick<Ledger, 'file'>, id: string): string => `${file}.${id}.jsonl`;

/** Looks for a batch that may have been sent. */
export async function findSubmission(batch: LedgerBatch, context: SubmitContext): Promise<Found> {
  const found = await persistently(context, () => look(batch, context));
  if (found !== 'absent' || batch.sentAt === undefined) return found;
  const shownAtMs = Math.min(Date.parse(batch.sentAt), Date.now()) + context.settleMs;
  if (shownAtMs <= Date.now()) return found;
  await pause(shownAtMs - Date.now(), context.signal);
  return persistently(context, () => look(batch, context));
}

/** Submits the rows that the ledger has for an open batch. Throws TeacherError where the provider does not take it. */
export async function submitBatch({ id, run }: LedgerBatch, context: SubmitContext): Promise<Exclude<Found, 'absent'>> {
  const { ledger, vendor, signal } = context;
  const tries = new Tries(context);
  const find = (): Promise<Found> => findSubmission(ledger.batches.get(id) as LedgerBatch, context);
  while (true) {
    const found = await find();
    if (found !== 'absent') return found;
    const size = { requests: 0, promptTokens: 0 };
    let isSent = false;
    const onSending = (upload: string | undefined): void => {
      isSent = true;
      ledger.batches.sending(id, { ...size, upload });
    };
    try {
      const options = { spoolFile: spoolFile(ledger, id), onSending, signal };
      return await vendor.submit(rowsOf(id, context, size), { run, submission: id }, options);
    } catch (error) {
      if (!(error instanceof TeacherError)) throw error;
      if (isSent && isRefused(error)) ledger.batches.notSent(id);
      if (await tries.mayGoOn(error)) continue;
      const late = await find();
      if (late === 'absent') throw error;
      return late;
    }
  }
}

async function* rowsOf(
  id: string,
  { ledger }: SubmitContext,
  size: { requests: number; promptTokens: number },
): AsyncGenerator<BatchRow> {
  for (const rows of ledger.batches.rows(id, 'sent')) {
    for (const { key, request } of rows) {
      size.requests += 1;
      size.promptTokens += promptTokens(request);
      yield { customId: key, request };
    }
  }
}

async function look(batch: LedgerBatch, context: SubmitContext): Promise<Found> {
  const { ledger, vendor, signal } = context;
  const sinceMs = Date.parse(batch.sentAt ?? batch.createdAt) - clockSkewMs;
  let found: Found = 'absent';
  for await (const one of vendor.list(batch.run, sinceMs, signal)) {
    if (one.metadata?.submission === batch.id) return one;
    if (one.upload !== undefined && one.upload === batch.upload) return one;
    // Nothing is written on it: a batch of as many rows that nobody here knows may be it.
    const isNameless = one.metadata === undefined && one.upload === undefined && batch.sentAt !== undefined;
    if (!isNameless || one.total !== batch.requests || ledger.batches.isKnown(one.id)) continue;
    if (one.status === 'running') found = 'unclear';
    else if (await hasRowsOf(batch, one, context)) return one;
  }
  return found;
}

/** Whether the first result of a batch is of a row of ours; batches share no rows. */
async function hasRowsOf(
  { id }: LedgerBatch,
  { id: providerId }: ProviderBatch,
  { ledger, vendor, signal }: SubmitContext,
): Promise<boolean> {
  try {
    for await (const { customId } of vendor.results(providerId, signal))
      return ledger.lookup([customId]).get(customId)?.batch === id;
  } catch (error) {
    // Somebody else's, whose results are gone.
    if ((error as TeacherError).status !== 404) throw error;
  }
  return false;
}

/** The server said no, or never heard of it: no batch was made. */
const isRefused = (error: TeacherError): boolean =>
  error.status === undefined
    ? !mayHaveCharged(error)
    : error.status >= 400 && error.status < 500 && error.status !== 408 && error.status !== 409;

/** Repeats what fails in a way that may pass. */
export async function persistently<T>(context: SubmitContext, work: () => Promise<T>): Promise<T> {
  const tries = new Tries(context);
  while (true) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TeacherError) || !(await tries.mayGoOn(error))) throw error;
    }
  }
}

/** How often something failed. Calls about batches cost nothing: they may fail as often as a server may be full. */
class Tries {
  readonly #context: SubmitContext;
  #failures = 0;

  constructor(context: SubmitContext) {
    this.#context = context;
  }

  /** Waits before another try; false: there is none. */
  async mayGoOn(error: TeacherError): Promise<boolean> {
    const { policy, onRetry, signal } = this.#context;
    const attempts = policy.refusals;
    const attempt = ++this.#failures;
    const delayMs = delayBeforeRetryMs(error, attempt, { ...policy, attempts });
    if (delayMs === undefined) return false;
    onRetry?.({ error, attempt, attempts, delayMs });
    await pause(delayMs, signal);
    return true;
  }
}

/** Throws InterruptedError on abort. */
export async function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    for (let left = delayMs; left > 0; left -= longestTimerMs)
      await setTimeout(Math.min(left, longestTimerMs), undefined, signal && { signal });
  } catch {
    throw new InterruptedError();
  }
}
