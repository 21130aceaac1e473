/**
 * What happens to a request depends on the seed and on the request alone, never on the order in which requests arrive: two
 * runs of any concurrency meet the same faults.
 */
import { createHash } from 'node:crypto';

/** Uniform in [0, 1). @param {number} seed @param {...(string | number)} what */
export function chance(seed, ...what) {
  const digest = createHash('sha256')
    .update(JSON.stringify([seed, ...what]))
    .digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** Members that change the way an answer is delivered, not the answer. */
const aboutDelivery = new Set(['stream', 'stream_options', 'metadata', 'user', 'store', 'service_tier']);

/**
 * Identifies a request by what determines its answer: the same online, streamed and in a batch.
 * @param {Record<string, unknown>} body
 */
export function requestHash(body) {
  const { max_completion_tokens: newer, max_tokens: older, ...rest } = body;
  const kept = Object.entries(rest).filter(([name, value]) => !aboutDelivery.has(name) && value !== undefined);
  return createHash('sha256')
    .update(sorted({ ...Object.fromEntries(kept), max_tokens: newer ?? older ?? null }))
    .digest('hex');
}

/** JSON with the members of objects in order. @param {unknown} value @returns {string} */
function sorted(value) {
  if (Array.isArray(value)) return `[${value.map(sorted).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${sorted(member)}`).join(',')}}`;
}

/**
 * The order in which things come back, which is not the order they were given in.
 * @template T @param {readonly T[]} items @param {number} seed @param {string} what @returns {T[]}
 */
export function shuffled(items, seed, what) {
  return items
    .map((item, i) => ({ item, at: chance(seed, what, i) }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
