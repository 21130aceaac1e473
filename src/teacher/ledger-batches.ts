/**
 * What the ledger knows of batches, so that no process submits one twice and any process can go on with it. A batch is
 * `open` while rows are put into it and until it is known that the provider has it; `sent_at` says since when it may have
 * it. `submitted` batches are polled until they are `collected`. `refused`: the provider has none of it. Which rows are in
 * a batch stands with the rows (`calls.batch`).
 *
 * Asks no one: batch-run.ts does.
 */
import { randomUUID } from 'node:crypto';
import { ConfigError } from '../base/errors.ts';
import { type Connection, ledgerError } from './ledger-file.ts';
import { type Columns, type LedgerRow, toLedgerRow } from './ledger-row.ts';

export interface LedgerBatch {
  /** Ours, in the batch's metadata as `submission`. */
  readonly id: string;
  /** Of all batches of this ledger, in the metadata as `run`. */
  readonly run: string;
  /** `Teacher.name`: all rows are its. */
  readonly teacher: string;
  /** Who has it, and where: only there can it be asked for. */
  readonly provider: string;
  readonly baseUrl: string;
  /** undefined while it is not known. */
  readonly providerId: string | undefined;
  /** Name at the provider of the file it was submitted with; undefined where there is none. */
  readonly upload: string | undefined;
  readonly state: 'open' | 'submitted' | 'collected' | 'refused';
  readonly requests: number;
  /** An estimate. */
  readonly promptTokens: number;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly sentAt: string | undefined;
  readonly submittedAt: string | undefined;
  readonly collectedAt: string | undefined;
}

/** Of the table `batches`. */
export interface BatchColumns {
  readonly id: string;
  readonly run: string;
  readonly teacher: string;
  readonly provider: string;
  readonly base_url: string;
  readonly provider_id: string | null;
  readonly upload: string | null;
  readonly state: LedgerBatch['state'];
  readonly requests: number;
  readonly prompt_tokens: number;
  readonly created_at: string;
  readonly sent_at: string | null;
  readonly submitted_at: string | null;
  readonly collected_at: string | null;
}

/** Rows read at a time. */
const rowsAtOnce = 500;

/** Made by `Ledger`, which owns the connection. */
export class LedgerBatches {
  readonly #database: Connection;
  readonly #file: string;
  #run: string | undefined;
  readonly #claimed = new Set<string>();

  constructor(database: Connection, file: string) {
    this.#database = database;
    this.#file = file;
  }

  /** The same for all batches of this ledger, for as long as there is one. */
  get run(): string {
    const [first] = this.#run === undefined ? this.#select('ORDER BY rowid LIMIT 1') : [];
    this.#run ??= first?.run ?? randomUUID();
    return this.#run;
  }

  /** Made for the caller, who has claimed it by that. */
  create({ teacher, provider, baseUrl }: Pick<LedgerBatch, 'teacher' | 'provider' | 'baseUrl'>): LedgerBatch {
    const id = randomUUID();
    this.#claimed.add(id);
    this.#write(
      `INSERT INTO batches (id, run, teacher, provider, base_url, state, requests, prompt_tokens, created_at)
       VALUES (?, ?, ?, ?, ?, 'open', 0, 0, ?)`,
      [id, this.run, teacher, provider, baseUrl, now()],
    );
    return this.get(id) as LedgerBatch;
  }

  /** Takes care of a batch, until `unclaim`; false: somebody in this process does already. */
  claim(id: string): boolean {
    if (this.#claimed.has(id)) return false;
    this.#claimed.add(id);
    return true;
  }

  unclaim(id: string): void {
    this.#claimed.delete(id);
  }

  get(id: string): LedgerBatch | undefined {
    return this.#select('WHERE id = ?', [id])[0];
  }

  isKnown(providerId: string): boolean {
    return this.#select('WHERE provider_id = ?', [providerId]).length > 0;
  }

  /** Those that are not over, oldest first. */
  unfinished(): LedgerBatch[] {
    return this.#select("WHERE state IN ('open', 'submitted') ORDER BY rowid");
  }

  /** The last word before it goes out: from now on the provider may have it. */
  sending(id: string, size: { requests: number; promptTokens: number; upload: string | undefined }): void {
    this.#write('UPDATE batches SET sent_at = ?, requests = ?, prompt_tokens = ?, upload = ? WHERE id = ?', [
      now(),
      size.requests,
      size.promptTokens,
      size.upload ?? null,
      id,
    ]);
  }

  /** The provider said that it did not take it. */
  notSent(id: string): void {
    this.#write('UPDATE batches SET sent_at = NULL WHERE id = ?', [id]);
  }

  submitted(id: string, providerId: string): void {
    this.#write("UPDATE batches SET state = 'submitted', provider_id = ?, submitted_at = ? WHERE id = ?", [
      providerId,
      now(),
      id,
    ]);
  }

  close(id: string, state: 'collected' | 'refused'): void {
    this.#write('UPDATE batches SET state = ?, collected_at = ? WHERE id = ?', [state, now(), id]);
  }

  /** A batch's rows of a state by key, some at a time; they may be changed meanwhile. */
  *rows(id: string, state: LedgerRow['state']): Generator<LedgerRow[]> {
    const query = this.#database.prepare(
      'SELECT * FROM calls WHERE batch = ? AND key > ? AND state = ? ORDER BY key LIMIT ?',
    );
    let last = '';
    while (true) {
      const rows = (query.all(id, last, state, rowsAtOnce) as Columns[]).map(toLedgerRow);
      if (rows.length === 0) return;
      yield rows;
      last = (rows.at(-1) as LedgerRow).key;
    }
  }

  count(id: string, state: LedgerRow['state']): number {
    const query = this.#database.prepare('SELECT COUNT(*) AS count FROM calls WHERE batch = ? AND state = ?');
    return (query.get(id, state) as { count: number }).count;
  }

  #select(where: string, values: readonly string[] = []): LedgerBatch[] {
    const rows = this.#database.prepare(`SELECT * FROM batches ${where}`).all(...values) as BatchColumns[];
    return rows.map(toBatch);
  }

  #write(sql: string, values: readonly (string | number | null)[]): void {
    try {
      this.#database.prepare(sql).run(...values);
    } catch (error) {
      throw ledgerError(this.#file, error);
    }
  }
}

/** For a row that is asked for where the batch that it is in cannot be collected. */
export const awaitedInBatch = (batch: LedgerBatch | undefined): ConfigError =>
  new ConfigError(
    `a request is awaited in batch ${batch?.providerId ?? batch?.id} of ${batch?.provider} at ${batch?.baseUrl}`,
    { hint: 'ask that teacher, with batch: true: it collects the batch, and nothing is bought twice' },
  );

const toBatch = (row: BatchColumns): LedgerBatch => ({
  id: row.id,
  run: row.run,
  teacher: row.teacher,
  provider: row.provider,
  baseUrl: row.base_url,
  providerId: row.provider_id ?? undefined,
  upload: row.upload ?? undefined,
  state: row.state,
  requests: row.requests,
  promptTokens: row.prompt_tokens,
  createdAt: row.created_at,
  sentAt: row.sent_at ?? undefined,
  submittedAt: row.submitted_at ?? undefined,
  collectedAt: row.collected_at ?? undefined,
});

const now = (): string => new Date().toISOString();
