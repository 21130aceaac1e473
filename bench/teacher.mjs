/**
 * Whether the caller keeps a server busy. npm run bench:teacher -- [--calls 512] [--latency 1000] [--rows 2048,20480]
 * Calls go to the tests' fault server (no faults here), which answers each after the latency. Busy is what the server could
 * have answered that it was asked: answers · latency / (calls · wall time), from the first call to the last answer, and
 * once as many calls are under way as may be, without the beginning, where the caller feels its way, and the end.
 * Peak memory is the caller's, in a process of its own for each number of rows: it must not grow with them. One JSON line
 * each.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { startFaultServer } from '../test/teacher/fault-server/start.mjs';
import { checkout, settings } from './peers.mjs';

const answerWords = 150;

/** The caller's side, in its own process. */
async function ask({ rows, calls, baseUrl, folder, dist }) {
  const load = (path) => import(pathToFileURL(join(dist, 'src/teacher', path)).href);
  const { askStream } = await load('caller.js');
  const { Ledger } = await load('ledger.js');
  const { openVendor } = await load('vendors.js');
  const ledger = new Ledger(join(folder, 'ledger.sqlite'));
  const vendor = { provider: 'openai-compatible', model: 'test-model', baseUrl };
  const teacher = openVendor({ ...vendor, concurrency: calls, timeoutSeconds: 60 });
  function* requests() {
    for (let i = 0; i < rows; i++) {
      const content = `Row ${i}: ${'say something about stones and rivers; '.repeat(10)}`;
      const parameters = { maxTokens: 256 };
      yield { model: 'test-model', messages: [{ role: 'user', content }], parameters, sample: 0 };
    }
  }
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  let answered = 0;
  for await (const { answer } of askStream(requests, rows, { teacher, ledger, stage: 'bench' }))
    if (answer) answered += 1;
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  ledger.close();
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1024);
  return { answered, seconds, cpuMsPerCall: (user + system) / 1000 / rows, peakMb };
}

/** How much of `calls` was under way, between two times. */
function busyShare(served, calls, from, to) {
  const underWay = served.map(({ askedAt, at }) => Math.max(0, Math.min(at, to) - Math.max(askedAt, from)));
  return underWay.reduce((a, b) => a + b, 0) / (calls * (to - from));
}

/** The first time that so many calls were under way. */
function fullSince(served, calls) {
  const steps = served.flatMap(({ askedAt, at }) => [
    [askedAt, 1],
    [at, -1],
  ]);
  let underWay = 0;
  for (const [at, step] of steps.sort(([a, x], [b, y]) => a - b || x - y)) {
    underWay += step;
    if (underWay >= 0.99 * calls) return at;
  }
  return undefined;
}

async function measure({ rows, calls, latency, dist }) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-teacher-'));
  const faults = { latencyMs: latency, answerWords };
  const server = await startFaultServer({ state: join(folder, 'state.jsonl'), faults });
  try {
    const job = JSON.stringify({ rows, calls, baseUrl: server.baseUrl, folder, dist });
    const { stdout } = await promisify(execFile)(process.execPath, [import.meta.filename, 'one', job]);
    const { answered, seconds, cpuMsPerCall, peakMb } = JSON.parse(stdout);
    const served = server.events().filter(({ e }) => e === 'served');
    const full = fullSince(served, calls);
    const lastAsked = served.reduce((last, { askedAt }) => Math.max(last, askedAt), 0);
    return {
      bench: 'teacher',
      rows,
      calls,
      latencyMs: latency,
      answered,
      seconds: round(seconds),
      callsPerSecond: round(rows / seconds),
      busy: round((served.length * latency) / (calls * seconds * 1000)),
      busyOnceFull: full === undefined || full >= lastAsked ? null : round(busyShare(served, calls, full, lastAsked)),
      secondsUntilFull: full === undefined ? null : round((full - served[0].askedAt) / 1000),
      cpuMsPerCall: round(cpuMsPerCall),
      peakMb,
    };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

const round = (value) => Number(value.toFixed(3));

async function all() {
  const { calls, latency, rows, dist } = settings({
    calls: 512,
    latency: 1000,
    rows: '2048,20480',
    dist: join(checkout, 'dist'),
  });
  console.log(JSON.stringify({ loadBefore: loadavg()[0] }));
  for (const count of rows.split(',').map(Number))
    console.log(JSON.stringify(await measure({ rows: count, calls, latency, dist })));
  console.log(JSON.stringify({ loadAfter: loadavg()[0] }));
}

const [, , mode, job] = process.argv;
if (mode === 'one') console.log(JSON.stringify(await ask(JSON.parse(job))));
else await all();
