/**
 * Reads a ledger without taking it: another process may go on writing. Rows come as the table has them, since some may be
 * broken; what they should be stands in ledger-check.ts. Texts are fetched as bytes: libsql ends the process at one that
 * is no UTF-8.
 */
import { isUtf8 } from 'node:buffer';
import { WorkError } from '../base/errors.ts';
import type { BatchColumns } from './ledger-batches.ts';
import { type Connection, openLedgerToRead } from './ledger-file.ts';
import { type Columns, columns } from './ledger-row.ts';

export interface StoredRow {
  readonly columns: Columns;
  /** Columns whose bytes are no UTF-8: they have replacement characters. */
  readonly notUtf8: readonly string[];
}

/** A batch as the table has it. */
export interface StoredBatch {
  readonly columns: BatchColumns;
  /** Rows that went out in it last and have no outcome. */
  readonly awaited: number;
}

/** Rows that fit all of what is given. */
export interface RowSelection {
  readonly keyPrefix?: string | undefined;
  readonly stages?: readonly string[] | undefined;
  readonly states?: readonly Columns['state'][] | undefined;
  /** Texts that must stand in request, answer or error, in this spelling. */
  readonly contains?: readonly string[] | undefined;
}

const numbers: readonly (keyof Columns)[] = ['cost_usd', 'upper_bound_usd', 'lost_usd', 'attempts'];

/** Sees one state of the ledger, that at its first reading. Owns a connection; `close` it. */
export class LedgerReader {
  readonly file: string;
  readonly #database: Connection;
  readonly #close: () => void;

  /** Throws ConfigError where the file is no ledger. */
  constructor(file: string) {
    this.file = file;
    const { database, close } = openLedgerToRead(file);
    this.#database = database;
    this.#close = close;
  }

  /** In the order of the first sending. Throws WorkError where the file is damaged. */
  rows(selection: RowSelection = {}): Generator<StoredRow> {
    return this.#read(columns, selection) as Generator<StoredRow>;
  }

  /** Some columns of every row: requests and raw answers are most of a ledger. */
  *pick<Name extends keyof Columns>(names: readonly Name[]): Generator<Pick<Columns, Name>> {
    for (const row of this.#read(names, {})) yield row.columns as Pick<Columns, Name>;
  }

  /** In the order they were made. Throws WorkError where the file is damaged. */
  batches(): StoredBatch[] {
    const awaited = "SELECT COUNT(*) FROM calls WHERE calls.batch = batches.id AND calls.state = 'sent'";
    const rows = this.#all(`SELECT *, (${awaited}) AS awaited FROM batches`);
    return rows.map(({ awaited, ...columns }) => ({
      columns: columns as unknown as BatchColumns,
      awaited: awaited as number,
    }));
  }

  /** Keys of rows whose batch the ledger does not have, with its id. */
  strays(): { readonly key: string; readonly batch: string }[] {
    const known = 'SELECT id FROM batches';
    const sql = `SELECT key, batch FROM calls WHERE batch IS NOT NULL AND batch NOT IN (${known}) ORDER BY key`;
    return this.#all(sql) as { key: string; batch: string }[];
  }

  /** What SQLite's own check finds in the file; nothing where it is sound. */
  damage(): string[] {
    try {
      const found = this.#database.pragma('integrity_check') as { integrity_check: string }[];
      return found.map((row) => row.integrity_check).filter((message) => message !== 'ok');
    } catch (error) {
      return [(error as Error).message];
    }
  }

  close(): void {
    this.#close();
  }

  *#read(names: readonly (keyof Columns)[], selection: RowSelection): Generator<PartialRow> {
    const { where, values } = toSql(selection);
    const fetched = names.map((name) => (numbers.includes(name) ? name : `CAST(${name} AS BLOB) AS ${name}`));
    const sql = `SELECT ${fetched.join(', ')} FROM calls ${where} ORDER BY rowid`;
    try {
      for (const row of this.#database.prepare(sql).iterate(...values))
        yield decode(row as Record<string, unknown>, names);
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  #all(sql: string): Record<string, unknown>[] {
    try {
      return this.#database.prepare(sql).all() as Record<string, unknown>[];
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  #unreadable(error: unknown): unknown {
    if ((error as Error).name !== 'SqliteError') return error;
    return new WorkError(`cannot read the ledger ${this.file}: ${(error as Error).message}`, {
      hint: `see what is broken: ./understudy ledger verify ${this.file}`,
    });
  }
}

interface PartialRow {
  readonly columns: Partial<Columns>;
  readonly notUtf8: readonly string[];
}

function decode(row: Record<string, unknown>, names: readonly (keyof Columns)[]): PartialRow {
  const notUtf8: string[] = [];
  const values = names.map((name) => {
    const value = row[name];
    if (!(value instanceof ArrayBuffer)) return [name, value];
    const bytes = Buffer.from(value);
    if (!isUtf8(bytes)) notUtf8.push(name);
    return [name, bytes.toString('utf8')];
  });
  return { columns: Object.fromEntries(values) as Partial<Columns>, notUtf8 };
}

function toSql({ keyPrefix, stages, states, contains = [] }: RowSelection): { where: string; values: unknown[] } {
  const conditions: string[] = [];
  const values: unknown[] = [];
  const add = (condition: string, ...parameters: unknown[]): void => {
    conditions.push(condition);
    values.push(...parameters);
  };
  const oneOf = (names: readonly string[]): string => `(${names.map(() => '?').join(', ')})`;
  // Keys are hexadecimal, and ~ comes after all of that.
  if (keyPrefix !== undefined) add("key >= ? AND key < ? || '~'", keyPrefix, keyPrefix);
  if (stages) add(`stage IN ${oneOf(stages)}`, ...stages);
  if (states) add(`state IN ${oneOf(states)}`, ...states);
  for (const text of contains) {
    // As JSON spells it: the columns are JSON.
    const spelled = JSON.stringify(text).slice(1, -1);
    add("instr(request || coalesce(answer, '') || coalesce(error, ''), ?) > 0", spelled);
  }
  return { where: conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`, values };
}
