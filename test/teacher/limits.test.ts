import { describe, expect, it, test } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { Limits, rateHints } from '../../src/teacher/limits.ts';

const usage = (inputTokens: number, outputTokens: number) => ({ inputTokens, outputTokens });

describe('the window', () => {
  const answer = (limits: Limits, count: number, nowMs = 0) => {
    for (let i = 0; i < count; i++) limits.answered(limits.start(1, nowMs), undefined);
  };
  const refuse = (limits: Limits, count: number, nowMs: number) => {
    for (let i = 0; i < count; i++) limits.refused(limits.start(1, nowMs), nowMs);
  };

  it('begins at 32 or what is allowed, quadruples a round trip while nothing is refused, and ends at what is allowed', () => {
    expect(new Limits(8, {}, 0).window).toBe(8);
    const limits = new Limits(600, {}, 0);
    const seen = [limits.window];
    for (let i = 0; i < 4; i++) {
      const tickets = Array.from({ length: limits.window }, () => limits.start(1, 0));
      for (const ticket of tickets) limits.answered(ticket, undefined);
      seen.push(limits.window);
    }
    expect(seen).toEqual([32, 128, 512, 600, 600]);
    expect(limits.waitMs(600, 1, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(limits.waitMs(599, 1, 0)).toBe(0);
  });

  it('opens half as fast after the first refusal, which alone cuts nothing', () => {
    const limits = new Limits(600, {}, 0);
    refuse(limits, 1, 0);
    expect(limits.window).toBe(32);
    answer(limits, 32);
    expect(limits.window).toBe(64);
  });

  it('is cut by a quarter at the eighth refusal of 64 calls, not at the seventh, and grows slowly from there', () => {
    const limits = new Limits(64, {}, 0);
    answer(limits, 64); // a sample is full
    expect(limits.window).toBe(64);
    refuse(limits, 7, 1);
    answer(limits, 57, 1); // and another, with 7 refusals
    expect(limits.window).toBe(64);
    answer(limits, 56, 2);
    refuse(limits, 8, 2); // 8 of 64
    expect(limits.window).toBe(48);
    answer(limits, 31, 3); // a 32nd each
    expect(limits.window).toBe(48);
    answer(limits, 1, 3);
    expect(limits.window).toBe(49);
  });

  it('is halved once for all calls of a round trip that meets a storm, and opens again when the storm is over', () => {
    const limits = new Limits(64, {}, 0);
    answer(limits, 16); // 32 + 3 · 16, at most 64
    const tickets = Array.from({ length: 64 }, () => limits.start(1, 0));
    limits.answered(tickets.pop()!, undefined);
    for (const ticket of tickets.splice(0, 7)) limits.refused(ticket, 10);
    expect(limits.window).toBe(64);
    limits.refused(tickets.pop()!, 10); // 8 of 25: 16 and one were answered
    expect(limits.window).toBe(32);
    for (const ticket of tickets) limits.refused(ticket, 11); // under way when the window was cut
    expect(limits.window).toBe(32);
    refuse(limits, 8, 20);
    expect(limits.window).toBe(16);
    refuse(limits, 8, 30);
    expect(limits.window).toBe(8);
    // Nothing was answered between these cuts: up to what the first one left, the window doubles a round trip.
    answer(limits, 24, 40);
    expect(limits.window).toBe(32);
    answer(limits, 16, 50);
    expect(limits.window).toBe(32);
    answer(limits, 17, 60); // then it grows by one
    expect(limits.window).toBe(33);
  });

  it('leaves the place of a refused call empty until one is answered, half a second at the longest', () => {
    const limits = new Limits(8, {}, 0);
    limits.refused(limits.start(1, 0), 100);
    expect(limits.waitMs(7, 1, 100)).toBe(500);
    expect(limits.waitMs(6, 1, 100)).toBe(0);
    expect(limits.waitMs(7, 1, 600)).toBe(0);
    limits.refused(limits.start(1, 0), 700);
    expect(limits.waitMs(7, 1, 700)).toBe(500);
    answer(limits, 1, 700);
    expect(limits.waitMs(7, 1, 700)).toBe(0);
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

  it('counts a round once, however far the window is cut meanwhile: calls under way then say nothing new', () => {
    const limits = new Limits(64, {}, 0);
    answer(limits, 16); // the window is open
    const waits: number[] = [];
    const windows: number[] = [];
    let nowMs = 10;
    for (let i = 0; i < 4; i++) {
      const round = Array.from({ length: limits.window }, () => limits.start(1, nowMs));
      nowMs += 10;
      for (const ticket of round) limits.refused(ticket, nowMs); // the window is halved at the eighth
      waits.push(limits.waitMs(0, 1, nowMs));
      windows.push(limits.window);
      nowMs += waits.at(-1)!;
    }
    expect(windows).toEqual([32, 16, 8, 4]);
    expect(waits).toEqual([500, 1000, 2000, 4000]);
  });
});

describe('against a server that answers in 80 to 120 ms and refuses in 10', () => {
  /** Sixty seconds by a clock of their own. `isRefused`: by the calls at the server, and the time. */
  function minute(most: number, isRefused: (underWay: number, nowMs: number) => boolean) {
    const limits = new Limits(most, {}, 0);
    const rng = new Rng('answers');
    const ends: { readonly atMs: number; readonly end: () => void }[] = [];
    const sums = { answered: 0, refused: 0, windowMs: 0 };
    let [nowMs, running, underWay] = [0, 0, 0];
    const later = (ms: number, end: () => void) => ends.push({ atMs: nowMs + ms, end });
    while (nowMs < 60_000) {
      let waitMs = limits.waitMs(running, 1, nowMs);
      for (; waitMs <= 0; waitMs = limits.waitMs(running, 1, nowMs)) {
        const ticket = limits.start(1, nowMs);
        running += 1;
        if (isRefused(underWay, nowMs)) {
          later(10, () => {
            running -= 1;
            sums.refused += 1;
            limits.refused(ticket, nowMs);
          });
          continue;
        }
        underWay += 1;
        later(80 + 40 * rng.uniform(), () => {
          running -= 1;
          underWay -= 1;
          sums.answered += 1;
          limits.answered(ticket, undefined);
        });
      }
      const atMs = ends.reduce((soonest, end) => Math.min(soonest, end.atMs), nowMs + waitMs);
      sums.windowMs += limits.window * (atMs - nowMs);
      nowMs = atMs;
      for (let i = ends.length - 1; i >= 0; i--) if ((ends[i]?.atMs ?? 0) <= nowMs) ends.splice(i, 1)[0]?.end();
    }
    const { answered, refused, windowMs } = sums;
    return { window: windowMs / 60_000, share: refused / (refused + answered), perSecond: answered / 60 };
  }

  it('refusals by accident, 6 in 100, leave most of the window open', () => {
    const rng = new Rng('accidents');
    const { window, share } = minute(64, () => rng.uniform() < 0.06);
    expect(share).toBeCloseTo(0.06, 1);
    expect(window).toBeGreaterThan(40); // 4.7 of 64 when each of them halved it
  });

  it('the width of the server is found and kept to', () => {
    for (const [most, width] of [
      [64, 40],
      [512, 100],
    ] as const) {
      const { window, share, perSecond } = minute(most, (underWay) => underWay >= width);
      expect(window).toBeGreaterThan(0.75 * width);
      expect(window).toBeLessThan(1.05 * width);
      expect(share).toBeLessThan(0.03);
      expect(perSecond).toBeGreaterThan(7.5 * width); // of 10 at the most
    }
    const narrow = minute(64, (underWay) => underWay >= 4);
    expect(narrow.window).toBeLessThan(6);
    expect(narrow.perSecond).toBeGreaterThan(32);
  });

  it('storms of 0.7 s every 5 s cost few calls, and a server that wakes up late is filled', () => {
    expect(minute(64, (_, nowMs) => nowMs % 5000 > 4300).share).toBeLessThan(0.06);
    const late = minute(256, (_, nowMs) => nowMs < 5000);
    expect(late.share).toBeLessThan(0.01);
    expect(late.window).toBeGreaterThan(120); // it learned in the first seconds that the server takes nothing
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
