/**
 * Answers bought through kill -9, by the command line itself, against the fault server: the harness of
 * test/checks/teacher-kills.mjs with few rows. By hand it is run with 10,000.
 */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../src/base/paths.ts';

/** The program, compiled from the sources as they are now; that they are sound is another check's work. */
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'understudy-root-'));
  for (const name of ['understudy', 'package.json']) cpSync(join(packageRoot, name), join(root, name));
  for (const name of ['node_modules', 'assets', 'scripts']) symlinkSync(join(packageRoot, name), join(root, name));
  const project = {
    extends: join(packageRoot, 'tsconfig.build.json'),
    compilerOptions: { rootDir: packageRoot, outDir: join(root, 'dist'), sourceMap: false, noCheck: true },
    include: ['src', 'recipes', 'cli'].map((name) => join(packageRoot, name)),
  };
  writeFileSync(join(root, 'tsconfig.json'), JSON.stringify(project));
  const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', root], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Summary {
  readonly rows: number;
  readonly kills: number;
  readonly stored: number;
  readonly lost: number;
  readonly inFlightAtKills: readonly number[];
  readonly server: { readonly delivered: number; readonly faults: Readonly<Record<string, number>> };
  readonly checks: Readonly<Record<string, unknown>>;
}

test('killed three times: every row has its answer, none that was stored is asked for again', async () => {
  const script = join(packageRoot, 'test/checks/teacher-kills.mjs');
  const args = ['--rows', '300', '--kills', '3', '--concurrency', '24', '--root', root];
  const { stdout, stderr } = await run([script, ...args]);
  if (stdout === '') throw new Error(stderr);
  const { checks, server, lost, inFlightAtKills, ...summary } = JSON.parse(stdout) as Summary;
  for (const [name, outcome] of Object.entries(checks)) expect(outcome, name).toBe(true);
  expect(summary).toMatchObject({ rows: 300, kills: 3, stored: 300 });
  expect(server.delivered).toBe(300 + lost);
  expect(lost).toBeLessThanOrEqual(inFlightAtKills.reduce((a, b) => a + b, 0));
  expect(Object.keys(server.faults).length).toBeGreaterThan(4);
}, 240_000);

/** A check that fails ends it with an exit code, and with a summary all the same. */
const run = (args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, args, (_, stdout, stderr) => resolve({ stdout, stderr }));
  });
