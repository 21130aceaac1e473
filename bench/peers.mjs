/** What the benchmarks share: where the Python peers are, running a command to its end, medians. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const checkout = join(import.meta.dirname, '..');

/** `--name value` pairs over defaults. */
export function settings(defaults) {
  const found = { ...defaults };
  const args = process.argv.slice(2);
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i]?.replace(/^--/, '');
    if (!(name in defaults) || args[i + 1] === undefined) {
      const known = Object.entries(defaults).map(([key, value]) => `--${key} ${value}`);
      console.error(`expected --name value, of: ${known.join(' ')}`);
      process.exit(2);
    }
    found[name] = typeof defaults[name] === 'number' ? Number(args[i + 1]) : args[i + 1];
  }
  return found;
}

/** The folder of the peers' scripts and a Python that has what they import; undefined, said loudly, where one is missing. */
export function findPeers({ peers, python }) {
  const missing = [];
  if (!existsSync(join(peers, 'common.py'))) missing.push(`the peers' scripts (${peers})`);
  const imports = spawnSync(python, ['-c', 'import trl, transformers, torch, datasets'], { encoding: 'utf8' });
  if (imports.status !== 0) missing.push(`a Python with torch, transformers, trl and datasets (${python})`);
  if (missing.length === 0) return { peers: resolve(peers), python };
  console.error(`THE PEER IS NOT MEASURED: missing ${missing.join(' and ')}; see --peers and --python`);
  return undefined;
}

/** The last line of a peer's output, which is JSON. */
export function runPeer({ peers, python }, script, args, folder) {
  const flags = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const output = execFileSync(python, [join(peers, script), ...flags], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output.trim().split('\n').at(-1));
}

/** One of our commands with --json, to its end: what it printed. */
export function understudy(...args) {
  const child = spawnSync(process.execPath, [join(checkout, 'understudy'), ...args.map(String)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  if (child.status !== 0) throw new Error(`${args.slice(0, 2).join(' ')}: exit ${child.status}`);
  return JSON.parse(child.stdout);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
