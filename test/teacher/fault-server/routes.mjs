/** The calls about models, files and batches: address to function. */
import { Batches } from './batches.mjs';
import { Files, maxFileBytes } from './files.mjs';
import { MessageBatches } from './message-batches.mjs';

/**
 * @typedef {import('./control.mjs').Reply} Reply
 * @typedef {object} Asked
 * @property {string} id the part of the address that names a thing
 * @property {URLSearchParams} query
 * @property {Buffer | undefined} body undefined: longer than it may be
 * @property {string} contentType
 * @typedef {(asked: Asked) => Promise<Reply> | Reply} Act
 */

/** @param {import('./context.mjs').Context} context @returns {(method: string, path: string) => { act: Act, id: string } | undefined} */
export function openRoutes(context) {
  const files = new Files(context);
  const batches = new Batches(context, files);
  const messages = new MessageBatches(context);
  const text = (/** @type {Buffer | undefined} */ body) => body?.toString('utf8');
  /** @type {Record<string, Act>} `*` stands for the name of a thing */
  const acts = {
    'POST /v1/files': ({ body, contentType }) => files.upload(body, contentType),
    'GET /v1/files': ({ query }) => files.list(query),
    'GET /v1/files/*': ({ id }) => files.show(id),
    'DELETE /v1/files/*': ({ id }) => files.remove(id),
    'GET /v1/files/*/content': ({ id }) => files.read(id),
    'POST /v1/batches': ({ body }) => batches.create(text(body) ?? ''),
    'GET /v1/batches': ({ query }) => batches.list(query),
    'GET /v1/batches/*': ({ id }) => batches.show(id),
    'POST /v1/batches/*/cancel': ({ id }) => batches.cancel(id),
    'POST /v1/messages/batches': ({ body }) => messages.create(text(body)),
    'GET /v1/messages/batches': ({ query }) => messages.list(query),
    'GET /v1/messages/batches/*': ({ id }) => messages.show(id),
    'DELETE /v1/messages/batches/*': ({ id }) => messages.remove(id),
    'GET /v1/messages/batches/*/results': ({ id }) => messages.results(id),
    'POST /v1/messages/batches/*/cancel': ({ id }) => messages.cancel(id),
  };
  return (method, path) => {
    const plain = acts[`${method} ${path}`];
    if (plain) return { act: plain, id: '' };
    const [, before, id, after] = /^(\/v1\/(?:files|batches|messages\/batches)\/)([^/]+)(\/\w+)?$/.exec(path) ?? [];
    const act = acts[`${method} ${before}*${after ?? ''}`];
    return act && id !== undefined ? { act, id: decodeURIComponent(id) } : undefined;
  };
}

/** How long the body of a call may be. @param {string} path @param {import('./settings.mjs').Settings} settings */
export function maxBytesOf(path, settings) {
  if (path === '/v1/files') return maxFileBytes;
  return path === '/v1/messages/batches' ? settings.messageBatch.maxBytes : 32_000_000;
}
