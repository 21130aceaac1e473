/**
 * ROUGE-L and ROUGE-n (Lin 2004) with the numbers of Google's rouge_score 0.1.2, default tokenizer: lower case, runs of
 * anything but a–z and 0–9 become one space, tokens longer than three letters are stemmed on request. Other scripts vanish
 * in it, as they do there; comparing them is the caller's business (`rougeLOfTokens`, `rougeNOfTokens`). No ROUGE-Lsum.
 * The longest common subsequence is bit-parallel (Crochemore et al. 2001, in the form of Hyyrö 2004), so that a novelty
 * filter can code every text once and compare a new one with all of them.
 */
import { invariant } from '../base/errors.ts';
import { porterStem } from './porter.ts';

export interface RougeScore {
  readonly precision: number;
  readonly recall: number;
  readonly f: number;
}

export interface RougeOptions {
  /** Compare word stems instead of words. Default false, as in rouge_score. */
  readonly stemmer?: boolean;
}

/**
 * Lower-casing comes first, over the whole of Unicode: the Kelvin sign becomes a k and İ an i with a dot that then
 * parts words. Those two are the only letters outside ASCII with ASCII in their lower case, here and in Python.
 */
export function rougeTokens(text: string, { stemmer = false }: RougeOptions = {}): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return stemmer ? words.map((word) => (word.length > 3 ? porterStem(word) : word)) : words;
}

export function rougeL(reference: string, candidate: string, options: RougeOptions = {}): RougeScore {
  return rougeLOfTokens(rougeTokens(reference, options), rougeTokens(candidate, options));
}

/** ROUGE-L over any tokens, such as characters. */
export const rougeLOfTokens = (reference: readonly string[], candidate: readonly string[]): RougeScore =>
  rougeLOfCodes(...codePair(reference, candidate));

/** ROUGE-n over any tokens: n-grams of both, each as often as the side has it that has fewer. n: 1 to 3. */
export const rougeNOfTokens = (n: number, reference: readonly string[], candidate: readonly string[]): RougeScore =>
  rougeNOfCodes(n, ...codePair(reference, candidate));

export function codePair(a: readonly string[], b: readonly string[]): [Int32Array, Int32Array] {
  const codes = new Map<string, number>();
  return [codeTokens(a, codes), codeTokens(b, codes)];
}

export const rougeLOfCodes = (reference: Int32Array, candidate: Int32Array): RougeScore =>
  scoreOf(lcsLength(reference, candidate), reference.length, candidate.length);

export function rougeNOfCodes(n: number, reference: Int32Array, candidate: Int32Array): RougeScore {
  const size = Math.max(tableSize(reference), tableSize(candidate));
  invariant(size ** n <= Number.MAX_SAFE_INTEGER, `rougeN: ${size} tokens have more ${n}-grams than can be told apart`);
  const counts = new Map<number, number>();
  eachGram(n, size, reference, (gram) => counts.set(gram, (counts.get(gram) ?? 0) + 1));
  let common = 0;
  eachGram(n, size, candidate, (gram) => {
    const left = counts.get(gram) ?? 0;
    if (left === 0) return;
    counts.set(gram, left - 1);
    common += 1;
  });
  return scoreOf(common, Math.max(0, reference.length - n + 1), Math.max(0, candidate.length - n + 1));
}

/** An n-gram as one number, its codes being digits to the base `size`. */
function eachGram(n: number, size: number, codes: Int32Array, hear: (gram: number) => void): void {
  for (let end = n; end <= codes.length; end++) {
    let gram = 0;
    for (let i = end - n; i < end; i++) gram = gram * size + codes[i]!;
    hear(gram);
  }
}

function scoreOf(common: number, ofReference: number, ofCandidate: number): RougeScore {
  if (common === 0) return { precision: 0, recall: 0, f: 0 };
  const precision = common / ofCandidate;
  const recall = common / ofReference;
  // Not 2·common / (m + n): this order of operations gives rouge_score's number to the last bit.
  return { precision, recall, f: (2 * precision * recall) / (precision + recall) };
}

/**
 * Whether F > numerator / denominator, in whole numbers: F = 2·lcs / (m + n), so ties fall on the right side, where
 * floating point may put a quotient of exactly 0.7 a bit above it. A cheap first test, since lcs ≤ min(m, n): where
 * `exceedsRougeL(Math.min(m, n), m, n, …)` is false, no subsequence need be computed.
 */
export function exceedsRougeL(
  lcs: number,
  m: number,
  n: number,
  thresholdNumerator: number,
  thresholdDenominator: number,
): boolean {
  invariant(thresholdNumerator >= 0 && thresholdDenominator > 0, 'exceedsRougeL: expected a threshold of 0 or more');
  // F is 0 by definition where nothing is in common, also for two empty texts.
  return lcs > 0 && 2 * lcs * thresholdDenominator > thresholdNumerator * (m + n);
}

