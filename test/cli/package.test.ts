import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { root } from './program.ts';

/** The packed tarball, installed somewhere else, with the checkout's libtorch, addon and model as its state. */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-package-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it('works installed as a package', () => {
  const npm = (args: string[], cwd: string) =>
    execFileSync('npm', args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  npm(['pack', '--pack-destination', scratch], root);
  const tarball = readdirSync(scratch).find((name) => name.endsWith('.tgz')) as string;
  npm(['init', '--yes'], scratch);
  npm(['install', '--no-audit', '--no-fund', '--prefer-offline', join(scratch, tarball)], scratch);
  const program = join(scratch, 'node_modules', '.bin', 'understudy');
  const env = { ...process.env, UNDERSTUDY_HOME: root };
  const doctor = JSON.parse(execFileSync(program, ['doctor', '--json'], { cwd: scratch, env }).toString()) as object;
  expect(doctor).toMatchObject({
    ok: true,
    mode: 'package',
    state: root,
    engine: { torchVersion: expect.any(String) },
  });
  const installed = readdirSync(join(scratch, 'node_modules', 'understudy'));
  expect(installed).not.toEqual(expect.arrayContaining(['src']));
  expect(installed).not.toEqual(expect.arrayContaining(['test']));
}, 300_000);
