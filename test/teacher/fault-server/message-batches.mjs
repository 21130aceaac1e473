/**
 * Anthropic's message batches (https://docs.claude.com/en/docs/build-with-claude/batch-processing). Requests come in one
 * body, carry no metadata, and all end together: succeeded, errored, expired or canceled. That a row is not in order is
 * seen only in its result.
 */
import * as anthropic from './anthropic.mjs';
import { limitOf, pageOf } from './control.mjs';
import { parseObject } from './http.mjs';
import { failedStatus, plan, plannedRows, remember, serveRow } from './rows.mjs';

const customId = /^[a-zA-Z0-9_-]{1,64}$/;
const dayMs = 24 * 60 * 60 * 1000;

/**
 * @typedef {{ succeeded: number, errored: number, canceled: number, expired: number }} Counts
 * @typedef {{ id: string, at: number, total: number, durationMs: number, finalizingMs: number, cancelledAt?: number,
 *   counts?: Counts, results?: string }} MessageBatch
 */

const invalid = (/** @type {string} */ message, status = 400) => ({
  status,
  body: anthropic.errorBody(status, { message }),
});
const missing = (/** @type {string} */ id) => invalid(`message batch ${id} not found`, 404);

export class MessageBatches {
  /** @type {Map<string, MessageBatch>} oldest first */
  #batches = new Map();
  #made = 0;

  /** @param {import('./context.mjs').Context} context */
  constructor(context) {
    this.context = context;
    for (const line of context.state.control) {
      if (line['e'] === 'messageBatch') {
        this.#add(line['batch']);
        remember(context, line['batch'].id);
      }
      const batch = this.#batches.get(line['id']);
      if (batch && line['e'] === 'messageBatchCancelled') batch.cancelledAt = line['at'];
      if (line['e'] === 'messageBatchDeleted') this.#batches.delete(line['id']);
    }
  }

