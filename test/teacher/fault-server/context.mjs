/** What every part of the server works with. */

/**
 * @typedef {object} Context
 * @property {number} seed
 * @property {number} startedAt
 * @property {import('./settings.mjs').Settings} settings
 * @property {import('./state.mjs').State} state
 * @property {import('./limits.mjs').Limits} limits
 * @property {string} folder of uploaded and made files
 * @property {string} address of this server
 * @property {number} controlCalls calls about files and batches so far
 */
export {};
