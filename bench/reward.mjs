/**
 * A reward model on GPT-4's comparisons (GPT-4-LLM's comparison_data_v2, as shared/data has a part of them), and how often it
 * is right on prompts it never saw, beside "the longer one is better": on all pairs, and on those whose better answer is not
 * the longer one. "no evidence": the 95 % interval, by bootstrap over prompts, holds 50 %.
 * npm run bench:reward [-- --data FILE] [--model builtin] [--held-out 330] [--out FOLDER] [--python PYTHON]
 * `--python`, which has torch and transformers: the folder is loaded there, too, and scores the held-out answers; the
 * largest difference is printed. One JSON line. Some 40 minutes on two cores without bf16; goes on where it stopped.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout, settings, understudy } from './peers.mjs';

const options = settings({
  data: join(checkout, '../shared/data/comparison-pairs-en.json'),
  model: 'builtin',
  'held-out': 330,
  'max-tokens': 1024,
  epochs: 1,
  lr: 2e-5,
  out: join(checkout, 'runs/bench-reward'),
  threads: 2,
  python: '',
});

const rows = JSON.parse(readFileSync(options.data, 'utf8')).length;
const startedMs = performance.now();
const trained = understudy(
  ...['train', 'reward', '--model', options.model, '--data', options.data, '--out', options.out],
  ...['--max-tokens', options['max-tokens'], '--epochs', options.epochs, '--lr', options.lr],
  ...['--eval-share', (options['held-out'] / rows).toFixed(4), '--threads', options.threads, '--json'],
);
const seconds = Math.round((performance.now() - startedMs) / 1000);
const card = understudy('evaluate', 'reward', options.out, '--json');
const figures = ({ pairs, prompts, accuracy, evidence, longerWins }) => ({
  pairs,
  prompts,
  accuracy,
  evidence,
  longerWins,
});
console.log(
  JSON.stringify({
    model: options.model,
    seconds,
    trainedPrompts: trained.receipt.kept - card.prompts,
    all: figures(card.all),
    overLongerWins: card.overLongerWins,
    notLonger: card.notLonger && figures(card.notLonger),
    ...(options.python && { transformers: byTransformers() }),
  }),
);

function byTransformers() {
  const script = join(checkout, 'scripts/peers/reward_scores.py');
  const child = spawnSync(options.python, [script, options.out, join(options.out, 'held-out.jsonl')], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (child.status !== 0) throw new Error(child.stderr);
  const theirs = JSON.parse(child.stdout);
  const held = readFileSync(join(options.out, 'held-out.jsonl'), 'utf8').trim().split('\n').map(JSON.parse);
  const ours = held.flatMap(({ answers }) => answers.map(({ reward }) => reward));
  const largest = ours.reduce((most, reward, i) => Math.max(most, Math.abs(reward - theirs[i])), 0);
  return { scores: ours.length, largestDifference: largest };
}
