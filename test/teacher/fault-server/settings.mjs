/**
 * What the server does wrong, and how much: all settings with their defaults, checked where they come in. Changed while it
 * runs by POST /__faults, which takes any part of them. 0 switches a limit off.
 */

export const defaults = {
  /** From a request to the first byte of its answer; `jitterMs` is added at most, evenly. */
  latencyMs: 0,
  jitterMs: 0,
  /** Length of an answer. A word is a token. */
  answerWords: 12,
  /** Bearer token or x-api-key that is asked for; '' asks for none. */
  apiKey: '',
  models: ['test-model', 'other-model'],
  /** Of the calls for an answer: the share that meets each fault. */
  shares: {
    rateLimited: 0,
    error500: 0,
    error502: 0,
    /** With a Retry-After, as a rate limit has one. */
    error503: 0,
    error529: 0,
    /** The connection ends before a byte of an answer; no answer is made. */
    resetBefore: 0,
    /** The answer is made and charged, and half of it arrives. */
    resetMidBody: 0,
    /** The answer takes `slowMs`. */
    slow: 0,
    /** The answer is made and charged, and arrives as malformed JSON. */
    wrongJson: 0,
    /** JSON of another protocol. */
    wrongShape: 0,
    /** A proxy's page: as 502 or, as often, as 200. */
    htmlPage: 0,
    /** The answer is made and charged, and ends in the middle as if that were all. */
    truncated: 0,
    /** Cut at half its length; finish reason `length` or `max_tokens`. */
    length: 0,
    contentFilter: 0,
    /** The model declines, as a whole answer. */
    refusal: 0,
  },
  slowMs: 30_000,
  /** After so many faults a request is answered. */
  maxFaultsPerRequest: Number.MAX_SAFE_INTEGER,
  /** How long a 429 tells to wait, and in which words: each request is told in one of them. */
  retryAfterMs: 1000,
  retryAfterForms: ['seconds', 'milliseconds', 'date', 'headers', 'none'],
  /** The last `forMs` of every `everyMs`, everyone gets 429; equal numbers: always. */
  storm: { everyMs: 0, forMs: 0 },
  /** Token buckets over all callers; a bucket holds what `burstSeconds` bring. */
  limits: { requestsPerMinute: 0, tokensPerMinute: 0, burstSeconds: 60 },
  /** A repeated Idempotency-Key brings the same answer, not charged again. Otherwise the header is ignored. */
  idempotency: true,
  /** Of the calls about files and batches. */
  controlShares: {
    rateLimited: 0,
    error500: 0,
    error503: 0,
    resetBefore: 0,
    /** What was asked for is done, and nobody is told. */
    resetAfter: 0,
    truncated: 0,
  },
  batch: {
    validatingMs: 50,
    inProgressMs: 100,
    finalizingMs: 50,
    /** Of a batch's rows. */
    failShare: 0,
    expireShare: 0,
    /** Delivered twice in the same file. */
    duplicateShare: 0,
    /** In no file at all. */
    missingShare: 0,
    /** OpenAI: 50,000 requests and 200 MB a batch. */
    maxRequests: 50_000,
    maxBytes: 200_000_000,
    /** Prompt tokens of all batches that are not done. */
    maxEnqueuedTokens: 0,
  },
  /** Anthropic: 100,000 requests and 256 MB. */
  messageBatch: { maxRequests: 100_000, maxBytes: 256_000_000 },
};

/** @typedef {typeof defaults} Settings */

/**
 * The settings with a part of them changed. Throws where a name or a type is not one of `defaults`.
 * @param {Settings} current @param {unknown} change @returns {Settings}
 */
export function changed(current, change) {
  const merged = /** @type {Settings} */ (merge(current, change, 'settings'));
  for (const name of /** @type {const} */ (['shares', 'controlShares'])) {
    const sum = Object.values(merged[name]).reduce((a, b) => a + b, 0);
    if (sum > 1 + 1e-9) throw new Error(`${name}: expected shares of at most 1 together, got ${sum}`);
  }
  const { storm } = merged;
  if (storm.forMs > storm.everyMs) throw new Error('storm: expected forMs of at most everyMs');
  const forms = merged.retryAfterForms.filter((form) => !defaults.retryAfterForms.includes(form));
  if (forms.length > 0) throw new Error(`retryAfterForms: expected ${defaults.retryAfterForms}, got ${forms}`);
  return merged;
}

/** @param {unknown} before @param {unknown} after @param {string} path @returns {unknown} */
function merge(before, after, path) {
  const expected = Array.isArray(before) ? 'array' : typeof before;
  const found = Array.isArray(after) ? 'array' : typeof after;
  if (expected !== found || after === null) throw new Error(`${path}: expected ${expected}, got ${found}`);
  if (expected === 'number' && !(Number(after) >= 0)) throw new Error(`${path}: expected 0 or more, got ${after}`);
  if (expected !== 'object') return after;
  const members = /** @type {Record<string, unknown>} */ ({ .../** @type {object} */ (before) });
  for (const [name, value] of Object.entries(/** @type {object} */ (after))) {
    if (!Object.hasOwn(members, name)) throw new Error(`${path}: there is no ${name}`);
    members[name] = merge(members[name], value, `${path}.${name}`);
  }
  return members;
}
