/**
 * Training speed against TRL's SFTTrainer, in turn (A B A B), on the same model, records, batch tokens and threads.
 * npm run bench:train -- --dtype bf16 --python PYTHON [--peers ../shared/peers] [--model FOLDER] [--data alpaca.json]
 * TRL packs, with its weights in the type it computes in; ours keeps fp32 master weights. Both count tokens that are not
 * padding. One JSON line a run, then medians and their ratio. Nothing else should run meanwhile.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkout, comparison, dtypes, findPeers, median, runPeer, settings, stepsOf, understudy } from './peers.mjs';

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
const batchTokens = options['batch-tokens'];

/** The project's own seeds where no data is given. */
function alpacaSeeds() {
  const out = join(scratch, 'seeds.json');
  const seeds = join(checkout, 'assets/seeds/en-a.jsonl');
  understudy('data', 'convert', seeds, '--to', 'alpaca', '--out', out);
  return out;
}

function ours(round) {
  const out = join(scratch, `ours-${round}`);
  const wanted = options.steps + options.warmup;
  understudy(
    ...['train', 'sft', '--model', options.model, '--data', data, '--template', 'alpaca', '--out', out],
    ...['--dtype', dtypes[options.dtype], '--threads', options.threads, '--max-tokens', options.seq],
    ...['--batch-tokens', batchTokens, '--pack-tokens', batchTokens, '--epochs', 9],
    ...['--max-train-tokens', wanted * batchTokens, '--checkpoint-every', 100_000],
  );
  const speeds = stepsOf(out)
    .map(({ speed }) => speed)
    .slice(options.warmup);
  const { peakBytes } = JSON.parse(readFileSync(join(out, 'sft.json'), 'utf8'));
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
const { dtype, threads } = options;
console.log(JSON.stringify({ dtype, threads, batchTokens, ...comparison(runs.ours, 'trl', runs.trl) }));
rmSync(scratch, { recursive: true, force: true });
