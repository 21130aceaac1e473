/** Runs the program as a user does, in a child process. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');
export const tinyModel = join(root, 'test/golden/llama-tied');

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly onSpawn?: (pid: number) => void;
  /** Called as output comes; what it returns is sent as a signal to the process. */
  readonly onStderr?: (text: string) => NodeJS.Signals | undefined;
}

/** Set-up was done by `npm test`; keys of the machine stay out. */
export function understudy(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const { OPENAI_API_KEY: _openai, ANTHROPIC_API_KEY: _anthropic, ...env } = process.env;
    const child = spawn(process.execPath, [join(root, 'understudy'), ...args], {
      cwd: options.cwd ?? root,
      env: { ...env, UNDERSTUDY_SKIP_SETUP: '1', NO_COLOR: '1', ...options.env },
    });
    if (child.pid !== undefined) options.onSpawn?.(child.pid);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      const signal = options.onStderr?.(stderr);
      if (signal) child.kill(signal);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    child.stdin.end(options.input ?? '');
  });
}

/** By their names in the folder, at any depth. */
export const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();

/** Of those files in a folder whose names match: what must not depend on how often the program was killed. */
export const hashesUnder = (folder: string, names: RegExp): Record<string, string> =>
  Object.fromEntries(
    filesUnder(folder)
      .filter((name) => names.test(name))
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
      ]),
  );
