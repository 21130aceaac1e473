/**
 * A call for an answer, of either protocol: is it in order, is there a storm or a limit, which fault does it meet. What is
 * answered is charged and written down before a byte of it leaves.
 */
import { answerTo } from './answer.mjs';
import { chance, requestHash } from './chance.mjs';
import { askToWait, chooseFault, stormLeftMs } from './faults.mjs';
import { deliver, hangUp, parseObject, pause, readBody, send, sendPage } from './http.mjs';

/** Faults of the answer itself: whole on its way, and the same when it is told again. */
const ofContent = new Set(['length', 'contentFilter', 'refusal']);
const errorStatus = { error500: 500, error502: 502, error503: 503, error529: 529 };

/**
 * @typedef {typeof import('./openai.mjs') | typeof import('./anthropic.mjs')} Protocol
 * @typedef {object} Exchange
 * @property {import('./context.mjs').Context} context
 * @property {Protocol} protocol
 * @property {import('node:http').ServerResponse} response
 */

/**
 * @param {import('./context.mjs').Context} context @param {Protocol} protocol
 * @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response
 */
export async function answerCall(context, protocol, request, response) {
  const { settings, state } = context;
  const exchange = { context, protocol, response };
  const text = await readBody(request);
  if (text === undefined) return send(response, 413, protocol.errorBody(413, { message: 'the request is too large' }));
  const body = parseObject(text.toString('utf8'));
  if (!body) return send(response, 400, protocol.errorBody(400, { message: 'the body is not a JSON object' }));
  const key = /** @type {string | undefined} */ (request.headers['idempotency-key']);
  const call = state.arrive(protocol.route, requestHash(body), key);
  try {
    if (settings.apiKey !== '' && protocol.keyOf(request.headers) !== settings.apiKey)
      return refuse(exchange, call, 'unauthorized', 401, { message: 'incorrect API key provided' });
    const problem = protocol.problemOf(body, request.headers, settings);
    if (problem) return refuse(exchange, call, 'invalid', problem.status ?? 400, problem);
    if (settings.idempotency && (state.answered(key)?.hash ?? call.hash) !== call.hash)
      return refuse(exchange, call, 'reusedKey', 400, { message: 'this Idempotency-Key was used for another request' });
    if (isHeldBack(exchange, call, body)) return;
    await meetFault(exchange, call, body);
  } finally {
    state.leave();
  }
}

/** Storms and real limits. @param {Exchange} exchange @param {import('./state.mjs').Call} call */
function isHeldBack(exchange, call, /** @type {Record<string, any>} */ body) {
  const { settings, startedAt, limits } = exchange.context;
  const stormMs = stormLeftMs(settings, Date.now() - startedAt);
  if (stormMs > 0) {
    tooMany(exchange, call, 'storm', 429, stormMs);
    return true;
  }
  const waitMs = limits.isNone ? 0 : limits.take(tokensOf(body, settings.answerWords));
  if (waitMs > 0) tooMany(exchange, call, 'limit', 429, waitMs);
  return waitMs > 0;
}

/** What a call may use, as limits are kept. @param {Record<string, any>} body @param {number} answerWords */
function tokensOf(body, answerWords) {
  const most = body['max_completion_tokens'] ?? body['max_tokens'] ?? answerWords;
  return answerTo(body, 0, undefined).tokensIn + most;
}

/** @param {Exchange} exchange @param {import('./state.mjs').Call} call @param {Record<string, any>} body */
async function meetFault(exchange, call, body) {
  const { response, context } = exchange;
  const { settings, seed, state } = context;
  const { hash, attempt } = call;
  const spared = state.history(hash).faults >= settings.maxFaultsPerRequest;
  const fault = spared ? undefined : chooseFault(settings.shares, seed, hash, attempt);
  const status = errorStatus[/** @type {keyof typeof errorStatus} */ (fault)];
  const abruptly = chance(seed, 'abruptly', hash, attempt) < 0.5;
  if (fault === 'rateLimited') return tooMany(exchange, call, fault, 429, settings.retryAfterMs);
  if (fault === 'error503') return tooMany(exchange, call, fault, 503, settings.retryAfterMs);
  if (status)
    return refuse(exchange, call, /** @type {string} */ (fault), status, { message: 'the server had an error' });
  const jitterMs = settings.jitterMs * chance(seed, 'jitter', hash, attempt);
  await pause(fault === 'slow' ? settings.slowMs : settings.latencyMs + jitterMs);
  if (fault === 'resetBefore') {
    state.refused(call, fault, 0);
    return hangUp(response, abruptly);
  }
  if (fault === 'wrongShape') {
    state.refused(call, fault, 200);
    return send(response, 200, { result: 'ok', output: 'an answer of another protocol' });
  }
  if (fault === 'htmlPage') {
    const pageStatus = abruptly ? 502 : 200;
    state.refused(call, fault, pageStatus);
    return sendPage(response, pageStatus);
  }
  await answer(exchange, call, body, fault, abruptly);
}

/**
 * @param {Exchange} exchange @param {import('./state.mjs').Call} call @param {Record<string, any>} body
 * @param {string | undefined} drawn @param {boolean} abruptly
 */
async function answer({ context, protocol, response }, call, body, drawn, abruptly) {
  const { settings, state, limits } = context;
  const before = settings.idempotency ? state.answered(call.key) : undefined;
  const ofFirst = before?.fault && ofContent.has(before.fault) ? before.fault : undefined;
  const fault = before && drawn !== undefined && ofContent.has(drawn) ? undefined : drawn;
  const made = answerTo(body, settings.answerWords, before ? ofFirst : fault);
  const isStream = body['stream'] === true;
  const told = { id: call.hash.slice(0, 24), createdAt: call.askedAt, body, answer: made };
  const text = isStream ? protocol.stream(told).join('') : JSON.stringify(protocol.completion(told));
  const { tokensIn, tokensOut } = made;
  const bytes = Buffer.byteLength(text);
  const id = state.served(call, { fault: fault ?? null, bytes, tokensIn, tokensOut, duplicate: before !== undefined });
  const headers = limits.headers(protocol.vendor);
  state.delivered(id, await deliver(response, { text, headers, isStream, fault, abruptly }));
}

/** @param {Exchange} exchange @param {import('./state.mjs').Call} call @param {string} fault @param {number} status */
function tooMany(exchange, call, fault, status, /** @type {number} */ waitMs) {
  const { context, protocol } = exchange;
  const { seed, settings, state } = context;
  const { retryAfterForms: forms } = settings;
  const form = forms[Math.floor(chance(seed, 'form', call.hash, call.attempt) * forms.length)] ?? 'none';
  const { headers, notBefore } = askToWait(form, waitMs, protocol.vendor);
  state.tellToWait(call.hash, notBefore);
  const message = status === 429 ? `rate limit reached; try again in ${waitMs} ms` : 'the server is overloaded';
  const code = status === 429 ? { code: 'rate_limit_exceeded' } : {};
  refuse(exchange, call, fault, status, { message, ...code }, headers);
}

/** @param {Exchange} exchange @param {import('./state.mjs').Call} call @param {string} fault @param {number} status */
function refuse(
  { context, protocol, response },
  call,
  fault,
  status,
  /** @type {{ message: string }} */ error,
  /** @type {Record<string, string>} */ headers = {},
) {
  context.state.refused(call, fault, status);
  const vendors = context.limits.headers(protocol.vendor);
  send(response, status, protocol.errorBody(status, error), { ...vendors, ...headers });
}
