/**
 * Training speed against TRL's SFTTrainer, in turn (A B A B), on the same model, records, batch tokens and threads.
 * npm run bench:train -- --dtype bf16 --python PYTHON [--peers ../shared/peers] [--model FOLDER] [--data alpaca.json]
 * TRL packs, with its weights in the type it computes in; ours keeps fp32 master weights. Both count tokens that are not
 * padding. One JSON line a run, then medians and their ratio. Nothing else should run meanwhile.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkout, findPeers, median, runPeer, settings } from './peers.mjs';

const options = settings({
  model: join(checkout, 'models/smollm2-135m-instruct'),
  data: '',
  dtype: 'bf16',
  threads: 2,
  'batch-tokens': 1024,
  seq: 512,
  steps: 8,
  warmup: 2,
  rounds: 2,
  peers: join(checkout, '../shared/peers'),
  python: 'python3',
});
const scratch = mkdtempSync(join(tmpdir(), 'bench-train-'));
const data = options.data ? resolve(options.data) : alpacaSeeds();
const dtypes = { bf16: 'bfloat16', fp32: 'float32' };
const batchTokens = options['batch-tokens'];

/** The project's own seeds where no data is given. */
function alpacaSeeds() {
  const out = join(scratch, 'seeds.json');
  const seeds = join(checkout, 'assets/seeds/en-a.jsonl');
  const { status } = understudy('data', 'convert', seeds, '--to', 'alpaca', '--out', out);
  if (status !== 0) process.exit(1);
  return out;
}

function understudy(...args) {
  return spawnSync(process.execPath, [join(checkout, 'understudy'), ...args.map(String)], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

function ours(round) {
  const out = join(scratch, `ours-${round}`);
  const wanted = options.steps + options.warmup;
  const { status, stderr } = understudy(
    ...['train', 'sft', '--model', options.model, '--data', data, '--template', 'alpaca', '--out', out],
    ...['--dtype', dtypes[options.dtype], '--threads', options.threads, '--max-tokens', options.seq],
    ...['--batch-tokens', batchTokens, '--pack-tokens', batchTokens, '--epochs', 9],
    ...['--max-train-tokens', wanted * batchTokens, '--checkpoint-every', 100_000],
  );
  if (status !== 0) throw new Error(`train sft: exit ${status}\n${stderr}`);
  const rows = readFileSync(join(out, 'train.jsonl'), 'utf8').trim().split('\n').map(JSON.parse);
  const { peakBytes } = JSON.parse(readFileSync(join(out, 'sft.json'), 'utf8'));
  const speeds = rows
    .map(({ tokens, seconds }, i) => (tokens - (rows[i - 1]?.tokens ?? 0)) / seconds)
    .slice(options.warmup);
  rmSync(out, { recursive: true });
  return {
    bench: 'understudy',
    tok_s_median: median(speeds),
    tok_s_best: Math.max(...speeds),
    peak_rss_gb: peakBytes / 2 ** 30,
  };
}

function trl(found) {
  const args = { model: resolve(options.model), data, dtype: options.dtype, packing: 1, threads: options.threads };
  const sizes = { seq: options.seq, 'batch-tokens': batchTokens, steps: options.steps, warmup: options.warmup };
  return runPeer(found, 'trl_sft.py', { ...args, ...sizes }, scratch);
}

const found = findPeers(options);
const runs = { ours: [], trl: [] };
if (found) console.log(JSON.stringify(runPeer(found, 'matmul.py', { threads: options.threads }, scratch)));
for (let round = 0; round < options.rounds; round++) {
  runs.ours.push(ours(round));
  console.log(JSON.stringify(runs.ours.at(-1)));
  if (!found) continue;
  runs.trl.push(trl(found));
  console.log(JSON.stringify(runs.trl.at(-1)));
}
const summary = (all) => ({
  tokensPerSecond: Number(median(all.map(({ tok_s_median: speed }) => speed)).toFixed(1)),
  peakGb: Number(Math.max(...all.map(({ peak_rss_gb: peak }) => peak)).toFixed(2)),
});
const result = { dtype: options.dtype, threads: options.threads, batchTokens, ours: summary(runs.ours) };
if (found) {
  result.trl = summary(runs.trl);
  result.ratio = Number((result.ours.tokensPerSecond / result.trl.tokensPerSecond).toFixed(2));
}
console.log(JSON.stringify(result));
rmSync(scratch, { recursive: true, force: true });
