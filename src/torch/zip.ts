/**
 * The directory of a zip archive, for archives whose entries are stored as they are, so that they can be mapped: no
 * decompression, no encryption, no archives in several parts. Zip64 is read. Checksums are not: torch.save may leave
 * them out, and checking one means reading the whole entry. Every offset is held against the file's size.
 *
 * Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3.
 */
import { type ByteSource, convertHint, type Fail, printable } from './byte-source.ts';

export interface ZipEntry {
  readonly name: string;
  /** Of the content, from the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

const signatures = { local: 0x04034b50, entry: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50 };
const endBytes = 22;
const maxCommentBytes = 0xffff;
const locatorBytes = 20;
const end64Bytes = 56;
const entryBytes = 46;
const localBytes = 30;
/** Room for two hundred thousand entries. */
const maxDirectoryBytes = 16 * 2 ** 20;
/** A field of all ones means: see the zip64 extra field. */
const saturated = 0xffffffff;

/** Entries by name, in the file's order. */
export function readZipDirectory(source: ByteSource, fail: Fail): Map<string, ZipEntry> {
  const { offset, length, count } = findDirectory(source, fail);
  if (length > maxDirectoryBytes) fail(`its zip directory would have ${length} bytes`);
  const directory = source.read(offset, length);
  const entries = new Map<string, ZipEntry>();
  const extents: { name: string; start: number; end: number }[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { name, localOffset, byteLength, end } = parseEntry(directory, at, fail);
    at = end;
    if (entries.has(name)) fail(`duplicate name: two zip entries are called ${printable(name)}`);
    const byteOffset = findContent(source, name, localOffset, fail);
    if (byteOffset + byteLength > offset) fail(`zip entry ${printable(name)} reaches into the zip directory`);
    extents.push({ name, start: localOffset, end: byteOffset + byteLength });
    entries.set(name, { name, byteOffset, byteLength });
  }
  if (at !== length) fail(`its zip directory holds ${length - at} bytes more than its ${count} entries`);
  extents.sort((a, b) => a.start - b.start);
  let previousEnd = 0;
  for (const { name, start, end } of extents) {
    if (start < previousEnd) fail(`zip entry ${printable(name)} overlaps the one before it`);
    previousEnd = end;
  }
  return entries;
}

function findDirectory(source: ByteSource, fail: Fail): { offset: number; length: number; count: number } {
  const tailStart = Math.max(0, source.size - endBytes - maxCommentBytes);
  const tail = source.read(tailStart, source.size - tailStart);
  let at = tail.length - endBytes;
  while (
    at >= 0 &&
    !(tail.readUInt32LE(at) === signatures.end && tail.readUInt16LE(at + 20) === tail.length - at - 22)
  ) {
    at--;
  }
  if (at < 0) fail('truncated: a zip archive ends with its directory, this file does not');
  const end = tailStart + at;
  const locator = end >= locatorBytes ? source.read(end - locatorBytes, locatorBytes) : undefined;
  if (locator?.readUInt32LE(0) === signatures.locator64) {
    const end64 = u64(locator, 8, fail);
    const record = source.read(end64, end64Bytes);
    if (record.readUInt32LE(0) !== signatures.end64) fail('its zip64 directory is not where the file says');
    if (record.readUInt32LE(16) !== 0 || record.readUInt32LE(20) !== 0) fail('a zip archive in several parts');
    return within(end64, u64(record, 48, fail), u64(record, 40, fail), u64(record, 32, fail), fail);
  }
  if (tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 6) !== 0) fail('a zip archive in several parts');
  return within(end, tail.readUInt32LE(at + 16), tail.readUInt32LE(at + 12), tail.readUInt16LE(at + 10), fail);
}

function within(end: number, offset: number, length: number, count: number, fail: Fail) {
  if (offset + length > end) fail(`its zip directory would end at byte ${offset + length}, behind byte ${end}`);
  return { offset, length, count };
}

function parseEntry(directory: Buffer, at: number, fail: Fail) {
  const has = (bytes: number) => at + bytes <= directory.length;
  if (!has(entryBytes) || directory.readUInt32LE(at) !== signatures.entry) fail('its zip directory is damaged');
  const nameEnd = at + entryBytes + directory.readUInt16LE(at + 28);
  const extraEnd = nameEnd + directory.readUInt16LE(at + 30);
  const end = extraEnd + directory.readUInt16LE(at + 32);
  if (end > directory.length) fail('its zip directory is damaged: an entry reaches beyond its end');
  const name = directory.toString('utf8', at + entryBytes, nameEnd);
  const refuse = (what: string) =>
    fail(`zip entry ${printable(name)} is ${what}: only stored ones are read`, convertHint);
  if ((directory.readUInt16LE(at + 8) & 1) !== 0) refuse('encrypted');
  const wide = wideFields(directory.subarray(nameEnd, extraEnd), fail);
  const field = (position: number) => {
    const value = directory.readUInt32LE(at + position);
    return value === saturated ? wide() : value;
  };
  // In this order, as the extra field has them.
  const byteLength = field(24);
  const storedBytes = field(20);
  const localOffset = field(42);
  if (directory.readUInt16LE(at + 10) !== 0 || storedBytes !== byteLength) refuse('compressed');
  return { name, localOffset, byteLength, end };
}

/** The 64-bit values of the zip64 extra field, one a call: it has those alone whose own field is saturated. */
function wideFields(extra: Buffer, fail: Fail): () => number {
  let at = 0;
  while (at + 4 <= extra.length && extra.readUInt16LE(at) !== 1) at += 4 + extra.readUInt16LE(at + 2);
  const end = at + 4 <= extra.length ? Math.min(extra.length, at + 4 + extra.readUInt16LE(at + 2)) : 0;
  let next = at + 4;
  return () => {
    if (next + 8 > end) return fail('its zip directory is damaged: a length of 64 bits is missing');
    next += 8;
    return u64(extra, next - 8, fail);
  };
}

/** Content begins behind the entry's own header, whose length stands there alone. */
function findContent(source: ByteSource, name: string, localOffset: number, fail: Fail): number {
  const header = source.read(localOffset, localBytes);
  if (header.readUInt32LE(0) !== signatures.local) fail(`zip entry ${printable(name)} is not where the directory says`);
  const nameBytes = header.readUInt16LE(26);
  const localName = source.read(localOffset + localBytes, nameBytes).toString('utf8');
  if (localName !== name) fail(`zip entry ${printable(name)} is called ${printable(localName)} in its own header`);
  return localOffset + localBytes + nameBytes + header.readUInt16LE(28);
}

function u64(buffer: Buffer, at: number, fail: Fail): number {
  const value = Number(buffer.readBigUInt64LE(at));
  return Number.isSafeInteger(value) ? value : fail(`a length or offset of ${value} bytes`);
}
