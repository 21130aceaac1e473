import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { findOptional } from '../../src/base/optional-package.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'understudy-optional-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const wanted = { name: 'no-such-package-of-ours', purpose: 'Juggling', install: 'npm install it' };

function install(place: string, exports: object): string {
  const home = join(folder, place, 'node_modules', wanted.name);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), JSON.stringify({ name: wanted.name, type: 'module', exports }));
  writeFileSync(join(home, 'main.js'), 'export const three = 3;');
  return join(home, 'main.js');
}

test('the first folder that has it, or has it above; modules without a require form too', async () => {
  const above = install('a', { '.': { import: './main.js', default: './main.js' } });
  const second = install('b', { '.': './main.js' });
  mkdirSync(join(folder, 'a', 'inner'));
  const [empty, inner, b] = ['none', 'a/inner', 'b'].map((name) => join(folder, name)) as [string, string, string];
  expect(findOptional(wanted, [empty, inner, b])).toBe(above);
  expect(findOptional(wanted, [b, inner])).toBe(second);
  expect(await import(above)).toMatchObject({ three: 3 });
});

test('where none has it the error says what for and how to get it', () => {
  const error = (() => {
    try {
      return findOptional(wanted, [join(folder, 'none')]);
    } catch (reason) {
      return reason;
    }
  })();
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({
    message: 'Juggling needs no-such-package-of-ours, which is not installed',
    hint: 'npm install it',
  });
});
