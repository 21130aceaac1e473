/** Which fault a request meets, and how a server says "too many requests". */
import { chance } from './chance.mjs';
import { duration } from './limits.mjs';

/**
 * @param {Readonly<Record<string, number>>} shares @param {number} seed
 * @param {...(string | number)} what the request and how often it has been asked
 * @returns {string | undefined}
 */
export function chooseFault(shares, seed, ...what) {
  let left = chance(seed, 'fault', ...what);
  for (const [name, share] of Object.entries(shares)) {
    if (left < share) return name;
    left -= share;
  }
  return undefined;
}

/**
 * How much of a storm is left; 0: there is none.
 * @param {import('./settings.mjs').Settings} settings @param {number} sinceStartMs
 */
export function stormLeftMs({ storm: { everyMs, forMs }, retryAfterMs }, sinceStartMs) {
  if (forMs === 0) return 0;
  if (forMs === everyMs) return Math.max(1, retryAfterMs);
  const phase = sinceStartMs % everyMs;
  return phase >= everyMs - forMs ? everyMs - phase : 0;
}

/**
 * The headers that ask to wait, in one of the spellings, and from when a caller that heeds them may come again.
 * @param {string} form @param {number} waitMs @param {'openai' | 'anthropic'} vendor
 * @returns {{ headers: Record<string, string>, notBefore: number | undefined }}
 */
export function askToWait(form, waitMs, vendor) {
  const now = Date.now();
  switch (form) {
    case 'seconds': {
      const seconds = Math.ceil(waitMs / 1000);
      return { headers: { 'retry-after': String(seconds) }, notBefore: now + seconds * 1000 };
    }
    case 'milliseconds':
      return { headers: { 'retry-after-ms': String(Math.ceil(waitMs)) }, notBefore: now + waitMs };
    case 'date': {
      // HTTP dates have whole seconds.
      const until = Math.ceil((now + waitMs) / 1000) * 1000;
      return { headers: { 'retry-after': new Date(until).toUTCString() }, notBefore: until };
    }
    case 'headers':
      return { headers: exhausted(vendor, waitMs, now), notBefore: undefined };
    default:
      return { headers: {}, notBefore: undefined };
  }
}

/** @param {'openai' | 'anthropic'} vendor @param {number} waitMs @param {number} now @returns {Record<string, string>} */
function exhausted(vendor, waitMs, now) {
  if (vendor === 'anthropic') {
    return {
      'anthropic-ratelimit-requests-limit': '60',
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': new Date(now + waitMs).toISOString(),
    };
  }
  return {
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': duration(waitMs),
  };
}
