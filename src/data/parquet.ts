/**
 * Parquet through DuckDB (`@duckdb/node-api`, 70 MB), which is no dependency: whoever has Parquet files installs it, beside
 * the program or in the folder where it is run. A row is what it would be in JSON, with null for what it has not; a
 * file is written from one of JSON Lines, with the types that column-types.ts found in it.
 */
import { createRequire } from 'node:module';
import { DataError } from '../base/errors.ts';
import type { Line } from '../base/jsonl.ts';
import { findOptional } from '../base/optional-package.ts';
import type { ColumnTypes } from './column-types.ts';

/** The part of DuckDB's interface that is used. */
interface DuckDb {
  readonly DuckDBInstance: { create(path: string): Promise<{ connect(): Promise<Connection>; closeSync(): void }> };
}
interface Connection {
  run(sql: string): Promise<unknown>;
  stream(sql: string): Promise<{ fetchChunk(): Promise<Chunk | null> }>;
  closeSync(): void;
}
interface Chunk {
  readonly rowCount: number;
  getColumnValues(column: number): readonly unknown[];
}

/** Throws ConfigError where none of the folders has it. */
export function loadDuckDb(folders?: readonly string[]): DuckDb {
  const name = '@duckdb/node-api';
  const install = `install it in the folder where you are: npm install ${name}`;
  const entry = findOptional({ name, purpose: 'Parquet', install }, folders);
  return createRequire(entry)(entry) as DuckDb;
}

/** Rows count from 0. Throws DataError where DuckDB cannot read the file. */
export async function* streamParquet(file: string): AsyncGenerator<Line> {
  const instance = await loadDuckDb().DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  let row = 0;
  try {
    const result = await connection.stream(`SELECT to_json(r)::VARCHAR FROM read_parquet(${quoted(file)}) r`);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) break;
      for (const text of chunk.getColumnValues(0)) yield { row: row++, value: JSON.parse(text as string) };
    }
  } catch (error) {
    throw new DataError(file, { message: `expected a whole Parquet file: ${firstLine(error)}` }, { cause: error });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Writes `target` from a file of JSON Lines with these columns. */
export async function writeParquet(lines: string, columns: ColumnTypes, target: string): Promise<void> {
  const instance = await loadDuckDb().DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const types = columns.all().map(([name, type]) => `${quoted(name)}: ${quoted(type)}`);
  const options = `format = 'newline_delimited', columns = {${types.join(', ')}}, maximum_object_size = ${columns.largestRowBytes + 1024}`;
  try {
    await connection.run(
      `COPY (SELECT * FROM read_json(${quoted(lines)}, ${options})) TO ${quoted(target)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const firstLine = (error: unknown): string => (error as Error).message.split('\n')[0] as string;
