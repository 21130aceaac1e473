/**
 * Every error a user can cause or meet. `message` says what was expected and what was found; `hint` says what to do.
 * The command line prints both and exits with `exitCode`; a stack appears only with --debug.
 * Programmer errors go through `invariant` and are bugs of ours.
 */

/** 1: the work failed. 2: bad input or usage, found before work began. 130: interrupted. */
export type ExitCode = 1 | 2 | 130;

export abstract class UnderstudyError extends Error {
  abstract readonly code: string;
  readonly exitCode: ExitCode = 1;
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options.hint;
  }
}

/** A wrong command line, configuration file or setting. */
export class ConfigError extends UnderstudyError {
  override readonly code = 'config';
  override readonly exitCode = 2;
}

/** One broken place in a data file. `row` counts lines from 1 in JSONL and elements from 0 in a JSON array. */
export interface DataIssue {
  readonly row?: number;
  /** Path inside the row, such as `messages[1].content`. */
  readonly path?: string;
  readonly message: string;
}

/** A file that cannot be read as what it should be. Carries all issues, not only the first. */
export class DataError extends UnderstudyError {
  override readonly code = 'data';
  override readonly exitCode = 2;
  readonly file: string;
  readonly issues: readonly DataIssue[];

  constructor(
    file: string,
    issues: DataIssue | readonly DataIssue[],
    options: { hint?: string; cause?: unknown } = {},
  ) {
    const all = Array.isArray(issues) ? (issues as readonly DataIssue[]) : [issues as DataIssue];
    const shown = all.slice(0, 5).map((issue) => formatIssue(file, issue));
    const rest = all.length - shown.length;
    super([...shown, ...(rest > 0 ? [`… and ${rest} more`] : [])].join('\n'), options);
    this.file = file;
    this.issues = all;
  }
}

export function formatIssue(file: string, issue: DataIssue): string {
  const place = issue.row === undefined ? file : `${file}:${issue.row}`;
  return issue.path ? `${place}: ${issue.path}: ${issue.message}` : `${place}: ${issue.message}`;
}

/** A tensor of the wrong shape or dtype. */
export class ShapeError extends UnderstudyError {
  override readonly code = 'shape';
}

/** libtorch, or the addon in front of it, refused or is missing. */
export class NativeError extends UnderstudyError {
  override readonly code = 'native';
}

/** A teacher call that gave no usable answer. */
export class TeacherError extends UnderstudyError {
  override readonly code = 'teacher';
  /** HTTP status, where there was one. */
  readonly status: number | undefined;
  /** Whether asking the same again later may succeed. */
  readonly retryable: boolean;
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: { status?: number; retryable?: boolean; retryAfterMs?: number; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options);
    this.status = options.status;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** A teacher that cannot work as configured (unreachable, wrong key, unknown model): bad input, found at the probe. */
export class TeacherSetupError extends TeacherError {
  override readonly exitCode = 2;
}

/** Work that began and could not go on: a broken run folder, a non-finite loss, a full disk. */
export class WorkError extends UnderstudyError {
  override readonly code = 'work';
}

/** The user pressed Ctrl-C or sent SIGTERM. What was stored stays stored. */
export class InterruptedError extends UnderstudyError {
  override readonly code = 'interrupted';
  override readonly exitCode = 130;
  constructor(message = 'interrupted; run the same command again to go on') {
    super(message);
  }
}

/** A bug of ours when it fails; never the user's doing. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal error: ${message}`);
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new InterruptedError();
}
