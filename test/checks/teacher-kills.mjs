/**
 * Answers to given tasks are bought through kill -9: the command line itself against the fault server, with faults on,
 * killed at random moments, then run to its end. Nothing may be lost, nothing bought twice but what was under way.
 *
 *   node test/checks/teacher-kills.mjs [--rows 10000] [--kills 5] [--concurrency 64] [--seed 1] [--root FOLDER]
 *     [--faults JSON] [--within MS] [-- flags of `generate answers`, such as --batch]
 *
 * Prints a summary as JSON; exit code 1 where a check fails. `--root`: a folder with `understudy` and `dist`, for a test
 * that compiles its own; else this checkout, built first. Random moments follow from the seed: as counts of answers, or,
 * with `--within` (for batches, whose answers come all at once), as times since a run's start and, every second time, since
 * a batch was done. `--faults` are added to those below.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chance } from '../teacher/fault-server/chance.mjs';
import { startFaultServer } from '../teacher/fault-server/start.mjs';
import { judge } from './judge-kills.mjs';
import { readLedger } from './read-ledger.mjs';

const checkout = join(import.meta.dirname, '../..');
const { values, positionals: flags } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '10000' },
    kills: { type: 'string', default: '5' },
    concurrency: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
    root: { type: 'string' },
    faults: { type: 'string', default: '{}' },
    within: { type: 'string' },
  },
});
const [rows, kills, concurrency, seed] = [values.rows, values.kills, values.concurrency, values.seed].map(Number);
const root = values.root ?? checkout;

/** Each request meets three faults at most, so that every row has its answer within the caller's six attempts. */
const faults = {
  latencyMs: 40,
  jitterMs: 60,
  shares: {
    rateLimited: 0.03,
    error503: 0.015,
    error529: 0.015,
    error500: 0.02,
    error502: 0.02,
    resetBefore: 0.01,
    resetMidBody: 0.02,
    slow: 0.005,
    wrongJson: 0.01,
    htmlPage: 0.01,
    truncated: 0.02,
  },
  slowMs: 1500,
  maxFaultsPerRequest: 3,
  retryAfterMs: 300,
  storm: { everyMs: 5000, forMs: 500 },
};
const maxTokens = 64;
/** Less than it takes to collect a batch and wait for the next. */
const collectingMs = 1000;
/** The command ends with exit code 1 where rows were left without an answer, and is run again, as its message says. */
const mostRuns = 5;

const folder = mkdtempSync(join(tmpdir(), 'teacher-kills-'));
const data = join(folder, 'tasks.jsonl');
const out = join(folder, 'out');
const ledgerFile = join(out, 'ledger.sqlite');
const instructions = Array.from(
  { length: rows },
  (_, i) => `Row ${String(i).padStart(6, '0')}: say something about stones.`,
);

/** Runs the command; `until` resolves when it is to be killed. */
async function run(baseUrl, until) {
  const teacher = ['--provider', 'openai-compatible', '--model', 'test-model', '--base-url', baseUrl];
  const settings = ['--concurrency', String(concurrency), '--max-tokens', String(maxTokens), '--json', ...flags];
  const args = [join(root, 'understudy'), 'generate', 'answers', '--data', data, ...teacher, ...settings, '--out', out];
  const env = { ...process.env, UNDERSTUDY_SKIP_SETUP: '1', NO_COLOR: '1' };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let said = '';
  child.stdout.on('data', (chunk) => (printed += chunk));
  child.stderr.on('data', (chunk) => (said += chunk));
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, printed, said: said.slice(-2000) }));
  await Promise.race([ended, until(() => child.exitCode !== null).then(() => child.kill('SIGKILL'))]);
  return await ended;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves a moment after the server has made so many answers. */
const after = (server, answers, momentMs) => async (isOver) => {
  while (!isOver() && (await server.counts()).served < answers) await sleep(10);
  await sleep(momentMs);
};
/** Resolves so long after the run began, as soon as there is a ledger. */
const since = (ms) => async (isOver) => {
  await sleep(ms);
  while (!isOver() && !existsSync(ledgerFile)) await sleep(10);
};
/** Resolves so long after more rows of batches were served: while they are collected. */
const afterBatch = (server, ms) => async (isOver) => {
  const { batchRows } = await server.counts();
  while (!isOver() && (await server.counts()).batchRows === batchRows) await sleep(10);
  await sleep(ms);
};
const never = () => new Promise(() => {});

async function main() {
  if (values.root === undefined) {
    const built = spawnSync(process.execPath, [join(root, 'scripts/setup.mjs'), '--only', 'build'], {
      stdio: 'inherit',
    });
    if (built.status !== 0) return 1;
  }
  writeFileSync(data, instructions.map((instruction) => `${JSON.stringify({ instruction, output: '' })}\n`).join(''));
  const state = join(folder, 'state.jsonl');
  const server = await startFaultServer({ state, seed, faults: { ...faults, ...JSON.parse(values.faults) } });
  const startedAt = Date.now();
  const killed = [];
  for (let k = 0; k < kills; k++) {
    const answers = Math.ceil((rows * (k + 0.2 + 0.8 * chance(seed, 'kill', k))) / (kills + 1));
    const moment = chance(seed, 'moment', k);
    const until =
      values.within === undefined
        ? after(server, answers, 100 * moment)
        : k % 2 === 0
          ? since(Number(values.within) * moment)
          : afterBatch(server, collectingMs * moment);
    const { signal, code, said } = await run(server.baseUrl, until);
    if (signal !== 'SIGKILL') throw new Error(`ended with exit code ${code} before it could be killed: ${said}`);
    killed.push({ at: Date.now(), ledger: readLedger(ledgerFile) });
  }
  const ends = [];
  while (ends.length < mostRuns && ends.at(-1)?.code !== 0) ends.push(await run(server.baseUrl, never));
  const { printed, said, code } = ends.at(-1);
  if (code !== 0) throw new Error(`not done after ${mostRuns} runs: ${said}`);
  while ((await server.counts()).inFlight > 0) await sleep(50);
  const summary = judge({
    instructions,
    maxTokens,
    concurrency,
    killed,
    printed: JSON.parse(printed),
    written: lines(join(out, 'data.jsonl')),
    ledger: readLedger(ledgerFile),
    events: server.events(),
    counts: await server.counts(),
    batches: readBatches(`${state}.files`),
  });
  await server.stop();
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  console.log(JSON.stringify({ ...summary, runs: killed.length + ends.length, seconds }, null, 2));
  return Object.values(summary.checks).every((check) => check === true) ? 0 : 1;
}

/** Rows of each batch with what became of them, in the order the batches were made in. */
const readBatches = (files) =>
  existsSync(files)
    ? readdirSync(files)
        .filter((name) => name.endsWith('.rows'))
        .sort()
        .map((name) => lines(join(files, name)))
    : [];

const lines = (file) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

try {
  process.exitCode = await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
