/**
 * The rows of a file that may be larger than memory: a JSON array, JSON Lines or Parquet, compressed or not, told apart
 * by looking inside. What is no JSON is a broken row beside the others. src/base/rows.ts reads a file whole.
 */
import { createReadStream, type ReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { compressionOf, createDecompressor } from '../base/compression.ts';
import { DataError, type DataIssue } from '../base/errors.ts';
import { type Line, unreadable } from '../base/jsonl.ts';
import { isObject, isParquet, undecodable } from '../base/rows.ts';
import { ArrayElements } from './array-elements.ts';
import { streamParquet } from './parquet.ts';

/** A row that could not be read as JSON. */
export type BrokenLine = DataIssue & { readonly row: number };

export const isBroken = (line: Line | BrokenLine): line is BrokenLine => 'message' in line;

/**
 * Throws ConfigError where the file cannot be opened, DataError where it is no text, an array that is not whole, or
 * has no rows. `onBytes` hears how many bytes of the file have been read; nothing of Parquet.
 */
export async function* streamRows(
  file: string,
  onBytes: (bytesRead: number) => void = () => {},
): AsyncGenerator<Line | BrokenLine> {
  const head = await readHead(file);
  let count = 0;
  for await (const line of isParquet(head) ? streamParquet(file) : parse(file, textOf(file, head, onBytes))) {
    count += 1;
    yield line;
  }
  if (count === 0) throw new DataError(file, { message: 'expected at least one row, found none' }, { hint: wanted });
}

const wanted = 'write a JSON array of rows, or JSON Lines: one row on each line';

async function readHead(file: string): Promise<Uint8Array> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** The text in pieces; a byte order mark is dropped, what is not UTF-8 is refused. */
async function* textOf(file: string, head: Uint8Array, onBytes: (bytesRead: number) => void): AsyncGenerator<string> {
  const compression = compressionOf(head);
  const source = createReadStream(file, { highWaterMark: 2 ** 18 });
  const bytes = compression ? decompressed(source, compression) : source;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const piece of bytes) {
      onBytes(source.bytesRead);
      yield decoder.decode(piece as Uint8Array, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    throw undecodable(file, compression, error);
  } finally {
    source.destroy();
  }
}

function decompressed(source: ReadStream, compression: 'gzip' | 'zstd'): NodeJS.ReadableStream {
  const decompressor = createDecompressor(compression);
  source.on('error', (error) => decompressor.destroy(error));
  return source.pipe(decompressor);
}

async function* parse(file: string, pieces: AsyncGenerator<string>): AsyncGenerator<Line | BrokenLine> {
  let begun = '';
  while (begun.trimStart() === '') {
    // Not `for await`: leaving that would close the file.
    const { value, done } = await pieces.next();
    if (done) return;
    begun += value;
  }
  const all = prepend(begun, pieces);
  yield* begun.trimStart().startsWith('[') ? parseArray(file, all) : parseLines(file, all);
}

async function* prepend(begun: string, pieces: AsyncGenerator<string>): AsyncGenerator<string> {
  yield begun;
  yield* pieces;
}

async function* parseArray(file: string, pieces: AsyncGenerator<string>): AsyncGenerator<Line | BrokenLine> {
  const elements = new ArrayElements();
  const notWhole = (error: unknown): DataError =>
    new DataError(file, { message: `expected a JSON array: ${(error as Error).message}` }, { hint: wanted });
  const split = (piece: string): string[] => {
    try {
      return elements.push(piece);
    } catch (error) {
      throw notWhole(error);
    }
  };
  let row = 0;
  for await (const piece of pieces) {
    for (const text of split(piece)) yield parseValue(text, row++, 'one JSON value in the array');
  }
  try {
    elements.end();
  } catch (error) {
    throw notWhole(error);
  }
}

/** One value over several lines is recognised up to so many characters; beyond, its lines are as many broken rows. */
const wholeCharacters = 2 ** 24;

async function* parseLines(file: string, pieces: AsyncGenerator<string>): AsyncGenerator<Line | BrokenLine> {
  // The text so far and what its lines are, as long as none is a row.
  let whole: string | undefined = '';
  const held: (Line | BrokenLine)[] = [];
  let row = 0;
  for await (const line of linesOf(pieces)) {
    row += 1;
    if (line.trim() === '') continue;
    const parsed = parseValue(line, row, 'one JSON value on the line');
    const isRow = !isBroken(parsed) && isObject(parsed.value);
    if (whole !== undefined && !isRow && whole.length < wholeCharacters) {
      whole += `${line}\n`;
      held.push(parsed);
      continue;
    }
    whole = undefined;
    yield* held.splice(0);
    yield parsed;
  }
  if (whole !== undefined && held.length > 1 && isJson(whole))
    throw new DataError(file, { message: 'expected rows, found one JSON value over several lines' }, { hint: wanted });
  yield* held;
}

async function* linesOf(pieces: AsyncGenerator<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() as string;
    yield* lines;
  }
  yield rest;
}

function parseValue(text: string, row: number, expected: string): Line | BrokenLine {
  try {
    return { row, value: JSON.parse(text) };
  } catch (error) {
    return { row, message: `expected ${expected}: ${(error as Error).message}` };
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
