/**
 * What picking the best of n brings: the curve from one pool of answers a prompt (unbiased, over all subsets) against n fresh
 * answers a prompt of which the best was really picked; and the ranked groups, 1 the best, by ROUGE-L to references, which
 * the reward model has not seen.
 * npm run bench:best-of -- --reward-model FOLDER [--model builtin] [--prompts FILE] [--count 64] [--pool 16] [--n 5]
 * Prompts are rows with an answer, the reference. One JSON line; the files are kept in --out.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout, settings, understudy } from './peers.mjs';

const options = settings({
  'reward-model': join(checkout, 'runs/bench-reward'),
  model: 'builtin',
  prompts: join(checkout, '../shared/data/gpt4-answers-en.json'),
  count: 64,
  pool: 16,
  n: 5,
  'max-tokens': 64,
  threads: 2,
  out: join(checkout, 'runs/bench-best-of'),
});
mkdirSync(options.out, { recursive: true });
const chosen = JSON.parse(readFileSync(options.prompts, 'utf8'))
  .map(({ instruction, input = '', output }, i) => ({ id: `p${i}`, instruction, input, output }))
  .filter(({ instruction, input }) => input === '' && instruction.length < 200)
  .slice(0, options.count);
const file = (name, rows) => {
  const path = join(options.out, name);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return path;
};
const prompts = file(
  'prompts.jsonl',
  chosen.map(({ output: _, ...row }) => row),
);
const references = file(
  'references.jsonl',
  chosen.map(({ id, output }) => ({ id, output })),
);

function ranked(name, n, seed) {
  const out = join(options.out, name);
  understudy(
    ...['answer', '--model', options.model, '--prompts', prompts, '--out', out, '--best-of', n, '--seed', seed],
    ...['--reward-model', options['reward-model'], '--temperature', 1, '--top-p', 1],
    ...['--max-tokens', options['max-tokens'], '--threads', options.threads, '--json'],
  );
  return out;
}

const pool = ranked('pool.jsonl', options.pool, 1);
const curve = understudy('evaluate', 'best-of', pool, '--references', references, '--json');
const picked = readFileSync(ranked('picked.jsonl', options.n, 2), 'utf8')
  .trim()
  .split('\n')
  .map(JSON.parse);
const rewards = picked.flatMap(({ reward }) => (reward === null ? [] : [reward]));
const estimate = curve.points.find(({ n }) => n === options.n).reward;
const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
const gain = curve.gain && { reward: curve.gain.reward, values: curve.gain.values };
console.log(
  JSON.stringify({
    prompts: curve.prompts,
    pool: curve.poolSize,
    n: options.n,
    estimate,
    picked: mean,
    within: estimate.low <= mean && mean <= estimate.high,
    points: curve.points.map(({ n, reward, length, values }) => ({ n, reward, length, values })),
    gain,
    groups: curve.groups.map(({ rank, reward, values }) => ({ rank, reward, values })),
    warnings: curve.warnings,
  }),
);
