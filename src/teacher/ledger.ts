/**
 * The memory of every call: one row per request, keyed by `requestKey`. The intent is written before sending
 * (`markSent`), the answer before it is used (`store`), each batch in one transaction that is on disk when the call
 * returns. A stored row is never overwritten, nothing expires, and a row that was sent by a process that then died is
 * `inDoubt`: counted against the budget at its upper bound, and asked again under the same idempotency key. A row in a
 * batch is not in doubt but awaited, also across processes (ledger-batches.ts).
 *
 * The ledger asks no one and decides no budget (caller.ts does). Strings go in as JSON, which escapes NUL: libsql cuts
 * text at one.
 */
import { randomUUID } from 'node:crypto';
import { invariant, type TeacherError } from '../base/errors.ts';
import { canonicalJson } from '../base/hash.ts';
import { LedgerBatches } from './ledger-batches.ts';
import { type Connection, ledgerError, openLedgerFile, type Statement } from './ledger-file.ts';
import { type Columns, columns, type LedgerRow, toLedgerRow } from './ledger-row.ts';
import type { RecordedCall } from './recorded-call.ts';
import { type RowCost, Spending, type Spent } from './spending.ts';
import type { TeacherAnswer, TeacherRequest, TokenUsage } from './teacher.ts';

export type { LedgerRow } from './ledger-row.ts';

export interface LedgerEntry {
  readonly key: string;
  readonly request: TeacherRequest;
  /** `Teacher.name`. */
  readonly teacher: string;
  /** What the call is for, as the report's rows of spending are called. */
  readonly stage: string;
  /** The most this sending can cost; undefined where the price is not known. */
  readonly upperBoundUsd: number | undefined;
}

export interface StoredEntry extends LedgerEntry {
  readonly answer: TeacherAnswer;
  readonly costUsd: number | undefined;
}

export interface FailedEntry extends LedgerEntry {
  readonly error: TeacherError;
  /** The sending may be on the bill although no answer came. */
  readonly mayHaveCharged: boolean;
}

/** What became of calls that another ledger had. */
export interface Adopted {
  readonly added: number;
  /** Answered here already, with the same text and finish reason. */
  readonly same: number;
  /** Keys of those answered otherwise here: that answer stays. */
  readonly conflicting: readonly string[];
}

const upsert = `
  INSERT INTO calls (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
  ON CONFLICT (key) DO UPDATE SET
  ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}`;

const byKeys = 'SELECT * FROM calls WHERE key IN (SELECT value FROM json_each(?))';

export class Ledger {
  readonly file: string;
  readonly #database: Connection;
  readonly #close: () => void;
  readonly #write: Statement;
  readonly #lookUp: Statement;
  readonly batches: LedgerBatches;
  readonly #spending = new Spending();
  /** Rows this process sent by themselves and still awaits. */
  readonly #inFlight = new Set<string>();

  /** Throws ConfigError where the file is not a ledger, is of a newer schema, or belongs to another live process. */
  constructor(file: string) {
    this.file = file;
    const { database, close } = openLedgerFile(file);
    this.#database = database;
    this.#close = close;
    this.#write = database.prepare(upsert);
    this.#lookUp = database.prepare(byKeys);
    this.batches = new LedgerBatches(database, file);
    const costs = database.prepare('SELECT state, stage, cost_usd, upper_bound_usd, lost_usd, batch FROM calls');
    for (const row of costs.iterate() as IterableIterator<RowCost>) this.#spending.add(row, false);
  }

