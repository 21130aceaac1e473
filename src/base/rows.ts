/**
 * A file of rows, whatever their shape: a JSON array or JSON Lines, gzip, zstd or neither, told apart by looking
 * inside. A line that is not JSON is an issue beside the others, so that one reading names everything that is broken.
 * The whole file is in memory; src/data/row-stream.ts reads what is larger.
 */
import { readFileSync } from 'node:fs';
import { type Compression, compressionOf, decompressAll } from './compression.ts';
import { DataError, type DataIssue } from './errors.ts';
import { type Line, unreadable } from './jsonl.ts';

export interface Rows {
  /** Line from 1 in JSON Lines, element from 0 in an array. */
  readonly rows: readonly Line[];
  /** Lines that are not JSON. */
  readonly issues: readonly DataIssue[];
}

/** Whether a value out of JSON is an object with members. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a value out of JSON is, for people. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/**
 * Throws ConfigError where the file cannot be opened, DataError where it is no text, no JSON, or has no rows; `hint` says
 * what form is wanted.
 */
export function readRows(file: string, hint = 'write a JSON array of rows, or JSON Lines: one row on each line'): Rows {
  const text = decode(file, readBytes(file));
  const { rows, issues } = text.trimStart().startsWith('[') ? readArray(file, text, hint) : readLines(file, text, hint);
  if (rows.length + issues.length === 0)
    throw new DataError(file, { message: 'expected at least one row, found none' }, { hint });
  return { rows, issues };
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

function decode(file: string, bytes: Buffer): string {
  const compression = compressionOf(bytes);
  if (isParquet(bytes)) {
    throw new DataError(file, { message: 'expected JSON, found Parquet' }, { hint: parquetHint(file) });
  }
  try {
    // Drops a byte order mark, refuses what is not UTF-8.
    return new TextDecoder('utf-8', { fatal: true }).decode(compression ? decompressAll(bytes, compression) : bytes);
  } catch (error) {
    throw undecodable(file, compression, error);
  }
}

export function undecodable(file: string, compression: Compression | undefined, error: unknown): DataError {
  const expected = compression ? `a whole ${compression} file with UTF-8 text inside` : 'UTF-8 text';
  return new DataError(file, { message: `expected ${expected}: ${(error as Error).message}` }, { cause: error });
}

/** By the four bytes that a Parquet file begins with. */
export const isParquet = (head: Uint8Array): boolean =>
  head[0] === 0x50 && head[1] === 0x41 && head[2] === 0x52 && head[3] === 0x31;

const parquetHint = (file: string): string =>
  `rewrite it first: ./understudy data convert ${file} --to messages --out data.jsonl`;

function readArray(file: string, text: string, hint: string): Rows {
  try {
    return { rows: (JSON.parse(text) as unknown[]).map((value, row) => ({ row, value })), issues: [] };
  } catch (error) {
    throw new DataError(file, { message: `expected a JSON array: ${(error as Error).message}` }, { hint });
  }
}

function readLines(file: string, text: string, hint: string): Rows {
  const rows: Line[] = [];
  const issues: DataIssue[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      rows.push({ row: index + 1, value: JSON.parse(line) });
    } catch (error) {
      issues.push({ row: index + 1, message: `expected one JSON value on the line: ${(error as Error).message}` });
    }
  }
  if (rows.length === 0 && isJson(text)) {
    throw new DataError(file, { message: 'expected rows, found one JSON value over several lines' }, { hint });
  }
  return { rows, issues };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
