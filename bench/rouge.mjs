/**
 * How many pairs ROUGE compares in a CPU-second of one core. npm run bench:rouge -- [--pairs 1000000]
 * Coded: ROUGE-L of texts of up to 20 words that are whole numbers already, each pair by itself. End to end: ROUGE-1, -2
 * and -L of texts of 100 words as they stand in a file, split, counted and compared. Words are drawn by Zipf's law (seeded);
 * half of an answer's are its reference's. One JSON line each.
 */
import { loadavg } from 'node:os';
import { Rng } from '../dist/src/base/rng.js';
import { rougeOf } from '../dist/src/evaluate/rouge.js';
import { lcsLength } from '../dist/src/text/rouge.js';
import { settings } from './peers.mjs';

const vocabulary = 30_000;
const rng = new Rng('bench rouge');
const word = () => Math.floor(vocabulary ** rng.uniform()) - 1;
const words = (count) => Array.from({ length: count }, word);
const answerTo = (reference) => reference.map((one) => (rng.uniform() < 0.5 ? one : word()));

function measure(name, pairs, compare) {
  let sum = 0;
  const before = process.cpuUsage();
  for (const pair of pairs) sum += compare(pair);
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = (user + system) / 1e6;
  const line = { bench: name, pairs: pairs.length, cpuSeconds, pairsPerSecond: Math.round(pairs.length / cpuSeconds) };
  console.log(JSON.stringify({ ...line, mean: sum / pairs.length }));
}

const count = Number(settings({ pairs: '1000000' }).pairs);
console.log(JSON.stringify({ load: loadavg()[0] }));
const coded = Array.from({ length: count }, () => {
  const reference = words(1 + rng.int(20));
  return [Int32Array.from(reference), Int32Array.from(answerTo(reference))];
});
measure('ROUGE-L, coded, up to 20 words', coded, ([a, b]) => (2 * lcsLength(a, b)) / (a.length + b.length));
const texts = Array.from({ length: count / 50 }, () => {
  const reference = words(100);
  const text = (codes) => codes.map((code) => `w${code.toString(36)}`).join(' ');
  return { reference: text(reference), candidate: text(answerTo(reference)) };
});
measure('ROUGE-1, -2 and -L, end to end, 100 words', texts, (pair) => rougeOf(pair).rougeL);
