/**
 * Child processes of set-up: output to a log file, killed when set-up is told to stop. They stay in set-up's process
 * group, so that Ctrl-C and a killed group reach them; each is noted in the lock folder while it runs, so that after
 * a `kill -9` of set-up alone the next one can stop what still writes (see lock.mjs).
 */
import { execFileSync, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { interrupted } from './errors.mjs';

/** A child that ignores SIGTERM this long is killed. */
const patienceMs = 3000;

/**
 * What tells a process from a later one with the same number: its start time. Undefined if there is no such process
 * (a zombie is none: it does no more work); 'unknown' if there is one that may not be looked at.
 */
export function processIdentity(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM' ? 'unknown' : undefined;
  }
  try {
    if (process.platform === 'linux') {
      // proc(5): the name in parentheses may hold anything; after it come the state and, 19 fields on, the start time.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `started ${fields[19]}`;
    }
    const state = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return state === '' || state.startsWith('Z') ? undefined : `started ${state.replace(/^\S+\s+/, '')}`;
  } catch {
    return 'unknown';
  }
}

/** Whether the process noted as (pid, identity) is still the one that runs. */
export function isRunning(pid, identity) {
  const now = processIdentity(pid);
  return now !== undefined && (now === identity || now === 'unknown' || identity === 'unknown');
}

/** The path of a program on PATH; undefined if there is none. A name with a slash stands for itself. */
export function findProgram(name, env = process.env) {
  const places = name.includes('/') ? [''] : (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of places) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not here, or not for us: look on.
    }
  }
  return undefined;
}

/** Output of a short command; undefined if it failed. */
export function outputOf(program, args, env = process.env) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env, timeout: 60_000 });
  } catch {
    return undefined;
  }
}

export function lastLines(file, count = 15) {
  const lines = readFileSync(file, 'utf8')
    .split(/\r\n|\r|\n/)
    .filter((line) => line.trim() !== '');
  return lines.slice(-count).join('\n');
}

/** A function that runs a command to its end and says whether it succeeded. Output goes to the file `log`. */
export function openRunner({ signal, lockFolder }) {
  return async function run(program, args, { log, cwd, env = process.env, append = false }) {
    if (signal.aborted) throw interrupted();
    const output = openSync(log, append ? 'a' : 'w');
    writeFileSync(output, `$ ${[program, ...args].join(' ')}\n`);
    const child = spawn(program, args, {
      cwd,
      env: { ...env, UNDERSTUDY_SKIP_SETUP: '1' },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    const note = join(lockFolder, `child-${child.pid}`);
    let killTimer;
    const stop = () => {
      child.kill('SIGTERM');
      killTimer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      const ended = new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('exit', (code) => resolve(code));
      });
      if (child.pid !== undefined) writeFileSync(note, processIdentity(child.pid) ?? 'ended');
      const code = await ended;
      if (signal.aborted) throw interrupted();
      return code === 0;
    } finally {
      clearTimeout(killTimer);
      signal.removeEventListener('abort', stop);
      rmSync(note, { force: true });
    }
  };
}
