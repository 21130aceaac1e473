import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { JsonlLog, type Line, parseJsonl, readJson, readText, streamJsonl, toJsonl } from '../../src/base/jsonl.ts';

/** What the next writes do in place of writing all they were given; empty: as always. */
const writes = vi.hoisted(() => [] as ('short' | 'full disk')[]);
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const writeSync = (handle: number, bytes: Uint8Array, offset = 0): number => {
    const next = writes.shift();
    if (next === 'full disk') throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    return next === 'short' ? fs.writeSync(handle, bytes, offset, 3) : fs.writeSync(handle, bytes, offset);
  };
  return { ...fs, writeSync };
});

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jsonl-'));
  file = join(folder, 'rows.jsonl');
});
afterEach(() => {
  writes.length = 0;
  rmSync(folder, { recursive: true });
});

async function collect(path: string, into: Line[] = []): Promise<Line[]> {
  for await (const line of streamJsonl(path)) into.push(line);
  return into;
}

function issuesOf(error: unknown): unknown {
  expect(error).toBeInstanceOf(DataError);
  return (error as DataError).issues.map(({ row, message }) => [row, /expected one JSON value/.test(message)]);
}

describe('parseJsonl', () => {
  it('counts lines from 1, skips blank ones and takes CRLF and a last line without an end', () => {
    expect(parseJsonl('{"a":1}\r\n\n  \n[2]\n"x"', 'f')).toEqual([
      { row: 1, value: { a: 1 } },
      { row: 4, value: [2] },
      { row: 5, value: 'x' },
    ]);
    expect(parseJsonl('', 'f')).toEqual([]);
  });

  it('names every broken line', () => {
    let thrown: unknown;
    try {
      parseJsonl('{"a":1}\n{broken\n{}\n{"a":1} {"b":2}\nundefined\n', 'f');
    } catch (error) {
      thrown = error;
    }
    expect(issuesOf(thrown)).toEqual([
      [2, true],
      [4, true],
      [5, true],
    ]);
  });

  it('keeps the line separators that JSON allows inside strings', () => {
    const row = { text: 'a\u2028b\u2029c\u0085d' };
    expect(parseJsonl(toJsonl([row, row]), 'f').map(({ value }) => value)).toEqual([row, row]);
  });
});

describe('streamJsonl', () => {
  it('gives the lines that parseJsonl gives', async () => {
    const text = `\uFEFF${toJsonl([{ a: 1 }, { text: 'x\u2028y' }])}\r\n\n[3]`;
    writeFileSync(file, text);
    expect(await collect(file)).toEqual(parseJsonl(readText(file), file));
    expect(await collect(file)).toHaveLength(3);
  });

  it('names every broken line at the end, and yields nothing after the first', async () => {
    writeFileSync(file, '{"a":1}\n{broken\n{"a":2}\nalso broken\n');
    const before: Line[] = [];
    const error = await collect(file, before).catch((reason: unknown) => reason);
    expect(issuesOf(error)).toEqual([
      [2, true],
      [4, true],
    ]);
    expect(before).toEqual([{ row: 1, value: { a: 1 } }]);
  });

  it('says what is wrong with a file that cannot be read', async () => {
    await expect(collect(join(folder, 'none'))).rejects.toThrow(/^no such file: /);
    await expect(collect(folder)).rejects.toThrow(/^expected a file, found a folder: /);
  });

  it('lets the reader stop early', async () => {
    writeFileSync(file, '1\n2\nbroken');
    for await (const line of streamJsonl(file)) {
      expect(line).toEqual({ row: 1, value: 1 });
      break;
    }
  });
});

describe('readText and readJson', () => {
  it('drop a byte order mark and explain what cannot be read', () => {
    writeFileSync(file, '\uFEFF{"a":1}');
    expect(readJson(file)).toEqual({ a: 1 });
    expect(() => readText(join(folder, 'none'))).toThrow(ConfigError);
    mkdirSync(join(folder, 'sub'));
    expect(() => readJson(join(folder, 'sub'))).toThrow(/expected a file, found a folder/);
    writeFileSync(file, '{');
    expect(() => readJson(file)).toThrow(DataError);
  });
});

describe('JsonlLog', () => {
  const rows = () => parseJsonl(readFileSync(file, 'utf8'), file).map(({ value }) => value);
  function append(...values: unknown[]): void {
    const log = new JsonlLog(file);
    for (const value of values) log.append(value);
    log.close();
  }

  it('makes its folder, appends and goes on where it stopped', () => {
    file = join(folder, 'a', 'b', 'log.jsonl');
    append({ n: 1 }, { n: 2 });
    append({ text: '中\n' });
    expect(readFileSync(file, 'utf8')).toBe('{"n":1}\n{"n":2}\n{"text":"中\\n"}\n');
  });

  it('cuts a torn last line off, whatever it looks like', () => {
    append({ n: 1 });
    for (const torn of ['{"n":', '{"n":2}', Buffer.from('中').subarray(0, 1)]) {
      appendFileSync(file, torn);
      append({ n: 3 });
    }
    expect(rows()).toEqual([{ n: 1 }, { n: 3 }, { n: 3 }, { n: 3 }]);
  });

  it('cuts off a file that is one torn line', () => {
    writeFileSync(file, '{"n"');
    append({ n: 1 });
    expect(rows()).toEqual([{ n: 1 }]);
  });

  it('finishes a write that took only part of the line', () => {
    writes.push('short', 'short');
    append({ n: 1, text: 'abcdefghij' });
    expect(rows()).toEqual([{ n: 1, text: 'abcdefghij' }]);
  });

  it('takes back what a full disk let through, so that the next line stands alone', () => {
    const log = new JsonlLog(file);
    log.append({ n: 1 });
    writes.push('short', 'full disk');
    expect(() => log.append({ n: 2 })).toThrow(/ENOSPC/);
    log.append({ n: 3 });
    log.close();
    expect(rows()).toEqual([{ n: 1 }, { n: 3 }]);
  });
});
