/**
 * What the program shows. Results go to standard output, everything else to standard error. Colours only on a
 * terminal without NO_COLOR; a bar that redraws only on a terminal, elsewhere a line now and then.
 */
import { redact } from '../src/base/redact.ts';
import type { Progress } from '../src/run/progress.ts';

const isTerminal = process.stderr.isTTY === true;
const hasColour = isTerminal && !process.env['NO_COLOR'];
const paint = (code: string) => (text: string) => (hasColour ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint('1');
export const dim = paint('2');
export const red = paint('31');
export const green = paint('32');

export function say(text: string): void {
  process.stderr.write(`${redact(text)}\n`);
}

/** A result, for people. */
export function print(text: string): void {
  process.stdout.write(`${redact(text)}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

const barWidth = 24;
/** Without a terminal: at most one line in so many milliseconds. */
const quietEveryMs = 10_000;
const redrawEveryMs = 100;

/** Shows `label`, a bar, the share done, the time left and the detail of the last update. */
export function progressBar(label: string): Progress {
  const startedMs = Date.now();
  let first: number | undefined;
  let shownMs = 0;
  let line = '';
  const clear = () => {
    if (isTerminal && line) process.stderr.write('\r\u001b[K');
  };
  return {
    update(done, total, detail = '') {
      first ??= done;
      const nowMs = Date.now();
      const share = total > 0 ? Math.min(1, done / total) : 1;
      const perMs = (done - first) / (nowMs - startedMs);
      const left = perMs > 0 && done < total ? `, ${duration((total - done) / perMs / 1000)} left` : '';
      const filled = Math.round(share * barWidth);
      const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
      line = `${label} ${bar} ${done}/${total}${detail ? `  ${detail}` : ''}${left}`;
      const everyMs = isTerminal ? redrawEveryMs : quietEveryMs;
      if (nowMs - shownMs < everyMs) return;
      shownMs = nowMs;
      if (isTerminal) process.stderr.write(`\r\u001b[K${line.slice(0, (process.stderr.columns ?? 100) - 1)}`);
      else say(`${label} ${done}/${total}${detail ? `  ${detail}` : ''}${left}`);
    },
    note(text) {
      clear();
      say(text);
    },
    finish(summary) {
      clear();
      line = '';
      const took = dim(`(${duration((Date.now() - startedMs) / 1000)})`);
      say(`${green('✓')} ${label}${summary ? `: ${summary}` : ''} ${took}`);
    },
  };
}

function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
