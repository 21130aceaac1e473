/**
 * A task that a program checks, learned by reinforcement: answers of at most eight words that end with a full stop.
 * npm run bench:rl [-- --algorithms grpo,ppo] [--prompts FILE] [--seeds 1,2,3] [--held-out 200] [--out bench/rl]
 * `--prompts`: instructions; so many of them are held out. A share of the held-out answers (one sample each, at the
 * temperature of training) is right before and after, with Wilson's interval; how many of them differ; the divergence at the
 * end. The curve of each run is left in `out`. One JSON line a seed.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout, settings, stepsOf, understudy } from './peers.mjs';

const options = settings({
  algorithms: 'grpo,ppo',
  model: 'builtin',
  prompts: join(checkout, '../shared/data/gpt4-answers-en.json'),
  seeds: '1,2,3',
  'held-out': 200,
  iterations: 18,
  lr: 5e-4,
  threads: 2,
  out: join(checkout, 'bench/rl'),
});
const scratch = mkdtempSync(join(tmpdir(), 'bench-rl-'));
const file = (name, value) => {
  const path = join(scratch, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
};
const all = JSON.parse(readFileSync(options.prompts, 'utf8'))
  .map(({ instruction, input = '' }, i) => ({ id: `p${i}`, instruction, input }))
  .filter(({ instruction, input }) => input === '' && instruction.length < 200);
const heldOut = all.slice(0, options['held-out']);
const training = all.slice(options['held-out']);
if (heldOut.length < options['held-out'] || training.length < 50) {
  throw new Error(
    `${options.prompts}: ${all.length} short prompts, expected ${options['held-out']} to hold out and 50 more`,
  );
}

const right = (text) => text.trim().split(/\s+/).length <= 8 && /\.$/.test(text.trim());

/** One sampled answer to each held-out prompt. */
function measured(model, name) {
  const out = join(scratch, `${name}.jsonl`);
  understudy(
    ...[
      'answer',
      '--model',
      model,
      '--prompts',
      file('held-out.json', heldOut),
      '--out',
      out,
      '--threads',
      options.threads,
    ],
    ...['--temperature', 1, '--top-p', 1, '--max-tokens', 32, '--seed', 7],
  );
  const texts = readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).output);
  const rate = texts.filter(right).length / texts.length;
  const z = 1.96;
  const centre = rate + (z * z) / (2 * texts.length);
  const spread = z * Math.sqrt((rate * (1 - rate)) / texts.length + (z * z) / (4 * texts.length ** 2));
  const scale = 1 + (z * z) / texts.length;
  const bounds = [(centre - spread) / scale, (centre + spread) / scale].map((bound) => Number(bound.toFixed(3)));
  return { answers: texts.length, right: rate, interval: bounds, distinct: new Set(texts).size / texts.length };
}

const before = measured(options.model, 'before');
mkdirSync(options.out, { recursive: true });
const runs = options.algorithms
  .split(',')
  .flatMap((algorithm) => options.seeds.split(',').map((seed) => ({ algorithm, seed })));
for (const { algorithm, seed } of runs) {
  const output = join(scratch, `${algorithm}-${seed}`);
  const config = {
    model: options.model,
    data: [file('training.json', training)],
    output,
    rewards: [
      { kind: 'words', atMost: 8, slack: 16, weight: 1 },
      { kind: 'regex', pattern: '\\.\\s*$', weight: 0.5 },
    ],
    iterations: options.iterations,
    promptsPerIteration: 8,
    samples: 8,
    maxNewTokens: 24,
    minibatches: 2,
    updateEpochs: 1,
    learningRate: options.lr,
    klBeta: 0.02,
    seed: Number(seed),
  };
  const startedMs = performance.now();
  understudy('train', algorithm, '--config', file('config.json', config), '--threads', options.threads);
  const seconds = (performance.now() - startedMs) / 1000;
  const rows = stepsOf(output);
  const after = measured(output, `after-${algorithm}-${seed}`);
  const curve = rows.map(({ step, seconds: took, secondsOf, reward, kl, entropy, length }) => ({
    step,
    seconds: took,
    secondsOf,
    reward,
    kl,
    entropy,
    length,
  }));
  const result = {
    algorithm,
    seed: Number(seed),
    seconds: Math.round(seconds),
    klAtEnd: rows.at(-1).kl,
    before,
    after,
  };
  writeFileSync(join(options.out, `${algorithm}-${seed}.json`), `${JSON.stringify({ ...result, curve }, null, 1)}\n`);
  console.log(JSON.stringify(result));
}
rmSync(scratch, { recursive: true, force: true });
