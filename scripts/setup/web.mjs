/**
 * The rating page (studio/web) into dist-web, in a checkout. Made beside it and renamed into place, so that dist-web is
 * always a whole one.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './errors.mjs';
import { removeLeftovers, temporaryName } from './files.mjs';
import { lastLines } from './processes.mjs';

export function webStep({ places, hashes, run }) {
  const { root } = places;
  const target = join(root, 'dist-web');
  const module = (name) => join(root, 'node_modules', name);
  return {
    name: 'web',
    title: 'rating page',
    folder: places.rootRecords,
    inputs: () => ({
      root,
      packages: ['vite', 'react', 'react-dom'].map((name) => hashes.file(join(module(name), 'package.json'))),
      sources: hashes.folder(join(root, 'studio', 'web')),
      protocol: hashes.file(join(root, 'studio', 'protocol.ts')),
    }),
    isPresent: () => existsSync(join(target, 'index.html')),
    async run() {
      const log = join(places.rootRecords, 'web.log');
      removeLeftovers(target);
      const fresh = temporaryName(target);
      mkdirSync(fresh);
      // What a kill leaves here is not to be committed.
      writeFileSync(join(fresh, '.gitignore'), '*\n');
      const built = join(fresh, 'page');
      const args = [join(module('vite'), 'bin', 'vite.js'), 'build', join(root, 'studio', 'web'), '--outDir', built];
      // React takes its slow form unless it is told that this is no development.
      const env = { ...process.env, NODE_ENV: 'production' };
      if (!(await run(process.execPath, [...args, '--configLoader', 'native'], { log, cwd: root, env })))
        throw new SetupError(`set-up: the rating page does not build (log: ${log})\n${lastLines(log)}`);
      if (!existsSync(join(built, 'index.html')))
        throw new SetupError(`set-up: the rating page was built, but there is no index.html (log: ${log})`);
      const old = temporaryName(target);
      if (existsSync(target)) renameSync(target, old);
      renameSync(built, target);
      rmSync(fresh, { recursive: true, force: true });
      rmSync(old, { recursive: true, force: true });
      return {};
    },
  };
}
