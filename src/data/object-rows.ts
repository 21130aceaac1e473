/**
 * Rows as they stand in files of any size and of any form, known or not: for work that passes rows on and does not ask
 * whether training could use them. each-row.ts reads records, which are checked to their end.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { DataError, type DataIssue, throwIfAborted } from '../base/errors.ts';
import { isObject, isParquet, kindOf } from '../base/rows.ts';
import type { Members } from './formats/row.ts';
import { shapeOf } from './formats/shapes.ts';
import type { Container } from './row-sink.ts';
import { isBroken, streamRows } from './row-stream.ts';

export interface ObjectRow {
  readonly file: string;
  readonly row: number;
  readonly members: Members;
}

export interface EachObjectOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes read of all files together, and bytes that they have. Nothing is said of Parquet. */
  readonly onBytes?: ((read: number, total: number) => void) | undefined;
}

/**
 * Every row of the files, in order. `take` may return why it cannot use a row. Throws DataError at the end of the first
 * file with rows that are no objects, or that could not be used: all of that file's are named.
 */
export async function eachObject(
  files: readonly string[],
  { signal, onBytes = () => {} }: EachObjectOptions,
  take: (row: ObjectRow) => { readonly problem: string } | undefined | Promise<void>,
): Promise<void> {
  const sizes = files.map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let before = 0;
  for (const [i, file] of files.entries()) {
    const issues: DataIssue[] = [];
    for await (const line of streamRows(file, (read) => onBytes(before + read, total))) {
      throwIfAborted(signal);
      if (isBroken(line)) issues.push(line);
      else if (!isObject(line.value))
        issues.push({ row: line.row, message: `expected an object, got ${kindOf(line.value)}` });
      else {
        const refused = await take({ file, row: line.row, members: line.value });
        if (refused) issues.push({ row: line.row, message: refused.problem });
      }
    }
    if (issues.length > 0) throw new DataError(file, issues, { hint: 'mend these rows or delete them' });
    before += sizes[i] as number;
  }
}

/** How a file is written, and the shape of its first row that is an object; no shape where that has none of the known ones. */
export async function formOf(file: string): Promise<{ container: Container; shape: string | undefined }> {
  for await (const line of streamRows(file)) {
    if (isBroken(line) || !isObject(line.value)) continue;
    // Elements of an array are counted from 0, lines from 1.
    const container = hasParquetHead(file) ? 'parquet' : line.row === 0 ? 'array' : 'lines';
    return { container, shape: shapeOf(line.value)?.name };
  }
  throw new DataError(file, { message: 'expected rows that are objects, found none' });
}

function hasParquetHead(file: string): boolean {
  const head = Buffer.alloc(4);
  const handle = openSync(file, 'r');
  try {
    return isParquet(head.subarray(0, readSync(handle, head)));
  } finally {
    closeSync(handle);
  }
}
