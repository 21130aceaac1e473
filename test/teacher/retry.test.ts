import { expect, test } from 'vitest';
import { TeacherError } from '../../src/base/errors.ts';
import {
  connectionCode,
  defaultRetry,
  delayBeforeRetryMs,
  isRetryableStatus,
  mayHaveCharged,
  retryAfterMs,
} from '../../src/teacher/retry.ts';

const failure = (options: ConstructorParameters<typeof TeacherError>[1] = {}) =>
  new TeacherError('x', { retryable: true, ...options });
const withCode = (code: string) => Object.assign(new Error(code), { code });

test('which statuses pass with time', () => {
  expect([408, 409, 429, 500, 502, 503, 504, 529].filter((status) => !isRetryableStatus(status))).toEqual([]);
  expect([200, 400, 401, 402, 403, 404, 413, 422].filter(isRetryableStatus)).toEqual([]);
});

test('Retry-After in seconds, in milliseconds, as a date; nonsense is none', () => {
  const now = Date.UTC(2026, 0, 1, 12, 0, 0);
  expect(retryAfterMs({ 'retry-after': '7' }, now)).toBe(7000);
  expect(retryAfterMs({ 'Retry-After': '0.5' }, now)).toBe(500);
  expect(retryAfterMs({ 'retry-after-ms': '250', 'retry-after': '9' }, now)).toBe(250);
  expect(retryAfterMs({ 'retry-after': 'Thu, 01 Jan 2026 12:00:30 GMT' }, now)).toBe(30_000);
  expect(retryAfterMs({ 'retry-after': 'Thu, 01 Jan 2026 11:00:00 GMT' }, now)).toBe(0);
  expect(retryAfterMs({ 'retry-after': 'soon' }, now)).toBeUndefined();
  expect(retryAfterMs({ 'retry-after': '-5' }, now)).toBeUndefined();
  expect(retryAfterMs(undefined, now)).toBeUndefined();
});

test('delays double, stay within half and full, and are capped', () => {
  const policy = { attempts: 10, refusals: 10, firstDelayMs: 100, maxDelayMs: 1000 };
  const at = (attempt: number, random: number) => delayBeforeRetryMs(failure(), attempt, policy, () => random);
  expect([1, 2, 3, 4, 5, 6].map((attempt) => at(attempt, 0))).toEqual([50, 100, 200, 400, 500, 500]);
  expect([1, 2, 3, 4, 5, 6].map((attempt) => at(attempt, 1))).toEqual([100, 200, 400, 800, 1000, 1000]);
});

test('attempts are bounded, and what is not retryable is not retried', () => {
  expect(delayBeforeRetryMs(failure(), defaultRetry.attempts)).toBeUndefined();
  expect(delayBeforeRetryMs(failure(), defaultRetry.attempts - 1)).toBeGreaterThan(0);
  expect(delayBeforeRetryMs(new TeacherError('x'), 1)).toBeUndefined();
});

test('Retry-After is never undercut, however long', () => {
  const hour = 3_600_000;
  for (const random of [0, 0.5, 0.999]) {
    const delay = delayBeforeRetryMs(failure({ retryAfterMs: hour }), 1, defaultRetry, () => random);
    expect(delay).toBeGreaterThanOrEqual(hour);
  }
  expect(delayBeforeRetryMs(failure({ retryAfterMs: 1000 * hour }), 1)).toBeGreaterThanOrEqual(1000 * hour);
});

test('what may be on the bill: answers lost on the way, not refusals and not calls that never arrived', () => {
  expect(mayHaveCharged(failure({ cause: withCode('ECONNRESET') }))).toBe(true);
  expect(mayHaveCharged(failure({ cause: withCode('ETIMEDOUT') }))).toBe(true);
  expect(mayHaveCharged(failure({ status: 200 }))).toBe(true);
  expect(mayHaveCharged(failure({ status: 504 }))).toBe(true);
  expect(mayHaveCharged(failure({ cause: withCode('ECONNREFUSED') }))).toBe(false);
  expect(mayHaveCharged(failure({ status: 429 }))).toBe(false);
  expect(mayHaveCharged(failure({ status: 500 }))).toBe(false);
});

test('a code is found down the chain of causes and inside an AggregateError', () => {
  expect(connectionCode(new TypeError('fetch failed', { cause: withCode('ENOTFOUND') }))).toBe('ENOTFOUND');
  const both = new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNREFUSED')]);
  expect(connectionCode(new TypeError('fetch failed', { cause: both }))).toBe('ECONNREFUSED');
  expect(connectionCode(new Error('no code'))).toBeUndefined();
});
