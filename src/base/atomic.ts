/**
 * Writes that are either whole or absent: temporary file beside the target, fsync, rename, fsync of the folder.
 * A reader never sees half a file; after a power cut the old or the new one stands.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Marks what an interrupted write left behind; `removeLeftovers` deletes it. */
const temporaryMark = '.tmp-';

/** A name beside `target` that no other write uses. */
export function temporaryName(target: string): string {
  return join(dirname(target), `.${basename(target)}${temporaryMark}${process.pid}-${randomBytes(4).toString('hex')}`);
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

export function writeJsonAtomic(target: string, value: unknown): void {
  writeFileAtomic(target, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Fills a folder under a temporary name and renames it into place when `fill` has returned. An existing target is
 * replaced: it is moved aside first and deleted last, so that a crash leaves the old or the new one.
 */
export async function writeFolderAtomic(target: string, fill: (folder: string) => Promise<void> | void): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  const temporary = temporaryName(target);
  mkdirSync(temporary);
  try {
    await fill(temporary);
    for (const name of readdirSync(temporary)) fsyncPath(join(temporary, name));
    fsyncPath(temporary);
    if (existsSync(target)) {
      const old = temporaryName(target);
      renameSync(target, old);
      renameSync(temporary, target);
      rmSync(old, { recursive: true, force: true });
    } else {
      renameSync(temporary, target);
    }
    fsyncPath(dirname(target));
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Deletes what interrupted atomic writes left in `folder`. Only for folders that one process owns at a time. */
export function removeLeftovers(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (name.startsWith('.') && name.includes(temporaryMark))
      rmSync(join(folder, name), { recursive: true, force: true });
  }
}
