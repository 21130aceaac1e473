/**
 * What going over data costs. npm run bench:data -- [--alpaca ../shared/data/alpaca-52k.json.gz] [--rows 50000,100000,200000]
 * Novelty: CPU-seconds of the filter over the instructions of Alpaca's 52,002 rows, each against all kept, on one core;
 * Alpaca's own way took 13 CPU-hours. Growth: CPU-seconds and peak memory of `data dedupe --exact --near 0.8`, `data lint`
 * and `data stats`, reading and writing included, over synthetic rows (seeded, by Zipf's law; a twentieth are copies, most
 * with some words changed). Each measurement is a process of its own. One JSON line each.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout, settings } from './peers.mjs';

const measurements = { novelty, growth };

async function novelty({ file }) {
  const { readRows } = await import('../dist/src/base/rows.js');
  const { noveltyThreshold, SimilarTexts } = await import('../dist/src/data/novelty.js');
  const instructions = readRows(file).rows.map(({ value }) => value.instruction);
  const before = process.cpuUsage();
  const similar = new SimilarTexts(noveltyThreshold);
  let kept = 0;
  for (const instruction of instructions) {
    if (similar.nearest(instruction)) continue;
    similar.add(instruction);
    kept += 1;
  }
  return { bench: 'novelty', rows: instructions.length, kept, ...used(before) };
}

/** The recipe of each command, with the settings that it is measured with; what of the result is shown. */
const commands = {
  async dedupe(input, out) {
    const { run } = await import('../dist/recipes/dedupe.js');
    const { kept, filters } = await run({ inputs: [input], out, exact: true, near: 0.8 }, context);
    return { kept, dropped: Object.fromEntries(filters.map((filter) => [filter.reason, filter.dropped])) };
  },
  async lint(input, out) {
    const { run } = await import('../dist/recipes/lint.js');
    const { kept, findings } = await run({ files: [input], out }, context);
    return { kept, findings };
  },
  async stats(input) {
    const { run } = await import('../dist/recipes/data-stats.js');
    const { sets } = await run({ files: [input], verbNouns: ['instructions'] }, context);
    return { records: sets[0].records };
  },
};
const context = { signal: new AbortController().signal, progress: () => ({ update() {}, note() {}, finish() {} }) };

async function growth({ command, rows, folder }) {
  const before = process.cpuUsage();
  const found = await commands[command](join(folder, 'rows.jsonl'), join(folder, `${command}.jsonl`));
  const { cpuSeconds, peakMb } = used(before);
  return {
    bench: `data ${command}`,
    rows,
    cpuSeconds,
    cpuMsPerRow: round((1000 * cpuSeconds) / rows),
    peakMb,
    ...found,
  };
}

function used(before) {
  const { user, system } = process.cpuUsage(before);
  return { cpuSeconds: round((user + system) / 1e6), peakMb: Math.round(process.resourceUsage().maxRSS / 1024) };
}

const round = (value) => Number(value.toFixed(3));

/** Conversations of one to four rounds; some are copies of one of the thousand before, some have a few words changed. */
async function writeRows(file, count) {
  const { Rng } = await import('../dist/src/base/rng.js');
  const rng = new Rng('bench data');
  const vocabulary = Array.from({ length: 30_000 }, (_, i) => `w${i.toString(36)}`);
  const word = () => vocabulary[Math.floor(vocabulary.length ** rng.uniform()) - 1];
  const words = (least, most) => Array.from({ length: least + rng.int(most - least) }, word);
  const recent = [];
  const handle = openSync(file, 'w');
  for (let id = 0; id < count; id++) {
    const roll = rng.uniform();
    let texts = Array.from({ length: 2 + 2 * rng.int(4) }, (_, i) => (i % 2 === 0 ? words(5, 30) : words(20, 150)));
    if (roll < 1 / 20 && recent.length > 0) texts = recent[rng.int(recent.length)];
    if (roll < 1 / 30) texts = texts.map((text) => text.map((one) => (rng.uniform() < 0.005 ? word() : one)));
    recent[id % 1000] = texts;
    const messages = texts.map((text, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content: text.join(' ') }));
    writeSync(handle, `${JSON.stringify({ id: `row-${id}`, messages })}\n`);
  }
  closeSync(handle);
}

function measure(name, options) {
  const output = execFileSync(process.execPath, [import.meta.filename, 'one', name, JSON.stringify(options)]);
  console.log(output.toString().trim());
}

async function all() {
  const { alpaca, rows } = settings({
    alpaca: join(checkout, '../shared/data/alpaca-52k.json.gz'),
    rows: '50000,100000,200000',
  });
  console.log(JSON.stringify({ loadBefore: loadavg()[0] }));
  if (existsSync(alpaca)) measure('novelty', { file: alpaca });
  else console.error(`NOVELTY IS NOT MEASURED: no such file: ${alpaca}; see --alpaca`);
  const folder = mkdtempSync(join(tmpdir(), 'bench-data-'));
  for (const count of rows.split(',').map(Number)) {
    await writeRows(join(folder, 'rows.jsonl'), count);
    for (const command of Object.keys(commands)) measure('growth', { command, rows: count, folder });
  }
  rmSync(folder, { recursive: true });
  console.log(JSON.stringify({ loadAfter: loadavg()[0] }));
}

const [, , mode, name, options] = process.argv;
if (mode === 'one') console.log(JSON.stringify(await measurements[name](JSON.parse(options))));
else await all();