  /**
   * Records that calls are about to be sent, and returns the idempotency key of each. Those of a `batch` (its id) are
   * awaited from then on, by whichever process.
   */
  markSent(entries: readonly LedgerEntry[], batch: string | null = null): string[] {
    const rows = this.#change(entries, (entry, before) => {
      invariant(before?.state !== 'stored', `markSent: ${entry.key} is stored already`);
      invariant(before?.state !== 'sent' || before.batch === null, `markSent: ${entry.key} is awaited in a batch`);
      invariant(!this.#inFlight.has(entry.key), `markSent: ${entry.key} is in flight already`);
      // A sending in doubt stays on the bill when the row is sent once more: not every provider heeds the key.
      const inDoubtUsd = before?.state === 'sent' ? (before.upper_bound_usd ?? 0) : 0;
      return {
        ...this.#row(entry, before),
        state: 'sent',
        lost_usd: (before?.lost_usd ?? 0) + inDoubtUsd,
        attempts: (before?.attempts ?? 0) + 1,
        idempotency_key: before?.idempotency_key ?? randomUUID(),
        sent_at: now(),
        batch,
      };
    });
    return rows.map((row) => row.idempotency_key as string);
  }

  /** Records answers. Rows that have one already keep it. */
  store(entries: readonly StoredEntry[]): void {
    this.#change(entries, (entry, before) => {
      if (before?.state === 'stored') return before;
      const { raw, ...answer } = entry.answer;
      return {
        ...this.#row(entry, before),
        state: 'stored',
        answer: JSON.stringify(answer),
        raw: JSON.stringify(raw ?? null),
        cost_usd: entry.costUsd ?? null,
        finished_at: now(),
      };
    });
  }

  /** Records that a sending failed for good or for now: `markSent` may follow. */
  fail(entries: readonly FailedEntry[]): void {
    this.#change(entries, (entry, before) => {
      if (before?.state === 'stored') return before;
      const row = this.#row(entry, before);
      const { message, status, retryable, hint } = entry.error;
      return {
        ...row,
        state: 'failed',
        error: JSON.stringify({ message, status, retryable, hint }),
        lost_usd: row.lost_usd + (entry.mayHaveCharged ? (row.upper_bound_usd ?? 0) : 0),
        // A refusal is final: asking once more is a new request, which must not be answered by the old refusal.
        idempotency_key: entry.error.retryable ? row.idempotency_key : null,
        finished_at: now(),
      };
    });
  }

  /**
   * Takes over answers that another ledger has, in one transaction; what is stored here stays. They cost nothing here unless
   * `withCosts`. A sending of ours that is in doubt stays on the bill.
   */
  adopt(calls: readonly RecordedCall[], { withCosts }: { readonly withCosts: boolean }): Adopted {
    let added = 0;
    let same = 0;
    const conflicting: string[] = [];
    const entries = calls.map((call) => ({ ...call, upperBoundUsd: undefined }));
    this.#change(entries, (call, before) => {
      const { raw, ...answer } = call.answer;
      if (before?.state === 'stored') {
        if (saysTheSame(before, answer)) same += 1;
        else conflicting.push(call.key);
        return before;
      }
      invariant(!this.#inFlight.has(call.key), `adopt: ${call.key} is in flight`);
      added += 1;
      const inDoubtUsd = before?.state === 'sent' ? (before.upper_bound_usd ?? 0) : 0;
      return {
        ...this.#row(call, before),
        state: 'stored',
        answer: JSON.stringify(answer),
        raw: JSON.stringify(raw ?? null),
        cost_usd: withCosts ? call.costUsd : 0,
        lost_usd: (before?.lost_usd ?? 0) + inDoubtUsd,
        created_at: before?.created_at ?? call.askedAt,
        finished_at: call.answeredAt,
      };
    });
    return { added, same, conflicting };
  }

  /** Says that nobody awaits these any more: what of them is still 'sent' is in doubt from now on. */
  abandon(keys: readonly string[]): void {
    for (const key of keys) {
      const row = this.#inFlight.has(key) ? this.#read([key]).get(key) : undefined;
      if (!row) continue;
      this.#spending.remove(row, true);
      this.#inFlight.delete(key);
      this.#spending.add(row, false);
    }
  }

  /** The rows there are for these keys. */
  lookup(keys: readonly string[]): Map<string, LedgerRow> {
    const rows = this.#read([...new Set(keys)]);
    return new Map([...rows].map(([key, row]) => [key, toLedgerRow(row)]));
  }

  /** What was sent and never answered, and is awaited neither by this process nor in a batch. */
  inDoubt(): LedgerRow[] {
    const rows = this.#database
      .prepare("SELECT * FROM calls WHERE state = 'sent' AND batch IS NULL ORDER BY sent_at, key")
      .all();
    return (rows as Columns[]).filter((row) => !this.#inFlight.has(row.key)).map(toLedgerRow);
  }

  spent(): Spent {
    return this.#spending.total();
  }

  /** Tokens of the stored answers, as providers counted them, by stage. */
  tokensByStage(): Record<string, TokenUsage> {
    const rows = this.#database
      .prepare(
        `SELECT stage, SUM(json_extract(answer, '$.usage.inputTokens')) AS input,
         SUM(json_extract(answer, '$.usage.outputTokens')) AS output FROM calls WHERE state = 'stored' GROUP BY stage`,
      )
      .all() as { stage: string; input: number | null; output: number | null }[];
    return Object.fromEntries(
      rows.map(({ stage, input, output }) => [stage, { inputTokens: input ?? 0, outputTokens: output ?? 0 }]),
    );
  }

  close(): void {
    this.#inFlight.clear();
    this.#close();
  }

  #row(entry: LedgerEntry, before: Columns | undefined): Columns {
    return {
      key: entry.key,
      state: 'sent',
      teacher: entry.teacher,
      stage: entry.stage,
      request: before?.request ?? canonicalJson(entry.request),
      answer: null,
      raw: null,
      error: null,
      cost_usd: null,
      upper_bound_usd: entry.upperBoundUsd ?? null,
      lost_usd: before?.lost_usd ?? 0,
      attempts: before?.attempts ?? 0,
      idempotency_key: before?.idempotency_key ?? null,
      created_at: before?.created_at ?? now(),
      sent_at: before?.sent_at ?? null,
      finished_at: null,
      batch: before?.batch ?? null,
    };
  }

  /** Reads, changes and writes a batch in one transaction, then moves the totals. */
  #change<E extends LedgerEntry>(
    entries: readonly E[],
    next: (entry: E, before: Columns | undefined) => Columns,
  ): Columns[] {
    if (entries.length === 0) return [];
    const changes = this.#transaction(() => {
      const rows = this.#read(entries.map((entry) => entry.key));
      return entries.map((entry) => {
        const before = rows.get(entry.key);
        const after = next(entry, before);
        if (after !== before) this.#write.run(...columns.map((name) => after[name]));
        rows.set(entry.key, after);
        return { before, after };
      });
    });
    for (const { before, after } of changes) {
      if (before) this.#spending.remove(before, this.#inFlight.has(before.key));
      if (after.state === 'sent' && after.batch === null) this.#inFlight.add(after.key);
      else this.#inFlight.delete(after.key);
      this.#spending.add(after, after.state === 'sent');
    }
    return changes.map(({ after }) => after);
  }

  #transaction<T>(work: () => T): T {
    try {
      return this.#database.transaction(work).immediate();
    } catch (error) {
      throw ledgerError(this.file, error);
    }
  }

  #read(keys: readonly string[]): Map<string, Columns> {
    const rows = this.#lookUp.all(JSON.stringify(keys)) as Columns[];
    return new Map(rows.map((row) => [row.key, row]));
  }
}

function saysTheSame({ answer: stored }: Columns, answer: Omit<TeacherAnswer, 'raw'>): boolean {
  try {
    const { text, finishReason } = JSON.parse(stored as string) as TeacherAnswer;
    return text === answer.text && finishReason === answer.finishReason;
  } catch {
    // A broken row says nothing the same; `ledger verify` names it.
    return false;
  }
}

const now = (): string => new Date().toISOString();
