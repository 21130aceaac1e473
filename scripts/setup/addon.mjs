/**
 * The native addon: CMake and Ninja over native/, against libtorch and the Node-API headers. Ninja takes up where a
 * killed build stopped; CMake's cache is thrown away when what it was made for has changed or it was never finished.
 */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SetupError } from './errors.mjs';
import { torchIdentity } from './libtorch.mjs';
import { findProgram, lastLines, outputOf } from './processes.mjs';
import { pipInstall } from './python.mjs';

const onMac = process.platform === 'darwin';

/** The C++ compiler CMake will take: CXX, else the usual names in its order. */
export function findCompiler(env = process.env) {
  const names = env['CXX'] ? [env['CXX'].trim().split(/\s+/)[0]] : ['c++', 'g++', 'clang++'];
  for (const name of names) {
    const path = findProgram(name);
    const version = path === undefined ? undefined : outputOf(path, ['--version']);
    if (version !== undefined) return { path, version: version.split('\n')[0] };
  }
  const remedy = onMac
    ? 'run: xcode-select --install'
    : 'install one: apt install g++ (or what your distribution calls it)';
  throw new SetupError(`set-up: no C++ compiler${env['CXX'] ? ` (CXX=${env['CXX']} does not run)` : ''}: ${remedy}`, 2);
}

/** Result: { size, modified } of <state>/build/understudy.node, the addonFile of src/base/paths.ts. */
export function addonStep(tools, torch) {
  const { places, hashes, run } = tools;
  const sources = join(places.root, 'native');
  const build = join(places.state, 'build');
  const addon = join(build, 'understudy.node');
  const headers = nodeHeaders(places.root);
  return {
    name: 'addon',
    title: 'native addon',
    folder: places.stateRecords,
    inputs: () => ({
      sources: [sources, hashes.folder(sources)],
      torch: torchIdentity(torch.folder, hashes),
      headers: [headers.api, headers.wrapper].map((folder) => [folder, hashes.file(join(folder, 'package.json'))]),
      compiler: findCompiler(),
      machine: `${process.platform} ${process.arch}`,
    }),
    isPresent: (result) => {
      const stat = statSync(addon, { throwIfNoEntry: false });
      return stat?.size === result.size && stat.mtimeMs === result.modified;
    },
    async run() {
      if (!existsSync(join(sources, 'CMakeLists.txt')))
        throw new SetupError(
          `set-up: ${join(sources, 'CMakeLists.txt')} is missing: restore it (git checkout native, or install the package again)`,
        );
      const log = join(places.stateRecords, 'addon.log');
      writeFileSync(log, '');
      const { cmake, ninja } = await findBuildTools(tools, log);
      const settings = {
        CMAKE_BUILD_TYPE: 'Release',
        CMAKE_MAKE_PROGRAM: ninja,
        UNDERSTUDY_TORCH_DIR: torch.folder,
        NODE_API_HEADERS_DIR: join(headers.api, 'include'),
        NODE_ADDON_API_DIR: headers.wrapper,
      };
      const perform = async (program, args) => {
        if (await run(program, args, { log, append: true })) return;
        throw new SetupError(`set-up: the native addon does not build (log: ${log})\n${lastLines(log)}`);
      };
      const forWhat = JSON.stringify({ sources, settings, compiler: findCompiler() });
      const note = join(build, '.configured');
      if (readIfPresent(note) !== forWhat) forgetConfiguration(build, note);
      const flags = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
      await perform(cmake, ['-S', sources, '-B', build, '-G', 'Ninja', ...flags]);
      writeFileSync(note, forWhat);
      await perform(ninja, ['-C', build]);
      if (!existsSync(addon)) throw new SetupError(`set-up: the build made no ${addon} (log: ${log})`);
      const { size, mtimeMs } = statSync(addon);
      return { size, modified: mtimeMs };
    },
  };
}

function forgetConfiguration(build, note) {
  for (const path of [note, join(build, 'CMakeCache.txt'), join(build, 'CMakeFiles')])
    rmSync(path, { recursive: true, force: true });
}

const readIfPresent = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

/** The packages stand in the checkout's node_modules, or beside this package where npm has put them. */
function nodeHeaders(root) {
  const { resolve } = createRequire(join(root, 'package.json'));
  try {
    return {
      api: dirname(resolve('node-api-headers/package.json')),
      wrapper: dirname(resolve('node-addon-api/package.json')),
    };
  } catch (error) {
    throw new SetupError(
      `set-up: a package the addon needs is missing: install Understudy's packages again (${error.message.split('\n')[0]})`,
      2,
    );
  }
}

/** cmake ≥ 3.18 and ninja: from PATH, else from .venv, else pip puts them there. */
async function findBuildTools(tools, log) {
  const inVenv = join(tools.places.state, '.venv', 'bin');
  const look = () => ({
    cmake: ['cmake', join(inVenv, 'cmake')].map((name) => findProgram(name)).find(isRecentCmake),
    ninja: ['ninja', 'ninja-build', join(inVenv, 'ninja')]
      .map((name) => findProgram(name))
      .find((path) => path !== undefined && outputOf(path, ['--version']) !== undefined),
  });
  const found = look();
  if (found.cmake && found.ninja) return found;
  const missing = ['cmake', 'ninja'].filter((name) => found[name] === undefined);
  await pipInstall(tools, missing, { log, append: true });
  const now = look();
  if (now.cmake && now.ninja) return now;
  const remedy = onMac ? 'brew install cmake ninja' : 'apt install cmake ninja-build';
  throw new SetupError(
    `set-up: ${missing.join(' and ')} missing (cmake must be 3.18 or newer), and pip could not install it: ${remedy} (log: ${log})`,
    2,
  );
}

function isRecentCmake(path) {
  const version = path === undefined ? undefined : /version (\d+)\.(\d+)/.exec(outputOf(path, ['--version']) ?? '');
  if (!version) return false;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major > 3 || (major === 3 && minor >= 18);
}