/** Tokens as small whole numbers. Share one `codes` among all texts that are to be compared; new tokens are added. */
export function codeTokens(tokens: readonly string[], codes: Map<string, number>): Int32Array {
  return Int32Array.from(tokens, (token) => {
    const known = codes.get(token);
    if (known !== undefined) return known;
    codes.set(token, codes.size);
    return codes.size - 1;
  });
}

// Each bit of the state stands for a token of the pattern; a 0 marks where the subsequence grew. Longer patterns take 30
// bits a word, so that a sum of two words and a carry is still a 31-bit integer: engines add those without doubles.
const oneWordBits = 32;
const wordBits = 30;
const ones = 2 ** wordBits - 1;

/** Reused by all calls, all zeros between them: as long as the vocabulary, which may be large where texts are short. */
let sharedTable = new Int32Array(1024);

/** Length of the longest common subsequence of two coded texts. */
export function lcsLength(a: Int32Array, b: Int32Array): number {
  const pattern = a.length <= b.length ? a : b;
  const text = pattern === a ? b : a;
  if (pattern.length > oneWordBits) return lcsLengths(pattern, [text])[0]!;
  // Short texts by the million: without an object made for any of them.
  growTable(tableSize(pattern));
  fillBits(pattern, sharedTable);
  const length = oneWordLength(sharedTable, text);
  for (let i = 0; i < pattern.length; i++) sharedTable[pattern[i]!] = 0;
  return length;
}

/** `lcsLength` of one text with each of many: the pattern is prepared once. */
export function lcsLengths(pattern: Int32Array, texts: readonly Int32Array[]): number[] {
  growTable(tableSize(pattern));
  const lengths = texts.map(fillTable(pattern, sharedTable));
  for (const code of pattern) sharedTable[code] = 0;
  return lengths;
}

function growTable(size: number): void {
  if (size > sharedTable.length) sharedTable = new Int32Array(Math.max(size, 2 * sharedTable.length));
}

function fillBits(pattern: Int32Array, table: Int32Array): void {
  for (let i = 0; i < pattern.length; i++) table[pattern[i]!]! |= 1 << i;
}

function tableSize(codes: Int32Array): number {
  let size = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    if (code < 0) invariant(false, `rouge: expected codes from codeTokens, got ${code}`);
    if (code >= size) size = code + 1;
  }
  return size;
}

/** Writes the pattern into `table` (which must be zero at its codes) and returns what compares a text with it. */
function fillTable(pattern: Int32Array, table: Int32Array): (text: Int32Array) => number {
  if (pattern.length > oneWordBits) return manyWordMatcher(pattern, table);
  fillBits(pattern, table);
  return (text) => oneWordLength(table, text);
}

/** `table[code]`: the positions of that code in the pattern, as bits. Outside of any closure for speed. */
function oneWordLength(table: Int32Array, text: Int32Array): number {
  const size = table.length;
  let state = -1;
  for (let j = 0; j < text.length; j++) {
    const code = text[j]!;
    if (code >= size) continue;
    const both = state & table[code]!;
    state = (state + both) | 0 | (state ^ both);
  }
  return bitCount(~state);
}

/** `table[code]`: the row of `masks` with the positions of that code; row 0 belongs to the codes that do not occur. */
function manyWordMatcher(pattern: Int32Array, table: Int32Array): (text: Int32Array) => number {
  const words = Math.ceil(pattern.length / wordBits);
  let rows = 1;
  for (const code of pattern) if (table[code] === 0) table[code] = rows++;
  const masks = new Int32Array(rows * words);
  for (let i = 0; i < pattern.length; i++) {
    masks[table[pattern[i]!]! * words + Math.floor(i / wordBits)]! |= 1 << (i % wordBits);
  }
  const state = new Int32Array(words);
  return (text) => {
    state.fill(ones);
    for (let j = 0; j < text.length; j++) {
      const code = text[j]!;
      const row = code < table.length ? table[code]! : 0;
      if (row === 0) continue;
      let carry = 0;
      for (let w = 0; w < words; w++) {
        const before = state[w]!;
        const both = before & masks[row * words + w]!;
        const sum = before + both + carry;
        carry = sum >>> wordBits;
        state[w] = (sum & ones) | (before ^ both);
      }
    }
    let length = 0;
    for (let w = 0; w < words; w++) length += bitCount(state[w]! ^ ones);
    return length;
  };
}

/** Ones in a 32-bit word: sums of pairs, of fours, of bytes. */
function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
