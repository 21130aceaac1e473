/** Puts rows into batches, as far as limits and budget allow; each stands in the ledger before it is counted in. */
import type { BatchOptions } from './batch-caller.ts';
import { BatchDraft, promptTokens } from './batch-draft.ts';
import type { Asked } from './caller.ts';
import type { LedgerEntry } from './ledger.ts';
import type { LedgerBatch } from './ledger-batches.ts';
import { boundOfCallUsd } from './prices.ts';
import { committedUsd } from './spending.ts';

export interface FillerHooks {
  /** A batch was begun. */
  readonly onBegun: (batch: LedgerBatch) => void;
  /** A batch is full, or there is no more to be put into it. */
  readonly submit: (batch: LedgerBatch) => Promise<void>;
  /** Prompt tokens of the batches under way. */
  readonly queuedTokens: () => number;
}

export class BatchFiller {
  readonly #options: BatchOptions;
  readonly #hooks: FillerHooks;
  /** What one batch may have. */
  #mostTokens: number;
  #draft: BatchDraft | undefined;

  constructor(options: BatchOptions, hooks: FillerHooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.#mostTokens = options.vendor.limits.enqueuedTokens ?? Number.POSITIVE_INFINITY;
  }

  /** From now on a batch has half of what this one had: it was too much. */
  halve({ promptTokens: tokens }: LedgerBatch): void {
    this.#mostTokens = Math.floor(tokens / 2);
  }

  /** Submits what is full, and returns the rows for which there is no room. */
  async place(rows: readonly Asked[]): Promise<readonly Asked[]> {
    const { ledger, teacher, stage } = this.#options;
    let entries: LedgerEntry[] = [];
    let boundUsd = 0;
    const mark = (): void => {
      if (this.#draft) ledger.markSent(entries, this.#draft.batch.id);
      entries = [];
      boundUsd = 0;
    };
    for (const [i, { key, request }] of rows.entries()) {
      if (this.#draft && !this.#draft.hasRoomFor(request)) {
        mark();
        await this.submit();
      }
      const upperBoundUsd = boundOfCallUsd(teacher, request);
      if (!this.#hasBudget(boundUsd + (upperBoundUsd ?? 0)) || !this.#hasQueue(promptTokens(request))) {
        mark();
        return rows.slice(i);
      }
      this.#draft ??= this.#begin();
      this.#draft.add(request);
      entries.push({ key, request, teacher: teacher.name, stage, upperBoundUsd });
      boundUsd += upperBoundUsd ?? 0;
    }
    mark();
    return [];
  }

  /** Submits what there is. */
  async submit(): Promise<void> {
    const draft = this.#draft;
    this.#draft = undefined;
    if (draft) await this.#hooks.submit(draft.batch);
  }

  #begin(): BatchDraft {
    const { ledger, teacher, vendor } = this.#options;
    const { provider, baseUrl, limits } = vendor;
    const batch = ledger.batches.create({ teacher: teacher.name, provider, baseUrl });
    this.#hooks.onBegun(batch);
    return new BatchDraft(batch, { ...limits, promptTokens: this.#mostTokens });
  }

  #hasBudget(boundUsd: number): boolean {
    const { budgetUsd, ledger, teacher } = this.#options;
    // A billionth of a dollar of slack for sums of floats.
    return !teacher.paid || budgetUsd === undefined || committedUsd(ledger.spent()) + boundUsd <= budgetUsd + 1e-9;
  }

  #hasQueue(tokens: number): boolean {
    const { enqueuedTokens } = this.#options.vendor.limits;
    if (enqueuedTokens === undefined) return true;
    const queued = this.#hooks.queuedTokens() + (this.#draft?.promptTokens ?? 0);
    return queued === 0 || queued + tokens <= enqueuedTokens;
  }
}
