/**
 * OpenAI's batches (https://platform.openai.com/docs/guides/batch). A batch's state follows from its age alone: validating,
 * in_progress, finalizing, then completed, or expired where a row did; failed where the file is not in order. Rows with an
 * answer are in the output file, rows with an error and expired ones in the error file.
 */
import { answerTo } from './answer.mjs';
import { limitOf, pageOf } from './control.mjs';
import { parseObject } from './http.mjs';
import * as openai from './openai.mjs';
import { failedStatus, plan, plannedRows, remember, serveRow } from './rows.mjs';

const members = new Set(['input_file_id', 'endpoint', 'completion_window', 'metadata', 'output_expires_after']);
const endpoint = '/v1/chat/completions';
/** How many of a file's problems a batch names. */
const toldProblems = 100;
const dayMs = 24 * 60 * 60 * 1000;
const terminal = new Set(['failed', 'completed', 'expired', 'cancelled']);

/**
 * @typedef {{ code: string, line: number | null, message: string, param: string | null }} Problem
 * @typedef {{ id: string, at: number, inputFileId: string, metadata: Record<string, string> | null, model: string | null,
 *   total: number, tokens: number, problems: Problem[], times: { validatingMs: number, inProgressMs: number,
 *   finalizingMs: number }, cancelledAt?: number, done?: { outputFileId: string | null, errorFileId: string | null,
 *   completed: number, failed: number, expired: number } }} Batch
 */

const invalid = (/** @type {{ message: string, param?: string, code?: string }} */ error, status = 400) => ({
  status,
  body: openai.errorBody(status, error),
});
const missing = (/** @type {string} */ id) => invalid({ message: `No batch found with id '${id}'.` }, 404);

export class Batches {
  /** @type {Map<string, Batch>} oldest first */
  #batches = new Map();

  /** @param {import('./context.mjs').Context} context @param {import('./files.mjs').Files} files */
  constructor(context, files) {
    this.context = context;
    this.files = files;
    for (const line of context.state.control) {
      if (line['e'] === 'batch') {
        this.#batches.set(line['batch'].id, line['batch']);
        if (line['batch'].problems.length === 0) remember(context, line['batch'].id);
      }
      const batch = this.#batches.get(line['id']);
      if (batch && line['e'] === 'batchCancelled') batch.cancelledAt = line['at'];
      if (batch && line['e'] === 'batchDone') batch.done = line['done'];
    }
  }

