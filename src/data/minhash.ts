/**
 * MinHash (Broder 1997, "On the resemblance and containment of documents"): a short signature of a text's shingles whose
 * share of equal places estimates the Jaccard similarity of the shingle sets; and its bands, which near duplicates tend
 * to share (Indyk and Motwani 1998). Conventions of datasketch and text-dedup: shingles of five words, 128 permutations,
 * bands by least area of error. CJK texts have no spaces: there a character counts as a word. Case, punctuation and white
 * space do not count. The hashes are ours: signatures are not those of datasketch.
 */
import { Rng } from '../base/rng.ts';
import { hasCjk, splitCjk } from '../text/words.ts';
import { unicodeWords } from './novelty.ts';

export const shingleLength = 5;
export const permutations = 128;

/** A permutation of the 32-bit integers: `factor · x + summand`, modulo 2³². Odd factors make it one. */
const rng = new Rng('minhash');
const factors = Int32Array.from({ length: permutations }, () => rng.bits() | 1);
const summands = Int32Array.from({ length: permutations }, () => rng.bits() | 0);

/** Words of any script, CJK characters singly, lower case. Compatibility forms (full-width letters, ligatures) are resolved. */
export function shingleUnits(text: string): string[] {
  const words = unicodeWords(text.normalize('NFKC'));
  return hasCjk(text) ? words.flatMap(splitCjk) : words;
}

/** Hashes of all runs of five units; of the whole where there are fewer; none for a text without units. */
export function shingleHashes(text: string): Int32Array {
  const units = Int32Array.from(shingleUnits(text), hashText);
  const length = Math.min(shingleLength, units.length);
  const count = length === 0 ? 0 : units.length - length + 1;
  return Int32Array.from({ length: count }, (_, start) => hashIntegers(units, start, start + length));
}

/** The least value of each permutation. Undefined without shingles: such a text is like no other. */
export function minhashSignature(shingles: Int32Array): Int32Array | undefined {
  if (shingles.length === 0) return undefined;
  const signature = new Int32Array(permutations).fill(0x7fff_ffff);
  for (let s = 0; s < shingles.length; s++) {
    const shingle = shingles[s]!;
    for (let i = 0; i < permutations; i++) {
      const value = (Math.imul(factors[i]!, shingle) + summands[i]!) | 0;
      if (value < signature[i]!) signature[i] = value;
    }
  }
  return signature;
}

/** The share of equal places. Standard error √(j·(1 − j)/128): 0.035 at 0.8. */
export function estimatedJaccard(a: Int32Array, b: Int32Array): number {
  let equal = 0;
  for (let i = 0; i < permutations; i++) if (a[i] === b[i]) equal++;
  return equal / permutations;
}

export interface Banding {
  readonly bands: number;
  /** Places of the signature that a band has. */
  readonly rows: number;
}

/** Shared bands are looked into, so that a false alarm costs time only: what is missed weighs nine times as much. */
const missWeight = 0.9;
const integrationSteps = 300;

/**
 * Two texts of similarity s share a band with probability p(s) = 1 − (1 − sʳ)ᵇ. Takes the b and r with the least weighted
 * sum of false alarms (the area under p below the threshold) and misses (that over p from there on).
 */
export function bandingFor(threshold: number, weight = missWeight): Banding {
  let best = { bands: 1, rows: permutations };
  let least = Number.POSITIVE_INFINITY;
  for (let bands = 1; bands <= permutations; bands++) {
    for (let rows = 1; bands * rows <= permutations; rows++) {
      const shares = (s: number): number => 1 - (1 - s ** rows) ** bands;
      const alarms = area(shares, 0, threshold);
      const misses = 1 - threshold - area(shares, threshold, 1);
      const error = (1 - weight) * alarms + weight * misses;
      if (error < least) [best, least] = [{ bands, rows }, error];
    }
  }
  return best;
}

/** Under a smooth curve, by midpoints. */
function area(curve: (x: number) => number, from: number, to: number): number {
  const step = (to - from) / integrationSteps;
  let sum = 0;
  for (let i = 0; i < integrationSteps; i++) sum += curve(from + (i + 0.5) * step);
  return sum * step;
}

/** One hash a band. */
export const bandHashes = (signature: Int32Array, { bands, rows }: Banding): Int32Array =>
  Int32Array.from({ length: bands }, (_, band) => hashIntegers(signature, band * rows, (band + 1) * rows));

/** FNV-1a over UTF-16 units (Fowler, Noll, Vo), mixed. */
function hashText(text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return mix(hash);
}

function hashIntegers(values: Int32Array, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) hash = mix(Math.imul(hash, 0x9e37_79b1) + values[i]!);
  return hash;
}

/** Every bit reaches every other: the finalizer of MurmurHash3 (Appleby). */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
