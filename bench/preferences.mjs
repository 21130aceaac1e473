/**
 * Steps of a reward model and of DPO against TRL's RewardTrainer and DPOTrainer, in turn (A B A B), on the same model and
 * pairs: npm run bench:preferences -- --kind rm|dpo --data alpaca.json --dtype bf16 --python PYTHON [--peers ../shared/peers]
 * A pair is a record's answer and the next record's. Both count tokens that are not padding. TRL's DPO asks its reference
 * at every step; ours once, before the first, which is not in its steps' time and is said apart. One JSON line a run, then
 * medians and their ratio. Nothing else should run meanwhile.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkout, findPeers, median, runPeer, settings } from './peers.mjs';

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
const dtypes = { bf16: 'bfloat16', fp32: 'float32' };
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
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      join(checkout, 'understudy'),
      ...[
        'train',
        commands[options.kind],
        '--model',
        options.model,
        '--data',
        data,
        '--template',
        'alpaca',
        '--out',
        out,
      ],
      ...[
        '--dtype',
        dtypes[options.dtype],
        '--threads',
        options.threads,
        '--max-tokens',
        options.seq,
        '--eval-share',
        0,
      ],
      ...['--batch-tokens', batchTokens, '--pack-tokens', batchTokens, '--checkpoint-every', 100_000],
    ].map(String),
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
  );
  if (status !== 0) throw new Error(`train ${commands[options.kind]}: exit ${status}\n${stderr}`);
  const rows = readFileSync(join(out, 'train.jsonl'), 'utf8').trim().split('\n').map(JSON.parse);
  const { peakBytes } = JSON.parse(readFileSync(join(out, `${commands[options.kind]}.json`), 'utf8'));
  const speeds = rows
    .map(({ tokens, seconds }, i) => (tokens - (rows[i - 1]?.tokens ?? 0)) / seconds)
    .slice(options.warmup, options.warmup + options.steps);
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
const summary = (all) => ({
  tokensPerSecond: Number(median(all.map(({ tok_s_median: speed }) => speed)).toFixed(1)),
  peakGb: Number(Math.max(...all.map(({ peak_rss_gb: peak }) => peak)).toFixed(2)),
});
const result = { kind: options.kind, dtype: options.dtype, threads: options.threads, ours: summary(runs.ours) };
if (found) {
  result.trl = summary(runs.trl);
  result.ratio = Number((result.ours.tokensPerSecond / result.trl.tokensPerSecond).toFixed(2));
}
console.log(JSON.stringify(result));
rmSync(scratch, { recursive: true, force: true });
