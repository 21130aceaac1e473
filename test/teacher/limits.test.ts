import { describe, expect, it, test } from 'vitest';
import { Limits, rateHints } from '../../src/teacher/limits.ts';

const usage = (inputTokens: number, outputTokens: number) => ({ inputTokens, outputTokens });

describe('the window', () => {
  it('begins at 32 or what is allowed, doubles a round while all goes well, and ends at what is allowed', () => {
    expect(new Limits(8, {}, 0).window).toBe(8);
    const limits = new Limits(100, {}, 0);
    const round = () => {
      const tickets = Array.from({ length: limits.window }, () => limits.start(1, 0));
      for (const ticket of tickets) limits.answered(ticket, undefined);
    };
    const seen = [limits.window];
    for (let i = 0; i < 3; i++) {
      round();
      seen.push(limits.window);
    }
    expect(seen).toEqual([32, 64, 100, 100]);
    expect(limits.waitMs(100, 1, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(limits.waitMs(99, 1, 0)).toBe(0);
  });

  it('is halved once for all calls of one round that are refused, then grows by one a round', () => {
    const limits = new Limits(64, {}, 0);
    const tickets = Array.from({ length: 32 }, () => limits.start(1, 0));
    limits.refused(tickets[0]!, 10);
    limits.refused(tickets[1]!, 11); // under way when the window was cut
    expect(limits.window).toBe(16);
    for (let i = 0; i < 17; i++) limits.answered(limits.start(1, 20), undefined);
    expect(limits.window).toBe(17);
    limits.refused(limits.start(1, 20), 21);
    expect(limits.window).toBe(8);
  });

  it('makes the next call wait twice as long each round that is refused whole, up to 30 s, until one is answered', () => {
    const limits = new Limits(1, {}, 0);
    let nowMs = 0;
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      limits.refused(limits.start(1, nowMs), nowMs);
      waits.push(limits.waitMs(0, 1, nowMs));
      nowMs += waits.at(-1)!;
      expect(limits.waitMs(0, 1, nowMs)).toBe(0);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    limits.answered(limits.start(1, nowMs), undefined);
    limits.refused(limits.start(1, nowMs + 1), nowMs + 1);
    expect(limits.waitMs(0, 1, nowMs + 1)).toBe(500);
  });
});

describe('rates', () => {
  it('of requests: five seconds at once after a quiet time, then one by one', () => {
    const limits = new Limits(1000, { requestsPerMinute: 120 }, 0); // 2 a second
    for (let i = 0; i < 10; i++) {
      expect(limits.waitMs(0, 1, 0)).toBe(0);
      limits.start(1, 0);
    }
    expect(limits.waitMs(0, 1, 0)).toBeCloseTo(500);
    expect(limits.waitMs(0, 1, 499)).toBeCloseTo(1);
    expect(limits.waitMs(0, 1, 500)).toBe(0);
  });

  it('of tokens: what a call did not use goes back, what is larger than the bucket is owed', () => {
    const limits = new Limits(1000, { tokensPerMinute: 6000 }, 0); // 100 a second, 500 at once
    const ticket = limits.start(400, 0);
    expect(limits.waitMs(0, 200, 0)).toBeCloseTo(1000); // 100 are left
    limits.answered(ticket, usage(50, 50)); // 300 come back
    expect(limits.waitMs(0, 200, 0)).toBe(0);
    const large = new Limits(1000, { tokensPerMinute: 6000 }, 0);
    expect(large.waitMs(0, 2000, 0)).toBe(0); // the bucket is full: more it cannot hold
    large.start(2000, 0);
    expect(large.waitMs(0, 100, 0)).toBeCloseTo(16_000); // 1500 owed and 100
  });
});

test('what servers say of their limits is read in all spellings', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  expect(
    rateHints(
      {
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': '6m0.5s',
        'X-RateLimit-Remaining-Tokens': '149984',
        'x-ratelimit-reset-tokens': '20ms',
        'anthropic-ratelimit-input-tokens-remaining': '0',
        'anthropic-ratelimit-input-tokens-reset': '2026-01-01T12:00:30Z',
      },
      now,
    ),
  ).toEqual([
    { remaining: 0, resetMs: 360_500 },
    { remaining: 149_984, resetMs: 20 },
    { remaining: 0, resetMs: 30_000 },
  ]);
  expect(rateHints({ 'x-ratelimit-remaining-requests': 'many', 'x-ratelimit-reset-requests': '1s' })).toEqual([]);
  expect(rateHints({ 'x-ratelimit-remaining-requests': '3' })).toEqual([]);
  expect(rateHints(undefined)).toEqual([]);
  const limits = new Limits(10, {}, 0);
  limits.observe([{ remaining: 3, resetMs: 5000 }], 0);
  expect(limits.waitMs(0, 1, 0)).toBe(0);
  limits.observe([{ remaining: 0, resetMs: 5000 }], 0);
  expect(limits.waitMs(0, 1, 0)).toBe(5000);
});
