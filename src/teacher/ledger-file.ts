/**
 * Opens a ledger's SQLite file: private, durable, of a known schema, and for one process at a time.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { fsyncPath } from '../base/atomic.ts';
import { ConfigError, WorkError } from '../base/errors.ts';
import { tryLock } from '../base/lock.ts';

export type Connection = Database.Database;

export interface LedgerFile {
  readonly database: Connection;
  close(): void;
}

/** Raised with every change of the tables; an older file is brought up to it here. */
const schemaVersion = 1;

const schema = `
  CREATE TABLE calls (
    key             TEXT PRIMARY KEY,
    state           TEXT NOT NULL CHECK (state IN ('sent', 'stored', 'failed')),
    teacher         TEXT NOT NULL,
    stage           TEXT NOT NULL,
    request         TEXT NOT NULL,
    answer          TEXT,
    raw             TEXT,
    error           TEXT,
    cost_usd        REAL,
    upper_bound_usd REAL,
    lost_usd        REAL NOT NULL,
    attempts        INTEGER NOT NULL,
    idempotency_key TEXT,
    created_at      TEXT NOT NULL,
    sent_at         TEXT,
    finished_at     TEXT
  ) STRICT;
  CREATE TRIGGER stored_calls_stay BEFORE UPDATE ON calls WHEN OLD.state = 'stored'
    BEGIN SELECT RAISE(ABORT, 'a stored answer is never overwritten'); END;
  CREATE INDEX calls_by_state ON calls (state);
  PRAGMA user_version = ${schemaVersion};
`;

/** How long SQLite waits for another connection's lock, such as that of a reader of the same file. */
const busyTimeoutMs = 10_000;

export function openLedgerFile(file: string): LedgerFile {
  makePrivate(file);
  const release = lock(file);
  try {
    const database = new Database(file);
    database.pragma(`busy_timeout = ${busyTimeoutMs}`);
    checkSchema(database, file);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    fsyncPath(dirname(file));
    return {
      database,
      close() {
        database.pragma('wal_checkpoint(TRUNCATE)');
        database.close();
        release();
      },
    };
  } catch (error) {
    release();
    throw unusable(file, error);
  }
}

/** SQLite errors as ours; everything else as it is. */
export function ledgerError(file: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'SqliteError') return error;
  return new WorkError(`cannot write the ledger ${file}: ${error.message}`, {
    hint: 'what was stored before stays stored; see that the disk has room and run again',
  });
}

function makePrivate(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    for (const path of [file, lockFile(file)]) {
      if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600));
      else if (statSync(path).isFile()) chmodSync(path, 0o600);
      else throw new ConfigError(`cannot make the ledger ${file}: ${path} is not a file`);
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`cannot make the ledger ${file}: ${(error as Error).message}`);
  }
}

const lockFile = (file: string): string => `${file}.lock`;

/** Takes the lock and returns what releases it. */
function lock(file: string): () => void {
  let taken: ReturnType<typeof tryLock>;
  try {
    taken = tryLock(lockFile(file));
  } catch (error) {
    throw unusable(lockFile(file), error);
  }
  if ('release' in taken) return taken.release;
  const owner = taken.pid === undefined ? '' : ` (process ${taken.pid})`;
  throw new ConfigError(`the ledger ${file} is in use by another run${owner}`, {
    hint: 'wait until it has ended, or give this run a ledger of its own',
  });
}

function checkSchema(database: Connection, file: string): void {
  const [{ user_version: found }] = database.pragma('user_version') as [{ user_version: number }];
  if (found === schemaVersion) return;
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  if (found === 0 && tables.length === 0) {
    database.exec(`BEGIN IMMEDIATE; ${schema} COMMIT;`);
    return;
  }
  const what = found > schemaVersion ? `a ledger of schema ${found}` : 'a database of something else';
  throw new ConfigError(`${file}: expected a ledger of schema ${schemaVersion}, found ${what}`, {
    hint: found > schemaVersion ? 'use the version of the program that wrote it' : 'name another file',
  });
}

function unusable(file: string, error: unknown): unknown {
  if (error instanceof ConfigError) return error;
  return new ConfigError(`cannot open the ledger ${file}: ${(error as Error).message}`, {
    hint: 'expected a SQLite file written by this program, or no file',
  });
}
