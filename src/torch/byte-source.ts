/** Reading a file that nobody vouches for: bytes by range, held against its size, and errors that name it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DataError } from '../base/errors.ts';
import { unreadable } from '../base/jsonl.ts';

/** Ends reading with a DataError. The hint says what to do; without one the file is damaged. */
export type Fail = (message: string, hint?: string) => never;

export interface ByteSource {
  readonly size: number;
  /** These bytes; fails where the file does not have them. */
  read(at: number, length: number): Buffer;
}

/** For what PyTorch may have written and we do not read. */
export const convertHint =
  'take the model as safetensors, or, where torch is installed, load the file with torch.load(file, ' +
  'weights_only=True) and save it with safetensors.torch.save_file';

/** Opens the file for as long as `body` runs. Throws a ConfigError where it cannot be opened or read. */
export function readBytes<T>(file: string, body: (source: ByteSource, fail: Fail) => T): T {
  const fail: Fail = (message, hint = 'copy or download the file again') => {
    throw new DataError(file, { message }, { hint });
  };
  const handle = guarded(file, () => openSync(file, 'r'));
  try {
    const { size } = guarded(file, () => fstatSync(handle));
    const read = (at: number, length: number) => {
      if (at + length > size) fail(`truncated: bytes ${at} to ${at + length} are needed, the file has ${size}`);
      const bytes = Buffer.alloc(length);
      guarded(file, () => readSync(handle, bytes, 0, length, at));
      return bytes;
    };
    return body({ size, read }, fail);
  } finally {
    closeSync(handle);
  }
}

function guarded<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Names from a file, safe for a terminal. */
export const printable = (text: string): string => text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
