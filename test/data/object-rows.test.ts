import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { eachObject, formOf, type ObjectRow } from '../../src/data/object-rows.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-object-rows-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(scratch, name), content);
  return join(scratch, name);
};

const array = write('array.json', '[{"a":1},\n{"a":2}]');
const lines = write('lines.jsonl.gz', gzipSync('{"a":3}\n\n{"messages":[]}\n'));

describe('eachObject', () => {
  test('gives the rows of all files, each with its place', async () => {
    const rows: ObjectRow[] = [];
    const bytes: [number, number][] = [];
    await eachObject([array, lines], { onBytes: (read, total) => bytes.push([read, total]) }, (row) => {
      rows.push(row);
      return undefined;
    });
    expect(rows).toEqual([
      { file: array, row: 0, members: { a: 1 } },
      { file: array, row: 1, members: { a: 2 } },
      { file: lines, row: 1, members: { a: 3 } },
      { file: lines, row: 3, members: { messages: [] } },
    ]);
    expect(bytes.at(-1)?.[0]).toBe(bytes.at(-1)?.[1]);
    expect(bytes[0]?.[0]).toBe(18);
  });

  test('names every row of a file that cannot be used', async () => {
    const broken = write('broken.jsonl', '{"a":1}\n[1]\n{"a":\n{"a":4}\n{"a":5}\n');
    const work = eachObject([broken, array], {}, ({ members }) =>
      members['a'] === 4 ? { problem: 'no fours' } : undefined,
    );
    const error = await work.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).issues.map(({ row }) => row)).toEqual([2, 3, 4]);
    expect((error as DataError).message).toMatch(/broken\.jsonl:2: expected an object, got an array/);
    expect((error as DataError).message).toMatch(/broken\.jsonl:4: no fours/);
  });

  test('waits for what takes its time, and stops where it is told to', async () => {
    const seen: number[] = [];
    const controller = new AbortController();
    const work = eachObject([array, lines], { signal: controller.signal }, async ({ row }) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(row);
      if (seen.length === 2) controller.abort();
    });
    await expect(work).rejects.toThrow('interrupted');
    expect(seen).toEqual([0, 1]);
  });
});

test('formOf: how a file is written, and what its first row is', async () => {
  expect(await formOf(array)).toEqual({ container: 'array', shape: undefined });
  expect(await formOf(lines)).toEqual({ container: 'lines', shape: undefined });
  const alpaca = write('alpaca.json', '[{"instruction":"a","output":"b"}]');
  expect(await formOf(alpaca)).toEqual({ container: 'array', shape: 'alpaca' });
  const chats = write('chats.jsonl', '{"conversations":[{"from":"human","value":"a"}]}\n');
  expect(await formOf(chats)).toEqual({ container: 'lines', shape: 'sharegpt' });
  await expect(formOf(write('numbers.json', '[1, 2]'))).rejects.toThrow(DataError);
  await expect(formOf(join(scratch, 'absent.json'))).rejects.toThrow('no such file');
});
