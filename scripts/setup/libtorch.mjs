/**
 * libtorch, out of a torch package: the one the user names with UNDERSTUDY_TORCH, or the wheel that pip puts into .venv.
 * That is the CPU wheel; the gigabytes of CUDA come only where an NVIDIA GPU answers, and not with UNDERSTUDY_CUDA=0. A
 * wheel that stands there whole in the right version is taken as it is.
 */
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SetupError } from './errors.mjs';
import { findProgram, lastLines, outputOf } from './processes.mjs';
import { hasPackage, pipInstall, removePackage } from './python.mjs';

const versions = { cpu: process.platform === 'darwin' ? '2.13.0' : '2.13.0+cpu', cuda: '2.13.0' };
/** Where PyTorch keeps its CPU wheels, for indexes that carry the CUDA ones only. */
const cpuIndex = ['--index-url', 'https://download.pytorch.org/whl/cpu', '--timeout', '15', '--retries', '1'];
/** The wheel, and with CUDA NVIDIA's libraries, packed and unpacked, and some room. */
const neededBytes = { cpu: 3e9, cuda: 8e9 };

const libraryName = process.platform === 'darwin' ? 'libtorch_cpu.dylib' : 'libtorch_cpu.so';

/** What the user names with UNDERSTUDY_TORCH; undefined if nothing. Throws if it is no torch package. */
export function torchFromEnvironment(env = process.env) {
  const named = env['UNDERSTUDY_TORCH'];
  if (!named) return undefined;
  const folder = resolve(named);
  for (const needed of [join('lib', libraryName), 'include']) {
    if (!existsSync(join(folder, needed)))
      throw new SetupError(
        `set-up: UNDERSTUDY_TORCH=${named} has no ${needed}: name the folder of a torch package (python3 -c "import torch; print(torch.__path__[0])" prints it), or unset it`,
        2,
      );
  }
  return folder;
}

/** What the addon is built against; differs when the package is another. A libtorch archive has build-version only. */
export function torchIdentity(folder, hashes) {
  const { size } = statSync(join(folder, 'lib', libraryName));
  return { folder, size, version: ['version.py', 'build-version'].map((name) => hashes.file(join(folder, name))) };
}

/** Result: { folder, version, size }; src/native reads it from .setup/libtorch.json. */
export function libtorchStep(tools, venv) {
  const { places, hashes } = tools;
  const named = torchFromEnvironment();
  return {
    name: 'libtorch',
    title: 'libtorch',
    folder: places.stateRecords,
    inputs: () =>
      named === undefined
        ? { version: versions.cpu, packages: venv.packages, ...(mayHaveGpu() && { gpu: true }) }
        : { named: torchIdentity(named, hashes) },
    isPresent: ({ folder, size }) =>
      existsSync(join(folder, 'include')) &&
      statSync(join(folder, 'lib', libraryName), { throwIfNoEntry: false })?.size === size,
    async run({ wasInterrupted }) {
      const folder = named ?? join(venv.packages, 'torch');
      if (named === undefined) await installTorch(tools, venv, wantedBuild(), { wasInterrupted });
      return { ...torchIdentity(folder, hashes), version: versionOf(folder) };
    },
  };
}

/** Cheap enough for every start: the program is looked for, not run. */
const mayHaveGpu = (env = process.env) =>
  process.platform === 'linux' && env['UNDERSTUDY_CUDA'] !== '0' && findProgram('nvidia-smi', env) !== undefined;

/** `cuda` where nvidia-smi names a GPU. */
export function wantedBuild(env = process.env) {
  if (!mayHaveGpu(env)) return 'cpu';
  return /^GPU \d/m.test(outputOf(findProgram('nvidia-smi', env), ['-L']) ?? '') ? 'cuda' : 'cpu';
}

async function installTorch(tools, venv, build, { wasInterrupted }) {
  const { places, say } = tools;
  if (!wasInterrupted && hasPackage(venv, 'torch', versions[build])) return;
  const log = join(places.stateRecords, 'libtorch.log');
  requireSpace(places.state, build);
  removePackage(venv, 'torch');
  if (build === 'cuda') {
    // Three equals signs: an index may have 2.13.0+cpu too, which two would match.
    const again = wasInterrupted ? ['--force-reinstall'] : []; // of NVIDIA's libraries one may be half there
    if (await pipInstall(tools, [...again, `torch===${versions.cuda}`], { log })) return;
    say(
      `an NVIDIA GPU is here, but pip could not install torch ${versions.cuda} with CUDA (log: ${log}): the CPU build is taken; ` +
        'mend what pip says, delete .venv and run set-up again, or set UNDERSTUDY_TORCH to the folder of a CUDA torch package',
    );
    removePackage(venv, 'torch');
  }
  const wanted = ['--no-deps', `torch==${versions.cpu}`];
  if (await pipInstall(tools, wanted, { log, append: true })) return;
  if (process.platform !== 'darwin' && (await pipInstall(tools, [...wanted, ...cpuIndex], { log, append: true })))
    return;
  const where =
    process.platform === 'darwin' ? 'your package index' : 'your package index or from download.pytorch.org';
  const machine = `Python ${venv.version} on ${process.platform}-${process.arch}`;
  throw new SetupError(
    `set-up: pip could not install torch ${versions.cpu} for ${machine} from ${where}: set UNDERSTUDY_TORCH to the folder of a torch package of yours (with lib/ and include/), or mend what pip says (log: ${log})\n${lastLines(log)}`,
  );
}

export function requireSpace(folder, build, free = freeBytes(folder)) {
  const needed = neededBytes[build];
  if (free >= needed) return;
  const without = build === 'cuda' ? ', or UNDERSTUDY_CUDA to 0 to do without the GPU' : '';
  throw new SetupError(
    `set-up: libtorch needs ${needed / 1e9} GB, ${(free / 1e9).toFixed(1)} GB are free in ${folder}: make room, or set UNDERSTUDY_HOME to a folder with more, or UNDERSTUDY_TORCH to a torch package you have${without}`,
    2,
  );
}

function freeBytes(folder) {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function versionOf(folder) {
  const [python, plain] = ['version.py', 'build-version'].map((name) => readIfPresent(join(folder, name)));
  return /__version__ = '([^']+)'/.exec(python ?? '')?.[1] ?? plain?.trim() ?? 'unknown';
}

const readIfPresent = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);
