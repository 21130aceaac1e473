/**
 * Reads GGUF files, versions 2 and 3: metadata, tensor table, and tensors as float32. Only the header is read on
 * opening; tensor data is read by range when asked for, a few megabytes at a time, so memory stays at one tensor.
 * Every count and length is checked against what is left of the file before anything of that size is allocated.
 * Does not write, does not map memory, and knows nothing of architectures (gguf-model.ts). Little-endian hosts only.
 * Reading and decoding stand in one file because both need the table of block layouts, which is a quarter of it.
 *
 * Source: "GGUF" specification, docs/gguf.md of ggml; block layouts of ggml-common.h (Q4_0, Q4_1, Q8_0).
 */
import { isUtf8 } from 'node:buffer';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DataError, invariant } from '../base/errors.ts';
import { unreadable } from '../base/jsonl.ts';

/** 64-bit integers are numbers where a number holds them exactly, otherwise bigint. */
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

export interface GgufTensor {
  readonly name: string;
  /** Row-major: the first dimension is the slowest. The file lists them the other way round. */
  readonly shape: readonly number[];
  /** ggml's name, such as `Q4_1`. */
  readonly type: string;
  /** From the beginning of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

interface TensorType {
  readonly name: string;
  /** Values that share one block, and the block's bytes. */
  readonly blockValues: number;
  readonly blockBytes: number;
}

const tensorType = (name: string, blockValues: number, blockBytes: number): TensorType => ({
  name,
  blockValues,
  blockBytes,
});

/** By ggml's number. Types that cannot be decoded here are listed too: their size is needed to check the file. */
const tensorTypes: ReadonlyMap<number, TensorType> = new Map([
  [0, tensorType('F32', 1, 4)],
  [1, tensorType('F16', 1, 2)],
  [2, tensorType('Q4_0', 32, 18)],
  [3, tensorType('Q4_1', 32, 20)],
  [6, tensorType('Q5_0', 32, 22)],
  [7, tensorType('Q5_1', 32, 24)],
  [8, tensorType('Q8_0', 32, 34)],
  [10, tensorType('Q2_K', 256, 84)],
  [11, tensorType('Q3_K', 256, 110)],
  [12, tensorType('Q4_K', 256, 144)],
  [13, tensorType('Q5_K', 256, 176)],
  [14, tensorType('Q6_K', 256, 210)],
  [15, tensorType('Q8_K', 256, 292)],
  [16, tensorType('IQ2_XXS', 256, 66)],
  [17, tensorType('IQ2_XS', 256, 74)],
  [18, tensorType('IQ3_XXS', 256, 98)],
  [19, tensorType('IQ1_S', 256, 50)],
  [20, tensorType('IQ4_NL', 32, 18)],
  [21, tensorType('IQ3_S', 256, 110)],
  [22, tensorType('IQ2_S', 256, 82)],
  [23, tensorType('IQ4_XS', 256, 136)],
  [24, tensorType('I8', 1, 1)],
  [25, tensorType('I16', 1, 2)],
  [26, tensorType('I32', 1, 4)],
  [27, tensorType('I64', 1, 8)],
  [28, tensorType('F64', 1, 8)],
  [29, tensorType('IQ1_M', 256, 56)],
  [30, tensorType('BF16', 1, 2)],
  [34, tensorType('TQ1_0', 256, 54)],
  [35, tensorType('TQ2_0', 256, 66)],
  [39, tensorType('MXFP4', 32, 17)],
]);

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
/** GGML_MAX_DIMS */
const maxDimensions = 4;
const defaultAlignment = 32;
/** Least bytes of a key–value pair (length of key, type, value) and of a tensor's entry (name, dims, type, offset). */
const leastPairBytes = 8 + 4 + 1;
const leastTensorBytes = 8 + 4 + 8 + 4 + 8;

/** Reads a file front to back through a window, and names the place where it ends too early. */
class Cursor {
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

function readRange(path: string, handle: number, into: Uint8Array, offset: number): void {
  for (let done = 0; done < into.byteLength; ) {
    const read = readSync(handle, into, done, into.byteLength - done, offset + done);
    if (read === 0) throw new DataError(path, { message: `the file is cut off at ${offset + done}` });
    done += read;
  }
}

/** Owns the open file; `close` it. */
export class Gguf {
  readonly path: string;
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
  #handle: number | undefined;

  constructor(path: string, handle: number) {
    const cursor = new Cursor(path, handle, fstatSync(handle).size);
    this.path = path;
    const header = readHeader(cursor);
    this.version = header.version;
    this.metadata = readMetadata(cursor, header.numPairs);
    this.tensors = readTensorTable(cursor, header.numTensors, alignmentOf(cursor, this.metadata));
    this.#handle = handle;
  }

