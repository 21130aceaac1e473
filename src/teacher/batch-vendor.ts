/**
 * What a provider's batch interface can do, whichever provider: many requests go out together, are answered within a day
 * at a lower price, and come back in any order. It knows nothing of ledgers, budgets or retries: those are batch-run.ts's.
 * Every failure is a TeacherError.
 */
import type { TeacherError } from '../base/errors.ts';
import type { TeacherAnswer, TeacherRequest } from './teacher.ts';

export interface BatchRow {
  /** The ledger's key: 64 hexadecimal digits, which every provider takes. */
  readonly customId: string;
  readonly request: TeacherRequest;
}

/** What a batch carries to be known again by, where the provider has a place for it. */
export interface BatchMetadata {
  /** `LedgerBatches.run`. */
  readonly run: string;
  /** `LedgerBatch.id`. */
  readonly submission: string;
}

/** A batch as the provider tells of it. */
export interface ProviderBatch {
  readonly id: string;
  /** `ended`: there are results of what was done, which may be nothing. `refused`: nothing was done, `refusal` says why. */
  readonly status: 'running' | 'ended' | 'refused';
  readonly refusal?: Refusal | undefined;
  readonly createdAtMs: number;
  /** Requests in it. */
  readonly total: number;
  /** Requests that were answered, as far as it is told. */
  readonly served: number;
  /** undefined: the provider keeps none. */
  readonly metadata: Partial<BatchMetadata> | undefined;
  /** The file it was made of. */
  readonly upload: string | undefined;
}

export interface Refusal {
  readonly message: string;
  /** There are too many tokens in batches already: the same may be taken later. */
  readonly isFull: boolean;
}

export interface BatchResult {
  readonly customId: string;
  readonly result: TeacherAnswer | TeacherError;
  /** Of a failure: the row may be on the bill although it has no answer. */
  readonly mayHaveCharged: boolean;
}

export interface SubmitOptions {
  /** Written while the batch is put together, and deleted: as large as the batch. */
  readonly spoolFile: string;
  /** Called before the one call that makes the batch; `upload` is the file it is made of. */
  readonly onSending: (upload: string | undefined) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface BatchVendor extends BatchCalls {
  /** As the ledger names who has a batch, and where. */
  readonly provider: string;
  readonly baseUrl: string;
  readonly limits: BatchLimits;
  /** `BatchSettings.forget`. */
  readonly forgotten: readonly string[];
}

export interface BatchCalls {
  /** Asks for one batch, once. Throws TeacherError, also where the batch was made and the word of it got lost. */
  submit(rows: AsyncIterable<BatchRow>, metadata: BatchMetadata, options: SubmitOptions): Promise<ProviderBatch>;
  /**
   * Batches made since then, by the provider's clock: those of the run, or all of them where the provider keeps no
   * metadata.
   */
  list(run: string, sinceMs: number, signal?: AbortSignal): AsyncIterable<ProviderBatch>;
  status(id: string, signal?: AbortSignal): Promise<ProviderBatch>;
  /** Of a batch that has ended, in any order, as they come in. */
  results(id: string, signal?: AbortSignal): AsyncIterable<BatchResult>;
  cancel(id: string, signal?: AbortSignal): Promise<void>;
}

export interface BatchLimits {
  /** Of one batch. */
  readonly requests: number;
  readonly bytes: number;
  /** Prompt tokens of all batches under way together; undefined: not known. */
  readonly enqueuedTokens: number | undefined;
}

/** What users may set. */
export interface BatchSettings {
  /** Most requests in one batch, below the provider's own limit. */
  readonly maxRequests?: number | undefined;
  /** The account's limit of prompt tokens in all its batches. */
  readonly maxEnqueuedTokens?: number | undefined;
  /** Batches, as the provider names them, that it no longer has: their rows are asked again. */
  readonly forget?: readonly string[] | undefined;
}
