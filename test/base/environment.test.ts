import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadDotEnv } from '../../src/base/environment.ts';
import { redact } from '../../src/base/redact.ts';

let folder: string;
let environment: NodeJS.ProcessEnv;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'env-'));
  environment = { ...process.env };
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
});

function load(content: string): void {
  const file = join(folder, '.env');
  writeFileSync(file, content);
  loadDotEnv(file);
}

describe('loadDotEnv', () => {
  it('reads names and values, with quotes, spaces, export, comments and CRLF', () => {
    load(
      [
        '# a comment',
        '',
        'TEST_PLAIN=value',
        '  TEST_SPACED =  some value  ',
        'export TEST_EXPORTED=yes',
        'TEST_DOUBLE="a # b"',
        'TEST_SINGLE=\'a "b" c\'',
        'TEST_COMMENTED=value # what for',
        'TEST_QUOTED_COMMENTED="value" # what for',
        'TEST_HASH=a#b',
        'TEST_EMPTY=',
        'TEST_EQUALS=a=b=c',
        'TEST_CRLF=value\r',
        'not a setting',
        '1TEST=no',
      ].join('\n'),
    );
    const read = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('TEST_')));
    expect(read).toEqual({
      TEST_PLAIN: 'value',
      TEST_SPACED: 'some value',
      TEST_EXPORTED: 'yes',
      TEST_DOUBLE: 'a # b',
      TEST_SINGLE: 'a "b" c',
      TEST_COMMENTED: 'value',
      TEST_QUOTED_COMMENTED: 'value',
      TEST_HASH: 'a#b',
      TEST_EMPTY: '',
      TEST_EQUALS: 'a=b=c',
      TEST_CRLF: 'value',
    });
    expect(process.env['1TEST']).toBeUndefined();
  });

  it('lets the environment win, an empty value too', () => {
    process.env['TEST_SET'] = 'from the environment';
    process.env['TEST_SET_EMPTY'] = '';
    load('TEST_SET=from the file\nTEST_SET_EMPTY=from the file');
    expect(process.env['TEST_SET']).toBe('from the environment');
    expect(process.env['TEST_SET_EMPTY']).toBe('');
  });

  it('does nothing without a file; a folder of that name, such as a Python environment, is none', () => {
    expect(() => loadDotEnv(join(folder, 'none'))).not.toThrow();
    mkdirSync(join(folder, 'folder'));
    expect(() => loadDotEnv(join(folder, 'folder'))).not.toThrow();
  });

  it('remembers keys, tokens, secrets and passwords, from the file and from the environment', () => {
    process.env['TEST_VENDOR_API_KEY'] = 'from-environment-0';
    load('TEST_HF_TOKEN=from-file-1\nTEST_APIKEY=from-file-2\nTEST_DB_PASSWORD=from-file-3\nTEST_NAME=from-file-4');
    expect(redact('from-environment-0 from-file-1 from-file-2 from-file-3 from-file-4')).toBe(
      '[redacted] [redacted] [redacted] [redacted] from-file-4',
    );
  });
});
