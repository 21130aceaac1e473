/**
 * The TypeScript sources into dist, in a checkout. Compiled beside dist and renamed into place, so that dist is always
 * a whole one and holds nothing of a source that is gone. (Same depth as dist: source maps hold relative paths.)
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './errors.mjs';
import { removeLeftovers, temporaryName } from './files.mjs';
import { lastLines } from './processes.mjs';

export function compileStep({ places, hashes, run }) {
  const { root } = places;
  const dist = join(root, 'dist');
  return {
    name: 'compile',
    title: 'TypeScript',
    folder: places.rootRecords,
    inputs: () => ({
      root,
      compiler: hashes.file(join(root, 'node_modules', 'typescript', 'package.json')),
      settings: ['tsconfig.json', 'tsconfig.build.json'].map((name) => hashes.file(join(root, name))),
      sources: sourceFolders(root).map((folder) => [folder, hashes.folder(join(root, folder))]),
    }),
    isPresent: () => existsSync(join(dist, 'cli', 'main.js')),
    async run() {
      const log = join(places.rootRecords, 'compile.log');
      removeLeftovers(dist);
      const fresh = temporaryName(dist);
      mkdirSync(fresh);
      // What a kill leaves here is not to be committed.
      writeFileSync(join(fresh, '.gitignore'), '*\n');
      const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      const args = [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', fresh];
      if (!(await run(process.execPath, args, { log, cwd: root })))
        throw new SetupError(`set-up: TypeScript does not compile (log: ${log})\n${lastLines(log)}`);
      if (!existsSync(join(fresh, 'cli', 'main.js')))
        throw new SetupError('set-up: TypeScript compiled, but there is no cli/main.ts to start');
      rmSync(join(fresh, '.gitignore'));
      const old = temporaryName(dist);
      if (existsSync(dist)) renameSync(dist, old);
      renameSync(fresh, dist);
      rmSync(old, { recursive: true, force: true });
      return {};
    },
  };
}

/** The folders tsconfig.build.json names under "include". */
function sourceFolders(root) {
  const file = join(root, 'tsconfig.build.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')).include;
  } catch (error) {
    throw new SetupError(`set-up: expected JSON without comments in ${file}: ${error.message}`);
  }
}
