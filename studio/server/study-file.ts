/**
 * The SQLite file of a study: private, durable, of a known schema. Any number of processes may have it open (the server,
 * and beside it `invite`, `results`, `export`); that there is one server only, the server's own lock sees to.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { fsyncPath } from '../../src/base/atomic.ts';
import { ConfigError, WorkError } from '../../src/base/errors.ts';

type Connection = Database.Database;
type Value = string | number | null;
export type Row = Readonly<Record<string, unknown>>;

const schemaVersion = 1;

/**
 * items: what is compared; an attention check is one whose answer_a is the good one, and whose models are ''.
 * assignments: which rater got which item, and in which order; made when it is first shown, held anew when it is shown again
 *   after the hold had lapsed.
 * votes: what was acknowledged. A rater who thinks again adds a version; the highest counts, none is changed or deleted.
 */
const schema = `
  CREATE TABLE settings (
    one TEXT PRIMARY KEY CHECK (one = 'study'), raters_per_item INTEGER NOT NULL, items_per_rater INTEGER,
    check_share REAL NOT NULL, seed INTEGER NOT NULL, address TEXT, created_at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE items (
    id TEXT PRIMARY KEY, question_id TEXT NOT NULL, place INTEGER NOT NULL, is_check INTEGER NOT NULL,
    language TEXT NOT NULL, question TEXT NOT NULL,
    model_a TEXT NOT NULL, model_b TEXT NOT NULL, answer_a TEXT NOT NULL, answer_b TEXT NOT NULL
  ) STRICT;
  CREATE TABLE raters (name TEXT PRIMARY KEY, invited_at TEXT NOT NULL) STRICT;
  CREATE TABLE assignments (
    id TEXT PRIMARY KEY, rater TEXT NOT NULL REFERENCES raters (name), item TEXT NOT NULL REFERENCES items (id),
    position INTEGER NOT NULL, shown TEXT NOT NULL CHECK (shown IN ('AB', 'BA')), made_at INTEGER NOT NULL,
    held_at INTEGER NOT NULL, UNIQUE (rater, item), UNIQUE (rater, position)
  ) STRICT;
  CREATE INDEX assignments_by_item ON assignments (item);
  CREATE TABLE votes (
    assignment TEXT NOT NULL REFERENCES assignments (id), version INTEGER NOT NULL,
    helpful TEXT NOT NULL, honest TEXT NOT NULL, harmless TEXT NOT NULL,
    comment TEXT NOT NULL, seconds REAL NOT NULL, stored_at TEXT NOT NULL,
    PRIMARY KEY (assignment, version)
  ) STRICT;
  CREATE TRIGGER votes_stay_as_they_are BEFORE UPDATE ON votes
    BEGIN SELECT RAISE(ABORT, 'a stored vote is never changed'); END;
  CREATE TRIGGER votes_stay BEFORE DELETE ON votes
    BEGIN SELECT RAISE(ABORT, 'a stored vote is never deleted'); END;`;

/** How long SQLite waits for another connection's lock. */
const busyTimeoutMs = 10_000;

const studyFile = (folder: string): string => join(folder, 'study.sqlite');

/** Owns a connection; `close` it. */
export class StudyFile {
  readonly #database: Connection;
  readonly #statements = new Map<string, Database.Statement>();

  /** `make`: where there may be none yet. Throws ConfigError where there is none, or something else. */
  constructor(folder: string, options: { readonly make?: boolean } = {}) {
    this.#database = open(folder, options.make ?? false);
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  all(sql: string, ...values: readonly Value[]): Row[] {
    return this.#statement(sql).all(...(values as [Value])) as Row[];
  }

  one(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.all(sql, ...values)[0];
  }

  /** Of a query whose only column is called n. */
  count(sql: string, ...values: readonly Value[]): number {
    return Number(this.one(sql, ...values)?.['n']);
  }

  run(sql: string, ...values: readonly Value[]): void {
    this.#statement(sql).run(...(values as [Value]));
  }

  /** On the disk, whole, when it returns. Throws WorkError where SQLite cannot write, and then nothing was. */
  transaction<T>(work: () => T): T {
    try {
      return this.#database.transaction(work).immediate();
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'SqliteError') throw error;
      throw new WorkError(`cannot write the study: ${error.message}`, {
        hint: 'what was stored before stays stored; see that the disk has room',
      });
    }
  }

  #statement(sql: string): Database.Statement {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

function open(folder: string, make: boolean): Connection {
  const file = studyFile(folder);
  if (make) makePrivate(folder, file);
  else if (!existsSync(file)) {
    throw new ConfigError(`no study in ${folder}`, {
      hint: `make one: ./understudy evaluate human serve ITEMS.jsonl --out ${folder}`,
    });
  }
  try {
    const database = new Database(file);
    database.pragma(`busy_timeout = ${busyTimeoutMs}`);
    database.pragma('foreign_keys = ON');
    checkSchema(database, file);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    fsyncPath(folder);
    return database;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`cannot open the study ${file}: ${(error as Error).message}`, {
      hint: 'expected a SQLite file written by this program; restore it from a copy, or name another folder',
    });
  }
}

function makePrivate(folder: string, file: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (existsSync(file)) chmodSync(file, 0o600);
  else closeSync(openSync(file, 'wx', 0o600));
}

function checkSchema(database: Connection, file: string): void {
  const [{ user_version: found }] = database.pragma('user_version') as [{ user_version: number }];
  if (found === schemaVersion) return;
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  if (found !== 0 || tables.length > 0) {
    throw new ConfigError(`${file}: expected a study of schema ${schemaVersion}, found schema ${found}`, {
      hint: found > schemaVersion ? 'use the version of the program that wrote it' : 'name another folder',
    });
  }
  database.exec(`BEGIN IMMEDIATE; ${schema} PRAGMA user_version = ${schemaVersion}; COMMIT;`);
}
