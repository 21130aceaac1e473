/**
 * The `.venv`: only a place for pip to put wheels into; no Python runs when Understudy does. pip runs with the user's
 * own settings (index, proxy, certificates); only what would install elsewhere than into .venv is taken away. What a
 * killed pip left of a package is removed first: pip takes a package for installed by its metadata alone.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './errors.mjs';
import { findProgram, lastLines, outputOf } from './processes.mjs';

const candidates = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3.9', 'python'];
const describe = `
import sys, sysconfig, json
try:
    import venv, ensurepip
    whole = True
except ImportError:
    whole = False
print(json.dumps({'version': list(sys.version_info[:2]), 'whole': whole, 'packages': sysconfig.get_path('platlib')}))`;

const remedy =
  process.platform === 'darwin'
    ? 'install it: brew install python3'
    : 'install it: apt install python3 python3-venv (or what your distribution calls them)';

/** The environment without what leads Python to other places than .venv. */
export function pythonEnvironment(env = process.env) {
  const { PYTHONHOME, PYTHONPATH, PIP_TARGET, PIP_PREFIX, PIP_ROOT, __PYVENV_LAUNCHER__, ...rest } = env;
  return { ...rest, PIP_USER: '0' };
}

/** What a Python says of itself; undefined if it does not run. */
function describePython(path) {
  const output = outputOf(path, ['-c', describe], pythonEnvironment());
  return output === undefined ? undefined : JSON.parse(output);
}

const isRecent = ({ version: [major, minor] }) => major > 3 || (major === 3 && minor >= 9);

/** The first Python ≥ 3.9 on PATH that can make a virtual environment. */
export function findPython() {
  let incomplete;
  for (const name of candidates) {
    const path = findProgram(name);
    const python = path === undefined ? undefined : describePython(path);
    if (python === undefined || !isRecent(python)) continue;
    if (python.whole) return path;
    incomplete ??= path;
  }
  throw new SetupError(
    incomplete === undefined
      ? `set-up: no Python 3.9 or newer is on PATH (its pip fetches libtorch): ${remedy}`
      : `set-up: ${incomplete} lacks the modules venv and ensurepip: ${remedy}`,
    2,
  );
}

export const venvPython = (places) => join(places.state, '.venv', 'bin', 'python');

/** `python -m pip` works: a .venv whose Python was removed or whose pip is torn fails here. */
const pipWorks = (python) => existsSync(python) && outputOf(python, ['-m', 'pip', '--version'], pythonEnvironment());

export function venvStep({ places, run }) {
  const folder = join(places.state, '.venv');
  const python = venvPython(places);
  return {
    name: 'venv',
    title: 'Python environment',
    folder: places.stateRecords,
    inputs: () => ({ folder }),
    isPresent: (result) => existsSync(python) && existsSync(result.packages),
    async run({ wasInterrupted }) {
      const log = join(places.stateRecords, 'venv.log');
      const found = wasInterrupted || !pipWorks(python) ? undefined : describePython(python);
      if (found === undefined || !isRecent(found)) {
        const base = findPython();
        rmSync(folder, { recursive: true, force: true });
        if (!(await run(base, ['-m', 'venv', folder], { log, env: pythonEnvironment() })))
          throw new SetupError(`set-up: \`${base} -m venv ${folder}\` failed: ${remedy}\n${lastLines(log)}`);
      }
      const { version, packages } = describePython(python);
      return { version: version.join('.'), packages };
    },
  };
}

/** pip itself does not run: the environment is to be made anew. */
export class BrokenVenv extends SetupError {}

/** `pip install` into .venv; false if pip could not, the reason is in the log. */
export async function pipInstall({ places, run }, args, { log, append = false }) {
  const python = venvPython(places);
  // No .pyc files: no Python will run these packages.
  const always = ['-m', 'pip', 'install', '--no-input', '--no-compile', '--progress-bar', 'off'];
  if (await run(python, [...always, ...args], { log, env: pythonEnvironment(), append })) return true;
  if (!pipWorks(python))
    throw new BrokenVenv(`set-up: pip does not run in .venv: delete that folder and run set-up again (log: ${log})`);
  return false;
}

/** Whether .venv has the package whole: pip writes RECORD last but for start scripts. */
export function hasPackage(venv, folder, version) {
  const record = join(venv.packages, `${folder}-${version}.dist-info`, 'RECORD');
  return existsSync(record) && existsSync(join(venv.packages, folder));
}

export function removePackage(venv, folder) {
  for (const name of readdirSync(venv.packages))
    if (name === folder || (name.startsWith(`${folder}-`) && name.endsWith('.dist-info')))
      rmSync(join(venv.packages, name), { recursive: true, force: true });
}
