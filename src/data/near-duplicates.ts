/**
 * Near duplicates among many texts: signatures (minhash.ts) and bands go to disk as the texts come; then one band at a
 * time is sorted, and texts that share a band are compared by their signatures. Memory: four bytes for each text and
 * band, and one band's table; never the texts. A text goes only for the sake of an earlier one that stays, so that a
 * chain of small changes is not taken for one text. Equal input gives equal output.
 */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { RecordFile } from '../base/record-file.ts';
import {
  type Banding,
  bandHashes,
  bandingFor,
  estimatedJaccard,
  minhashSignature,
  permutations,
  shingleHashes,
} from './minhash.ts';

export interface NearDuplicate {
  /** Which text it was, counted from 0 in the order they were added. */
  readonly order: number;
  /** The most similar of the earlier ones that stay, the earliest of equals. */
  readonly of: number;
  /** Estimated from the signatures. */
  readonly jaccard: number;
}

/** No predecessor in a band. */
const none = -1;

/** Texts between two turns of others. */
const turn = 4096;

/** Owns files in `folder`; `close` it, and delete them when you like. */
export class NearDuplicates {
  readonly #threshold: number;
  readonly #banding: Banding;
  /** One signature a record. Texts without a word have none and are in no file. */
  readonly #signatures: RecordFile;
  /** For each band, records of [place of the signature, hash]. */
  readonly #bands: readonly RecordFile[];
  /** By place of the signature: the order of its text. */
  readonly #orders: number[] = [];
  #size = 0;

  /** `threshold`: estimated Jaccard similarity, above 0 and at most 1, from which on a text is a near duplicate. */
  constructor(folder: string, threshold: number) {
    this.#threshold = threshold;
    this.#banding = bandingFor(threshold);
    this.#signatures = new RecordFile(join(folder, 'signatures'), permutations);
    this.#bands = Array.from({ length: this.#banding.bands }, (_, i) => new RecordFile(join(folder, `band-${i}`), 2));
  }

  add(text: string): void {
    const order = this.#size++;
    const signature = minhashSignature(shingleHashes(text));
    if (!signature) return;
    const place = this.#orders.push(order) - 1;
    this.#signatures.append(signature);
    const hashes = bandHashes(signature, this.#banding);
    for (const [i, band] of this.#bands.entries()) band.append([place, hashes[i] as number]);
  }

  /** In the order they were added. Others get their turn now and then: signals, for example. */
  async *find(onProgress: (done: number, total: number) => void = () => {}): AsyncGenerator<NearDuplicate> {
    const count = this.#orders.length;
    const chains = this.#bands.map((band) => predecessors(band, count));
    const isDropped = new Uint8Array(count);
    const signature = new Int32Array(permutations);
    const other = new Int32Array(permutations);
    for (let place = 0; place < count; place++) {
      if (place % turn === 0) {
        onProgress(place, count);
        await setImmediate();
      }
      const candidates = earlierInBands(chains, place, isDropped);
      if (candidates.length === 0) continue;
      this.#signatures.read(place, signature);
      let nearest = none;
      let jaccard = 0;
      for (const candidate of candidates) {
        this.#signatures.read(candidate, other);
        const estimate = estimatedJaccard(signature, other);
        if (estimate > jaccard) [nearest, jaccard] = [candidate, estimate];
      }
      if (jaccard < this.#threshold) continue;
      isDropped[place] = 1;
      yield { order: this.#orders[place] as number, of: this.#orders[nearest] as number, jaccard };
    }
  }

  close(): void {
    for (const file of [this.#signatures, ...this.#bands]) file.close();
  }
}

/** By place: the place before it with the same hash in this band. */
function predecessors(band: RecordFile, count: number): Int32Array {
  const records = band.readAll();
  // As 64-bit numbers the hash is the upper half (all our platforms are little-endian): by hash, then by place.
  new BigUint64Array(records.buffer).sort();
  const before = new Int32Array(count).fill(none);
  for (let k = 2; k < records.length; k += 2) {
    if (records[k + 1] === records[k - 1]) before[records[k]!] = records[k - 2]!;
  }
  return before;
}

/** Those that share a band with `place` and stay, in order. */
function earlierInBands(chains: readonly Int32Array[], place: number, isDropped: Uint8Array): number[] {
  const found = new Set<number>();
  for (const chain of chains) {
    for (let at = place; ; ) {
      let before = chain[at]!;
      while (before !== none && isDropped[before] === 1) before = chain[before]!;
      // Those that are dropped are passed over once, not by every later text again.
      chain[at] = before;
      if (before === none) break;
      found.add(before);
      at = before;
    }
  }
  return [...found].sort((a, b) => a - b);
}
