/**
 * Reads the header of a GGUF file front to back. Every count and length is checked against what is left of the file
 * before anything of that size is allocated, and every message names what was being read.
 */
import { isUtf8 } from 'node:buffer';
import { readSync } from 'node:fs';
import { DataError } from '../../base/errors.ts';

/** 64-bit integers are numbers where a number holds them exactly, otherwise bigint. */
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

/** For messages. */
export function showValue(value: GgufValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'bigint' ? `${value}` : JSON.stringify(value);
}

interface ScalarType {
  readonly bytes: number;
  read(buffer: Buffer): GgufValue;
}

const narrow = (value: bigint): number | bigint => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

/** Metadata value types by number; 7 is bool, 8 string, 9 array. */
const scalarTypes: ReadonlyMap<number, ScalarType> = new Map<number, ScalarType>([
  [0, { bytes: 1, read: (buffer) => buffer.readUInt8() }],
  [1, { bytes: 1, read: (buffer) => buffer.readInt8() }],
  [2, { bytes: 2, read: (buffer) => buffer.readUInt16LE() }],
  [3, { bytes: 2, read: (buffer) => buffer.readInt16LE() }],
  [4, { bytes: 4, read: (buffer) => buffer.readUInt32LE() }],
  [5, { bytes: 4, read: (buffer) => buffer.readInt32LE() }],
  [6, { bytes: 4, read: (buffer) => buffer.readFloatLE() }],
  [10, { bytes: 8, read: (buffer) => narrow(buffer.readBigUInt64LE()) }],
  [11, { bytes: 8, read: (buffer) => narrow(buffer.readBigInt64LE()) }],
  [12, { bytes: 8, read: (buffer) => buffer.readDoubleLE() }],
]);
const boolType = 7;
const stringType = 8;
const arrayType = 9;
/** ggml itself allows no nested arrays; a little depth is harmless, endless depth would end our stack. */
const maxArrayDepth = 4;

/** Reads a file front to back through a window, and names the place where it ends too early. */
export class Cursor {
  readonly path: string;
  readonly size: number;
  /** What is being read, for messages. */
  within = 'the header';
  position = 0;
  readonly #handle: number;
  #window = Buffer.alloc(0);
  #windowStart = 0;

  constructor(path: string, handle: number, size: number) {
    this.path = path;
    this.#handle = handle;
    this.size = size;
  }

  fail(message: string): never {
    throw new DataError(this.path, { path: this.within, message });
  }

  /** The next bytes; valid until the next call. */
  bytes(count: number): Buffer {
    if (count > this.size - this.position)
      this.fail(`the file is cut off: needs ${count} bytes at ${this.position}, the file has ${this.size}`);
    let from = this.position - this.#windowStart;
    if (from + count > this.#window.length) {
      const length = Math.min(Math.max(count, 1 << 20), this.size - this.position);
      this.#window = Buffer.allocUnsafe(length);
      this.#windowStart = this.position;
      from = 0;
      readRange(this.path, this.#handle, this.#window, this.position);
    }
    this.position += count;
    return this.#window.subarray(from, from + count);
  }

  uint32(): number {
    return this.bytes(4).readUInt32LE();
  }

  /** A 64-bit count of things that take at least `leastBytes` each. */
  count(what: string, leastBytes: number): number {
    const count = this.bytes(8).readBigUInt64LE();
    const left = this.size - this.position;
    if (count * BigInt(leastBytes) > BigInt(left))
      this.fail(`${what} ${count} cannot be: ${left} bytes are left of the file`);
    return Number(count);
  }

  string(what: string): string {
    const bytes = this.bytes(this.count(`length of ${what}`, 1));
    if (!isUtf8(bytes)) this.fail(`${what} is not UTF-8`);
    return bytes.toString('utf8');
  }

  value(type: number, depth = 0): GgufValue {
    const scalar = scalarTypes.get(type);
    if (scalar) return scalar.read(this.bytes(scalar.bytes));
    if (type === stringType) return this.string('text');
    if (type === boolType) {
      const byte = this.bytes(1)[0] as number;
      return byte <= 1 ? byte === 1 : this.fail(`expected a boolean (0 or 1), got ${byte}`);
    }
    if (type !== arrayType) return this.fail(`unknown value type ${type}`);
    if (depth >= maxArrayDepth) return this.fail(`arrays nested more than ${maxArrayDepth} deep`);
    const elementType = this.uint32();
    const leastBytes = scalarTypes.get(elementType)?.bytes ?? (elementType === boolType ? 1 : 8);
    const length = this.count('array length', leastBytes);
    const values: GgufValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(elementType, depth + 1));
    return values;
  }
}

export function readRange(path: string, handle: number, into: Uint8Array, offset: number): void {
  for (let done = 0; done < into.byteLength; ) {
    const read = readSync(handle, into, done, into.byteLength - done, offset + done);
    if (read === 0) throw new DataError(path, { message: `the file is cut off at ${offset + done}` });
    done += read;
  }
}
