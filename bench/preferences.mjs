/**
 * Steps of a reward model and of DPO against TRL's RewardTrainer and DPOTrainer, in turn (A B A B), on the same model and
 * pairs: npm run bench:preferences -- --kind rm|dpo --data alpaca.json --dtype bf16 --python PYTHON [--peers ../shared/peers]
 * A pair is a record's answer and the next record's. Both count tokens that are not padding. TRL's DPO asks its reference
 * at every step; ours once, before the first, which is not in its steps' time and is said apart. One JSON line a run, then
 * medians and their ratio. Nothing else should run meanwhile.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkout, comparison, dtypes, findPeers, median, runPeer, settings, stepsOf, understudy } from './peers.mjs';

const options = settings({
  kind: 'rm',
  model: join(checkout, 'models/smollm2-135m-instruct'),
  data: join(checkout, '../peers/in/alpaca2000.json'),
  dtype: 'bf16',
  threads: 2,
  pairs: 4,
  seq: 512,
  steps: 6,
  warmup: 2,
  rounds: 2,
  peers: join(checkout, '../shared/peers'),
  python: 'python3',
});
const scratch = mkdtempSync(join(tmpdir(), 'bench-preferences-'));
const commands = { rm: 'reward', dpo: 'dpo' };
const data = pairsFile();

/** Pairs as the peer makes them, as ranked outputs: enough for the steps that are measured, and some more. */
function pairsFile() {
  const enough = 2 * options.pairs * (options.steps + options.warmup);
  const records = JSON.parse(readFileSync(options.data, 'utf8')).slice(0, Math.min(400, enough));
  const rows = records.map(({ instruction, input, output }, i) => {
    return { instruction, input, output: [output, records[(i + 1) % records.length].output] };
  });
  const file = join(scratch, 'pairs.json');
  writeFileSync(file, JSON.stringify(rows.filter(({ output: [a, b] }) => a !== '' && a !== b)));
  return file;
}

function ours(round, batchTokens) {
  const out = join(scratch, `ours-${round}`);
  const startedMs = performance.now();
  const command = commands[options.kind];
  understudy(
    ...['train', command, '--model', options.model, '--data', data, '--template', 'alpaca', '--out', out],
    ...['--dtype', dtypes[options.dtype], '--threads', options.threads, '--max-tokens', options.seq, '--eval-share', 0],
    ...['--batch-tokens', batchTokens, '--pack-tokens', batchTokens, '--checkpoint-every', 100_000],
  );
  const rows = stepsOf(out);
  const { peakBytes } = JSON.parse(readFileSync(join(out, `${command}.json`), 'utf8'));
  const speeds = rows.map(({ speed }) => speed).slice(options.warmup, options.warmup + options.steps);
  rmSync(out, { recursive: true });
  const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
  return {
    bench: 'understudy',
    tok_s_median: median(speeds),
    /** With loading, the reference and saving. */
    tok_s_whole: rows.at(-1).tokens / ((performance.now() - startedMs) / 1000),
    tok_s_steps: rows.at(-1).tokens / seconds,
    peak_rss_gb: peakBytes / 2 ** 30,
  };
}

function trl(found) {
  const args = { kind: options.kind, model: resolve(options.model), data: resolve(options.data), dtype: options.dtype };
  const sizes = { bs: options.pairs, seq: options.seq, steps: options.steps, warmup: options.warmup };
  return runPeer(found, 'trl_rm_dpo.py', { ...args, ...sizes, threads: options.threads }, scratch);
}

const found = findPeers(options);
const runs = { ours: [], trl: [] };
const tokensOfPairs = options.pairs * 230;
for (let round = 0; round < options.rounds; round++) {
  runs.ours.push(ours(round, tokensOfPairs));
  console.log(JSON.stringify(runs.ours.at(-1)));
  if (!found) continue;
  runs.trl.push(trl(found));
  console.log(JSON.stringify(runs.trl.at(-1)));
}
const { kind, dtype, threads } = options;
console.log(JSON.stringify({ kind, dtype, threads, ...comparison(runs.ours, 'trl', runs.trl) }));
rmSync(scratch, { recursive: true, force: true });
