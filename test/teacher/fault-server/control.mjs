/**
 * What calls about files and batches have in common: faults by the order in which they come, pages of lists, and that a
 * thing can be done without anybody being told.
 */
import { askToWait, chooseFault } from './faults.mjs';
import { deliver, hangUp, send } from './http.mjs';

const errorStatus = { rateLimited: 429, error500: 500, error503: 503 };

/**
 * @typedef {object} Reply
 * @property {number} status
 * @property {string | object} body
 * @property {string} [type] of content, where it is not JSON
 */

/**
 * Meets the call's fault, or does what is asked and tells it.
 * @param {import('./context.mjs').Context} context @param {import('./calls.mjs').Protocol} protocol
 * @param {import('node:http').ServerResponse} response @param {() => Promise<Reply> | Reply} act
 */
export async function control(context, protocol, response, act) {
  const { settings, seed, state } = context;
  context.controlCalls += 1;
  const fault = chooseFault(settings.controlShares, seed, 'control', state.counts.starts, context.controlCalls);
  if (fault !== undefined) state.write({ e: 'controlFault', at: Date.now(), fault });
  const status = errorStatus[/** @type {keyof typeof errorStatus} */ (fault)];
  if (status) {
    const { headers } = askToWait('seconds', settings.retryAfterMs, protocol.vendor);
    return send(response, status, protocol.errorBody(status, { message: `fault ${status}` }), headers);
  }
  if (fault === 'resetBefore') return hangUp(response, true);
  const { status: done, body, type } = await act();
  if (done >= 400) return send(response, done, body);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  await deliver(response, { text, headers: type ? { 'content-type': type } : {}, isStream: false, fault });
}

/**
 * The page of a list that comes after the thing named by `after`. Newest first, as providers list.
 * @template {{ id: string }} T @param {readonly T[]} oldestFirst
 * @param {{ after: string | null, before?: string | null, limit: number }} page
 * @returns {{ data: T[], has_more: boolean, first_id: string | null, last_id: string | null }}
 */
export function pageOf(oldestFirst, { after, before = null, limit }) {
  const all = [...oldestFirst].reverse();
  const start = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
  const end = before === null ? all.length : all.findIndex(({ id }) => id === before);
  const from = before === null ? start : Math.max(0, end - limit);
  const data = all.slice(from, Math.min(end, from + limit));
  const hasMore = before === null ? from + data.length < all.length : from > 0;
  return { data, has_more: hasMore, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

/**
 * The `limit` of a list's address; undefined: it is out of bounds.
 * @param {URLSearchParams} query @param {number} usual @param {number} most
 */
export function limitOf(query, usual, most) {
  const limit = Number(query.get('limit') ?? usual);
  return Number.isInteger(limit) && limit >= 1 && limit <= most ? limit : undefined;
}
