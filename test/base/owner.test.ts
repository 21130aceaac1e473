import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { mayLive, place } from '../../src/base/owner.ts';

it('says of a process on this machine whether it has ended, and of others that they may live', async () => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e9)']);
  const pid = child.pid as number;
  expect(place).toMatch(/^[0-9a-f]{8}$/);
  expect([mayLive(process.pid, place), mayLive(pid, place)]).toEqual([true, true]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(mayLive(pid, place)).toBe(false);
  // The same number means another process elsewhere; an older program did not say where.
  expect([mayLive(pid, '00000000'), mayLive(pid, undefined)]).toEqual([true, true]);
});
