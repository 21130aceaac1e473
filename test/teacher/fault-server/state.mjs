/**
 * What the server did, in a file that is only ever added to, and the sums of it. An answer's line is written before its
 * bytes leave and a second one when it is known whether they all left, so that a server that is killed has counted
 * everything that may have arrived. Started again with the same file it goes on counting.
 *
 * Lines: `served` (an answer was made: hash, key, bytes, tokens), `delivered` (whole or not), `refused` (any other end of
 * a call), and those of files and batches. Each call for an answer ends in exactly one of the first and the third.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * @typedef {object} Call
 * @property {string} route
 * @property {string} hash
 * @property {string | undefined} key the Idempotency-Key, or the custom_id in a batch
 * @property {number} askedAt
 * @property {number} attempt calls with this hash before this one
 * @property {number | undefined} earlyMs how much before the time it was told to wait for
 */

/** Clocks and timers of two processes agree no better. */
const toleranceMs = 5;

export class State {
  #handle;
  #replaying = false;
  /** @type {Map<string, { attempts: number, faults: number, served: number }>} by hash */
  #requests = new Map();
  /** @type {Map<string, { hash: string, fault: string | null }>} by Idempotency-Key: what was answered */
  #answered = new Map();
  /** @type {Map<string, number>} by hash */
  #notBefore = new Map();
  /** @type {Set<number>} answers of which it is not known whether they arrived */
  #open = new Set();
  /** @type {Set<string>} rows of batches, by batch and custom_id */
  #batchRows = new Set();
  /** @type {Record<string, any>[]} lines about files and batches */
  control = [];
  counts = {
    /** Calls for an answer, batches' rows not included. */
    asked: 0,
    inFlight: 0,
    maxInFlight: 0,
    /** Answers made, those of batches included. */
    served: 0,
    /** Of these: whole on their way; in part; and neither said, because the server was killed. */
    whole: 0,
    torn: 0,
    unknown: 0,
    /** Of `served`: told again under a repeated Idempotency-Key, and not charged. */
    duplicates: 0,
    /** Of `served`: charged although the same request had been charged before. */
    chargedAgain: 0,
    /** Of `served`: rows of batches. */
    batchRows: 0,
    /** Different requests with an answer made. */
    requests: 0,
    tokensIn: 0,
    tokensOut: 0,
    bytes: 0,
    /** Calls that came before the time they had been told to wait for. */
    early: 0,
    /** By fault, of all calls for an answer. */
    faults: /** @type {Record<string, number>} */ ({}),
    /** By fault, of all calls about files and batches. */
    controlFaults: /** @type {Record<string, number>} */ ({}),
    starts: 0,
  };

  /** @param {string} file */
  constructor(file) {
    mkdirSync(dirname(file), { recursive: true });
    this.file = file;
    if (existsSync(file)) this.#replay(file);
    this.counts.unknown = this.#open.size;
    this.#handle = openSync(file, 'a');
    this.write({ e: 'start', at: Date.now() });
  }

