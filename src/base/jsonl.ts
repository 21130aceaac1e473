/**
 * JSON Lines: one JSON value a line. Reading names every broken line; the append log survives a kill between two
 * writes, because a torn last line is cut off before the next append.
 */
import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { ConfigError, DataError, type DataIssue } from './errors.ts';

export interface Line {
  /** Counted from 1. */
  readonly row: number;
  readonly value: unknown;
}

/** Parses JSON Lines text; blank lines are skipped. Throws a DataError that names every line that is not JSON. */
export function parseJsonl(text: string, file: string): Line[] {
  const lines: Line[] = [];
  const issues: DataIssue[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    try {
      lines.push({ row: index + 1, value: JSON.parse(line) });
    } catch (error) {
      issues.push({ row: index + 1, message: `expected one JSON value on the line: ${(error as Error).message}` });
    }
  });
  if (issues.length > 0) throw new DataError(file, issues);
  return lines;
}

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw unreadable(file, error);
  }
}

export function unreadable(file: string, error: unknown): ConfigError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return new ConfigError(`no such file: ${file}`);
  if (code === 'EISDIR') return new ConfigError(`expected a file, found a folder: ${file}`);
  return new ConfigError(`cannot read ${file}: ${(error as Error).message}`);
}

export function readJson(file: string): unknown {
  const text = readText(file);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(file, { message: `expected JSON: ${(error as Error).message}` });
  }
}

/** Streams the lines of a file that may be larger than memory. */
export async function* streamJsonl(file: string): AsyncGenerator<Line> {
  let row = 0;
  const reader = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of reader) {
    row += 1;
    if (line.trim() === '') continue;
    try {
      yield { row, value: JSON.parse(line) };
    } catch (error) {
      throw new DataError(file, { row, message: `expected one JSON value on the line: ${(error as Error).message}` });
    }
  }
}

export const toJsonl = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** An append-only log of JSON lines, synced to disk on every append. Opening it cuts off a torn last line. */
export class JsonlLog {
  readonly file: string;
  readonly #handle: number;

  constructor(file: string) {
    this.file = file;
    mkdirSync(dirname(file), { recursive: true });
    const whole = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
    this.#handle = openSync(file, 'a');
    const keep = whole.lastIndexOf(0x0a) + 1;
    if (keep < whole.length) ftruncateSync(this.#handle, keep);
  }

  append(row: unknown): void {
    writeSync(this.#handle, `${JSON.stringify(row)}\n`);
    fsyncSync(this.#handle);
  }

  close(): void {
    closeSync(this.#handle);
  }
}
