/**
 * A scratch file of records, each the same number of 32-bit integers: appended to, then read by position or whole. For
 * tables that may outgrow memory; in the machine's byte order, so not for keeping.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { invariant, WorkError } from './errors.ts';

const bufferedIntegers = 16_384;

/** Owns an open file; `close` it. The file stays. */
export class RecordFile {
  readonly #path: string;
  readonly #width: number;
  readonly #handle: number;
  /** Records that are not written yet. */
  readonly #buffer: Int32Array;
  #buffered = 0;
  #written = 0;

  /** `width`: integers a record. What was in the file before is lost. */
  constructor(path: string, width: number) {
    this.#path = path;
    this.#width = width;
    this.#handle = openSync(path, 'w+');
    this.#buffer = new Int32Array(width * Math.max(1, Math.floor(bufferedIntegers / width)));
  }

  /** Records so far. */
  get length(): number {
    return (this.#written + this.#buffered) / this.#width;
  }

  append(record: ArrayLike<number>): void {
    invariant(record.length === this.#width, `RecordFile: expected ${this.#width} integers, got ${record.length}`);
    this.#buffer.set(record, this.#buffered);
    this.#buffered += this.#width;
    if (this.#buffered === this.#buffer.length) this.#flush();
  }

  /** Fills `record` with the one at `index`, counted from 0. */
  read(index: number, record: Int32Array): void {
    invariant(index >= 0 && index < this.length, `RecordFile: no record ${index} of ${this.length}`);
    this.#flush();
    this.#readAt(index * this.#width, record);
  }

  /** All records side by side. */
  readAll(): Int32Array {
    this.#flush();
    const all = new Int32Array(this.#written);
    this.#readAt(0, all);
    return all;
  }

  close(): void {
    closeSync(this.#handle);
  }

  #readAt(position: number, target: Int32Array): void {
    const bytes = bytesOf(target);
    for (let at = 0; at < bytes.length; ) {
      const count = readSync(this.#handle, bytes, at, bytes.length - at, 4 * position + at);
      if (count === 0) throw new WorkError(`${this.#path} has become shorter while it was in use`);
      at += count;
    }
  }

  #flush(): void {
    const bytes = bytesOf(this.#buffer.subarray(0, this.#buffered));
    const start = 4 * this.#written;
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(this.#handle, bytes, at, bytes.length - at, start + at);
    }
    this.#written += this.#buffered;
    this.#buffered = 0;
  }
}

const bytesOf = (values: Int32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
