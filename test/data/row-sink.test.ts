import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { place } from '../../src/base/owner.ts';
import { readRows } from '../../src/base/rows.ts';
import { containerOf, openRowSink, withSinks } from '../../src/data/row-sink.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

const rows = [{ a: 1, b: undefined }, { a: '二\u2028', c: ['x', { d: null }] }, { a: '"' }];

async function writeAll(file: string, usual: 'array' | 'lines'): Promise<void> {
  const sink = await openRowSink(file, usual);
  for (const row of rows) await sink.write(row);
  await sink.commit();
}

test.each([
  ['data.jsonl', 'lines'],
  ['data.NDJSON.gz', 'lines'],
  ['data.json', 'array'],
  ['data.json.zst', 'array'],
  ['data.parquet', 'parquet'],
  ['data.parquet.gz', 'parquet'],
  ['data', 'array'],
  ['data.gz', 'array'],
  ['json', 'array'],
])('%s holds %s', (name, container) => {
  expect(containerOf(name, 'array')).toBe(container);
});

describe('a sink', () => {
  test.each(['a.jsonl', 'a.json', 'a.jsonl.gz', 'a.json.zst', 'a'])('%s is read back as it was', async (name) => {
    const file = join(temporaryFolder(), 'new', name);
    await writeAll(file, 'lines');
    expect(readRows(file).rows.map(({ value }) => value)).toEqual(JSON.parse(JSON.stringify(rows)));
    expect(readdirSync(join(file, '..'))).toEqual([name]);
  });

  test('given up at once, leaves nothing, also later', async () => {
    const folder = temporaryFolder();
    for (let i = 0; i < 50; i++) {
      const work = withSinks([[join(folder, `${i}.jsonl`), 'lines']], () => Promise.reject(new Error('bad input')));
      await expect(work).rejects.toThrow('bad input');
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(readdirSync(folder)).toEqual([]);
  });

  test('arrays are written as JSON.stringify does, lines one row each', async () => {
    const folder = temporaryFolder();
    await writeAll(join(folder, 'a.json'), 'lines');
    expect(readFileSync(join(folder, 'a.json'), 'utf8')).toBe(`${JSON.stringify(rows, null, 2)}\n`);
    await writeAll(join(folder, 'a'), 'lines');
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const empty = await openRowSink(join(folder, 'b.json'), 'lines');
    await empty.commit();
    expect(readFileSync(join(folder, 'b.json'), 'utf8')).toBe('[]\n');
  });

  test('more rows than are held back at once', async () => {
    const file = join(temporaryFolder(), 'a.jsonl.zst');
    const sink = await openRowSink(file, 'lines');
    for (let i = 0; i < 20_000; i++) await sink.write({ i, text: `row ${i} `.repeat(i % 9) });
    await sink.commit();
    const read = readRows(file).rows;
    expect(read).toHaveLength(20_000);
    expect(read.at(-1)?.value).toEqual({ i: 19_999, text: 'row 19999 '.repeat(19_999 % 9) });
  });

  test('until it is committed what was there stands, and nothing else is left when the work fails', async () => {
    const folder = temporaryFolder();
    const [one, two] = [join(folder, 'one.jsonl'), join(folder, 'two.json.gz')];
    writeFileSync(one, 'old\n');
    const failing = withSinks(
      [
        [one, 'lines'],
        [two, 'lines'],
      ],
      async ([first, second]) => {
        await first?.write({ a: 1 });
        await second?.write({ a: 1 });
        throw new Error('no more');
      },
    );
    await expect(failing).rejects.toThrow('no more');
    expect(readdirSync(folder)).toEqual(['one.jsonl']);
    expect(readFileSync(one, 'utf8')).toBe('old\n');
    expect(existsSync(two)).toBe(false);
  });

  test('begins by deleting what killed processes left of its file, and leaves those of living ones', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'a.jsonl');
    const [left, living] = [999_999_999, process.ppid].map((pid) => `.a.jsonl.tmp-${pid}-${place}-0123abcd`);
    for (const name of [left, living]) writeFileSync(join(folder, name as string), '{}');
    const sink = await openRowSink(file, 'lines');
    expect(readdirSync(folder)).toHaveLength(2);
    await sink.commit();
    expect(readdirSync(folder)).toEqual([living, 'a.jsonl']);
  });

  test('a Parquet file is compressed inside alone', async () => {
    await expect(openRowSink(join(temporaryFolder(), 'a.parquet.gz'), 'lines')).rejects.toThrow(ConfigError);
  });
});
