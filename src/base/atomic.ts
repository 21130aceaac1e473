/**
 * Writes that are either whole or absent: temporary file beside the target, fsync, rename, fsync of the folder.
 * A reader never sees half a file; after a power cut the old or the new one stands.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { mayLive, place } from './owner.ts';

/** `tmp`: being written. `old`: a folder moved aside for its successor. Both are known again by name, and whose they are. */
type Mark = 'tmp' | 'old';
const leftover = /^\.(.+)\.(tmp|old)-(\d+)-(?:([0-9a-f]{8})-)?[0-9a-f]{8}$/;

/** A name beside `target` that no other write uses. */
export function temporaryName(target: string, mark: Mark = 'tmp'): string {
  const unique = randomBytes(4).toString('hex');
  return join(dirname(target), `.${basename(target)}.${mark}-${process.pid}-${place}-${unique}`);
}

export function fsyncPath(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

export function writeFileAtomic(target: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(target), { recursive: true });
  removeLeftoversOf(target);
  const temporary = temporaryName(target);
  try {
    const handle = openSync(temporary, 'wx', mode);
    try {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content;
      for (let at = 0; at < bytes.byteLength; ) at += writeSync(handle, bytes, at);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, target);
    fsyncPath(dirname(target));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Appends to an open file, whole or not at all: what a full disk let through is cut off again, or the next record would grow
 * onto it. `length` is the file's before; returns that after.
 */
export function appendWhole(handle: number, bytes: Uint8Array, length: number): number {
  try {
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(handle, bytes, at);
    fsyncSync(handle);
  } catch (error) {
    ftruncateSync(handle, length);
    throw error;
  }
  return length + bytes.byteLength;
}

export function writeJsonAtomic(target: string, value: unknown): void {
  writeFileAtomic(target, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Fills a folder under a temporary name and renames it into place when `fill` has returned. An existing target is
 * replaced: it is moved aside first and deleted last. No system call exchanges two folders from Node, so a crash in
 * between leaves no target but both whole beside it: `removeLeftovers` puts the old one back.
 */
export async function writeFolderAtomic(target: string, fill: (folder: string) => Promise<void> | void): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  removeLeftoversOf(target);
  const temporary = temporaryName(target);
  mkdirSync(temporary);
  try {
    await fill(temporary);
    fsyncTree(temporary);
    replaceFolder(target, temporary);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Fills a folder that may hold other files: made under a temporary name inside it, then each file renamed into place,
 * `last` after all others. So where `last` stands, all of them stand.
 */
export async function addFilesAtomic(
  target: string,
  last: string,
  fill: (folder: string) => Promise<void> | void,
): Promise<void> {
  mkdirSync(target, { recursive: true });
  removeLeftoversOf(join(target, 'files'));
  const temporary = temporaryName(join(target, 'files'));
  mkdirSync(temporary);
  try {
    await fill(temporary);
    fsyncTree(temporary);
    const names = readdirSync(temporary).filter((name) => name !== last);
    rmSync(join(target, last), { force: true });
    fsyncPath(target);
    for (const name of names) renameSync(join(temporary, name), join(target, name));
    fsyncPath(target);
    renameSync(join(temporary, last), join(target, last));
    fsyncPath(target);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function fsyncTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) fsyncTree(path);
    else if (entry.isFile()) fsyncPath(path);
  }
  fsyncPath(folder);
}

function replaceFolder(target: string, successor: string): void {
  if (!existsSync(target)) {
    renameSync(successor, target);
    fsyncPath(dirname(target));
    return;
  }
  const old = temporaryName(target, 'old');
  renameSync(target, old);
  try {
    renameSync(successor, target);
  } catch (error) {
    renameSync(old, target);
    throw error;
  }
  fsyncPath(dirname(target));
  rmSync(old, { recursive: true, force: true });
}

/**
 * Deletes what interrupted atomic writes left in `folder`, and puts a replaced folder back whose successor never got to
 * its place. Only for folders that one process owns at a time.
 */
export function removeLeftovers(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) removeLeftover(folder, name);
}

/**
 * The same for the writes to one target, in a folder where others may be writing: what a process that may still live has
 * there stays. Those to its temporary names are among them.
 */
export function removeLeftoversOf(target: string): void {
  const folder = dirname(target);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (name === basename(target) || targetOf(name) !== basename(target)) continue;
    const [, , , pid, where] = leftover.exec(name) as RegExpExecArray;
    if (mayLive(Number(pid), where)) continue;
    try {
      removeLeftover(folder, name);
    } catch (error) {
      // Another user's, or another process was faster: neither hinders the write.
      if (!['EACCES', 'EPERM', 'ENOENT', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error;
    }
  }
}

function targetOf(name: string): string {
  const inner = leftover.exec(name)?.[1];
  return inner === undefined ? name : targetOf(inner);
}

function removeLeftover(folder: string, name: string): void {
  const [, targetName, mark] = leftover.exec(name) ?? [];
  if (targetName === undefined) return;
  const target = join(folder, targetName);
  if (mark === 'old' && !existsSync(target)) renameSync(join(folder, name), target);
  else rmSync(join(folder, name), { recursive: true, force: true });
}
