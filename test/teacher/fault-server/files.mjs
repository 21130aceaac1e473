/** OpenAI's files (https://platform.openai.com/docs/api-reference/files): what batches read and write. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { limitOf, pageOf } from './control.mjs';
import { errorBody } from './openai.mjs';

const members = new Set(['file', 'purpose', 'expires_after[anchor]', 'expires_after[seconds]']);
const purposes = new Set(['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals']);
/** OpenAI: one file has 512 MB at most. */
export const maxFileBytes = 512_000_000;

/**
 * @typedef {{ id: string, object: 'file', bytes: number, created_at: number, filename: string, purpose: string,
 *   status: 'processed' }} FileObject
 */

const invalid = (/** @type {string} */ message, /** @type {string | undefined} */ param) => ({
  status: 400,
  body: errorBody(400, { message, ...(param === undefined ? {} : { param }) }),
});
const missing = (/** @type {string} */ id) => ({
  status: 404,
  body: errorBody(404, { message: `No such File object: ${id}`, param: 'id' }),
});

export class Files {
  /** @type {Map<string, FileObject>} oldest first */
  #files = new Map();
  #made = 0;

  /** @param {import('./context.mjs').Context} context */
  constructor(context) {
    this.context = context;
    mkdirSync(context.folder, { recursive: true });
    for (const { e, file, id } of context.state.control) {
      if (e === 'file') this.#add(file);
      if (e === 'fileDeleted') this.#files.delete(id);
    }
  }

  /** @param {FileObject} file */
  #add(file) {
    this.#made += 1;
    this.#files.set(file.id, file);
  }

  /** @param {string} id */
  get(id) {
    return this.#files.get(id);
  }

  /** @param {string} id */
  content(id) {
    return readFileSync(join(this.context.folder, id), 'utf8');
  }

  /** @param {string} filename @param {string} purpose @param {string | Buffer} content @returns {FileObject} */
  make(filename, purpose, content) {
    const id = `file-${String(this.#made + 1).padStart(8, '0')}`;
    writeFileSync(join(this.context.folder, id), content);
    const createdAt = Math.floor(Date.now() / 1000);
    const bytes = Buffer.byteLength(content);
    /** @type {FileObject} */
    const file = { id, object: 'file', bytes, created_at: createdAt, filename, purpose, status: 'processed' };
    this.context.state.write({ e: 'file', at: Date.now(), file });
    this.#add(file);
    return file;
  }

  /**
   * @param {Buffer | undefined} body undefined: longer than `maxFileBytes` @param {string} type its content type
   * @returns {Promise<import('./control.mjs').Reply>}
   */
  async upload(body, type) {
    if (!body) return invalid('File is too large.', undefined);
    if (!type.startsWith('multipart/form-data')) return invalid('expected multipart/form-data', undefined);
    const form = await new Response(body, { headers: { 'content-type': type } }).formData();
    const unknown = [...form.keys()].find((name) => !members.has(name));
    if (unknown !== undefined) return invalid(`Unrecognized request argument supplied: ${unknown}`, undefined);
    const purpose = form.get('purpose');
    const file = form.get('file');
    if (typeof purpose !== 'string' || !purposes.has(purpose)) return invalid("Invalid value for 'purpose'", 'purpose');
    if (file === null || typeof file === 'string') return invalid("'file' is a required property", 'file');
    if (purpose === 'batch' && !file.name.endsWith('.jsonl'))
      return invalid('Invalid file format for Batch API. Must be .jsonl', undefined);
    if (purpose === 'batch' && file.size > this.context.settings.batch.maxBytes)
      return invalid('File is too large.', undefined);
    return { status: 200, body: this.make(file.name, purpose, Buffer.from(await file.arrayBuffer())) };
  }

  /** @param {URLSearchParams} query @returns {import('./control.mjs').Reply} */
  list(query) {
    const limit = limitOf(query, 10_000, 10_000);
    if (limit === undefined) return invalid("Invalid 'limit'", 'limit');
    const purpose = query.get('purpose');
    const chosen = [...this.#files.values()].filter((file) => purpose === null || file.purpose === purpose);
    if (query.get('order') === 'asc') chosen.reverse();
    return { status: 200, body: { object: 'list', ...pageOf(chosen, { after: query.get('after'), limit }) } };
  }

  /** @param {string} id @returns {import('./control.mjs').Reply} */
  show(id) {
    const file = this.#files.get(id);
    return file ? { status: 200, body: file } : missing(id);
  }

  /** @param {string} id @returns {import('./control.mjs').Reply} */
  read(id) {
    if (!this.#files.has(id)) return missing(id);
    return { status: 200, body: this.content(id), type: 'application/octet-stream' };
  }

  /** @param {string} id @returns {import('./control.mjs').Reply} */
  remove(id) {
    if (!this.#files.delete(id)) return missing(id);
    rmSync(join(this.context.folder, id));
    this.context.state.write({ e: 'fileDeleted', at: Date.now(), id });
    return { status: 200, body: { id, object: 'file', deleted: true } };
  }
}