  /** @param {string} text @returns {import('./control.mjs').Reply} */
  create(text) {
    const body = parseObject(text);
    const problem = body ? problemOf(body) : { message: 'the body is not a JSON object' };
    if (!body || problem) return invalid(problem ?? { message: '' });
    const file = this.files.get(body['input_file_id']);
    if (!file) return invalid({ message: `Cannot find file ${body['input_file_id']}`, param: 'file_id' });
    if (file.purpose !== 'batch') return invalid({ message: 'the file is not for batches', param: 'input_file_id' });
    const { settings, state } = this.context;
    const { validatingMs, inProgressMs, finalizingMs, maxRequests, maxEnqueuedTokens } = settings.batch;
    const { rows, problems, model } = readRows(this.files.content(file.id), settings, maxRequests);
    const tokens = rows.reduce((sum, row) => sum + (row.problem ? 0 : answerTo(row.body, 0, undefined).tokensIn), 0);
    if (maxEnqueuedTokens > 0 && tokens + this.#enqueuedTokens() > maxEnqueuedTokens)
      problems.push(fileProblem('token_limit_exceeded', `Enqueued token limit reached: ${maxEnqueuedTokens}`));
    const id = `batch_${String(this.#batches.size + 1).padStart(8, '0')}`;
    /** @type {Batch} */
    const batch = {
      id,
      at: Date.now(),
      inputFileId: file.id,
      metadata: body['metadata'] ?? null,
      model,
      total: problems.length > 0 ? 0 : rows.length,
      tokens,
      problems: problems.slice(0, toldProblems),
      times: { validatingMs, inProgressMs, finalizingMs },
    };
    if (problems.length === 0) plan(this.context, id, rows);
    state.write({ e: 'batch', at: batch.at, batch });
    this.#batches.set(id, batch);
    return { status: 200, body: this.#view(batch) };
  }

  /** @param {string} id @returns {import('./control.mjs').Reply} */
  show(id) {
    const batch = this.#batches.get(id);
    return batch ? { status: 200, body: this.#view(batch) } : missing(id);
  }

  /** @param {URLSearchParams} query @returns {import('./control.mjs').Reply} */
  list(query) {
    const limit = limitOf(query, 20, 100);
    if (limit === undefined) return invalid({ message: "Invalid 'limit': expected 1 to 100", param: 'limit' });
    const page = pageOf([...this.#batches.values()], { after: query.get('after'), limit });
    return { status: 200, body: { object: 'list', ...page, data: page.data.map((batch) => this.#view(batch)) } };
  }

  /** @param {string} id @returns {import('./control.mjs').Reply} */
  cancel(id) {
    const batch = this.#batches.get(id);
    if (!batch) return missing(id);
    const status = statusOf(batch);
    if (terminal.has(status)) return invalid({ message: `Cannot cancel a batch with status '${status}'.` }, 409);
    batch.cancelledAt ??= Date.now();
    this.context.state.write({ e: 'batchCancelled', at: batch.cancelledAt, id });
    return { status: 200, body: this.#view(batch) };
  }

  #enqueuedTokens() {
    const open = [...this.#batches.values()].filter((batch) => !terminal.has(statusOf(batch)));
    return open.reduce((sum, { tokens }) => sum + tokens, 0);
  }

  /** As it is told now. @param {Batch} batch */
  #view(batch) {
    const { id, at, times, cancelledAt, problems } = batch;
    let status = statusOf(batch);
    if (status === 'completed' || status === 'cancelled') this.#finish(batch);
    const { done } = batch;
    if (status === 'completed' && done && done.expired > 0) status = 'expired';
    const reached = (/** @type {number} */ ms) => (Date.now() >= at + ms ? seconds(at + ms) : null);
    const { validatingMs, inProgressMs, finalizingMs } = times;
    const end = reached(validatingMs + inProgressMs + finalizingMs);
    const isRun = problems.length === 0 && cancelledAt === undefined;
    const answered = Math.floor(progress(batch) * batch.total);
    return {
      id,
      object: 'batch',
      endpoint,
      model: batch.model,
      errors: status === 'failed' ? { object: 'list', data: problems } : null,
      input_file_id: batch.inputFileId,
      completion_window: '24h',
      status,
      output_file_id: done?.outputFileId ?? null,
      error_file_id: done?.errorFileId ?? null,
      created_at: seconds(at),
      in_progress_at: problems.length === 0 ? reached(validatingMs) : null,
      expires_at: seconds(at + dayMs),
      finalizing_at: isRun ? reached(validatingMs + inProgressMs) : null,
      completed_at: status === 'completed' ? end : null,
      failed_at: status === 'failed' ? reached(validatingMs) : null,
      expired_at: status === 'expired' ? end : null,
      cancelling_at: cancelledAt === undefined ? null : seconds(cancelledAt),
      cancelled_at: status === 'cancelled' ? seconds(/** @type {number} */ (cancelledAt) + finalizingMs) : null,
      request_counts: { total: batch.total, completed: done?.completed ?? answered, failed: done?.failed ?? 0 },
      metadata: batch.metadata,
    };
  }

  /** Writes the files of a batch that has come to its end, once. @param {Batch} batch */
  #finish(batch) {
    if (batch.done) return;
    const { context, files } = this;
    const rows = plannedRows(context, batch.id);
    const reached = Math.floor(progress(batch) * rows.length);
    const output = [];
    const errors = [];
    const counts = { completed: 0, failed: 0, expired: 0 };
    for (const [i, row] of rows.entries()) {
      const line = { id: `batch_req_${row.hash.slice(0, 16)}`, custom_id: row.id };
      if (i >= reached) {
        errors.push({
          ...line,
          response: null,
          error: { code: 'batch_cancelled', message: 'the batch was cancelled' },
        });
      } else if (row.outcome === 'served') {
        counts.completed += 1;
        const body = serveRow(context, openai, batch.id, row, batch.at);
        const answer = {
          ...line,
          response: { status_code: 200, request_id: row.hash.slice(0, 32), body },
          error: null,
        };
        output.push(answer, ...(row.twice ? [answer] : []));
      } else if (row.outcome === 'expired') {
        counts.expired += 1;
        const message = 'This request could not be executed before the completion window expired.';
        errors.push({ ...line, response: null, error: { code: 'batch_expired', message } });
      } else if (row.outcome !== 'missing') {
        counts.failed += 1;
        errors.push({ ...line, response: failure(row, context.seed), error: null });
      }
    }
    const write = (/** @type {string} */ kind, /** @type {object[]} */ lines) =>
      lines.length === 0 ? null : files.make(`${batch.id}_${kind}.jsonl`, 'batch_output', jsonl(lines)).id;
    batch.done = { outputFileId: write('output', output), errorFileId: write('error', errors), ...counts };
    context.state.write({ e: 'batchDone', at: Date.now(), id: batch.id, done: batch.done });
  }
}

/** @param {import('./rows.mjs').PlannedRow} row @param {number} seed */
function failure({ hash, problem }, seed) {
  const status = problem ? (problem.status ?? 400) : failedStatus(hash, seed);
  const body = JSON.parse(openai.errorBody(status, problem ?? { message: 'this row failed' }));
  return { status_code: status, request_id: hash.slice(0, 32), body };
}

const jsonl = (/** @type {object[]} */ lines) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const seconds = (/** @type {number} */ ms) => Math.floor(ms / 1000);

/** By its age; whether rows expired is seen when it is done. @param {Batch} batch */
function statusOf({ at, times: { validatingMs, inProgressMs, finalizingMs }, problems, cancelledAt }) {
  const age = Date.now() - at;
  if (cancelledAt !== undefined) return Date.now() < cancelledAt + finalizingMs ? 'cancelling' : 'cancelled';
  if (age < validatingMs) return 'validating';
  if (problems.length > 0) return 'failed';
  if (age < validatingMs + inProgressMs) return 'in_progress';
  return age < validatingMs + inProgressMs + finalizingMs ? 'finalizing' : 'completed';
}

/** The share of rows that have been worked on. @param {Batch} batch */
function progress({ at, times: { validatingMs, inProgressMs }, cancelledAt }) {
  const workedMs = (cancelledAt ?? Date.now()) - at - validatingMs;
  return workedMs >= inProgressMs ? 1 : Math.max(0, workedMs / inProgressMs);
}

/** @param {Record<string, any>} body */
function problemOf(body) {
  const unknown = Object.keys(body).find((name) => !members.has(name));
  if (unknown !== undefined)
    return { message: `Unknown parameter: '${unknown}'.`, param: unknown, code: 'unknown_parameter' };
  for (const name of ['input_file_id', 'endpoint', 'completion_window']) {
    if (typeof body[name] !== 'string') return { message: `Missing required parameter: '${name}'.`, param: name };
  }
  if (body['endpoint'] !== endpoint) return { message: `Invalid value: expected ${endpoint}`, param: 'endpoint' };
  if (body['completion_window'] !== '24h')
    return { message: "Invalid value: expected '24h'", param: 'completion_window' };
  return isMetadata(body['metadata'] ?? {}) ? undefined : { message: "Invalid 'metadata'", param: 'metadata' };
}

/** OpenAI: 16 pairs of strings, names of up to 64 and values of up to 512 characters. @param {unknown} metadata */
function isMetadata(metadata) {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return false;
  const pairs = Object.entries(metadata);
  const isShort = (/** @type {[string, unknown]} */ [name, value]) =>
    name.length <= 64 && typeof value === 'string' && value.length <= 512;
  return pairs.length <= 16 && pairs.every(isShort);
}

/** @param {string} code @param {string} message @returns {Problem} */
const fileProblem = (code, message) => ({ code, line: null, message, param: null });

/** @param {string} content @param {import('./settings.mjs').Settings} settings @param {number} maxRequests */
function readRows(content, settings, maxRequests) {
  const lines = content.split('\n').filter((line) => line.trim() !== '');
  /** @type {Problem[]} */
  const problems = [];
  if (lines.length === 0) problems.push(fileProblem('empty_file', 'the file has no requests'));
  // The name of this code is ours: the limit is documented, how it is told is not.
  if (lines.length > maxRequests)
    problems.push(fileProblem('too_many_requests', `the file has more than ${maxRequests} requests`));
  /** @type {import('./rows.mjs').Row[]} */
  const rows = [];
  const ids = new Set();
  let model = null;
  for (const [i, text] of lines.entries()) {
    const problem = (/** @type {string} */ code, /** @type {string} */ message, /** @type {string | null} */ param) =>
      problems.push({ code, line: i + 1, message, param });
    const row = parseObject(text);
    if (!row) problem('invalid_json_line', 'this line is not a JSON object', null);
    else if (typeof row['custom_id'] !== 'string' || row['custom_id'] === '')
      problem('missing_required_parameter', 'custom_id is missing', 'custom_id');
    else if (ids.has(row['custom_id']))
      problem('duplicate_custom_id', `the custom_id '${row['custom_id']}' is of another request too`, 'custom_id');
    else if (row['method'] !== 'POST') problem('invalid_method', 'expected POST', 'method');
    else if (row['url'] !== endpoint) problem('invalid_url', `expected ${endpoint}, as the batch says`, 'url');
    else if (typeof row['body'] !== 'object' || row['body'] === null)
      problem('missing_required_parameter', 'body is missing', 'body');
    else if (model !== null && row['body'].model !== model)
      problem('mismatched_model', `expected ${model}, as in the first line`, 'body.model');
    else {
      model ??= row['body'].model;
      const own = openai.problemOf(row['body'], undefined, settings);
      rows.push({ id: row['custom_id'], body: row['body'], ...(own ? { problem: own } : {}) });
    }
    ids.add(row?.['custom_id']);
  }
  return { rows, problems, model };
}
