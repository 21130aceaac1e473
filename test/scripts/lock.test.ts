import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { script } from './script.ts';

interface Owner {
  pid: number;
  identity: string;
  host: string;
  token: string;
}
interface Lock {
  folder: string;
  release(): void;
}

const { acquireLock, isAlive } = (await import(script('setup/lock.mjs'))) as {
  acquireLock(folder: string, how: { signal: AbortSignal; onWait: (owner: Owner) => void }): Promise<Lock>;
  isAlive(owner: Owner): boolean;
};
const { processIdentity } = (await import(script('setup/processes.mjs'))) as {
  processIdentity(pid: number): string | undefined;
};

const never = new AbortController().signal;
const noWait = () => {
  throw new Error('expected no waiting');
};

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The number of a process that has ended and been waited for. */
const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid;

function leaveLock(owner: Owner, children: Record<string, string> = {}) {
  mkdirSync(join(folder, 'lock'));
  writeFileSync(join(folder, 'lock', 'owner.json'), JSON.stringify(owner));
  for (const [name, identity] of Object.entries(children)) writeFileSync(join(folder, 'lock', name), identity);
}

const owner = (over: Partial<Owner> = {}): Owner => ({
  pid: process.pid,
  identity: processIdentity(process.pid) as string,
  host: hostname(),
  token: 'aa',
  ...over,
});

describe('acquireLock', () => {
  it('is taken and given back', async () => {
    const lock = await acquireLock(folder, { signal: never, onWait: noWait });
    const held = JSON.parse(readFileSync(join(lock.folder, 'owner.json'), 'utf8')) as Owner;
    expect(held.pid).toBe(process.pid);
    expect(isAlive(held)).toBe(true);
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('makes the second wait, tells it once, and lets it in when the first is done', async () => {
    const first = await acquireLock(folder, { signal: never, onWait: noWait });
    const told: number[] = [];
    let hasSecond = false;
    const heard = new Promise<void>((resolve) => {
      void acquireLock(folder, {
        signal: never,
        onWait: ({ pid }) => {
          told.push(pid);
          resolve();
        },
      }).then((second) => {
        hasSecond = true;
        second.release();
      });
    });
    await heard;
    expect(hasSecond).toBe(false);
    first.release();
    await expect.poll(() => hasSecond).toBe(true);
    expect(told).toEqual([process.pid]);
  });

  it('takes over from a dead process', async () => {
    leaveLock(owner({ pid: deadPid(), identity: 'started 1' }));
    const lock = await acquireLock(folder, { signal: never, onWait: noWait });
    expect(readdirSync(folder).sort()).toEqual(['lock', 'lock.dead-aa']);
    lock.release();
  });

  it('takes over from a process whose number another one has now', async () => {
    leaveLock(owner({ identity: 'started 1' }));
    (await acquireLock(folder, { signal: never, onWait: noWait })).release();
  });

  it('waits for a process on another machine, until told to stop', async () => {
    leaveLock(owner({ pid: deadPid(), identity: 'started 1', host: 'elsewhere' }));
    const stop = new AbortController();
    const waiting = acquireLock(folder, { signal: stop.signal, onWait: () => stop.abort() });
    await expect(waiting).rejects.toMatchObject({ exitCode: 130 });
    expect(existsSync(join(folder, 'lock', 'owner.json'))).toBe(true);
  });

  it('lets one in at a time where many take over from the same dead process', async () => {
    leaveLock(owner({ pid: deadPid(), identity: 'started 1' }));
    let inside = 0;
    let most = 0;
    const enter = async () => {
      const lock = await acquireLock(folder, { signal: never, onWait: () => {} });
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      lock.release();
    };
    await Promise.all(Array.from({ length: 8 }, enter));
    expect(most).toBe(1);
    expect(inside).toBe(0);
  });

  it('stops the children a dead set-up left, and no other process', async () => {
    const sleeper = () => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const [orphan, stranger] = [sleeper(), sleeper()];
    try {
      const ended = once(orphan, 'exit');
      leaveLock(owner({ pid: deadPid(), identity: 'started 1' }), {
        [`child-${orphan.pid}`]: processIdentity(orphan.pid as number) as string,
        [`child-${stranger.pid}`]: 'started 1',
      });
      (await acquireLock(folder, { signal: never, onWait: noWait })).release();
      expect(await ended).toEqual([null, 'SIGTERM']);
      expect(processIdentity(stranger.pid as number)).toBeDefined();
    } finally {
      orphan.kill('SIGKILL');
      stranger.kill('SIGKILL');
    }
  });
});
