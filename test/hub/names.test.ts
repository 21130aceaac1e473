import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isHubName, parseHubName } from '../../src/hub/names.ts';

const commit = 'A1B2C3D4E5F60718293A4B5C6D7E8F9001122334';

it.each([
  ['org/name', 'org/name', undefined],
  ['HuggingFaceTB/SmolLM2-135M-Instruct', 'HuggingFaceTB/SmolLM2-135M-Instruct', undefined],
  ['org/name_1.5@main', 'org/name_1.5', 'main'],
  ['org/name@refs/pr/12', 'org/name', 'refs/pr/12'],
  ['org/name@v1.0', 'org/name', 'v1.0'],
  ['hf:org/name@v1.0', 'org/name', 'v1.0'],
  // A whole commit is one however it is written: its folder is named by it.
  [`org/name@${commit}`, 'org/name', commit.toLowerCase()],
])('%s is a name of the hub', (text, name, revision) => {
  expect(parseHubName(text)).toEqual({ name, revision });
});

it.each([
  'name',
  'builtin',
  '',
  '/org/name',
  './org/name',
  '../name',
  '~/models',
  './name',
  'org/../name',
  'org/name/file',
  'org/',
  'C:\\models\\name',
  'org/.hidden',
  'org/-x',
  'org/x-',
  'org/a--b',
  'org/a..b',
  'org/name.git',
  'org/name@',
  'org/name@..',
  'org/name@a/../b',
  'org/name@-x',
  'org/name@a b',
  'org/name@a@b',
  'org/name@a/',
  'https://huggingface.co/org/name',
  'hf:name',
  `org/${'x'.repeat(93)}`,
])('%j is none', (text) => {
  expect(parseHubName(text)).toBeUndefined();
  expect(isHubName(text)).toBe(false);
});

it('a folder of that name is meant before the hub, unless it says hf:', () => {
  const root = mkdtempSync(join(tmpdir(), 'hub-names-'));
  const before = process.cwd();
  try {
    process.chdir(root);
    expect(isHubName('runs/student')).toBe(true);
    mkdirSync('runs/student', { recursive: true });
    expect(isHubName('runs/student')).toBe(false);
    expect(isHubName('hf:runs/student')).toBe(true);
    expect(isHubName('runs/student@v1')).toBe(true);
  } finally {
    process.chdir(before);
    rmSync(root, { recursive: true });
  }
});
