/**
 * Content hashes of files and folders, and atomic writes. The hash of a file is remembered with its size and times and
 * computed anew when any of these changes, so that an unchanged tree costs one stat a file. The twin of
 * src/base/atomic.ts: set-up runs before anything is compiled.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** A name beside `target` that nothing else uses. */
export const temporaryName = (target) => `${target}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`;

export function writeJsonAtomic(target, value) {
  mkdirSync(dirname(target), { recursive: true });
  const temporary = temporaryName(target);
  try {
    const handle = openSync(temporary, 'wx');
    try {
      writeFileSync(handle, `${JSON.stringify(value, null, 2)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The JSON in a file of set-up's own; undefined where it is missing or torn, which both mean "do the step again". */
export function readJsonIfWhole(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Deletes what killed writes to `target` left beside it. Under the lock only. */
export function removeLeftovers(target) {
  if (!existsSync(dirname(target))) return;
  for (const name of readdirSync(dirname(target)))
    if (name.startsWith(`${basename(target)}.tmp-`))
      rmSync(join(dirname(target), name), { recursive: true, force: true });
}

/** A file written less than `restlessMs` ago may change again within one tick of the clock: its hash is not remembered. */
export function openFileHashes(cacheFile, { restlessMs = 2000 } = {}) {
  const known = readJsonIfWhole(cacheFile) ?? {};
  let changed = false;

  /** SHA-256 of the content; null for a file that does not exist. */
  function file(path) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return null;
    const seen = `${stat.size} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.ino}`;
    if (known[path]?.seen === seen) return known[path].hash;
    const now = Date.now();
    const hash = sha256(readFileSync(path));
    if (now - Math.max(stat.mtimeMs, stat.ctimeMs) > restlessMs) {
      known[path] = { seen, hash };
      changed = true;
    }
    return hash;
  }

  /** [path inside the folder, hash] of every file below it, in order; hidden files are left out. */
  function folder(path, prefix = '') {
    if (!existsSync(path)) return [];
    const entries = readdirSync(path, { withFileTypes: true }).filter((entry) => !entry.name.startsWith('.'));
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    return entries.flatMap((entry) =>
      entry.isDirectory()
        ? folder(join(path, entry.name), `${prefix}${entry.name}/`)
        : [[`${prefix}${entry.name}`, file(join(path, entry.name))]],
    );
  }

  function save() {
    if (!changed) return;
    for (const path of Object.keys(known)) if (!existsSync(path)) delete known[path];
    writeJsonAtomic(cacheFile, known);
    changed = false;
  }

  return { file, folder, save };
}
