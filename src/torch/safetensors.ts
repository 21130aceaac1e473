/**
 * Safetensors files by memory map. Opening validates everything before a byte of data is touched, and names what is
 * wrong: a file that is cut short, tensors that overlap or reach beyond the end, a length that does not fit its shape,
 * a dtype we do not know. Format: https://github.com/huggingface/safetensors (8-byte length, JSON header, data).
 */
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { DataError } from '../base/errors.ts';
import { unreadable } from '../base/jsonl.ts';
import { addon } from '../native/load.ts';
import { toBytes } from './convert.ts';
import { toDtype } from './ops.ts';
import { bytesPerElement, type Dtype, scope, Tensor } from './tensor.ts';
import type { TensorEntry, TensorFile } from './tensor-file.ts';

const dtypeNames: Readonly<Record<string, Dtype>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
};
const nameOfDtype = Object.fromEntries(Object.entries(dtypeNames).map(([name, dtype]) => [dtype, name]));

/** The reference implementation's own limit. */
const maxHeaderBytes = 100_000_000;

export interface SafetensorsFile extends TensorFile {
  readonly metadata: Readonly<Record<string, string>>;
}

export function openSafetensors(file: string): SafetensorsFile {
  const { entries, metadata } = readHeader(file);
  const map = entries.size > 0 ? addon().mapFile(file) : undefined;
  return {
    file,
    entries,
    metadata,
    tensor(name) {
      const entry = entries.get(name);
      if (!entry || map === undefined) throw new DataError(file, { message: `no tensor named ${name}` });
      return new Tensor(addon().fromFile(map, entry.byteOffset, entry.dtype, entry.shape));
    },
    close() {
      if (map !== undefined) addon().unmapFile(map);
    },
  };
}

/** Reads and validates the header alone; libtorch is not needed. */
export function readHeader(file: string): Pick<SafetensorsFile, 'entries' | 'metadata'> {
  const fail = (message: string): never => {
    throw new DataError(file, { message }, { hint: 'copy or download the file again' });
  };
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    throw unreadable(file, error);
  }
  try {
    const fileBytes = fstatSync(handle).size;
    if (fileBytes < 8) fail(`truncated: a safetensors file has at least 8 bytes, this one ${fileBytes}`);
    const lengthBytes = Buffer.alloc(8);
    readSync(handle, lengthBytes, 0, 8, 0);
    const headerBytes = Number(lengthBytes.readBigUInt64LE(0));
    if (headerBytes > maxHeaderBytes) fail(`not a safetensors file: its header would have ${headerBytes} bytes`);
    if (8 + headerBytes > fileBytes) {
      fail(`truncated: the header alone needs ${8 + headerBytes} bytes, the file has ${fileBytes}`);
    }
    const header = Buffer.alloc(headerBytes);
    readSync(handle, header, 0, headerBytes, 8);
    return parseHeader(header.toString('utf8'), 8 + headerBytes, fileBytes, fail);
  } finally {
    closeSync(handle);
  }
}

function parseHeader(text: string, dataStart: number, fileBytes: number, fail: (message: string) => never) {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    fail('not a safetensors file: its header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) fail('its header is not a JSON object');
  const entries = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header as Record<string, unknown>)) {
    if (name === '__metadata__') metadata = value as Record<string, string>;
    else entries.set(name, parseEntry(name, value, dataStart, fileBytes, fail));
  }
  const inOrder = [...entries.values()].sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const entry of inOrder) {
    if (entry.byteOffset < end) fail(`tensor ${entry.name} overlaps the one before it`);
    if (entry.byteOffset > end) fail(`${entry.byteOffset - end} unexplained bytes before tensor ${entry.name}`);
    end = entry.byteOffset + entry.byteLength;
  }
  if (end !== fileBytes) fail(`oversized: ${fileBytes - end} bytes follow the last tensor`);
  return { entries, metadata };
}

function parseEntry(
  name: string,
  value: unknown,
  dataStart: number,
  fileBytes: number,
  fail: (message: string) => never,
): TensorEntry {
  const { dtype: dtypeName, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const whole = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((length) => Number.isSafeInteger(length) && length >= 0);
  if (!whole(shape)) fail(`tensor ${name}: expected a shape of whole numbers, got ${JSON.stringify(shape)}`);
  // A zero among the sizes makes the product 0; libtorch multiplies the others all the same.
  if ((shape as number[]).reduce((product, length) => product * Math.max(1, length), 1) > Number.MAX_SAFE_INTEGER) {
    fail(`tensor ${name}: the shape [${shape}] is absurd`);
  }
  if (!whole(offsets) || offsets.length !== 2 || (offsets[1] as number) < (offsets[0] as number)) {
    fail(`tensor ${name}: expected data_offsets [begin, end], got ${JSON.stringify(offsets)}`);
  }
  const dtype = Object.hasOwn(dtypeNames, String(dtypeName)) ? dtypeNames[String(dtypeName)] : undefined;
  if (!dtype) fail(`tensor ${name}: unknown dtype ${JSON.stringify(dtypeName)}`);
  const [begin, end] = offsets as [number, number];
  const byteLength = (shape as number[]).reduce((product, length) => product * length, bytesPerElement[dtype as Dtype]);
  if (end - begin !== byteLength) {
    fail(`tensor ${name}: [${shape}] ${dtypeName} needs ${byteLength} bytes, its data_offsets give ${end - begin}`);
  }
  if (dataStart + end > fileBytes) {
    fail(`truncated: tensor ${name} ends at byte ${dataStart + end}, the file has ${fileBytes}`);
  }
  return { name, dtype: dtype as Dtype, shape: shape as number[], byteOffset: dataStart + begin, byteLength };
}

/** A tensor to be written; `bytes` is asked for when its turn comes, so that not all need be in memory at once. */
export interface TensorSource {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  bytes(): Uint8Array;
}

/** In another dtype: converted when its bytes are asked for, and released again. */
export const sourceOf = (tensor: Tensor, dtype: Dtype = tensor.dtype): TensorSource => ({
  dtype,
  shape: tensor.shape,
  bytes: () => scope(() => toBytes(tensor.dtype === dtype ? tensor : toDtype(tensor, dtype))),
});

/** Writes and syncs a file. Not atomic by itself: write into a folder of `writeFolderAtomic`. */
export function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, TensorSource>,
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): void {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { dtype, shape }] of tensors) {
    const byteLength = shape.reduce((product, length) => product * length, bytesPerElement[dtype]);
    header[name] = { dtype: nameOfDtype[dtype], shape, data_offsets: [offset, offset + byteLength] };
    offset += byteLength;
  }
  // Padded so that the data begins at a multiple of 8: mapped tensors are then aligned.
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(json.length + ((8 - (Buffer.byteLength(json) % 8)) % 8), ' '));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.byteLength));
  const handle = openSync(file, 'w');
  try {
    for (const part of [length, text]) writeAll(handle, part);
    for (const source of tensors.values()) writeAll(handle, source.bytes());
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function writeAll(handle: number, bytes: Uint8Array): void {
  // One write takes less than 2 GiB.
  for (let at = 0; at < bytes.byteLength; )
    at += writeSync(handle, bytes, at, Math.min(bytes.byteLength - at, 2 ** 30));
}
