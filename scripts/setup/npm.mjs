/**
 * `npm ci` in a checkout. Modules that npm itself says are those of the lock file are taken as they are: a second
 * `npm ci` would pull them away under whatever runs on them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './errors.mjs';
import { readJsonIfWhole } from './files.mjs';
import { findProgram } from './processes.mjs';

const dependencyKinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];

/** Whether node_modules is what package.json and package-lock.json want; `installed` is npm's note of what it put there. */
export function isInstalled(manifest, lock, installed) {
  if (installed === undefined) return false;
  const wanted = lock.packages ?? {};
  const present = installed.packages ?? {};
  const sameManifest = dependencyKinds.every((kind) => sameEntries(manifest[kind] ?? {}, wanted['']?.[kind] ?? {}));
  const paths = Object.keys(wanted).filter((path) => path !== '');
  return (
    sameManifest &&
    Object.keys(present).every((path) => path in wanted) &&
    paths.every((path) =>
      path in present
        ? present[path].version === wanted[path].version && present[path].integrity === wanted[path].integrity
        : wanted[path].optional === true,
    )
  );
}

function sameEntries(a, b) {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

export function requireNpm() {
  if (findProgram('npm') === undefined)
    throw new SetupError('set-up: npm is not on PATH: install Node 20 with npm from https://nodejs.org', 2);
}

/** npm writes it last of all: with it node_modules is whole. */
const installedFileOf = (places) => join(places.root, 'node_modules', '.package-lock.json');

export const hasModules = (places) => existsSync(installedFileOf(places));

export function npmStep({ places, hashes, run }) {
  const { root } = places;
  return {
    name: 'npm',
    title: 'npm packages',
    folder: places.rootRecords,
    inputs: () => ({
      root,
      machine: `${process.platform} ${process.arch}`,
      manifest: hashes.file(join(root, 'package.json')),
      lock: hashes.file(join(root, 'package-lock.json')),
    }),
    isPresent: () => hasModules(places),
    async run() {
      const json = (name) => JSON.parse(readFileSync(join(root, name), 'utf8'));
      const installed = readJsonIfWhole(installedFileOf(places));
      if (isInstalled(json('package.json'), json('package-lock.json'), installed)) return {};
      requireNpm();
      const log = join(places.rootRecords, 'npm.log');
      // The compiler is a development dependency: NODE_ENV=production must not leave it out.
      const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
      if (await run('npm', args, { log, cwd: root })) return {};
      throw new SetupError(
        `set-up: \`npm ci\` failed in ${root}: mend what it says (log: ${log})\n${firstErrors(log)}`,
      );
    },
  };
}

/** npm says what is wrong first, and how npm is used last. */
function firstErrors(log) {
  const lines = readFileSync(log, 'utf8').split('\n');
  const errors = lines.filter((line) => /^npm (error|ERR!) +\S/.test(line));
  return (errors.length > 0 ? errors.slice(0, 10) : lines.slice(-15)).join('\n');
}
