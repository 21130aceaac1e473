/**
 * JSON Lines: one JSON value a line. Reading names every broken line; the append log survives a kill between two
 * writes, because a torn last line is cut off before the next append.
 */
import { closeSync, createReadStream, existsSync, ftruncateSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { appendWhole, fsyncPath, writeFileAtomic } from './atomic.ts';
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
    const parsed = parseLine(line, index + 1);
    if ('message' in parsed) issues.push(parsed);
    else lines.push(parsed);
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

/**
 * Streams the lines of a file that may be larger than memory. After a broken line it yields nothing more, but reads on
 * and throws at the end, so that the DataError names every broken line here too.
 */
export async function* streamJsonl(file: string): AsyncGenerator<Line> {
  const issues: DataIssue[] = [];
  let row = 0;
  for await (const line of linesOf(file)) {
    row += 1;
    if (line.trim() === '') continue;
    const parsed = parseLine(line, row);
    if ('message' in parsed) issues.push(parsed);
    else if (issues.length === 0) yield parsed;
  }
  if (issues.length > 0) throw new DataError(file, issues);
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const reader = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  let isFirst = true;
  try {
    for await (const line of reader) {
      yield isFirst ? line.replace(/^\uFEFF/, '') : line;
      isFirst = false;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** A blank line is the caller's to skip. */
function parseLine(line: string, row: number): Line | (DataIssue & { readonly row: number }) {
  try {
    return { row, value: JSON.parse(line) };
  } catch (error) {
    return { row, message: `expected one JSON value on the line: ${(error as Error).message}` };
  }
}

export const toJsonl = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/**
 * Rows of a log that is gone on with: those that `keep` takes stay, in the file too; a torn last line is no row. None where
 * there is no such file, which then comes to be.
 */
export function keepRows<Row>(file: string, keep: (row: Row) => boolean): Row[] {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const rows = parseJsonl(whole, file).map(({ value }) => value as Row);
  const kept = rows.filter(keep);
  writeFileAtomic(file, toJsonl(kept));
  return kept;
}

/** An append-only log of JSON lines, synced to disk on every append. Opening it cuts off a torn last line. */
export class JsonlLog {
  readonly file: string;
  readonly #handle: number;
  /** Up to the end of the last whole line. */
  #length: number;

  constructor(file: string) {
    this.file = file;
    mkdirSync(dirname(file), { recursive: true });
    const isNew = !existsSync(file);
    const whole = isNew ? Buffer.alloc(0) : readFileSync(file);
    this.#handle = openSync(file, 'a');
    if (isNew) fsyncPath(dirname(file));
    this.#length = whole.lastIndexOf(0x0a) + 1;
    if (this.#length < whole.length) ftruncateSync(this.#handle, this.#length);
  }

  append(row: unknown): void {
    const bytes = Buffer.from(`${JSON.stringify(row)}\n`);
    this.#length = appendWhole(this.#handle, bytes, this.#length);
  }

  close(): void {
    closeSync(this.#handle);
  }
}
