/**
 * How many calls may run at once, and when the next may go. Rates that are known are kept by token buckets. What is not
 * known is found out as TCP finds out the width of a wire (Jacobson 1988): the window multiplies while all goes well, is
 * cut when the server refuses (429, or overload), and grows slowly from there. It is cut by the share of calls that is
 * refused (as in Alizadeh et al. 2010, "Data Center TCP", section 3): by a quarter where that is one in eight, halved in a
 * storm. Fewer are taken for accidents: each of these calls waits as long as it was told to, the others go on. What is
 * refused is not replaced by another call before one is answered; and refusals without an end make the next call wait,
 * twice as long each time, so that a closed door is knocked at and not stormed.
 */
import type { TokenUsage } from './teacher.ts';

export interface Rates {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
}

/** What a server said of its limits; undefined: nothing. */
export interface RateHint {
  /** Left in the present period, and how long until there are more. */
  readonly remaining: number;
  readonly resetMs: number;
}

/** A call that was let go. */
export interface Ticket {
  readonly startedMs: number;
  readonly tokens: number;
}

const firstWindow = 32;
/** What an answer adds while nothing was ever refused: the window quadruples in a round trip. */
const openingGrowth = 3;
/** What a round trip adds to a window that was cut: one call, or this share of it. */
const cautiousGrowth = 1 / 32;
/** Calls by which a share of refusals is told: a window of them, at least so many. */
const smallestSample = 64;
const toleratedShare = 1 / 8;
/** How long the place of a refused call stays empty where no other is answered. */
const longestHoldMs = 500;
const firstPauseMs = 500;
const longestPauseMs = 30_000;

/** Seconds of its rate that a bucket holds: the most that goes out at once after a quiet time. */
const burstSeconds = 5;

class Bucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #level: number;
  #atMs: number;

  constructor(perMinute: number, nowMs: number) {
    this.#perMs = perMinute / 60_000;
    this.#capacity = Math.max(1, (perMinute / 60) * burstSeconds);
    this.#level = this.#capacity;
    this.#atMs = nowMs;
  }

  /** Until there is room for so much. What is larger than the bucket waits for a full one, and is owed. */
  waitMs(amount: number, nowMs: number): number {
    this.#level = Math.min(this.#capacity, this.#level + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    const missing = Math.min(amount, this.#capacity) - this.#level;
    return missing <= 1e-9 ? 0 : missing / this.#perMs;
  }

  take(amount: number): void {
    this.#level -= amount;
  }
}

export class Limits {
  readonly #most: number;
  readonly #requests: Bucket | undefined;
  readonly #tokens: Bucket | undefined;
  #window: number;
  /** Below it the window opens, above it grows cautiously. */
  #threshold = Number.POSITIVE_INFINITY;
  #cutMs = Number.NEGATIVE_INFINITY;
  /** In the present sample, of calls that began since the last cut. */
  #outcomes = 0;
  #refusals = 0;
  #isAnsweredSinceCut = false;
  #isEverRefused = false;
  /** Rounds in a row that were refused whole; refusals of the next, of calls that began since the last. */
  #refusedRounds = 0;
  #refusedInRound = 0;
  #roundMs = Number.NEGATIVE_INFINITY;
  /** Refused calls whose places stay empty, and until when. */
  #held = 0;
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  #closedUntilMs = Number.NEGATIVE_INFINITY;

  /** `most`: calls at once, whatever the server would take. */
  constructor(most: number, rates: Rates = {}, nowMs = performance.now()) {
    this.#most = most;
    this.#window = Math.min(most, firstWindow);
    const bucket = (perMinute: number | undefined) =>
      perMinute === undefined ? undefined : new Bucket(perMinute, nowMs);
    this.#requests = bucket(rates.requestsPerMinute);
    this.#tokens = bucket(rates.tokensPerMinute);
  }

