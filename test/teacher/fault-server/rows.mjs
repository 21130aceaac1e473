/**
 * What becomes of the rows of a batch, in either protocol. It is decided when the batch is made and kept in a file beside
 * the state; it comes to light when the batch is done. The rows come back in another order than they were given in.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerTo } from './answer.mjs';
import { chance, requestHash, shuffled } from './chance.mjs';

/**
 * @typedef {{ id: string, body: Record<string, any>, problem?: { message: string, status?: number } }} Row a custom_id
 * @typedef {{ id: string, hash: string, body: Record<string, any>, problem?: { message: string, status?: number },
 *   outcome: 'served' | 'failed' | 'expired' | 'missing' | 'invalid', twice: boolean }} PlannedRow
 */

/** @param {import('./context.mjs').Context} context @param {string} batch @param {readonly Row[]} rows */
export function plan(context, batch, rows) {
  const planned = shuffled(rows, context.seed, batch).map((row) => planRow(context, row));
  writeFileSync(join(context.folder, `${batch}.rows`), planned.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** @param {import('./context.mjs').Context} context @param {Row} row @returns {PlannedRow} */
function planRow({ settings, seed, state }, { id, body, problem }) {
  const hash = requestHash(body);
  const history = state.history(hash);
  if (problem) return { id, hash, body, problem, outcome: 'invalid', twice: false };
  const attempt = history.attempts++;
  const { failShare, expireShare, missingShare, duplicateShare } = settings.batch;
  const roll = history.faults >= settings.maxFaultsPerRequest ? 1 : chance(seed, 'row', hash, attempt);
  /** @type {PlannedRow['outcome']} */
  let outcome = 'served';
  if (roll < failShare + expireShare + missingShare) outcome = 'missing';
  if (roll < failShare + expireShare) outcome = 'expired';
  if (roll < failShare) outcome = 'failed';
  if (isFault(outcome)) history.faults += 1;
  const twice = chance(seed, 'twice', hash, attempt) < duplicateShare;
  return { id, hash, body, outcome, twice };
}

/** Takes a batch made before a restart into account. @param {import('./context.mjs').Context} context @param {string} batch */
export function remember(context, batch) {
  for (const { hash, outcome } of plannedRows(context, batch)) {
    const history = context.state.history(hash);
    history.attempts += 1;
    if (isFault(outcome)) history.faults += 1;
  }
}

/** @param {PlannedRow['outcome']} outcome */
const isFault = (outcome) => outcome === 'failed' || outcome === 'expired' || outcome === 'missing';

/** @param {import('./context.mjs').Context} context @param {string} batch @returns {PlannedRow[]} */
export function plannedRows({ folder }, batch) {
  const lines = readFileSync(join(folder, `${batch}.rows`), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}

/**
 * The completed object of a served row, which is counted, and charged, here: once, should the server be killed at it.
 * @param {import('./context.mjs').Context} context @param {import('./calls.mjs').Protocol} protocol
 * @param {string} batch @param {PlannedRow} row @param {number} createdAt
 */
export function serveRow({ settings, state }, protocol, batch, { id: key, hash, body }, createdAt) {
  const answer = answerTo(body, settings.answerWords, undefined);
  const completed = protocol.completion({ id: hash.slice(0, 24), createdAt, body, answer });
  const { tokensIn, tokensOut } = answer;
  const bytes = Buffer.byteLength(JSON.stringify(completed));
  const call = { route: `${protocol.route}-batch`, hash, key };
  if (!state.hasServed(batch, key))
    state.served(call, { fault: null, bytes, tokensIn, tokensOut, duplicate: false, batch });
  return completed;
}

/** Which failure a failed row met: each of them passes. @param {string} hash @param {number} seed */
export const failedStatus = (hash, seed) => (chance(seed, 'row status', hash) < 0.5 ? 500 : 429);
