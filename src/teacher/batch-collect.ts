/**
 * Takes a batch's results into the ledger, some at a time, and holds what came back against what was asked: every row ends
 * as answered or failed. Doing it twice changes nothing, so a process that dies in the middle is no loss.
 */
import { TeacherError, WorkError } from '../base/errors.ts';
import type { BatchResult, BatchVendor, ProviderBatch } from './batch-vendor.ts';
import type { CallerOptions } from './caller.ts';
import type { FailedEntry, LedgerRow, StoredEntry } from './ledger.ts';
import type { LedgerBatch } from './ledger-batches.ts';
import { costOfCallUsd } from './prices.ts';
import { usd } from './spending.ts';
import type { TeacherAnswer } from './teacher.ts';

export interface CollectContext extends Pick<CallerOptions, 'ledger' | 'teacher' | 'signal'> {
  readonly vendor: BatchVendor;
  /** Once for each row that is answered, after it is stored; again where a collection is repeated. */
  readonly onAnswer: (key: string, answer: TeacherAnswer) => void;
}

export interface Collected {
  readonly answered: number;
  /** With the missing ones. */
  readonly failed: number;
  /** Of which nothing was said. */
  readonly missing: number;
  /** custom_ids that are of no row of the batch: ignored. */
  readonly unknown: readonly string[];
}

/** Results stored at a time. */
const resultsAtOnce = 500;
/** Unknown ids that are remembered. */
const shownIds = 5;

/** Rows that failed are in the ledger as such. Throws TeacherError where the results do not come whole: try again. */
export async function collectBatch(
  batch: LedgerBatch,
  provider: ProviderBatch,
  context: CollectContext,
): Promise<Collected> {
  const { ledger, vendor, signal } = context;
  const unknown: string[] = [];
  let some: BatchResult[] = [];
  const storeSome = (): void => {
    unknown.push(...storeResults(batch, some, context));
    some = [];
  };
  try {
    for await (const result of vendor.results(provider.id, signal)) {
      if (some.push(result) === resultsAtOnce) storeSome();
    }
  } catch (error) {
    if ((error as TeacherError).status !== 404) throw error;
    storeSome();
    throw lost(batch, provider, context);
  }
  storeSome();
  const answered = ledger.batches.count(batch.id, 'stored');
  // More was computed than came back: what is missing may be among it.
  const mayHaveCharged = provider.served > answered;
  const error = new TeacherError(`${context.teacher.name}: batch ${provider.id} says nothing of it`, {
    retryable: true,
  });
  const missing = failRows(batch, error, mayHaveCharged, context);
  ledger.batches.close(batch.id, 'collected');
  return { answered, failed: ledger.batches.count(batch.id, 'failed'), missing, unknown: unknown.slice(0, shownIds) };
}

/** Marks the rows that have no result as failed; how many. */
export function failRows(
  { id }: LedgerBatch,
  error: TeacherError,
  mayHaveCharged: boolean,
  { ledger, teacher: { paid } }: Pick<CollectContext, 'ledger' | 'teacher'>,
): number {
  let count = 0;
  for (const rows of ledger.batches.rows(id, 'sent')) {
    ledger.fail(rows.map((row) => ({ ...row, error, mayHaveCharged: paid && mayHaveCharged })));
    count += rows.length;
  }
  return count;
}

/** Returns the custom_ids that are of no row of the batch. */
function storeResults(
  { id }: LedgerBatch,
  results: readonly BatchResult[],
  { ledger, teacher, onAnswer }: CollectContext,
): string[] {
  const rows = ledger.lookup(results.map(({ customId }) => customId));
  const isOurs = ({ customId }: BatchResult): boolean => rows.get(customId)?.batch === id;
  const stored = new Map<string, StoredEntry>();
  const failed = new Map<string, FailedEntry>();
  for (const { customId, result, mayHaveCharged } of results.filter(isOurs)) {
    const row = rows.get(customId) as LedgerRow;
    // Delivered twice, or collected before: the first answer stays, a failure counts once.
    if (result instanceof TeacherError) {
      if (row.state !== 'sent') continue;
      failed.set(customId, { ...row, error: result, mayHaveCharged: teacher.paid && mayHaveCharged });
    } else if (!stored.has(customId)) {
      const answer = row.answer ?? result;
      stored.set(customId, { ...row, answer, costUsd: costOfCallUsd(teacher, answer, row.upperBoundUsd) });
    }
  }
  ledger.store([...stored.values()]);
  ledger.fail([...failed.values()]);
  for (const { key, answer } of stored.values()) onAnswer(key, answer);
  return results.filter((result) => !isOurs(result)).map(({ customId }) => customId);
}

function lost(batch: LedgerBatch, provider: ProviderBatch, context: CollectContext): WorkError {
  const { ledger, teacher } = context;
  const before = ledger.spent().lostUsd;
  const error = new TeacherError(`${teacher.name}: the results of batch ${provider.id} are gone`, { retryable: true });
  const count = failRows(batch, error, true, context);
  ledger.batches.close(batch.id, 'collected');
  return new WorkError(
    `the results of batch ${provider.id} are no longer to be had from ${batch.baseUrl}: ${count} rows are lost, ` +
      `${usd(ledger.spent().lostUsd - before)} at most`,
    { hint: 'run again to ask for them again; what was stored stays' },
  );
}
