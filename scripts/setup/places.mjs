/**
 * Where set-up reads and writes. The same rules as src/base/paths.ts, which cannot be used before it is compiled.
 * What stands in the checkout itself (node_modules, dist) is recorded in the checkout, whatever UNDERSTUDY_HOME says:
 * a test with a state folder of its own must not reinstall the packages it runs on.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

export function findPlaces(root = packageRoot, env = process.env) {
  const isCheckout = existsSync(join(root, 'tsconfig.build.json'));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const state = resolve(
    env['UNDERSTUDY_HOME'] ?? (isCheckout ? root : join(homedir(), '.cache', 'understudy', version)),
  );
  return {
    root,
    isCheckout,
    /** Holds .venv, build/understudy.node and models/. */
    state,
    /** Records, logs and lock of the steps that write into the checkout. */
    rootRecords: join(root, '.setup'),
    /** Records, logs and lock of the steps that write into the state folder; usually the same folder. */
    stateRecords: join(state, '.setup'),
  };
}
