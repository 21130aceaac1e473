import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { ColumnTypes } from '../../src/data/column-types.ts';
import { readConversations } from '../../src/data/formats.ts';
import { loadDuckDb } from '../../src/data/parquet.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

/** Files as DuckDB writes and reads them: test/peers/parquet.test.ts. */
describe('without DuckDB', () => {
  test('the error says what to install', () => {
    try {
      loadDuckDb([temporaryFolder()]);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as ConfigError).hint).toContain('npm install @duckdb/node-api');
    }
  });

  test('what reads whole files says how to rewrite one', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.parquet'), 'PAR1 and more');
    expect(() => readConversations(join(folder, 'a.parquet'))).toThrow(/expected JSON, found Parquet/);
    expect(readdirSync(folder)).toEqual(['a.parquet']);
  });
});

describe('column types', () => {
  const typesOf = (...rows: object[]): [string, string][] => {
    const columns = new ColumnTypes();
    for (const row of rows) columns.add(row, JSON.stringify(row).length);
    return columns.all();
  };

  test('are found in all rows, whatever the first has', () => {
    expect(
      typesOf(
        { id: 'a', n: 1, ok: null, turns: [], gone: undefined },
        { id: 'b', n: 2.5, ok: true, turns: [{ role: 'user' }, { weight: 0 }], extra: { 'a "b"': 'x' }, none: null },
      ),
    ).toEqual([
      ['id', 'VARCHAR'],
      ['n', 'DOUBLE'],
      ['ok', 'BOOLEAN'],
      ['turns', 'STRUCT("role" VARCHAR, "weight" BIGINT)[]'],
      ['extra', 'STRUCT("a ""b""" VARCHAR)'],
      ['none', 'VARCHAR'],
    ]);
  });

  test('a member of two types cannot be a column', () => {
    expect(() => typesOf({ a: { b: 'x' } }, { a: { b: [1] } })).toThrow(
      /a\.b is a string in one row and a list in another/,
    );
  });
});
