/**
 * Decoding speed against transformers' generate, in turn (A B A B), on the same model, prompts, new tokens and threads.
 * npm run bench:decode -- --dtype bf16 --python PYTHON [--batches 1,8,32] [--weights int8] [--peers ../shared/peers]
 * Greedy, no token ends an answer, prompts are computed too: new tokens of all rows over the time of the whole call. Each
 * run is a process of its own. One JSON line a run, then medians and their ratio a batch. Nothing else should run
 * meanwhile.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkout, comparison, dtypes, findPeers, median, runPeer, settings } from './peers.mjs';

/** Those of hf_generate.py, which repeats them up to the batch. */
const questions = [
  'What is the capital of France?',
  'Give three tips for staying healthy.',
  'Explain what photosynthesis is.',
  'Write a short poem about the sea.',
];

/** In a process of its own: prints one JSON line. */
async function measureOurs({ model, dtype, weights, batch, tokens, steps, warmup, threads }) {
  const { decode } = await import('../dist/src/infer/decode.js');
  const { greedy } = await import('../dist/src/infer/sample.js');
  const { loadModel } = await import('../dist/src/local/loaded-model.js');
  const { encodePrompt } = await import('../dist/src/text/chat-template.js');
  const { decoder, tokenizer, template } = loadModel(model, { dtype: dtypes[dtype], weights });
  const requests = Array.from({ length: batch }, (_, i) => {
    const messages = [{ role: 'user', content: questions[i % questions.length] }];
    return {
      key: `${i}`,
      promptIds: encodePrompt(tokenizer, template, messages),
      maxNewTokens: tokens,
      sampling: greedy,
    };
  });
  const speeds = [];
  for (let step = 0; step < warmup + steps; step++) {
    const startedMs = performance.now();
    const results = await decode(decoder, requests, { stopTokens: [], rows: batch });
    const seconds = (performance.now() - startedMs) / 1000;
    const made = results.reduce((sum, { ids }) => sum + ids.length, 0);
    if (made !== batch * tokens) throw new Error(`expected ${batch * tokens} new tokens, got ${made}`);
    if (step >= warmup) speeds.push(made / seconds);
  }
  console.log(
    JSON.stringify({
      bench: 'understudy',
      ...{ dtype, weights, bs: batch, new: tokens, threads },
      prompt: Math.max(...requests.map(({ promptIds }) => promptIds.length)),
      tok_s_median: Number(median(speeds).toFixed(1)),
      tok_s_best: Number(Math.max(...speeds).toFixed(1)),
      peak_rss_gb: Number((process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)),
    }),
  );
}

function ours(run) {
  const env = { ...process.env, OMP_NUM_THREADS: String(run.threads), MKL_NUM_THREADS: String(run.threads) };
  const output = execFileSync(process.execPath, [import.meta.filename, 'ours', JSON.stringify(run)], { env });
  return JSON.parse(output.toString());
}

function transformers(found, { model, dtype, batch, tokens, steps, warmup, threads }, folder) {
  return runPeer(found, 'hf_generate.py', { model, dtype, bs: batch, new: tokens, steps, warmup, threads }, folder);
}

function compare() {
  const { batches, rounds, peers, python, ...options } = settings({
    model: join(checkout, 'models/smollm2-135m-instruct'),
    dtype: 'bf16',
    weights: 'full',
    batches: '1,8,32',
    tokens: 64,
    steps: 3,
    warmup: 1,
    rounds: 2,
    threads: 2,
    peers: join(checkout, '../shared/peers'),
    python: 'python3',
  });
  const scratch = mkdtempSync(join(tmpdir(), 'bench-decode-'));
  const found = findPeers({ peers, python });
  for (const batch of batches.split(',').map(Number)) {
    const run = { ...options, model: resolve(options.model), batch };
    const lines = { ours: [], transformers: [] };
    for (let round = 0; round < rounds; round++) {
      lines.ours.push(ours(run));
      console.log(JSON.stringify(lines.ours.at(-1)));
      if (!found) continue;
      lines.transformers.push(transformers(found, run, scratch));
      console.log(JSON.stringify(lines.transformers.at(-1)));
    }
    const { dtype, weights, threads } = options;
    const result = { batch, dtype, weights, threads, ...comparison(lines.ours, 'transformers', lines.transformers) };
    console.log(JSON.stringify(result));
  }
  rmSync(scratch, { recursive: true, force: true });
}

if (process.argv[2] === 'ours') await measureOurs(JSON.parse(process.argv[3]));
else compare();
