/**
 * The engine is a child Node process: libtorch never runs in the process that owns the terminal, so progress, Ctrl-C
 * and servers stay alive, thread settings are made at spawn, and a crash is an error message and costs no data.
 *
 * This file is both ends of the wire and knows no method: `EngineProcess` is the parent's end, `serveEngine` the
 * child's. What can be called is a type (recipes/engine.ts).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { type ExitCode, InterruptedError, NativeError, UnderstudyError } from '../base/errors.ts';

/** For each method what it takes, what it reports on the way, and what it returns. All structured-cloneable. */
export type MethodMap = Record<string, { params: unknown; event: unknown; result: unknown }>;

type ToChild = { id: number; method: string; params: unknown } | { id: number; cancel: true };
type FromChild =
  | { ready: true }
  | { id: number; event: unknown }
  | { id: number; result: unknown }
  | { id: number; error: WireError };

interface WireError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;
  readonly stack: string | undefined;
}

/** An error that was thrown in the engine, as the parent sees it. */
class EngineError extends UnderstudyError {
  override readonly code: string;
  override readonly exitCode: ExitCode;
  constructor(wire: WireError) {
    super(wire.message, { hint: wire.hint });
    this.code = wire.code;
    this.exitCode = wire.exitCode;
    this.name = wire.name;
    if (wire.stack !== undefined) this.stack = wire.stack;
  }
}

const toError = (wire: WireError): UnderstudyError =>
  wire.code === 'interrupted' ? new InterruptedError(wire.message) : new EngineError(wire);

export interface CallOptions<Event> {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: (event: Event) => void;
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onEvent: ((event: never) => void) | undefined;
}

const defaultThreads = (): number => availableParallelism();

/** Without this workspace of its own cuBLAS gives other bits from run to run. Nothing on the CPU reads it. */
const determinism = { CUBLAS_WORKSPACE_CONFIG: ':4096:8' };

/**
 * Threads that wait by spinning are faster on an idle machine and several times slower on a busy one, where they take
 * the core from the thread they wait for; those that sleep at once are half as fast on an idle one. On a busy machine they
 * spin a little (docs/log.md has the figures). Bits do not depend on it; what the user has set comes first.
 */
function waiting(): Record<string, string> {
  const isSet = 'OMP_WAIT_POLICY' in process.env || 'GOMP_SPINCOUNT' in process.env;
  return isSet || !isBusy() ? {} : { GOMP_SPINCOUNT: '3000' };
}

/** By the average of the last minute, which may be our own past; so where the system tells, others must want to run now. */
function isBusy(): boolean {
  if ((loadavg()[0] ?? 0) <= 0.6 * availableParallelism()) return false;
  const looks = Array.from({ length: 5 }, () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4);
    return othersRunnable();
  });
  return looks.some((others) => others === undefined || others > 0);
}

/** Threads that run or want to, besides this one; undefined where the system does not tell. */
function othersRunnable(): number | undefined {
  try {
    const [, runnable] = /(\d+)\/\d+/.exec(readFileSync('/proc/loadavg', 'utf8')) ?? [];
    return runnable === undefined ? undefined : Number(runnable) - 1;
  } catch {
    return undefined;
  }
}

export class EngineProcess<Methods extends MethodMap> {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #ready: Promise<void>;
  #nextId = 1;
  #stderr = '';
  #ended = false;

