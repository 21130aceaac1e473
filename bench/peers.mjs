/** What the benchmarks share: where the Python peers are, running a command to its end, medians. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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

/** The types that benchmarks compute in, by their names here and in our settings. */
export const dtypes = { bf16: 'bfloat16', fp32: 'float32' };

/** One of our commands, to its end: with --json what it printed. */
export function understudy(...args) {
  const child = spawnSync(process.execPath, [join(checkout, 'understudy'), ...args.map(String)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  if (child.status !== 0) throw new Error(`${args.slice(0, 2).join(' ')}: exit ${child.status}`);
  return args.includes('--json') ? JSON.parse(child.stdout) : undefined;
}

/** Rows of train.jsonl, each with its tokens a second. */
export function stepsOf(folder) {
  const rows = readFileSync(join(folder, 'train.jsonl'), 'utf8').trim().split('\n').map(JSON.parse);
  return rows.map((row, i) => ({ ...row, speed: (row.tokens - (rows[i - 1]?.tokens ?? 0)) / row.seconds }));
}

const summary = (runs) => ({
  tokensPerSecond: Number(median(runs.map(({ tok_s_median: speed }) => speed)).toFixed(1)),
  peakGb: Number(Math.max(...runs.map(({ peak_rss_gb: peak }) => peak)).toFixed(2)),
});

/** Medians of our runs and of a peer's, whose may be none, and how many times as fast ours are. */
export function comparison(ours, peer, theirs) {
  const mine = summary(ours);
  if (theirs.length === 0) return { ours: mine };
  const other = summary(theirs);
  return { ours: mine, [peer]: other, ratio: Number((mine.tokensPerSecond / other.tokensPerSecond).toFixed(2)) };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
