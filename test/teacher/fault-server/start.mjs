/** Starts the fault server as a process of its own and speaks to its back door. Types: start.d.mts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { answerTo } from './answer.mjs';
import { requestHash } from './chance.mjs';
import { defaults } from './settings.mjs';

export { requestHash };

export const expectedText = (body, answerWords = defaults.answerWords) => answerTo(body, answerWords, undefined).text;

export async function startFaultServer({ state, seed = 1, faults = {}, port = 0 }) {
  const args = ['--state', state, '--seed', String(seed), '--port', String(port), '--faults', JSON.stringify(faults)];
  const script = join(import.meta.dirname, 'main.mjs');
  const child = spawn(process.execPath, [script, ...args, '--until-stdin-ends'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const first = once(createInterface({ input: child.stdout }), 'line');
  const [line] = await Promise.race([first, exited.then(([code]) => Promise.reject(new Error(`exit code ${code}`)))]);
  const { address, baseUrl, pid } = JSON.parse(line);

  async function call(path, init) {
    const response = await fetch(`${address}${path}`, init);
    const body = await response.json();
    if (!response.ok) throw new Error(body.error.message);
    return body;
  }
  async function end(signal) {
    child.kill(signal);
    await exited;
  }
  return {
    address,
    baseUrl,
    pid,
    port: Number(new URL(address).port),
    counts: () => call('/__state'),
    set: (change) => call('/__faults', { method: 'POST', body: JSON.stringify(change) }),
    events: () => eventsOf(state),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

export function eventsOf(state) {
  if (!existsSync(state)) return [];
  const lines = readFileSync(state, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}