  /** Calls that may run at once, now. */
  get window(): number {
    return Math.floor(this.#window);
  }

  /** 0: a call of so many tokens may go. Infinity: when a running one has come back. Else: not before so many ms. */
  waitMs(running: number, tokens: number, nowMs = performance.now()): number {
    if (running >= this.window) return Number.POSITIVE_INFINITY;
    const isHeld = running + this.#held >= this.window;
    return Math.max(
      0,
      isHeld ? this.#heldUntilMs - nowMs : 0,
      this.#closedUntilMs - nowMs,
      this.#requests?.waitMs(1, nowMs) ?? 0,
      this.#tokens?.waitMs(tokens, nowMs) ?? 0,
    );
  }

  start(tokens: number, nowMs = performance.now()): Ticket {
    this.#requests?.take(1);
    this.#tokens?.take(tokens);
    return { startedMs: nowMs, tokens };
  }

  /** The server answered: it has room. Tokens that were not used go back. */
  answered({ startedMs, tokens }: Ticket, usage: TokenUsage | undefined): void {
    if (usage) this.#tokens?.take(usage.inputTokens + usage.outputTokens - tokens);
    this.#refusedRounds = 0;
    this.#refusedInRound = 0;
    this.#held = 0;
    this.#window = Math.min(this.#most, this.#window + this.#growth);
    this.#isAnsweredSinceCut = true;
    if (startedMs >= this.#cutMs) this.#count();
  }

  /** The server had no room. Calls that were under way when the window was last cut say nothing new. */
  refused({ startedMs, tokens }: Ticket, nowMs = performance.now()): void {
    this.#tokens?.take(-tokens);
    this.#isEverRefused = true;
    this.#held = nowMs < this.#heldUntilMs ? this.#held + 1 : 1;
    this.#heldUntilMs = nowMs + longestHoldMs;
    if (startedMs >= this.#cutMs) {
      this.#refusals += 1;
      if (this.#refusals >= toleratedShare * this.#sampleSize) this.#cut(nowMs);
      else this.#count();
    }
    if (startedMs < this.#roundMs) return;
    this.#refusedInRound += 1;
    if (this.#refusedInRound >= this.window) this.#pause(nowMs);
  }

  #pause(nowMs: number): void {
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#refusedRounds, 10));
    this.#closedUntilMs = Math.max(this.#closedUntilMs, nowMs + pauseMs);
    this.#refusedRounds += 1;
    this.#refusedInRound = 0;
    this.#roundMs = nowMs;
  }

  /** What an answer adds to the window. */
  get #growth(): number {
    if (this.#window >= this.#threshold) return Math.max(1 / this.#window, cautiousGrowth);
    return this.#isEverRefused ? 1 : openingGrowth;
  }

  get #sampleSize(): number {
    return Math.max(smallestSample, this.window);
  }

  #count(): void {
    this.#outcomes += 1;
    if (this.#outcomes >= this.#sampleSize) this.#startSample();
  }

  #startSample(): void {
    this.#outcomes = 0;
    this.#refusals = 0;
  }

  #cut(nowMs: number): void {
    const share = this.#refusals / (this.#outcomes + 1);
    this.#window = Math.max(1, this.#window * Math.max(1 / 2, 1 - 2 * share));
    // A server that answers nothing does not say how much it takes when it answers again.
    if (this.#isAnsweredSinceCut) this.#threshold = this.#window;
    this.#isAnsweredSinceCut = false;
    this.#cutMs = nowMs;
    this.#startSample();
  }

  /** A server that says it has none left is believed. */
  observe(hints: readonly RateHint[], nowMs = performance.now()): void {
    for (const { remaining, resetMs } of hints) {
      if (remaining <= 0) this.#closedUntilMs = Math.max(this.#closedUntilMs, nowMs + resetMs);
    }
  }
}

/** OpenAI's and Anthropic's names for what is left; servers that speak their protocols use them too. */
const limitHeaders = ['requests', 'tokens', 'input-tokens', 'output-tokens'].flatMap((kind) => [
  [`x-ratelimit-remaining-${kind}`, `x-ratelimit-reset-${kind}`],
  [`anthropic-ratelimit-${kind}-remaining`, `anthropic-ratelimit-${kind}-reset`],
]) as [string, string][];

export function rateHints(headers: Readonly<Record<string, string>> | undefined, now = Date.now()): RateHint[] {
  if (!headers) return [];
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return limitHeaders.flatMap(([remainingName, resetName]) => {
    const [remaining, reset] = [lower.get(remainingName)?.trim(), lower.get(resetName)?.trim()];
    const resetMs = reset === undefined ? undefined : durationMs(reset, now);
    return remaining && /^\d+$/.test(remaining) && resetMs !== undefined
      ? [{ remaining: Number(remaining), resetMs }]
      : [];
  });
}

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** `6m0s`, `20ms`, `1.5s`, plain seconds, or a date; undefined where it is none of these. */
function durationMs(text: string, now: number): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) {
    const parts = text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g);
    return [...parts].reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit as string] as number), 0);
  }
  const date = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
