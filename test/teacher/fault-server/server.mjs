/** One server: calls for an answer, calls about files and batches, and its own state and settings. */
import { createServer } from 'node:http';
import * as anthropic from './anthropic.mjs';
import { answerCall } from './calls.mjs';
import { control } from './control.mjs';
import { readBody, send } from './http.mjs';
import { Limits } from './limits.mjs';
import * as openai from './openai.mjs';
import { maxBytesOf, openRoutes } from './routes.mjs';
import { changed } from './settings.mjs';

/**
 * Starts to listen, on this machine alone.
 * @param {import('./context.mjs').Context} context @param {number} port 0: any that is free
 * @returns {Promise<import('node:http').Server>}
 */
export function listen(context, port) {
  const route = openRoutes(context);
  const server = createServer((request, response) => {
    handle(context, route, request, response).catch((error) => {
      if (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE') return;
      process.stderr.write(`fault-server: ${error.stack}\n`);
      if (response.headersSent) response.destroy();
      else send(response, 500, { error: { message: `the test server itself failed: ${error.message}` } });
    });
  });
  // Shorter would end connections that a caller is about to use again: a reset that nobody asked for.
  server.keepAliveTimeout = 120_000;
  server.requestTimeout = 0;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => resolve(server));
  });
}

/**
 * @param {import('./context.mjs').Context} context @param {ReturnType<typeof openRoutes>} route
 * @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response
 */
async function handle(context, route, request, response) {
  const { method = '', headers } = request;
  const { pathname: path, searchParams: query } = new URL(request.url ?? '/', context.address);
  if (path === '/__state') return send(response, 200, context.state.counts);
  if (path === '/__faults') return changeFaults(context, request, response);
  if (method === 'POST' && path === '/v1/chat/completions') return answerCall(context, openai, request, response);
  if (method === 'POST' && path === '/v1/messages') return answerCall(context, anthropic, request, response);

  // Read before any fault: a caller whose words are not heard fails while it still writes.
  const body = await readBody(request, maxBytesOf(path, context.settings));
  const protocol = headers['anthropic-version'] === undefined ? openai : anthropic;
  const fail = (/** @type {number} */ status, /** @type {string} */ message) =>
    send(response, status, protocol.errorBody(status, { message }));
  const { apiKey } = context.settings;
  if (apiKey !== '' && protocol.keyOf(headers) !== apiKey) return fail(401, 'incorrect API key provided');
  const [, model] = /^\/v1\/models(?:\/([^/]+))?$/.exec(path) ?? [undefined, null];
  if (model !== null) return showModels(context, protocol, response, model && decodeURIComponent(model));
  const found = route(method, path);
  if (!found) return fail(404, `no such address: ${method} ${path}`);
  const { act, id } = found;
  const contentType = headers['content-type'] ?? '';
  return control(context, protocol, response, () => act({ id, query, body, contentType }));
}

/**
 * @param {import('./context.mjs').Context} context @param {import('./calls.mjs').Protocol} protocol
 * @param {import('node:http').ServerResponse} response @param {string | undefined} name undefined: all of them
 */
function showModels({ settings: { models } }, protocol, response, name) {
  const isAnthropic = protocol.vendor === 'anthropic';
  const view = (/** @type {string} */ id) =>
    isAnthropic
      ? { id, type: 'model', display_name: id, created_at: '2024-01-01T00:00:00Z' }
      : { id, object: 'model', created: 1_700_000_000, owned_by: 'fault-server' };
  if (name === undefined) {
    const ends = { has_more: false, first_id: models[0] ?? null, last_id: models.at(-1) ?? null };
    return send(response, 200, { ...(isAnthropic ? ends : { object: 'list' }), data: models.map(view) });
  }
  if (models.includes(name)) return send(response, 200, view(name));
  return send(response, 404, protocol.errorBody(404, { message: `the model '${name}' does not exist` }));
}

/**
 * @param {import('./context.mjs').Context} context
 * @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response
 */
async function changeFaults(context, request, response) {
  try {
    const before = context.settings;
    context.settings = changed(before, JSON.parse(String(await readBody(request))));
    // Buckets that are not changed keep what is in them.
    if (JSON.stringify(before.limits) !== JSON.stringify(context.settings.limits))
      context.limits = new Limits(context.settings.limits);
    send(response, 200, context.settings);
  } catch (error) {
    send(response, 400, { error: { message: /** @type {Error} */ (error).message } });
  }
}
