/**
 * One set-up at a time in a folder. The lock is a folder `lock` that comes into being by rename, with its owner's pid,
 * start time and host already inside: there is no moment at which it has no owner. A dead owner's lock is renamed to
 * `lock.dead-<its token>`, which stays for a while: of two that take over at once the second finds that name taken
 * and cannot carry off the first one's new lock. Whoever holds the lock next stops the children the dead one left.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { interrupted } from './errors.mjs';
import { readJsonIfWhole, writeJsonAtomic } from './files.mjs';
import { isRunning, processIdentity } from './processes.mjs';

const pollMs = 200;
const tombstoneMs = 60 * 60 * 1000;
/** A lock without a readable owner is what a power cut left; between a release and the next look it is only a moment. */
const ownerlessMs = 10_000;
/** How long the children of a killed set-up get to end after SIGTERM. */
const orphanPatienceMs = 5000;

const newToken = () => randomBytes(6).toString('hex');

/** Waits until this process holds the lock in `folder`. `onWait(owner)` is called once if another holds it. */
export async function acquireLock(folder, { signal, onWait }) {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, 'lock');
  let told = false;
  while (!tryAcquire(folder, lock)) {
    const owner = readJsonIfWhole(join(lock, 'owner.json'));
    if (owner === undefined ? ageMs(lock) > ownerlessMs : !isAlive(owner)) {
      moveAway(lock, join(folder, `lock.dead-${owner?.token ?? newToken()}`));
      continue;
    }
    if (owner !== undefined && !told) {
      told = true;
      onWait(owner);
    }
    await sleep(pollMs, undefined, { signal }).catch(() => {
      throw interrupted();
    });
  }
  await settleTombstones(folder);
  return {
    folder: lock,
    release() {
      // Renamed first: emptying it in place would let another's lock be renamed onto the empty folder meanwhile.
      const away = join(folder, `lock.tmp-${newToken()}`);
      moveAway(lock, away);
      rmSync(away, { recursive: true, force: true });
    },
  };
}

/** A process on another machine that shares the folder cannot be looked at: it counts as alive. */
export function isAlive(owner) {
  return owner.host !== hostname() || isRunning(owner.pid, owner.identity);
}

function tryAcquire(folder, lock) {
  if (existsSync(lock)) return false;
  const token = newToken();
  const prepared = join(folder, `lock.tmp-${token}`);
  const identity = processIdentity(process.pid);
  const owner = { pid: process.pid, identity, host: hostname(), since: new Date().toISOString(), token };
  writeJsonAtomic(join(prepared, 'owner.json'), owner);
  const moved = moveAway(prepared, lock);
  if (!moved) rmSync(prepared, { recursive: true, force: true });
  return moved;
}

/** Renames a folder; false where another process was faster: the source is gone or the target is taken. */
function moveAway(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code)) return false;
    throw error;
  }
}

/** Age in milliseconds; 0 for what is not there. */
function ageMs(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 0 : Date.now() - stat.ctimeMs;
}

/** Stops what killed set-ups left running, before anyone writes to the same places; forgets old ones. */
async function settleTombstones(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name.startsWith('lock.dead-')) await stopOrphans(path);
    if (/^lock\.(dead|tmp)-/.test(name) && ageMs(path) > tombstoneMs) rmSync(path, { recursive: true, force: true });
  }
}

async function stopOrphans(tombstone) {
  const running = readdirSync(tombstone)
    .filter((name) => name.startsWith('child-'))
    .map((name) => ({
      pid: Number(name.slice('child-'.length)),
      identity: readFileSync(join(tombstone, name), 'utf8'),
    }))
    // Only a child known by its start time is stopped: its number may be another program's by now.
    .filter((child) => child.identity.startsWith('started'));
  const stillRunning = () => running.filter(({ pid, identity }) => processIdentity(pid) === identity);
  for (const { pid } of stillRunning()) process.kill(pid, 'SIGTERM');
  const deadline = Date.now() + orphanPatienceMs;
  while (stillRunning().length > 0) {
    if (Date.now() > deadline) for (const { pid } of stillRunning()) process.kill(pid, 'SIGKILL');
    await sleep(50);
  }
}