  /** A call has come. @param {string} route @param {string} hash @param {string | undefined} key @returns {Call} */
  arrive(route, hash, key) {
    const askedAt = Date.now();
    const { counts } = this;
    counts.asked += 1;
    counts.inFlight += 1;
    counts.maxInFlight = Math.max(counts.maxInFlight, counts.inFlight);
    const early = (this.#notBefore.get(hash) ?? 0) - askedAt;
    this.#notBefore.delete(hash);
    if (early > toleranceMs) counts.early += 1;
    const attempt = this.#request(hash).attempts++;
    return { route, hash, key, askedAt, attempt, earlyMs: early > toleranceMs ? early : undefined };
  }

  /** A call is over, however it ended. */
  leave() {
    this.counts.inFlight -= 1;
  }

  /** @param {string} hash */
  history(hash) {
    return this.#request(hash);
  }

  /** What was answered to this key. @param {string | undefined} key */
  answered(key) {
    return key === undefined ? undefined : this.#answered.get(key);
  }

  /** @param {string} batch @param {string | undefined} customId */
  hasServed(batch, customId) {
    return this.#batchRows.has(`${batch} ${customId}`);
  }

  /** From when a call with this hash may come again. @param {string} hash @param {number | undefined} at */
  tellToWait(hash, at) {
    if (at !== undefined) this.#notBefore.set(hash, at);
  }

  /**
   * An answer has been made. Returns its number.
   * @param {Pick<Call, 'route' | 'hash' | 'key'> & Partial<Call>} call
   * @param {{ fault: string | null, bytes: number, tokensIn: number, tokensOut: number, duplicate: boolean, batch?: string }} answer
   */
  served({ route, hash, key, askedAt, earlyMs }, answer) {
    const id = this.counts.served + 1;
    this.write({ e: 'served', id, at: Date.now(), askedAt, route, hash, key, earlyMs, ...answer });
    return id;
  }

  /** @param {number} id @param {boolean} whole */
  delivered(id, whole) {
    this.write({ e: 'delivered', id, whole });
  }

  /** The call ended without an answer. @param {Call} call @param {string} fault @param {number} status */
  refused({ route, hash, key, askedAt, earlyMs }, fault, status) {
    this.write({ e: 'refused', at: Date.now(), askedAt, route, hash, key, earlyMs, fault, status });
  }

  /** @param {Record<string, unknown>} line */
  write(line) {
    writeSync(this.#handle, `${JSON.stringify(line)}\n`);
    this.#count(line);
  }

  close() {
    closeSync(this.#handle);
  }

  /** @param {string} hash */
  #request(hash) {
    const found = this.#requests.get(hash) ?? { attempts: 0, faults: 0, served: 0 };
    this.#requests.set(hash, found);
    return found;
  }

  /** @param {string} file */
  #replay(file) {
    const text = readFileSync(file, 'utf8');
    const end = text.lastIndexOf('\n') + 1;
    // A line that a kill cut in two was of nothing that had left yet.
    if (end < text.length) truncateSync(file, Buffer.byteLength(text.slice(0, end)));
    this.#replaying = true;
    for (const line of text.slice(0, end).split('\n')) if (line !== '') this.#count(JSON.parse(line));
    this.#replaying = false;
  }

  /** @param {Record<string, any>} line */
  #count(line) {
    const { counts } = this;
    switch (line['e']) {
      case 'start':
        counts.starts += 1;
        return;
      case 'served':
        this.#countServed(line);
        return;
      case 'delivered':
        this.#open.delete(line['id']);
        if (line['whole']) counts.whole += 1;
        else counts.torn += 1;
        return;
      case 'refused':
        this.#countCall(line);
        return;
      case 'controlFault':
        counts.controlFaults[line['fault']] = (counts.controlFaults[line['fault']] ?? 0) + 1;
        return;
      default:
        this.control.push(line);
    }
  }

  /** @param {Record<string, any>} line */
  #countServed(line) {
    const { counts } = this;
    const { hash, key, fault, duplicate, batch } = line;
    const request = this.#request(hash);
    counts.served += 1;
    counts.bytes += line['bytes'];
    if (duplicate) counts.duplicates += 1;
    else {
      if (request.served > 0) counts.chargedAgain += 1;
      else counts.requests += 1;
      request.served += 1;
      counts.tokensIn += line['tokensIn'];
      counts.tokensOut += line['tokensOut'];
    }
    if (batch !== undefined) {
      this.#batchRows.add(`${batch} ${key}`);
      counts.batchRows += 1;
      // A batch's rows are read from its file, as often as anybody likes.
      counts.whole += 1;
      return;
    }
    this.#open.add(line['id']);
    if (key !== undefined && !this.#answered.has(key)) this.#answered.set(key, { hash, fault });
    this.#countCall(line);
  }

  /** @param {Record<string, any>} line of a call that has come to its end */
  #countCall({ hash, fault, earlyMs }) {
    const { counts } = this;
    const request = this.#request(hash);
    if (this.#replaying) {
      counts.asked += 1;
      request.attempts += 1;
      if (earlyMs !== undefined) counts.early += 1;
    }
    if (fault === null) return;
    counts.faults[fault] = (counts.faults[fault] ?? 0) + 1;
    if (!notDrawn.has(fault)) request.faults += 1;
  }
}

/** What befalls a call without having been drawn for it: not one of its `maxFaultsPerRequest`. */
const notDrawn = new Set(['storm', 'limit', 'invalid', 'unauthorized', 'reusedKey']);
