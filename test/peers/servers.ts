/** Real servers that teachers are tried on, each in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../cli/program.ts';

const python = process.env['PEERS_PYTHON'] as string;

export interface RealServer {
  /** With /v1. */
  readonly baseUrl: string;
  stop(): Promise<void>;
}

/** llama.cpp's own, for a GGUF file. */
export async function startLlamaServer(model: string, key?: string): Promise<RealServer> {
  const args = [join(root, 'scripts/peers/llama_server.py'), model, ...(key === undefined ? [] : [key])];
  const child = spawn(python, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  endsWithUs(child);
  const address = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /listening on (http:\S+)\n/.exec(said);
      if (found) resolve(found[1] as string);
    });
    child.on('close', (code) => reject(new Error(`llama.cpp's server ended with ${code}: ${said}`)));
  });
  return { baseUrl: `${address}/v1`, stop: () => stopped(child) };
}

/** `transformers serve` for a model folder, with an empty hub cache. */
export async function startTransformersServer(model: string): Promise<RealServer> {
  const port = await freePort();
  const cache = mkdtempSync(join(tmpdir(), 'understudy-hub-'));
  const args = ['-m', 'transformers.cli.transformers', 'serve', model, '--host', '127.0.0.1', '--port', String(port)];
  const env = { ...process.env, HF_HOME: cache, HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1' };
  const child = spawn(python, args, { stdio: 'ignore', env });
  endsWithUs(child);
  let ended = false;
  child.on('close', () => {
    ended = true;
  });
  const isUp = () =>
    fetch(`http://127.0.0.1:${port}/health`).then(
      (response) => response.ok,
      () => false,
    );
  while (!(await isUp())) {
    if (ended) throw new Error('transformers serve ended before it listened');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    async stop() {
      await stopped(child);
      rmSync(cache, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Whatever becomes of the test. */
function endsWithUs(child: ChildProcess): void {
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('close', () => process.off('exit', end));
}

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.on('close', () => resolve());
    child.kill('SIGKILL');
  });
}