  /** @param {MessageBatch} batch */
  #add(batch) {
    this.#made += 1;
    this.#batches.set(batch.id, batch);
  }

  /** @param {string | undefined} text @returns {import('./control.mjs').Reply} */
  create(text) {
    const { settings, state } = this.context;
    if (text === undefined) return invalid('the request is too large', 413);
    const body = parseObject(text);
    if (!body) return invalid('the body is not a JSON object');
    const problem = problemOf(body, settings.messageBatch.maxRequests);
    if (problem !== undefined) return invalid(problem);
    const id = `msgbatch_${String(this.#made + 1).padStart(8, '0')}`;
    const rows = body['requests'].map((/** @type {Record<string, any>} */ { custom_id: name, params }) => {
      const own = anthropic.problemOf(params, undefined, settings);
      return { id: name, body: params, ...(own ? { problem: own } : {}) };
    });
    const { validatingMs, inProgressMs, finalizingMs } = settings.batch;
    const batch = { id, at: Date.now(), total: rows.length, durationMs: validatingMs + inProgressMs, finalizingMs };
    plan(this.context, id, rows);
    state.write({ e: 'messageBatch', at: batch.at, batch });
    this.#add(batch);
    return { status: 200, body: this.#view(batch) };
  }

  /** @param {string} id @returns {import('./control.mjs').Reply} */
  show(id) {
    const batch = this.#batches.get(id);
    return batch ? { status: 200, body: this.#view(batch) } : missing(id);
  }

  /** @param {URLSearchParams} query @returns {import('./control.mjs').Reply} */
  list(query) {
    const limit = limitOf(query, 20, 1000);
    if (limit === undefined) return invalid('limit: expected 1 to 1000');
    const cursor = { after: query.get('after_id'), before: query.get('before_id'), limit };
    const page = pageOf([...this.#batches.values()], cursor);
    return { status: 200, body: { ...page, data: page.data.map((batch) => this.#view(batch)) } };
  }

  /** @param {string} id @returns {import('./control.mjs').Reply} */
  results(id) {
    const batch = this.#batches.get(id);
    if (!batch) return missing(id);
    if (statusOf(batch) !== 'ended') return invalid('the batch has not ended: it has no results yet', 404);
    return { status: 200, body: this.#finished(batch).results, type: 'application/x-jsonl' };
  }

  /** @param {string} id @returns {import('./control.mjs').Reply} */
  cancel(id) {
    const batch = this.#batches.get(id);
    if (!batch) return missing(id);
    if (statusOf(batch) === 'ended') return invalid('the batch has ended: it cannot be canceled');
    batch.cancelledAt ??= Date.now();
    this.context.state.write({ e: 'messageBatchCancelled', at: batch.cancelledAt, id });
    return { status: 200, body: this.#view(batch) };
  }

  /** @param {string} id @returns {import('./control.mjs').Reply} */
  remove(id) {
    const batch = this.#batches.get(id);
    if (!batch) return missing(id);
    if (statusOf(batch) !== 'ended') return invalid('the batch has not ended: cancel it before deleting it');
    this.#batches.delete(id);
    this.context.state.write({ e: 'messageBatchDeleted', at: Date.now(), id });
    return { status: 200, body: { id, type: 'message_batch_deleted' } };
  }

  /** As it is told now. @param {MessageBatch} batch */
  #view(batch) {
    const { id, at, total, durationMs, finalizingMs, cancelledAt } = batch;
    const status = statusOf(batch);
    const hasEnded = status === 'ended';
    const counts = hasEnded ? this.#finished(batch).counts : { succeeded: 0, errored: 0, canceled: 0, expired: 0 };
    const end = cancelledAt === undefined ? at + durationMs : cancelledAt + finalizingMs;
    const time = (/** @type {number} */ ms) => new Date(ms).toISOString();
    return {
      id,
      type: 'message_batch',
      processing_status: status,
      request_counts: { processing: hasEnded ? 0 : total, ...counts },
      ended_at: hasEnded ? time(end) : null,
      created_at: time(at),
      expires_at: time(at + dayMs),
      archived_at: null,
      cancel_initiated_at: cancelledAt === undefined ? null : time(cancelledAt),
      results_url: hasEnded ? `${this.context.address}/v1/messages/batches/${id}/results` : null,
    };
  }

  /** With its counts and results, which are made once. @param {MessageBatch} batch */
  #finished(batch) {
    const { context } = this;
    const counts = { succeeded: 0, errored: 0, canceled: 0, expired: 0 };
    if (batch.counts && batch.results !== undefined) return { counts: batch.counts, results: batch.results };
    const rows = plannedRows(context, batch.id);
    const reached = batch.cancelledAt === undefined ? rows.length : Math.floor(progress(batch) * rows.length);
    const lines = [];
    for (const [i, row] of rows.entries()) {
      const result = resultOf(context, batch, row, i >= reached);
      counts[result.type] += 1;
      const line = { custom_id: row.id, result };
      if (row.outcome !== 'missing' || i >= reached) lines.push(line, ...(row.twice ? [line] : []));
    }
    batch.counts = counts;
    batch.results = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    return { counts, results: batch.results };
  }
}

/**
 * @param {import('./context.mjs').Context} context @param {MessageBatch} batch
 * @param {import('./rows.mjs').PlannedRow} row @param {boolean} isCancelled
 * @returns {{ type: keyof Counts, [member: string]: unknown }}
 */
function resultOf(context, batch, row, isCancelled) {
  if (isCancelled) return { type: 'canceled' };
  if (row.outcome === 'expired') return { type: 'expired' };
  if (row.problem) return { type: 'errored', error: anthropic.errorOf(row.problem.status ?? 400, row.problem.message) };
  if (row.outcome === 'failed') {
    const status = failedStatus(row.hash, context.seed) === 500 ? 500 : 529;
    return { type: 'errored', error: anthropic.errorOf(status, 'this row failed') };
  }
  if (row.outcome === 'missing') return { type: 'succeeded' };
  return { type: 'succeeded', message: serveRow(context, anthropic, batch.id, row, batch.at) };
}

/** @param {MessageBatch} batch */
function statusOf({ at, durationMs, finalizingMs, cancelledAt }) {
  if (cancelledAt !== undefined) return Date.now() < cancelledAt + finalizingMs ? 'canceling' : 'ended';
  return Date.now() < at + durationMs ? 'in_progress' : 'ended';
}

/** The share of rows done before the batch was cancelled. @param {MessageBatch} batch */
const progress = ({ at, durationMs, cancelledAt = Number.POSITIVE_INFINITY }) =>
  durationMs === 0 ? 1 : Math.min(1, (cancelledAt - at) / durationMs);

/** @param {Record<string, any>} body @param {number} maxRequests */
function problemOf(body, maxRequests) {
  const unknown = Object.keys(body).find((name) => name !== 'requests');
  if (unknown !== undefined) return `${unknown}: Extra inputs are not permitted`;
  const { requests } = body;
  if (!Array.isArray(requests) || requests.length === 0) return 'requests: expected at least one request';
  if (requests.length > maxRequests) return `requests: expected at most ${maxRequests}`;
  const ids = new Set();
  for (const [i, request] of requests.entries()) {
    const extra = Object.keys(request).find((name) => name !== 'custom_id' && name !== 'params');
    if (extra !== undefined) return `requests.${i}.${extra}: Extra inputs are not permitted`;
    const { custom_id: id, params } = request;
    if (typeof id !== 'string' || !customId.test(id))
      return `requests.${i}.custom_id: String should match pattern '${customId.source}'`;
    if (ids.has(id)) return `requests.${i}.custom_id: '${id}' is of another request too`;
    if (typeof params !== 'object' || params === null) return `requests.${i}.params: Field required`;
    ids.add(id);
  }
  return undefined;
}