  /** Undefined where there is no tensor of that name. */
  tensor(name: string): GgufTensor | undefined {
    return this.tensors.find((tensor) => tensor.name === name);
  }

  readFloat32(tensor: GgufTensor): Float32Array {
    invariant(this.#handle !== undefined, `${this.path} is closed`);
    const decode = decoders.get(tensor.type);
    const layout = [...tensorTypes.values()].find((type) => type.name === tensor.type);
    if (!decode || !layout)
      throw new DataError(
        this.path,
        {
          path: tensor.name,
          message: `tensor type ${tensor.type} is not supported yet; supported: ${[...decoders.keys()].join(', ')}`,
        },
        { hint: 'take the Q8_0, Q4_1, BF16 or F16 file of the same model' },
      );
    const values = new Float32Array((tensor.byteLength / layout.blockBytes) * layout.blockValues);
    const blocksAtOnce = Math.floor((4 << 20) / layout.blockBytes);
    const chunk = new Uint8Array(Math.min(tensor.byteLength, blocksAtOnce * layout.blockBytes));
    for (let done = 0; done < tensor.byteLength; done += chunk.byteLength) {
      const bytes = chunk.subarray(0, Math.min(chunk.byteLength, tensor.byteLength - done));
      readRange(this.path, this.#handle, bytes, tensor.offset + done);
      decode(bytes, values, (done / layout.blockBytes) * layout.blockValues);
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

function readHeader(cursor: Cursor): { version: number; numTensors: number; numPairs: number } {
  const magic = cursor.bytes(4).toString('latin1');
  if (magic !== 'GGUF') cursor.fail(`expected a GGUF file (it begins with "GGUF"), got ${JSON.stringify(magic)}`);
  const version = cursor.uint32();
  if (version !== 0 && (version & 0xffff) === 0) cursor.fail('a big-endian GGUF file, which is not supported');
  if (version !== 2 && version !== 3) cursor.fail(`expected GGUF version 2 or 3, got ${version}`);
  const numTensors = cursor.count('tensor count', leastTensorBytes);
  const numPairs = cursor.count('metadata count', leastPairBytes);
  return { version, numTensors, numPairs };
}

function readMetadata(cursor: Cursor, numPairs: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < numPairs; i++) {
    cursor.within = `metadata entry ${i}`;
    const key = cursor.string('key');
    cursor.within = `metadata ${key}`;
    if (metadata.has(key)) cursor.fail('is there twice');
    metadata.set(key, cursor.value(cursor.uint32()));
  }
  return metadata;
}

function alignmentOf(cursor: Cursor, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? defaultAlignment;
  cursor.within = 'metadata general.alignment';
  // A power of two, as ggml demands; 2^30 keeps the bit test below within 32 bits.
  if (typeof alignment !== 'number' || alignment < 1 || alignment > 2 ** 30 || (alignment & (alignment - 1)) !== 0)
    return cursor.fail(`expected a power of two, got ${JSON.stringify(alignment)}`);
  return alignment;
}

function readTensorTable(cursor: Cursor, numTensors: number, alignment: number): GgufTensor[] {
  const seen = new Set<string>();
  const relative: GgufTensor[] = [];
  for (let i = 0; i < numTensors; i++) {
    cursor.within = `tensor entry ${i}`;
    const tensor = readTensorEntry(cursor, alignment);
    if (seen.has(tensor.name)) cursor.fail('is there twice');
    seen.add(tensor.name);
    relative.push(tensor);
  }
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = relative.map((tensor) => ({ ...tensor, offset: tensor.offset + dataStart }));
  checkPlaces(cursor, tensors);
  return tensors;
}

/** One entry of the table; the offset is still relative to the beginning of the data. */
function readTensorEntry(cursor: Cursor, alignment: number): GgufTensor {
  const name = cursor.string('name');
  cursor.within = `tensor ${name}`;
  const numDimensions = cursor.uint32();
  if (numDimensions < 1 || numDimensions > maxDimensions)
    cursor.fail(`expected 1 to ${maxDimensions} dimensions, got ${numDimensions}`);
  const dimensions = Array.from({ length: numDimensions }, () => Number(cursor.bytes(8).readBigUInt64LE()));
  const numValues = dimensions.reduce((product, dimension) => product * dimension, 1);
  if (dimensions.includes(0) || !Number.isSafeInteger(numValues))
    cursor.fail(`a shape of [${dimensions.join(', ')}] cannot be`);
  const typeNumber = cursor.uint32();
  const type = tensorTypes.get(typeNumber) ?? cursor.fail(`unknown tensor type number ${typeNumber}`);
  if ((dimensions[0] as number) % type.blockValues !== 0)
    cursor.fail(`rows of ${dimensions[0]} values do not divide into ${type.name} blocks of ${type.blockValues}`);
  const offset = Number(cursor.bytes(8).readBigUInt64LE());
  if (offset % alignment !== 0) cursor.fail(`offset ${offset} is not a multiple of the alignment ${alignment}`);
  const byteLength = (numValues / type.blockValues) * type.blockBytes;
  return { name, shape: dimensions.reverse(), type: type.name, offset, byteLength };
}

function checkPlaces(cursor: Cursor, tensors: readonly GgufTensor[]): void {
  let before: GgufTensor | undefined;
  for (const tensor of [...tensors].sort((a, b) => a.offset - b.offset)) {
    cursor.within = `tensor ${tensor.name}`;
    if (tensor.offset + tensor.byteLength > cursor.size)
      cursor.fail(
        `ends at ${tensor.offset + tensor.byteLength}, beyond the file's end at ${cursor.size}: the file is cut off`,
      );
    if (before && tensor.offset < before.offset + before.byteLength)
      cursor.fail(`overlaps tensor ${before.name} at ${tensor.offset}`);
    before = tensor;
  }
}

/** Decodes whole blocks of `bytes` into `values` from index `at` on. */
type Decoder = (bytes: Uint8Array, values: Float32Array, at: number) => void;

let halfTable: Float32Array | undefined;

/** float32 of every float16 bit pattern (IEEE 754 binary16). */
function halves(): Float32Array {
  if (halfTable) return halfTable;
  halfTable = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const special = fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    const size =
      exponent === 31 ? special : exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    halfTable[bits] = bits & 0x8000 ? -size : size;
  }
  return halfTable;
}

const decoders: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['F32', (bytes, values, at) => new Uint8Array(values.buffer).set(bytes, at * 4)],
  ['F16', decodeF16],
  ['BF16', decodeBF16],
  ['Q8_0', decodeQ8Zero],
  ['Q4_0', decodeQ4Zero],
  ['Q4_1', decodeQ4One],
]);

function decodeF16(bytes: Uint8Array, values: Float32Array, at: number): void {
  const half = halves();
  for (let i = 0; i < bytes.length; i += 2) values[at++] = half[bytes[i]! | (bytes[i + 1]! << 8)]!;
}

/** bfloat16 is the upper half of a float32. */
function decodeBF16(bytes: Uint8Array, values: Float32Array, at: number): void {
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < bytes.length; i += 2) bits[at++] = (bytes[i]! << 16) | (bytes[i + 1]! << 24);
}

/** Block: scale (f16), 32 signed bytes. value = scale · q */
function decodeQ8Zero(bytes: Uint8Array, values: Float32Array, at: number): void {
  const half = halves();
  for (let block = 0; block < bytes.length; block += 34, at += 32) {
    const scale = half[bytes[block]! | (bytes[block + 1]! << 8)]!;
    for (let i = 0; i < 32; i++) values[at + i] = scale * ((bytes[block + 2 + i]! << 24) >> 24);
  }
}

/** Block: scale (f16), 16 bytes; low halves are values 0–15, high halves 16–31. value = scale · (q − 8) */
function decodeQ4Zero(bytes: Uint8Array, values: Float32Array, at: number): void {
  const half = halves();
  for (let block = 0; block < bytes.length; block += 18, at += 32) {
    const scale = half[bytes[block]! | (bytes[block + 1]! << 8)]!;
    for (let i = 0; i < 16; i++) {
      const pair = bytes[block + 2 + i]!;
      values[at + i] = scale * ((pair & 15) - 8);
      values[at + 16 + i] = scale * ((pair >> 4) - 8);
    }
  }
}

/** Block: scale (f16), minimum (f16), 16 bytes as in Q4_0. value = scale · q + minimum */
function decodeQ4One(bytes: Uint8Array, values: Float32Array, at: number): void {
  const half = halves();
  for (let block = 0; block < bytes.length; block += 20, at += 32) {
    const scale = half[bytes[block]! | (bytes[block + 1]! << 8)]!;
    const minimum = half[bytes[block + 2]! | (bytes[block + 3]! << 8)]!;
    for (let i = 0; i < 16; i++) {
      const pair = bytes[block + 4 + i]!;
      values[at + i] = scale * (pair & 15) + minimum;
      values[at + 16 + i] = scale * (pair >> 4) + minimum;
    }
  }
}
