import { describe, expect, it } from 'vitest';
import { script } from './script.ts';

type Packages = Record<string, Record<string, unknown>>;
const { isInstalled } = (await import(script('setup/npm.mjs'))) as {
  isInstalled(manifest: object, lock: { packages: Packages }, installed: { packages: Packages } | undefined): boolean;
};

const manifest = { dependencies: { a: '^1.0.0' }, devDependencies: { b: '2.0.0' } };
const a = { version: '1.2.0', integrity: 'sha512-a' };
const b = { version: '2.0.0', integrity: 'sha512-b', dev: true };
const other = { version: '1.0.0', integrity: 'sha512-c', optional: true, os: ['darwin'] };
const lock = { packages: { '': { ...manifest }, 'node_modules/a': a, 'node_modules/b': b, 'node_modules/c': other } };

describe('isInstalled', () => {
  const packages = { 'node_modules/a': a, 'node_modules/b': b };

  it('takes modules that are those of the lock file; an optional one may be absent', () => {
    expect(isInstalled(manifest, lock, { packages })).toBe(true);
    expect(isInstalled(manifest, lock, { packages: { ...packages, 'node_modules/c': other } })).toBe(true);
  });

  it.each([
    ['nothing is installed', undefined],
    ['one is missing', { 'node_modules/a': a }],
    ['a version differs', { ...packages, 'node_modules/a': { ...a, version: '1.2.1' } }],
    ['a content differs', { ...packages, 'node_modules/a': { ...a, integrity: 'sha512-x' } }],
    ['one is too many', { ...packages, 'node_modules/d': a }],
  ])('refuses where %s', (_why, installed) => {
    expect(isInstalled(manifest, lock, installed && { packages: installed })).toBe(false);
  });

  it('refuses where package.json wants something the lock file does not know', () => {
    const wantsMore = { ...manifest, dependencies: { a: '^1.0.0', e: '^1.0.0' } };
    expect(isInstalled(wantsMore, lock, { packages })).toBe(false);
    expect(isInstalled({ ...manifest, dependencies: { a: '^1.1.0' } }, lock, { packages })).toBe(false);
  });
});
