/** Where the product keeps its own things: in a checkout beside the sources, installed as a package in the user's cache. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

export const packageRoot = findPackageRoot();
export const version = (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string })
  .version;

/** A checkout has the TypeScript sources; the packed tarball does not. scripts/setup decides by the same file. */
export const isCheckout = existsSync(join(packageRoot, 'tsconfig.build.json'));

/** Folder of libtorch, the addon and the embedded model. */
export const stateFolder =
  process.env['UNDERSTUDY_HOME'] ?? (isCheckout ? packageRoot : join(homedir(), '.cache', 'understudy', version));

export const addonFile = join(stateFolder, 'build', 'understudy.node');
export const embeddedModelFolder = join(stateFolder, 'models', 'smollm2-135m-instruct');

/** Of what was downloaded for the user. Not below the version: a new one of ours must not download it again. */
const lastingFolder =
  process.env['UNDERSTUDY_HOME'] ?? (isCheckout ? packageRoot : join(homedir(), '.cache', 'understudy'));

/** Models of the Hugging Face hub. */
export const hubFolder = join(lastingFolder, 'models', 'hub');

/** npm packages that only some runs need (optional-package.ts), away from those of the project that runs us. */
export const packagesFolder = join(lastingFolder, '.packages');
export const assetsFolder = join(packageRoot, 'assets');
