/**
 * A file of rows, whatever their shape: a JSON array or JSON Lines, gzipped or not, told apart by looking inside. A
 * line that is not JSON is an issue beside the others, so that one reading names everything that is broken.
 * Source: RFC 1952 for gzip's first two bytes.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
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
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    // Drops a byte order mark, refuses what is not UTF-8.
    return new TextDecoder('utf-8', { fatal: true }).decode(isGzip ? gunzipSync(bytes) : bytes);
  } catch (error) {
    const expected = isGzip ? 'a whole gzip file with UTF-8 text inside' : 'UTF-8 text';
    throw new DataError(file, { message: `expected ${expected}: ${(error as Error).message}` }, { cause: error });
  }
}

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
