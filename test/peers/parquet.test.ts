/** Parquet as DuckDB writes and reads it. DuckDB is no dependency: the test installs it in a folder of its own. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadDuckDb } from '../../src/data/parquet.ts';
import { root, understudy } from '../cli/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'understudy-parquet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  writeFileSync(at('package.json'), '{"private": true}');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '@duckdb/node-api'], { cwd: folder, stdio: 'inherit' });
});

async function data(...args: string[]): Promise<void> {
  const { code, stderr } = await understudy(['data', ...args], { cwd: folder });
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
}

const rows = [
  { id: '2024-01-02', language: 'en', messages: turns('What day is it?', 'Tuesday'), provenance: { source: 'seed' } },
  {
    id: 'true',
    language: 'zh',
    category: '12:30',
    messages: turns('几点？', '“十二”点\u2028半', '真的？', '真的。').map((turn, i) =>
      i === 1 ? { ...turn, weight: 0 } : turn,
    ),
    provenance: { source: 'generated', file: "it's.json", row: 3, teacher: 't', calls: ['k1', 'k2'] },
  },
];

function turns(...texts: string[]) {
  return texts.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
}

test('conversations come back as they were: texts that look like dates stay texts, what is missing stays missing', async () => {
  writeFileSync(at('a.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await data('convert', at('a.jsonl'), '--to', 'messages', '--out', at("it's.parquet"));
  expect(readFileSync(at("it's.parquet")).subarray(0, 4).toString()).toBe('PAR1');
  await data('convert', at("it's.parquet"), '--to', 'messages', '--out', at('b.jsonl'));
  expect(readFileSync(at('b.jsonl'), 'utf8')).toBe(readFileSync(at('a.jsonl'), 'utf8'));
});

test('a table as the hub has them: nulls, lists of structs, numbers; more rows than a chunk has', async () => {
  const { DuckDBInstance } = loadDuckDb([folder]);
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run(
    `COPY (SELECT CASE WHEN i % 2 = 0 THEN i END AS id, [{'role': 'user', 'content': 'Question ' || i}, {'role': 'assistant', 'content': 'Answer ' || i}] AS messages,
       NULL::VARCHAR AS language, i / 3.0 AS score, DATE '2024-01-01' AS day FROM range(5000) t(i)) TO '${at('hub.parquet')}' (FORMAT parquet)`,
  );
  connection.closeSync();
  await data('convert', at('hub.parquet'), '--to', 'messages', '--out', at('hub.jsonl'));
  const read = readFileSync(at('hub.jsonl'), 'utf8').trim().split('\n');
  expect(read).toHaveLength(5000);
  expect(JSON.parse(read[4999] as string)).toMatchObject({
    id: 'hub:4999',
    messages: turns('Question 4999', 'Answer 4999'),
  });
  expect(JSON.parse(read[4998] as string)).toMatchObject({ id: '4998', provenance: { row: 4998 } });
});

test('samples and rejects work on tables, and a broken one is named', async () => {
  await data('sample', at('hub.parquet'), '--count', '7', '--out', at('seven.parquet'));
  await data('validate', at('seven.parquet'));
  writeFileSync(at('half.parquet'), readFileSync(at('hub.parquet')).subarray(0, 3000));
  const { code, stderr } = await understudy(['data', 'validate', at('half.parquet')], { cwd: folder });
  expect([code, stderr]).toEqual([2, expect.stringMatching(/half\.parquet: expected a whole Parquet file/)]);
});

test('from a folder where it is not installed the program says what to install', async () => {
  const { code, stderr } = await understudy(['data', 'validate', at('hub.parquet')], { cwd: tmpdir() });
  const isInProgram =
    spawnSync(process.execPath, ['-e', "require.resolve('@duckdb/node-api')"], { cwd: root }).status === 0;
  if (isInProgram) expect(code).toBe(0);
  else expect([code, stderr]).toEqual([2, expect.stringContaining('npm install @duckdb/node-api')]);
});
