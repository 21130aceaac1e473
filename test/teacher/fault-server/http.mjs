/** Bodies in, answers out, and the ways in which an answer fails to arrive. */

const json = { 'content-type': 'application/json' };
const html = { 'content-type': 'text/html; charset=utf-8' };

export const proxyPage =
  '<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n';

/**
 * Reads a body; undefined where it is longer than `maxBytes`.
 * @param {import('node:http').IncomingMessage} request @param {number} [maxBytes] @returns {Promise<Buffer | undefined>}
 */
export async function readBody(request, maxBytes = 32_000_000) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
  }
  return bytes <= maxBytes ? Buffer.concat(chunks) : undefined;
}

/** The members of a JSON object; undefined: it is none. @param {string} text @returns {Record<string, any> | undefined} */
export function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {import('node:http').ServerResponse} response @param {number} status @param {string | object} body
 * @param {Record<string, string>} [headers]
 */
export function send(response, status, body, headers = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { ...json, 'content-length': Buffer.byteLength(text), ...headers }).end(text);
}

/** @param {import('node:http').ServerResponse} response @param {number} status */
export const sendPage = (response, status) => send(response, status, proxyPage, html);

/** Ends the connection; `abruptly`: by a reset, else as if the server had gone in peace. */
export function hangUp(/** @type {import('node:http').ServerResponse} */ response, /** @type {boolean} */ abruptly) {
  if (abruptly) response.socket?.resetAndDestroy();
  else response.socket?.destroy();
}

/**
 * Sends an answer, or as much of it as the fault lets through. Resolves, when the connection is done with it, to whether
 * all of it left unharmed.
 * @param {import('node:http').ServerResponse} response
 * @param {{ text: string, headers: Record<string, string>, isStream: boolean, fault?: string | null, abruptly?: boolean }} what
 * @returns {Promise<boolean>}
 */
export function deliver(response, { text, headers, isStream, fault, abruptly = true }) {
  const bytes = Buffer.from(fault === 'wrongJson' ? text.replaceAll('{"id"', '{,"id"') : text);
  const half = bytes.subarray(0, bytes.length >> 1);
  const type = isStream ? 'text/event-stream; charset=utf-8' : 'application/json';
  const declared = fault === 'truncated' ? half.length : bytes.length;
  return new Promise((resolve) => {
    if (response.destroyed || response.socket === null || response.socket.destroyed) return resolve(false);
    const harmed = fault === 'resetMidBody' || fault === 'truncated' || fault === 'wrongJson' || fault === 'resetAfter';
    response.on('close', () => resolve(!harmed && response.writableFinished));
    if (fault === 'resetAfter') return hangUp(response, abruptly);
    response.writeHead(200, {
      'content-type': type,
      ...(isStream ? {} : { 'content-length': declared }),
      ...headers,
    });
    if (fault === 'resetMidBody') response.write(half, () => hangUp(response, abruptly));
    else response.end(fault === 'truncated' ? half : bytes);
  });
}

/** @param {number} ms */
export const pause = (ms) => new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)));
