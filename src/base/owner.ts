/**
 * Whose a temporary file is, as its name says it: a process's number, and the place where that number means this process.
 * What cannot be looked at (another machine or container that shares the folder) counts as living.
 */
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { sha256 } from './hash.ts';

/** 8 hexadecimal digits: this machine, and where it has them the namespace of its process numbers. */
export const place = sha256({ host: hostname(), namespace: pidNamespace() }).slice(0, 8);

/** False only where that process has certainly ended. Its number may be another's by now: that is true too. */
export function mayLive(pid: number, where: string | undefined): boolean {
  if (where !== place) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Linux alone has them: two containers on one machine may both have a process 7. */
function pidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}
