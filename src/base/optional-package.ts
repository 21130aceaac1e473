/**
 * Packages that only some runs need and that are no dependencies, for they are large: whoever needs one installs it, in
 * the program's folder for such packages, beside the program, or where it is run. Nothing is installed from here.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ConfigError } from './errors.ts';
import { packageRoot, packagesFolder } from './paths.ts';

export interface OptionalPackage {
  readonly name: string;
  /** What cannot be done without it. */
  readonly purpose: string;
  /** How to get it: the error's hint. */
  readonly install: string;
}

/**
 * The file that importing the package loads, of the first folder that has it in its node_modules, or above. Throws
 * ConfigError where none has.
 */
export function findOptional(
  { name, purpose, install }: OptionalPackage,
  folders: readonly string[] = [packagesFolder, packageRoot, process.cwd()],
): string {
  for (const folder of folders) {
    try {
      return createRequire(join(folder, 'package.json')).resolve(name);
    } catch {
      // Not here.
    }
  }
  throw new ConfigError(`${purpose} needs ${name}, which is not installed`, { hint: install });
}
