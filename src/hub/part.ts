/**
 * A file on its way: `.part` beside its target, appended to and hashed in one go, so that a download that was broken off
 * goes on where it stopped and its end is checked without reading it all again. One process at a time.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fsyncPath } from '../base/atomic.ts';
import { throwIfAborted, WorkError } from '../base/errors.ts';
import type { HubFile } from './snapshot.ts';

export const partOf = (target: string): string => `${target}.part`;

/** Bytes that an earlier download left of `target`. */
export async function bytesLeft(target: string): Promise<number> {
  return (await stat(partOf(target)).catch(() => undefined))?.size ?? 0;
}

export class Part {
  readonly #target: string;
  readonly #file: HubFile;
  readonly #handle: FileHandle;
  #hash: Hash;
  #length = 0;
  #furthest = 0;

  private constructor(target: string, file: HubFile, handle: FileHandle) {
    this.#target = target;
    this.#file = file;
    this.#handle = handle;
    this.#hash = newHash(file);
  }

  /** Takes up what an earlier download left: reads and hashes it. */
  static async open(target: string, file: HubFile, signal: AbortSignal): Promise<Part> {
    const part = new Part(target, file, await open(partOf(target), 'a'));
    try {
      for await (const chunk of createReadStream(partOf(target), { signal })) part.#count(chunk as Buffer);
      return part;
    } catch (error) {
      await part.close();
      throwIfAborted(signal);
      throw error;
    }
  }

  /** Bytes it holds. */
  get length(): number {
    return this.#length;
  }

  /** Most bytes it ever held. */
  get furthest(): number {
    return this.#furthest;
  }

  /** Throws WorkError where the disk does not take it. */
  async append(chunk: Uint8Array): Promise<void> {
    try {
      await this.#handle.appendFile(chunk);
    } catch (error) {
      throw new WorkError(`cannot write ${partOf(this.#target)}: ${(error as Error).message}`, {
        hint: 'see that the disk has room, then run again: what was downloaded stands',
        cause: error,
      });
    }
    this.#count(chunk);
  }

  /** From nothing again. */
  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = newHash(this.#file);
    this.#length = 0;
  }

  /** What is wrong with the whole of it; undefined: size and checksum are as the hub says. Nothing can be added after. */
  problem(): string | undefined {
    const { size, checksum } = this.#file;
    if (this.#length !== size) return `expected ${size} bytes, got ${this.#length} or more`;
    const hex = this.#hash.copy().digest('hex');
    const kind = checksum.kind === 'sha256' ? 'SHA-256' : 'git blob';
    return hex === checksum.hex ? undefined : `expected ${kind} ${checksum.hex}, got ${hex}`;
  }

  /** Under its own name, on the disk for good. */
  async finish(): Promise<void> {
    await this.#handle.sync();
    await rename(partOf(this.#target), this.#target);
    fsyncPath(dirname(this.#target));
  }

  /** Off the disk. */
  async discard(): Promise<void> {
    await rm(partOf(this.#target), { force: true });
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #count(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#length += chunk.byteLength;
    this.#furthest = Math.max(this.#furthest, this.#length);
  }
}

/** git hashes a file behind a header with its size (Git Internals, "Object Storage"). */
function newHash({ size, checksum }: HubFile): Hash {
  return checksum.kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}
