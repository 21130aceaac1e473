/** A batch that is being filled, within what a batch may hold. The rows are in the ledger: here they are only counted. */
import type { LedgerBatch } from './ledger-batches.ts';
import { estimatedTokens } from './prices.ts';
import type { TeacherRequest } from './teacher.ts';

export interface DraftLimits {
  readonly requests: number;
  readonly bytes: number;
  readonly promptTokens: number;
}

/** Ids and keys of a row in a batch, and what stands around each message, take less. */
const bytesAroundRow = 512;
const bytesAroundMessage = 64;

/** An upper bound of what a request takes in a batch. */
export const rowBytes = (request: TeacherRequest): number =>
  Buffer.byteLength(JSON.stringify(request)) + request.messages.length * bytesAroundMessage + bytesAroundRow;

/** An estimate. */
export const promptTokens = (request: TeacherRequest): number =>
  estimatedTokens(request) - request.parameters.maxTokens;

export class BatchDraft {
  readonly batch: LedgerBatch;
  readonly #limits: DraftLimits;
  #requests = 0;
  #bytes = 0;
  #promptTokens = 0;

  constructor(batch: LedgerBatch, limits: DraftLimits) {
    this.batch = batch;
    this.#limits = limits;
  }

  get promptTokens(): number {
    return this.#promptTokens;
  }

  /** A row that is too large for any batch has room in one of its own: the provider decides. */
  hasRoomFor(request: TeacherRequest): boolean {
    const { requests, bytes, promptTokens: tokens } = this.#limits;
    return (
      this.#requests === 0 ||
      (this.#requests < requests &&
        this.#bytes + rowBytes(request) <= bytes &&
        this.#promptTokens + promptTokens(request) <= tokens)
    );
  }

  add(request: TeacherRequest): void {
    this.#requests += 1;
    this.#bytes += rowBytes(request);
    this.#promptTokens += promptTokens(request);
  }
}
