/** A row of the ledger as the program sees it, as the table has it, and the way from one to the other. */
import { TeacherError } from '../base/errors.ts';
import type { RowCost } from './spending.ts';
import type { TeacherAnswer, TeacherRequest } from './teacher.ts';

export interface LedgerRow {
  readonly key: string;
  readonly state: 'sent' | 'stored' | 'failed';
  readonly teacher: string;
  readonly stage: string;
  readonly request: TeacherRequest;
  /** Of a stored row. */
  readonly answer: TeacherAnswer | undefined;
  /** Of a failed row: why the last sending failed. */
  readonly error: TeacherError | undefined;
  readonly costUsd: number | undefined;
  readonly upperBoundUsd: number | undefined;
  readonly lostUsd: number;
  /** Sendings so far. */
  readonly attempts: number;
  readonly idempotencyKey: string | undefined;
  /** The batch it was last sent in (ledger-batches.ts); undefined: by itself. */
  readonly batch: string | undefined;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly sentAt: string | undefined;
  readonly finishedAt: string | undefined;
}

/** A row as the table has it. */
export interface Columns extends RowCost {
  readonly key: string;
  readonly teacher: string;
  readonly request: string;
  readonly answer: string | null;
  readonly raw: string | null;
  readonly error: string | null;
  readonly attempts: number;
  readonly idempotency_key: string | null;
  readonly created_at: string;
  readonly sent_at: string | null;
  readonly finished_at: string | null;
}

export const columns = [
  'key',
  'state',
  'teacher',
  'stage',
  'request',
  'answer',
  'raw',
  'error',
  'cost_usd',
  'upper_bound_usd',
  'lost_usd',
  'attempts',
  'idempotency_key',
  'created_at',
  'sent_at',
  'finished_at',
  'batch',
] as const satisfies readonly (keyof Columns)[];

export function toLedgerRow(row: Columns): LedgerRow {
  return {
    key: row.key,
    state: row.state,
    teacher: row.teacher,
    stage: row.stage,
    request: JSON.parse(row.request) as TeacherRequest,
    answer: row.answer === null ? undefined : toAnswer(row.answer, row.raw),
    error: row.error === null ? undefined : toError(row.error),
    costUsd: row.cost_usd ?? undefined,
    upperBoundUsd: row.upper_bound_usd ?? undefined,
    lostUsd: row.lost_usd,
    attempts: row.attempts,
    idempotencyKey: row.idempotency_key ?? undefined,
    batch: row.batch ?? undefined,
    createdAt: row.created_at,
    sentAt: row.sent_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
  };
}

function toAnswer(answer: string, raw: string | null): TeacherAnswer {
  const { text, finishReason, usage } = JSON.parse(answer) as TeacherAnswer;
  return { text, finishReason, usage, raw: raw === null ? null : JSON.parse(raw) };
}

function toError(error: string): TeacherError {
  const { message, ...options } = JSON.parse(error) as {
    message: string;
    status?: number;
    retryable: boolean;
    hint?: string;
  };
  return new TeacherError(message, options);
}
