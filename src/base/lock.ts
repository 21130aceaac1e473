/**
 * One process at a time: a lock that the operating system drops with the process, even on SIGKILL, so that there is no
 * stale lock and no pid to trust. It is a tiny SQLite file in which the owner holds a write transaction open; the pid
 * in it is for messages only. Do not open that file by other means while it is locked: closing any handle of a file
 * drops a process's POSIX locks on it. Network file systems without locks are not supported.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import Database from 'libsql';
import { ConfigError, throwIfAborted } from './errors.ts';

export interface Lock {
  release(): void;
}

/** Somebody else's. */
export interface LockedBy {
  /** undefined while the owner is just writing it. */
  readonly pid: number | undefined;
}

/** Takes the lock, or says who has it. Throws what SQLite throws where the file cannot be one. */
export function tryLock(file: string): Lock | LockedBy {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new Database(file);
  try {
    database.pragma('busy_timeout = 0');
    database.exec('BEGIN IMMEDIATE');
    // Written and committed so that others can read who we are; the lock proper is the transaction after it.
    database.exec('CREATE TABLE IF NOT EXISTS owner (pid INTEGER); DELETE FROM owner;');
    database.exec(`INSERT INTO owner VALUES (${process.pid}); COMMIT; BEGIN IMMEDIATE;`);
  } catch (error) {
    const busy = (error as { code?: string }).code === 'SQLITE_BUSY';
    const pid = busy ? ownerOf(database) : undefined;
    database.close();
    if (!busy) throw error;
    return { pid };
  }
  return {
    release() {
      // libsql closes the file when its statements are collected, which may be late: the transaction must end here.
      database.exec('ROLLBACK');
      database.close();
    },
  };
}

function ownerOf(database: Database.Database): number | undefined {
  try {
    const [row] = database.prepare('SELECT pid FROM owner').all() as { pid: number }[];
    return row?.pid;
  } catch {
    return undefined;
  }
}

/** A killed run's engine may take a step's time to notice. */
const patienceMs = 60_000;
const pollMs = 100;

/** Waits a while for the lock on a folder; `onWait` is called once. Throws ConfigError where it stays taken. */
export async function lockFolder(
  folder: string,
  options: { onWait: (pid: string) => void; signal: AbortSignal },
): Promise<Lock> {
  const startedMs = Date.now();
  let told = false;
  while (true) {
    throwIfAborted(options.signal);
    const lock = tryLock(`${folder}/.lock`);
    if ('release' in lock) return lock;
    const owner = lock.pid === undefined ? 'another process' : `process ${lock.pid}`;
    if (Date.now() - startedMs > patienceMs) {
      throw new ConfigError(`${folder} is in use by ${owner}`, {
        hint: 'wait until it has ended, or choose another folder',
      });
    }
    if (!told) options.onWait(owner);
    told = true;
    await setTimeout(pollMs);
  }
}
