/**
 * libtorch, out of a torch package: the one the user names with UNDERSTUDY_TORCH, or the CPU wheel (never the gigabytes
 * of CUDA wheels) that pip puts into .venv. A wheel that stands there whole in the right version is taken as it is.
 */
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SetupError } from './errors.mjs';
import { findProgram, lastLines } from './processes.mjs';
import { hasPackage, pipInstall, removePackage } from './python.mjs';

const torchVersion = process.platform === 'darwin' ? '2.13.0' : '2.13.0+cpu';
/** Where PyTorch keeps its CPU wheels, for indexes that carry the CUDA ones only. */
const cpuIndex = ['--index-url', 'https://download.pytorch.org/whl/cpu', '--timeout', '15', '--retries', '1'];
/** The CPU wheel, unpacked, twice over. */
const neededBytes = 3e9;

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
  const { places, hashes, say } = tools;
  const named = torchFromEnvironment();
  return {
    name: 'libtorch',
    title: 'libtorch',
    folder: places.stateRecords,
    inputs: () =>
      named === undefined
        ? { version: torchVersion, packages: venv.packages }
        : { named: torchIdentity(named, hashes) },
    isPresent: ({ folder, size }) =>
      existsSync(join(folder, 'include')) &&
      statSync(join(folder, 'lib', libraryName), { throwIfNoEntry: false })?.size === size,
    async run({ wasInterrupted }) {
      const folder = named ?? join(venv.packages, 'torch');
      const isThere = !wasInterrupted && hasPackage(venv, 'torch', torchVersion);
      if (named === undefined && !isThere) await installTorch(tools, venv);
      if (named === undefined && hasNvidiaGpu()) say(cudaAdvice);
      return { ...torchIdentity(folder, hashes), version: versionOf(folder) };
    },
  };
}

const cudaAdvice =
  'an NVIDIA GPU is here, libtorch is the CPU build: for CUDA set UNDERSTUDY_TORCH to the folder of a CUDA torch package of yours and run set-up again';

async function installTorch(tools, venv) {
  const { places } = tools;
  const log = join(places.stateRecords, 'libtorch.log');
  requireSpace(places.state);
  removePackage(venv, 'torch');
  const wanted = ['--no-deps', `torch==${torchVersion}`];
  if (await pipInstall(tools, wanted, { log })) return;
  if (process.platform !== 'darwin' && (await pipInstall(tools, [...wanted, ...cpuIndex], { log, append: true })))
    return;
  const where =
    process.platform === 'darwin' ? 'your package index' : 'your package index or from download.pytorch.org';
  const machine = `Python ${venv.version} on ${process.platform}-${process.arch}`;
  throw new SetupError(
    `set-up: pip could not install torch ${torchVersion} for ${machine} from ${where}: set UNDERSTUDY_TORCH to the folder of a torch package of yours (with lib/ and include/), or mend what pip says (log: ${log})\n${lastLines(log)}`,
  );
}

export function requireSpace(folder, free = freeBytes(folder)) {
  if (free < neededBytes)
    throw new SetupError(
      `set-up: libtorch needs 3 GB, ${(free / 1e9).toFixed(1)} GB are free in ${folder}: make room, or set UNDERSTUDY_HOME to a folder with more, or UNDERSTUDY_TORCH to a torch package you have`,
      2,
    );
}

function freeBytes(folder) {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

export const hasNvidiaGpu = () => existsSync('/proc/driver/nvidia/version') || findProgram('nvidia-smi') !== undefined;

function versionOf(folder) {
  const [python, plain] = ['version.py', 'build-version'].map((name) => readIfPresent(join(folder, name)));
  return /__version__ = '([^']+)'/.exec(python ?? '')?.[1] ?? plain?.trim() ?? 'unknown';
}

const readIfPresent = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);
