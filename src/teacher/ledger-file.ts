/**
 * Opens a ledger's SQLite file: private, durable, of a known schema, and for one process at a time; or to be read, by any
 * number, whoever writes to it meanwhile.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'libsql';
import { fsyncPath } from '../base/atomic.ts';
import { ConfigError, WorkError } from '../base/errors.ts';
import { tryLock } from '../base/lock.ts';

export type Connection = Database.Database;
export type Statement = Database.Statement;

export interface LedgerFile {
  readonly database: Connection;
  close(): void;
}

/** What each version of the schema changed of the one before it: an older file is brought up to the last when opened. */
const versions = [
  `CREATE TABLE calls (
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
  CREATE INDEX calls_by_state ON calls (state);`,
  // Batches (ledger-batches.ts says what the columns are); calls.batch is the one that a call was last sent in.
  `ALTER TABLE calls ADD COLUMN batch TEXT;
  CREATE INDEX calls_by_batch ON calls (batch, key) WHERE batch IS NOT NULL;
  CREATE TABLE batches (
    id            TEXT PRIMARY KEY,
    run           TEXT NOT NULL,
    teacher       TEXT NOT NULL,
    provider      TEXT NOT NULL,
    base_url      TEXT NOT NULL,
    provider_id   TEXT,
    upload        TEXT,
    state         TEXT NOT NULL CHECK (state IN ('open', 'submitted', 'collected', 'refused')),
    requests      INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    created_at    TEXT NOT NULL,
    sent_at       TEXT,
    submitted_at  TEXT,
    collected_at  TEXT
  ) STRICT;
  CREATE INDEX batches_by_state ON batches (state);`,
] as const;

const schemaVersion = versions.length;

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

/**
 * Reads see the ledger as it was at the first of them, until `close`. Nothing is made or changed, but for SQLite's two
 * files beside a ledger, `-wal` and `-shm`. Throws ConfigError where there is no ledger, WorkError where it is torn.
 */
export function openLedgerToRead(file: string): LedgerFile {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    throw new ConfigError(`no such ledger: ${file}`, { hint: 'name a ledger.sqlite, or the folder it stands in' });
  }
  try {
    const database = new Database(readOnly(file));
    database.pragma(`busy_timeout = ${busyTimeoutMs}`);
    const found = schemaOf(database);
    if (found < 1 || found > schemaVersion) throw otherSchema(file, found);
    // What cannot be written cannot be brought up: it is shown as if it had been.
    if (found === 1) {
      database.exec('CREATE TEMP VIEW calls AS SELECT rowid, *, NULL AS batch FROM main.calls');
      database.exec('CREATE TEMP VIEW batches AS SELECT NULL AS id WHERE 0');
    }
    database.exec('BEGIN');
    return {
      database,
      close() {
        // libsql closes late (src/base/lock.ts): a reading that goes on until then would hold the writer up.
        if (database.inTransaction) database.exec('ROLLBACK');
        database.close();
      },
    };
  } catch (error) {
    if ((error as { code?: string }).code !== 'SQLITE_CORRUPT') throw unusable(file, error);
    throw new WorkError(`the ledger ${file} is damaged: ${(error as Error).message}`, {
      hint: 'restore it from a copy, or import what was exported from it into a new one',
    });
  }
}

const readOnly = (file: string): string => `${pathToFileURL(file).href}?mode=ro`;

/** The ledger of a folder, or the file itself. */
export const ledgerPath = (place: string): string =>
  statSync(place, { throwIfNoEntry: false })?.isDirectory() ? join(place, 'ledger.sqlite') : place;

/** The process that has the ledger open to write; what it has sent and not stored, it may still await. */
export function ledgerUser(file: string): number | undefined {
  const pid = lastUser(lockFile(file));
  if (pid === undefined || !isAlive(pid)) return undefined;
  // The number may be another process's by now: the lock itself tells. It is taken only where it looks taken, or a run
  // that starts at this moment would find it so.
  const taken = tryLock(lockFile(file));
  if ('pid' in taken) return taken.pid ?? pid;
  taken.release();
  return undefined;
}

function lastUser(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const database = new Database(readOnly(file));
    try {
      const [row] = database.prepare('SELECT pid FROM owner').all() as { pid: number }[];
      return row?.pid;
    } finally {
      database.close();
    }
  } catch {
    // Empty before the first lock; being written while it is taken.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
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

function schemaOf(database: Connection): number {
  const [{ user_version: found }] = database.pragma('user_version') as [{ user_version: number }];
  return found;
}

function checkSchema(database: Connection, file: string): void {
  const found = schemaOf(database);
  if (found === schemaVersion) return;
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  if (found < 0 || found > schemaVersion || (found === 0 && tables.length > 0)) throw otherSchema(file, found);
  const changes = versions.slice(found).join('\n');
  database.exec(`BEGIN IMMEDIATE; ${changes} PRAGMA user_version = ${schemaVersion}; COMMIT;`);
}

function otherSchema(file: string, found: number): ConfigError {
  const what = found > schemaVersion ? `a ledger of schema ${found}` : 'a database of something else';
  return new ConfigError(`${file}: expected a ledger of schema ${schemaVersion}, found ${what}`, {
    hint: found > schemaVersion ? 'use the version of the program that wrote it' : 'name another file',
  });
}

function unusable(file: string, error: unknown): unknown {
  if (error instanceof ConfigError) return error;
  return new ConfigError(`cannot open the ledger ${file}: ${(error as Error).message}`, {
    hint: 'expected a SQLite file written by this program, or no file',
  });
}
