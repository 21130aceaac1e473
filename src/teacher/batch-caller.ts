/**
 * Asks by a provider's batch interface, at its lower price: the ledger is looked up first, what it has not and what is in
 * no batch yet is put into batches, and those are polled until they have ended, today or tomorrow, by this process or the
 * next. Nothing is bought twice: a row that was bought by itself is not bought in a batch, nor the other way round, and a
 * batch that may have been submitted is looked for before it is submitted.
 */
import type { TeacherError } from '../base/errors.ts';
import { BatchRun } from './batch-run.ts';
import type { BatchVendor } from './batch-vendor.ts';
import type { Asked, CallerOptions } from './caller.ts';
import type { TeacherAnswer } from './teacher.ts';

export interface BatchOptions extends CallerOptions {
  readonly vendor: BatchVendor;
  readonly poll?: Partial<PollPolicy> | undefined;
  /**
   * How long a submission whose answer was lost may take to show in the provider's list; before it is submitted again,
   * that much time has gone by. Default: a minute.
   */
  readonly settleMs?: number | undefined;
}

/** How often batches are asked about: more and more seldom, until one has ended. */
export interface PollPolicy {
  readonly firstMs: number;
  readonly growth: number;
  readonly mostMs: number;
}

const defaultPoll: PollPolicy = { firstMs: 1000, growth: 1.5, mostMs: 60_000 };
const defaultSettleMs = 60_000;

/**
 * Returns when every request has an outcome, of which `onOutcome` hears once. `total`: for progress. Throws
 * InterruptedError on abort, while batches go on at the provider; WorkError at the end of the budget; TeacherSetupError
 * where no request can succeed.
 */
export async function askByBatch(
  asked: Iterable<Asked> | AsyncIterable<Asked>,
  total: number,
  options: BatchOptions,
  onOutcome: (key: string, result: TeacherAnswer | TeacherError) => void,
): Promise<void> {
  const poll = { ...defaultPoll, ...options.poll };
  await new BatchRun(
    asked,
    total,
    { ...options, poll, settleMs: options.settleMs ?? defaultSettleMs },
    onOutcome,
  ).work();
}
