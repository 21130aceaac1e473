/**
 * What set-up says, all on stderr: one line a step when it has ended (`set-up: libtorch … 27 s`), and on a terminal a
 * passing line that shows what is going on. Says nothing when quiet.
 */
const tickMs = 1000;

const duration = (ms) => (ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`);

export function openProgress({ quiet, stream = process.stderr }) {
  const active = new Map();
  let timer;

  const wipe = () => {
    if (stream.isTTY) stream.write('\r\x1b[K');
  };
  const draw = () => {
    if (!stream.isTTY || active.size === 0) return;
    const parts = [...active].map(([title, since]) => `${title} … ${Math.round((Date.now() - since) / 1000)} s`);
    stream.write(`\r\x1b[Kset-up: ${parts.join(', ')}`.slice(0, (stream.columns ?? 80) - 1));
  };

  function say(text) {
    if (quiet) return;
    wipe();
    stream.write(`set-up: ${text}\n`);
    draw();
  }

  /** Runs `work` and says how long it took. */
  async function report(title, work) {
    const since = Date.now();
    active.set(title, since);
    if (!quiet) {
      timer ??= setInterval(draw, tickMs).unref();
      draw();
    }
    try {
      const result = await work();
      active.delete(title);
      say(`${title} … ${duration(Date.now() - since)}`);
      return result;
    } finally {
      active.delete(title);
      if (active.size === 0) {
        clearInterval(timer);
        timer = undefined;
        if (!quiet) wipe();
      }
    }
  }

  return { say, report };
}
