/**
 * Many raters at once against one server. npm run bench:people -- [--raters 100] [--seconds 60] [--pause 1000] [--items 3000]
 * Each rater asks for a comparison, waits as long as --pause says (milliseconds; nobody reads that fast), votes, and goes
 * on. Then the server is killed with -9 and its file is read: every vote that was acknowledged must be in it. Latency is
 * from the request to the end of its answer, in milliseconds. One JSON line.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { checkout, settings } from './peers.mjs';

const { raters, seconds, pause, items, dist } = settings({
  raters: 100,
  seconds: 60,
  pause: 1000,
  items: 3000,
  dist: join(checkout, 'dist'),
});
const folder = mkdtempSync(join(tmpdir(), 'bench-people-'));
const words = 'The answer goes on for a while about stones and rivers. '.repeat(20);

function startServer() {
  const file = join(folder, 'items.jsonl');
  const row = (i) => ({ id: `q${i}`, question: `Question ${i}?`, answers: { one: `${i}: ${words}`, two: words } });
  writeFileSync(file, Array.from({ length: items }, (_, i) => `${JSON.stringify(row(i))}\n`).join(''));
  const main = `import(${JSON.stringify(pathToFileURL(join(dist, 'cli/main.js')).href)}).then((m) => m.main(process.argv.slice(1)))`;
  const args = [
    'evaluate',
    'human',
    'serve',
    file,
    '--out',
    folder,
    '--raters',
    String(raters),
    '--port',
    '0',
    '--json',
  ];
  const server = spawn(process.execPath, ['-e', main, '--', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let text = '';
    server.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('}\n')) resolve({ server, ...JSON.parse(text) });
    });
    server.on('close', (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

const seen = { next: [], vote: [], acknowledged: [], retries: 0 };
const agent = new Agent({ keepAlive: true, maxSockets: raters });

/** As the page does: what the network lost is sent again. The time is from the first try on. */
async function call(...request) {
  const since = performance.now();
  for (;;) {
    try {
      return { answer: await once(...request), ms: performance.now() - since };
    } catch (error) {
      if (error.code === undefined) throw error;
      seen.retries += 1;
    }
  }
}

function once(url, token, method, path, body) {
  const headers = { authorization: `Bearer ${token}`, 'x-understudy-people': '1', 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/api/${path}`, { method, headers, agent }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        if (response.statusCode !== 200) reject(new Error(`${path}: ${response.statusCode} ${text}`));
        else resolve(JSON.parse(text));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function rate(url, token, until) {
  // Not all at the same moment.
  await wait(Math.random() * pause);
  while (performance.now() < until) {
    const next = await call(url, token, 'POST', 'next', '{}');
    seen.next.push(next.ms);
    if (next.answer.kind === 'finished') throw new Error('too few items: --items');
    await wait(pause);
    const { id } = next.answer.comparison;
    const choices = { helpful: 'left', honest: 'same', harmless: 'right' };
    const vote = await call(
      url,
      token,
      'PUT',
      `comparisons/${id}/vote`,
      JSON.stringify({ choices, comment: id, seconds: 1 }),
    );
    seen.vote.push(vote.ms);
    if (vote.answer.stored) seen.acknowledged.push(id);
  }
}

const percentiles = (values) => {
  const sorted = values.sort((a, b) => a - b);
  const at = (share) => Number(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(1));
  return { n: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
};

const loadBefore = loadavg()[0];
const { server, url, invitations } = await startServer();
server.removeAllListeners('close');
const until = performance.now() + seconds * 1000;
await Promise.all(invitations.map(({ link }) => rate(url, link.split('#')[1], until)));
agent.destroy();
server.kill('SIGKILL');
await new Promise((resolve) => server.once('close', resolve));
const { StudyStore } = await import(pathToFileURL(join(dist, 'studio/server/store.js')).href);
const store = new StudyStore(folder);
const stored = new Set(store.votes().map(({ comment }) => comment));
store.close();
rmSync(folder, { recursive: true, force: true });
const lost = seen.acknowledged.filter((id) => !stored.has(id)).length;
const latencyMs = { next: percentiles(seen.next), vote: percentiles(seen.vote) };
const acknowledged = seen.acknowledged.length;
console.log(
  JSON.stringify({
    bench: 'people',
    raters,
    seconds,
    pauseMs: pause,
    items,
    acknowledged,
    lost,
    retries: seen.retries,
    latencyMs,
    loadBefore,
  }),
);
process.exitCode = lost === 0 ? 0 : 1;
