import { describe, expect, it } from 'vitest';
import { InterruptedError } from '../../src/base/errors.ts';
import { askedDelayMs, defaultRetry, PassingError, type RetryPolicy, withRetries } from '../../src/hub/retry.ts';

describe('what the server asks to wait', () => {
  const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
  it.each([
    [{}, 0],
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': 'Wed, 21 Oct 2026 07:28:30 GMT' }, 30_000],
    [{ 'retry-after': 'Wed, 21 Oct 2026 07:27:30 GMT' }, 0],
    [{ 'retry-after': '-5' }, 0],
    [{ 'retry-after': 'soon GMT' }, 0],
    [{ ratelimit: '"resolvers";r=0;t=55' }, 55_000],
    [{ ratelimit: '"resolvers";r=12;t=55' }, 0],
  ])('%j: %d ms', (headers, milliseconds) => {
    expect(askedDelayMs(new Headers(headers as Record<string, string>), now)).toBe(milliseconds);
  });
});

/** Fails as the list says, then gives 'done'; tells the waits and notices. */
async function run(failures: Error[], policy: Partial<RetryPolicy> = {}, signal = new AbortController().signal) {
  const waits: number[] = [];
  const notices: string[] = [];
  const sleep = async (ms: number) => void waits.push(ms);
  const attempt = async () => {
    const failure = failures.shift();
    if (failure) throw failure;
    return 'done';
  };
  const asking = {
    signal,
    retry: { ...defaultRetry, sleep, ...policy },
    onNotice: (text: string) => void notices.push(text),
  };
  const result = await withRetries(asking, attempt).catch((error: unknown) => error);
  return { result, waits, notices };
}

const fails = (count: number, options: ConstructorParameters<typeof PassingError>[1] = {}) =>
  Array.from({ length: count }, () => new PassingError('busy', options));

it('waits double up to the cap, and each is announced', async () => {
  const { result, waits, notices } = await run(fails(5), { maxDelayMs: 3000 });
  expect(result).toBe('done');
  expect(waits).toEqual([500, 1000, 2000, 3000, 3000]);
  expect(notices[1]).toBe('busy: trying again in 1 s');
});

it('the last failure is the error', async () => {
  const { result, waits } = await run(fails(6));
  expect(result).toMatchObject({ code: 'work', message: 'busy' });
  expect(waits).toHaveLength(5);
});

it('a failure after progress is a first one again', async () => {
  const { result, waits } = await run([...fails(5), ...fails(9, { progressed: true })]);
  expect(result).toBe('done');
  expect(waits.slice(5)).toEqual(Array(9).fill(500));
});

it('Retry-After is obeyed beyond the cap, and not waited for where it is long', async () => {
  expect((await run(fails(1, { retryAfterMs: 300_000 }))).waits).toEqual([300_000]);
  const { result, waits } = await run(fails(1, { retryAfterMs: 3_600_000 }));
  expect(result).toBeInstanceOf(PassingError);
  expect(waits).toEqual([]);
});

it('what does not pass is not asked again', async () => {
  const { result, waits } = await run([new TypeError('ours')]);
  expect(result).toBeInstanceOf(TypeError);
  expect(waits).toEqual([]);
});

it('an abort ends the waiting', async () => {
  const controller = new AbortController();
  const { sleep } = defaultRetry;
  const waiting = run(fails(1, { retryAfterMs: 600_000 }), { sleep }, controller.signal);
  setImmediate(() => controller.abort());
  expect((await waiting).result).toBeInstanceOf(InterruptedError);
});
