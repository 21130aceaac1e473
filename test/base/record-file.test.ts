import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { WorkError } from '../../src/base/errors.ts';
import { RecordFile } from '../../src/base/record-file.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-record-file-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('gives back what was appended, by position and whole, also while it grows', () => {
  const file = new RecordFile(join(scratch, 'records'), 3);
  const record = (i: number): number[] => [i, 7 - i, (i * 2_654_435_761) | 0];
  const into = new Int32Array(3);
  // More than its buffer holds; read in between, so that what is read is neither all on disk nor all in the buffer.
  for (let i = 0; i < 20_000; i++) {
    file.append(record(i));
    if (i % 1999 !== 0) continue;
    for (const index of [0, i >> 1, i]) {
      file.read(index, into);
      expect([...into]).toEqual(record(index));
    }
  }
  expect(file.length).toBe(20_000);
  const all = file.readAll();
  expect(all.length).toBe(60_000);
  for (const index of [0, 5461, 5462, 19_999])
    expect([...all.subarray(3 * index, 3 * index + 3)]).toEqual(record(index));
  file.close();
});

test('an empty one', () => {
  const file = new RecordFile(join(scratch, 'empty'), 2);
  expect([file.length, file.readAll()]).toEqual([0, new Int32Array(0)]);
  expect(() => file.read(0, new Int32Array(2))).toThrow('no record 0 of 0');
  expect(() => file.append([1])).toThrow('expected 2 integers, got 1');
  file.close();
});

test('a file that was cut from outside is no silent zero', () => {
  const path = join(scratch, 'cut');
  const file = new RecordFile(path, 1);
  file.append([7]);
  file.readAll();
  truncateSync(path, 2);
  expect(() => file.readAll()).toThrow(WorkError);
  file.close();
});
