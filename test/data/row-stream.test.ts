import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { ArrayElements } from '../../src/data/array-elements.ts';
import { streamRows } from '../../src/data/row-stream.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

function write(content: string | Uint8Array, name = 'rows'): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, content);
  return file;
}

async function rowsOf(file: string) {
  const rows = [];
  for await (const line of streamRows(file)) rows.push(line);
  return rows;
}

async function failure(file: string): Promise<Error> {
  try {
    await rowsOf(file);
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error, got none');
}

describe('array elements', () => {
  const tricky = [
    { a: 'brackets ] } , [ { "quoted" \\', b: [[1], [2, [3]]], c: {} },
    'a, b',
    '\\',
    '"',
    '\\"]',
    [],
    1.5,
    null,
    { 键: '值，]' },
  ];

  test.each([JSON.stringify(tricky), ` \n${JSON.stringify(tricky, null, 2)}\n\n`])(
    'in pieces of every length',
    (text) => {
      for (let length = 1; length < text.length; length += length < 20 ? 1 : 37) {
        const elements = new ArrayElements();
        const texts = Array.from({ length: Math.ceil(text.length / length) }, (_, i) =>
          elements.push(text.slice(i * length, (i + 1) * length)),
        ).flat();
        elements.end();
        expect(texts.map((one) => JSON.parse(one) as unknown)).toEqual(tricky);
      }
    },
  );

  test.each([
    ['[]', []],
    ['[ \n ]', []],
    ['[1]', ['1']],
    ['[1,]', ['1', '']],
    ['[,1]', ['', '1']],
  ])('%s', (text, expected) => {
    const elements = new ArrayElements();
    expect(elements.push(text)).toEqual(expected);
    expect(() => elements.end()).not.toThrow();
  });

  test.each(['[1, 2', '[{"a": 1}', '["a', '['])('%s is not whole', (text) => {
    const elements = new ArrayElements();
    elements.push(text);
    expect(() => elements.end()).toThrow(/ends inside element/);
  });

  test('nothing may follow', () => {
    expect(() => new ArrayElements().push('[1] [2]')).toThrow(/nothing after the array, found "\["/);
  });
});

describe('streamRows', () => {
  const rows = [{ a: 1 }, { a: '二' }, { a: [3] }];
  const lines = rows.map((row) => JSON.stringify(row)).join('\n');

  test('arrays count from 0, lines from 1; blank lines count and are passed over', async () => {
    const array = rows.map((value, row) => ({ row, value }));
    expect(await rowsOf(write(JSON.stringify(rows)))).toEqual(array);
    expect(await rowsOf(write(gzipSync(`\uFEFF\n${JSON.stringify(rows, null, 1)}`)))).toEqual(array);
    expect(await rowsOf(write(`\r\n${lines.replaceAll('\n', '\r\n\r\n')}\n`))).toEqual(
      rows.map((value, i) => ({ row: 2 + 2 * i, value })),
    );
  });

  test('more than one piece of a file, characters on the border of two', async () => {
    const many = Array.from({ length: 30_000 }, (_, i) => ({ i, text: '中文字'.repeat(i % 7) }));
    for (const text of [JSON.stringify(many), many.map((row) => JSON.stringify(row)).join('\n')])
      expect((await rowsOf(write(text))).map((line) => ('value' in line ? line.value : line))).toEqual(many);
  });

  test('what is no JSON is a row beside the others', async () => {
    const broken = /expected one JSON value/;
    expect(await rowsOf(write(`{"a":1}\n{"a":\n{"a":3}`))).toEqual([
      { row: 1, value: { a: 1 } },
      { row: 2, message: expect.stringMatching(broken) },
      { row: 3, value: { a: 3 } },
    ]);
    expect(await rowsOf(write(`[{"a":1},{"a":tru},{"a":3},]`))).toEqual([
      { row: 0, value: { a: 1 } },
      { row: 1, message: expect.stringMatching(broken) },
      { row: 2, value: { a: 3 } },
      { row: 3, message: expect.stringMatching(broken) },
    ]);
    expect(await rowsOf(write('# Notes\nnothing here'))).toHaveLength(2);
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ['empty', '', /at least one row/],
    ['blank', ' \n ', /at least one row/],
    ['an empty array', '[]', /at least one row/],
    ['half an array', '[{"a": 1}, {"a"', /expected a JSON array: it ends inside element 1/],
    ['text after the array', '[1] x', /expected a JSON array: expected nothing after/],
    ['one object over several lines', '{\n"a": 1,\n"b": [\n2\n]\n}', /one JSON value over several lines/],
    ['Latin-1', Buffer.from('{"a": "\xe9"}', 'latin1'), /expected UTF-8 text/],
    ['half a gzip file', gzipSync('{"a":1}\n'.repeat(99)).subarray(0, 20), /expected a whole gzip file/],
    ['half a zstd file', Buffer.from('KLUv/QRYMQAAYSBy', 'base64'), /expected a whole zstd file/],
  ])('%s', async (_, content, message) => {
    const error = await failure(write(content));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(message);
  });

  test('a missing file and a folder are wrong settings', async () => {
    const folder = temporaryFolder();
    expect(await failure(join(folder, 'none'))).toBeInstanceOf(ConfigError);
    expect((await failure(folder)).message).toMatch(/expected a file, found a folder/);
  });
});