  /** Starts `main`, a module that calls `serveEngine`, with these arguments. Threads are OpenMP's; they cannot change later. */
  constructor(main: string, options: { threads?: number; args?: readonly string[] } = {}) {
    const threads = String(options.threads ?? defaultThreads());
    this.#child = fork(main, options.args ?? [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...waiting(), ...determinism, ...process.env, OMP_NUM_THREADS: threads, MKL_NUM_THREADS: threads },
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4000);
    });
    this.#ready = new Promise((resolve, reject) => {
      this.#pending.set(0, { resolve: () => resolve(), reject, onEvent: undefined });
    });
    this.#ready.catch(() => {}); // reported by the call that waits for it
    this.#child.on('message', (message) => this.#receive(message as FromChild));
    this.#child.on('error', (error) => this.#end(error.message));
    // 'close' rather than 'exit': the last of its stderr has then arrived.
    this.#child.on('close', (code, signal) => this.#end(signal ? `killed by ${signal}` : `exit code ${code}`));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Aborting asks the method to stop at its next safe point; the promise then rejects with InterruptedError. */
  async call<Name extends keyof Methods & string>(
    method: Name,
    params: Methods[Name]['params'],
    options: CallOptions<Methods[Name]['event']> = {},
  ): Promise<Methods[Name]['result']> {
    const { signal, onEvent } = options;
    await this.#ready;
    if (signal?.aborted) throw new InterruptedError();
    const id = this.#nextId++;
    const cancel = () => this.#send({ id, cancel: true });
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onEvent });
        this.#send({ id, method, params });
      });
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#pending.delete(id);
    }
  }

  /** Kills the process. Nothing it had saved is harmed. */
  stop(): void {
    this.#settle(new InterruptedError());
    this.#child.kill('SIGKILL');
  }

  #send(message: ToChild): void {
    if (!this.#ended && this.#child.connected) this.#child.send(message);
    else if ('method' in message)
      this.#pending.get(message.id)?.reject(new NativeError('the engine process has ended'));
  }

  #receive(message: FromChild): void {
    if ('ready' in message) {
      this.#pending.get(0)?.resolve(undefined);
      return;
    }
    const pending = this.#pending.get(message.id);
    if ('event' in message) pending?.onEvent?.(message.event as never);
    else if ('result' in message) pending?.resolve(message.result);
    else pending?.reject(toError(message.error));
  }

  #end(reason: string): void {
    const last = this.#stderr.trim().split('\n').slice(-5).join('\n');
    const error = new NativeError(`the engine process ended unexpectedly (${reason})${last ? `:\n${last}` : ''}`, {
      hint: reason.includes('SIGKILL')
        ? 'the system may have run out of memory: try smaller batches; what was saved is kept'
        : 'what was saved is kept; run the same command again, and `./understudy doctor` if it happens again',
    });
    this.#settle(error);
  }

  /** Every call that waits fails with this; later ones are refused. */
  #settle(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const pending of this.#pending.values()) pending.reject(error);
  }
}

export interface MethodContext<Event> {
  /** Aborted when the caller cancels: check it between steps. */
  readonly signal: AbortSignal;
  readonly emit: (event: Event) => void;
}

export type MethodHandlers<Methods extends MethodMap> = {
  readonly [Name in keyof Methods]: (
    params: Methods[Name]['params'],
    context: MethodContext<Methods[Name]['event']>,
  ) => Promise<Methods[Name]['result']> | Methods[Name]['result'];
};

/**
 * The child's end: one call at a time, in order; cancelling is seen whenever the running method yields. What `start` throws
 * is what every call gets.
 */
export function serveEngine<Methods extends MethodMap>(handlers: MethodHandlers<Methods>, start?: () => void): void {
  const send = (message: FromChild) => {
    if (process.connected) process.send?.(message);
  };
  const cancels = new Map<number, AbortController>();
  let queue = Promise.resolve();
  // Terminals, timeout(1) and schedulers signal the whole group; the parent decides what it means for the engine.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: ToChild) => {
    if ('cancel' in message) {
      cancels.get(message.id)?.abort();
      return;
    }
    const { id, method, params } = message;
    const controller = new AbortController();
    cancels.set(id, controller);
    queue = queue.then(async () => {
      try {
        const handler = handlers[method];
        if (!handler) throw new Error(`the engine has no method ${method}`);
        const context = { signal: controller.signal, emit: (event: unknown) => send({ id, event }) };
        send({ id, result: await handler(params as never, context) });
      } catch (error) {
        send({ id, error: toWire(error) });
      } finally {
        cancels.delete(id);
      }
    });
  });
  try {
    start?.();
    send({ ready: true });
  } catch (error) {
    send({ id: 0, error: toWire(error) });
  }
}

const brokenDisk = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO', 'ENOTDIR']);

function toWire(error: unknown): WireError {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  if (error instanceof UnderstudyError) {
    return { name, code: error.code, message, hint: error.hint, exitCode: error.exitCode, stack };
  }
  const hint = brokenDisk.has((error as NodeJS.ErrnoException).code ?? '')
    ? 'see that the disk has room and the folder may be written, then run again: what was saved stands'
    : 'a bug of ours: run with --debug to see where it comes from';
  return { name, code: 'bug', message, hint, exitCode: 1, stack };
}
