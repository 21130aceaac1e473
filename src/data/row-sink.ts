/**
 * A file of rows written one by one, in bounded memory, whole or not at all: it has its name only after `commit`. The
 * name says what is in it: `.jsonl`, `.json` (an array) or `.parquet`, the first two with `.gz` or `.zst` behind. What a
 * killed process left of the same file is deleted first.
 */
import { once } from 'node:events';
import { createWriteStream, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { fsyncPath, removeLeftoversOf, temporaryName } from '../base/atomic.ts';
import { compressionOfName, createCompressor } from '../base/compression.ts';
import { ConfigError } from '../base/errors.ts';
import { ColumnTypes } from './column-types.ts';
import { loadDuckDb, writeParquet } from './parquet.ts';

export type Container = 'array' | 'lines' | 'parquet';

/** By the file's name; `usual` where that does not say. */
export function containerOf(file: string, usual: 'array' | 'lines'): Container {
  const name = file.replace(/\.(gz|zstd?)$/i, '').toLowerCase();
  if (name.endsWith('.parquet')) return 'parquet';
  if (name.endsWith('.jsonl') || name.endsWith('.ndjson')) return 'lines';
  return name.endsWith('.json') ? 'array' : usual;
}

export interface RowSink {
  readonly target: string;
  write(row: object): Promise<void>;
  /** Gives the file its name. */
  commit(): Promise<void>;
  /** Deletes what was written; does nothing after `commit`. */
  abort(): void;
}

/** Throws ConfigError where it is Parquet and what that needs is missing. */
export async function openRowSink(target: string, usual: 'array' | 'lines'): Promise<RowSink> {
  const container = containerOf(target, usual);
  mkdirSync(dirname(target), { recursive: true });
  removeLeftoversOf(target);
  return container === 'parquet' ? await openParquetSink(target) : await openTextSink(target, container);
}

/** Opens several; `body` fills them. All get their names at the end, or none where it throws. */
export async function withSinks<T>(
  targets: readonly (readonly [target: string, usual: 'array' | 'lines'])[],
  body: (sinks: readonly RowSink[]) => Promise<T>,
): Promise<T> {
  const sinks: RowSink[] = [];
  try {
    for (const [target, usual] of targets) sinks.push(await openRowSink(target, usual));
    const result = await body(sinks);
    for (const sink of sinks) await sink.commit();
    return result;
  } finally {
    for (const sink of sinks) sink.abort();
  }
}

/** Characters that are written together. */
const pieceLength = 2 ** 16;

async function openTextSink(target: string, container: 'array' | 'lines'): Promise<RowSink> {
  const temporary = temporaryName(target);
  const compression = compressionOfName(target);
  const compressor = compression && (await createCompressor(compression));
  // Opened here and now: a stream opens its file later, perhaps after `abort` has looked for it.
  const file = createWriteStream(temporary, { fd: openSync(temporary, 'wx') });
  const head: Writable = compressor ?? file;
  const done = compressor ? pipeline(compressor, file) : finished(file);
  // Whoever writes or commits next gets it.
  done.catch(() => {});
  let pending = '';
  let isEmpty = true;
  let isOver = false;
  const flush = async (): Promise<void> => {
    const piece = pending;
    pending = '';
    if (head.destroyed) await done;
    if (!head.write(piece)) await once(head, 'drain');
  };
  return {
    target,
    async write(row) {
      if (container === 'lines') pending += `${JSON.stringify(row)}\n`;
      else pending += `${isEmpty ? '[\n' : ',\n'}${JSON.stringify([row], null, 2).slice(2, -2)}`;
      isEmpty = false;
      if (pending.length >= pieceLength) await flush();
    },
    async commit() {
      if (container === 'array') pending += isEmpty ? '[]\n' : '\n]\n';
      head.end(pending);
      await done;
      fsyncPath(temporary);
      renameSync(temporary, target);
      isOver = true;
      fsyncPath(dirname(target));
    },
    abort() {
      if (isOver) return;
      head.destroy();
      file.destroy();
      rmSync(temporary, { force: true });
    },
  };
}

async function openParquetSink(target: string): Promise<RowSink> {
  if (compressionOfName(target))
    throw new ConfigError(`${target}: Parquet is compressed inside, and not again outside`);
  loadDuckDb();
  const lines = temporaryName(target);
  const temporary = temporaryName(target);
  const sink = await openTextSink(lines, 'lines');
  const columns = new ColumnTypes();
  return {
    target,
    async write(row) {
      columns.add(row, Buffer.byteLength(JSON.stringify(row)));
      await sink.write(row);
    },
    async commit() {
      if (columns.all().length === 0) throw new ConfigError(`${target}: a table without rows has no columns to write`);
      await sink.commit();
      await writeParquet(lines, columns, temporary);
      rmSync(lines);
      fsyncPath(temporary);
      renameSync(temporary, target);
      fsyncPath(dirname(target));
    },
    abort() {
      sink.abort();
      rmSync(lines, { force: true });
      rmSync(temporary, { force: true });
    },
  };
}
