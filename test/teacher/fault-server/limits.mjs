/** Real rate limits: requests and tokens a minute, as buckets that fill evenly, and what headers say of them. */

class Bucket {
  #level;
  #filledAt = Date.now();

  /** @param {number} perMinute @param {number} burstSeconds */
  constructor(perMinute, burstSeconds) {
    this.perMinute = perMinute;
    this.size = Math.max(1, (perMinute * burstSeconds) / 60);
    this.#level = this.size;
  }

  level() {
    const now = Date.now();
    this.#level = Math.min(this.size, this.#level + ((now - this.#filledAt) * this.perMinute) / 60_000);
    this.#filledAt = now;
    return this.#level;
  }

  /** How long until `amount` is there. @param {number} amount */
  waitMs(amount) {
    return Math.max(0, Math.ceil(((Math.min(amount, this.size) - this.level()) * 60_000) / this.perMinute));
  }

  /** @param {number} amount */
  take(amount) {
    this.#level = this.level() - amount;
  }
}

export class Limits {
  /** @param {{ requestsPerMinute: number, tokensPerMinute: number, burstSeconds: number }} limits */
  constructor({ requestsPerMinute, tokensPerMinute, burstSeconds }) {
    this.requests = requestsPerMinute > 0 ? new Bucket(requestsPerMinute, burstSeconds) : undefined;
    this.tokens = tokensPerMinute > 0 ? new Bucket(tokensPerMinute, burstSeconds) : undefined;
  }

  get isNone() {
    return this.requests === undefined && this.tokens === undefined;
  }

  /** 0: taken. Otherwise how long to wait, and nothing is taken. @param {number} tokens */
  take(tokens) {
    const waitMs = Math.max(this.requests?.waitMs(1) ?? 0, this.tokens?.waitMs(tokens) ?? 0);
    if (waitMs > 0) return waitMs;
    this.requests?.take(1);
    this.tokens?.take(tokens);
    return 0;
  }

  /** What every answer says of the limits there are. @param {'openai' | 'anthropic'} vendor */
  headers(vendor) {
    /** @type {Record<string, string>} */
    const headers = {};
    for (const [name, bucket] of Object.entries({ requests: this.requests, tokens: this.tokens })) {
      if (bucket) Object.assign(headers, limitHeaders(vendor, name, bucket, bucket.waitMs(bucket.size)));
    }
    return headers;
  }
}

/**
 * @param {'openai' | 'anthropic'} vendor @param {string} name @param {{ perMinute: number, level(): number }} bucket
 * @param {number} resetMs until the bucket is full
 */
function limitHeaders(vendor, name, bucket, resetMs) {
  const remaining = String(Math.max(0, Math.floor(bucket.level())));
  const limit = String(bucket.perMinute);
  if (vendor === 'anthropic') {
    const reset = new Date(Date.now() + resetMs).toISOString();
    const prefix = `anthropic-ratelimit-${name}`;
    return { [`${prefix}-limit`]: limit, [`${prefix}-remaining`]: remaining, [`${prefix}-reset`]: reset };
  }
  return {
    [`x-ratelimit-limit-${name}`]: limit,
    [`x-ratelimit-remaining-${name}`]: remaining,
    [`x-ratelimit-reset-${name}`]: duration(resetMs),
  };
}

/** As OpenAI writes it: 17ms, 1.2s, 6m0s. @param {number} ms */
export function duration(ms) {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Number(((ms % 60_000) / 1000).toFixed(3));
  return ms < 60_000 ? `${seconds}s` : `${Math.floor(ms / 60_000)}m${seconds}s`;
}
