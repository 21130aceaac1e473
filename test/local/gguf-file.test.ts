import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { ggufName, ggufParts } from '../../src/local/gguf-file.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

function files(...names: string[]): string[] {
  const folder = temporaryFolder();
  return names.map((name) => {
    writeFileSync(join(folder, name), `GGUF ${name}`);
    return join(folder, name);
  });
}

test('a file is named by its content, wherever it is, and by the template in place of its own', async () => {
  const [file] = files('tiny.Q4_1.gguf') as [string];
  const name = await ggufName(file);
  // printf 'GGUF tiny.Q4_1.gguf' | sha256sum
  expect(name).toBe('gguf:tiny.Q4_1@179348383b8d');
  const elsewhere = join(temporaryFolder(), 'a');
  mkdirSync(elsewhere);
  copyFileSync(file, join(elsewhere, 'tiny.Q4_1.gguf'));
  expect(await ggufName(join(elsewhere, 'tiny.Q4_1.gguf'))).toBe(name);
  const jinja = join(elsewhere, 'own.jinja');
  writeFileSync(jinja, 'one');
  const names = [name, await ggufName(file, 'chatml'), await ggufName(file, 'alpaca'), await ggufName(file, jinja)];
  writeFileSync(jinja, 'two');
  names.push(await ggufName(file, jinja));
  expect(new Set(names).size).toBe(5);
  writeFileSync(file, 'GGUF changed');
  expect(await ggufName(file)).not.toBe(name);
});

test('a model in parts is all of them, given by the first', async () => {
  const parts = files('big-00001-of-00002.gguf', 'big-00002-of-00002.gguf') as [string, string];
  expect(ggufParts(parts[0])).toEqual(parts);
  const name = await ggufName(parts[0]);
  expect(name).toMatch(/^gguf:big@[0-9a-f]{12}$/);
  writeFileSync(parts[1], 'GGUF changed');
  expect(await ggufName(parts[0])).not.toBe(name);
  expect(() => ggufParts(parts[1])).toThrow('is part 2 of 2: give the first');
  const [alone] = files('big-00001-of-00003.gguf') as [string];
  expect(() => ggufParts(alone)).toThrow(/no such file: .*big-00002-of-00003\.gguf/);
});

test('what is not there, a folder, and what is no GGUF', () => {
  expect(() => ggufParts('no/such.gguf')).toThrow(ConfigError);
  expect(() => ggufParts(temporaryFolder())).toThrow(ConfigError);
  const file = join(temporaryFolder(), 'x.gguf');
  writeFileSync(file, 'PK\x03\x04');
  expect(() => ggufParts(file)).toThrow(DataError);
  writeFileSync(file, '');
  expect(() => ggufParts(file)).toThrow(/expected a GGUF file/);
});
