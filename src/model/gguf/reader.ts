/**
 * Reads GGUF files: metadata, tensor table, and tensors as float32. Only the header is read on opening; tensor data is
 * read by range when asked for, a few megabytes at a time, so memory stays at one tensor.
 * Does not write, does not map memory, and knows nothing of architectures (hugging-face.ts). Little-endian hosts only.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { DataError, invariant } from '../../base/errors.ts';
import { unreadable } from '../../base/jsonl.ts';
import { Cursor, type GgufValue, readRange } from './cursor.ts';
import { type GgufTensor, readHeader } from './header.ts';
import { readableTypes, tensorTypeOf } from './tensor-types.ts';

const bytesAtOnce = 4 << 20;

/** Owns the open file; `close` it. */
export class Gguf {
  readonly path: string;
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
  #handle: number | undefined;

  constructor(path: string, handle: number) {
    const header = readHeader(new Cursor(path, handle, fstatSync(handle).size));
    this.path = path;
    this.version = header.version;
    this.metadata = header.metadata;
    this.tensors = header.tensors;
    this.#handle = handle;
  }

  /** Undefined where there is no tensor of that name. */
  tensor(name: string): GgufTensor | undefined {
    return this.tensors.find((tensor) => tensor.name === name);
  }

  /** Throws DataError where a tensor is of a type that is not decoded; one issue a type, naming its first tensor. */
  refuseUndecodable(tensors: readonly GgufTensor[]): void {
    const firsts = new Map<string, GgufTensor>();
    for (const tensor of tensors) {
      if (!tensorTypeOf(tensor.type)?.decode && !firsts.has(tensor.type)) firsts.set(tensor.type, tensor);
    }
    if (firsts.size === 0) return;
    const issues = [...firsts].map(([type, { name }]) => ({
      path: name,
      message: `tensor type ${type} is not supported; supported: ${readableTypes}`,
    }));
    throw new DataError(this.path, issues, { hint: 'take the Q8_0, Q6_K, Q4_K_M, BF16 or F16 file of the same model' });
  }

  readFloat32(tensor: GgufTensor): Float32Array {
    invariant(this.#handle !== undefined, `${this.path} is closed`);
    this.refuseUndecodable([tensor]);
    const type = tensorTypeOf(tensor.type);
    invariant(type?.decode, `${tensor.name}: no decoder of ${tensor.type}`);
    const { blockBytes, blockValues, decode } = type;
    const values = new Float32Array((tensor.byteLength / blockBytes) * blockValues);
    const chunk = new Uint8Array(Math.min(tensor.byteLength, Math.floor(bytesAtOnce / blockBytes) * blockBytes));
    for (let done = 0; done < tensor.byteLength; done += chunk.byteLength) {
      const bytes = chunk.subarray(0, Math.min(chunk.byteLength, tensor.byteLength - done));
      readRange(this.path, this.#handle, bytes, tensor.offset + done);
      decode(bytes, values, (done / blockBytes) * blockValues);
    }
    return values;
  }

  close(): void {
    if (this.#handle !== undefined) closeSync(this.#handle);
    this.#handle = undefined;
  }
}

/** Throws ConfigError where there is no such file, DataError that says where a file is not GGUF. */
export function openGguf(path: string): Gguf {
  let handle: number;
  try {
    handle = openSync(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    return new Gguf(path, handle);
  } catch (error) {
    closeSync(handle);
    throw (error as NodeJS.ErrnoException).code === 'EISDIR' ? unreadable(path, error) : error;
  }
}
