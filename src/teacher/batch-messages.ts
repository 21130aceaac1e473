/** What a run by batches says: errors with what to do, and notices. */
import { InterruptedError, type TeacherError, TeacherSetupError, WorkError } from '../base/errors.ts';
import type { Collected } from './batch-collect.ts';
import type { CallerOptions } from './caller.ts';
import type { LedgerBatch } from './ledger-batches.ts';
import { isSetupStatus } from './retry.ts';
import { committedUsd, usd } from './spending.ts';

export function budgetError(
  { budgetUsd, ledger }: Pick<CallerOptions, 'budgetUsd' | 'ledger'>,
  done: number,
  total: number,
): WorkError {
  const spent = ledger.spent();
  return new WorkError(
    `the budget of ${usd(budgetUsd as number)} is used up: ${usd(spent.storedUsd)} spent, ` +
      `${usd(committedUsd(spent) - spent.storedUsd)} in doubt; ${done} of ${total} requests are done`,
    { hint: 'raise budgetUsd and run again: nothing that was stored is lost or bought twice' },
  );
}

export function interruptedBy(unfinished: readonly LedgerBatch[], baseUrl: string): InterruptedError {
  const going = unfinished.filter(({ sentAt }) => sentAt !== undefined);
  if (going.length === 0) return new InterruptedError();
  const requests = going.reduce((sum, batch) => sum + batch.requests, 0);
  return new InterruptedError(
    `interrupted; ${going.length} ${going.length === 1 ? 'batch' : 'batches'} with ${requests} requests go on at ` +
      `${baseUrl}; run the same command again to collect them`,
  );
}

/** The failure of a row, where it says that no other could succeed. */
export function setupError({ status, message, hint, retryable }: TeacherError): TeacherSetupError | undefined {
  const isSetup = !retryable && status !== undefined && (isSetupStatus(status) || status === 429);
  return isSetup ? new TeacherSetupError(message, { status, ...(hint && { hint }) }) : undefined;
}

/** An error of asking about a batch, clearer where there is no such batch. */
export function withoutBatch(error: TeacherError, { providerId, baseUrl, submittedAt }: LedgerBatch): TeacherError {
  if (error.status !== 404 || providerId === undefined) return error;
  return new TeacherSetupError(`${baseUrl} has no batch ${providerId}, submitted ${submittedAt}`, {
    status: 404,
    hint:
      'use the key of the account that submitted it; where it was deleted there, say --forget-batches ' +
      `${providerId}, or batch: {forget: [${providerId}]} in the teacher’s settings, and its rows are asked again`,
  });
}

/** An error of submitting, clearer where the server has no batches. */
export function withoutInterface(error: unknown, { baseUrl }: LedgerBatch): unknown {
  if ((error as TeacherError).status !== 404) return error;
  return new TeacherSetupError(`${baseUrl} has no batch interface (HTTP 404)`, {
    status: 404,
    hint:
      'see that baseUrl is right, or ask without batch; OpenAI and Anthropic have batches, and of the servers that speak ' +
      'OpenAI’s protocol those that answer /files and /batches',
  });
}

export function describeCollected(id: string, { answered, failed, missing }: Collected): string {
  const parts = [failed > 0 ? `${failed} failed` : '', missing > 0 ? `${missing} of them missing` : ''];
  return [`batch ${id}: ${answered} answers`, ...parts.filter((part) => part !== '')].join(', ');
}

export const describeUnknown = (id: string, ids: readonly string[]): string =>
  `batch ${id} has results that nobody asked for (${ids.join(', ')}): they are ignored`;
