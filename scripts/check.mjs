/**
 * `npm run check`: everything that can be said of the sources in about a minute, one line a check; the output of a
 * check appears only where it fails. All are run even if one fails. `--without-tests`: where all of test/ is run anyway.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tool = (...path) => join(root, 'node_modules', ...path);

/** Folders of test/ that need no addon and take seconds; the whole of test/ is `npm test`. */
const fastTests = ['base', 'text', 'data', 'evaluate', 'scripts'];

function unitTestArguments() {
  const hasTests = (folder) =>
    existsSync(join(root, folder)) &&
    readdirSync(join(root, folder), { recursive: true }).some((name) => name.endsWith('.test.ts'));
  const folders = fastTests.map((name) => `test/${name}/`).filter(hasTests);
  return [tool('vitest', 'vitest.mjs'), 'run', '--reporter=dot', ...folders];
}

const checks = [
  ['types', [tool('typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']],
  ['types of the page', [tool('typescript', 'bin', 'tsc'), '-p', 'studio/web']],
  ['biome', [tool('@biomejs', 'biome', 'bin', 'biome'), 'check', '.']],
  ['layers', ['scripts/check-layers.mjs']],
  ['native signatures', ['scripts/check-signatures.mjs']],
  ...(process.argv.includes('--without-tests') ? [] : [['unit tests', unitTestArguments()]]),
];

function runCheck([title, args]) {
  const since = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  console.log(`${title} … ${status === 0 ? 'ok' : 'FAILED'}, ${seconds} s`);
  if (status !== 0) console.log(`${stdout}${stderr}`.trimEnd());
  return status === 0;
}

if (!existsSync(tool('typescript'))) {
  console.error('check: node_modules is missing: run `npm run setup` first');
  process.exitCode = 2;
} else {
  const failed = checks.filter((check) => !runCheck(check)).map(([title]) => title);
  if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
