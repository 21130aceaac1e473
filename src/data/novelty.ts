/**
 * The novelty filter of Self-Instruct (Wang et al. 2022, arXiv 2212.10560, section 2.2): an instruction is kept if its
 * ROUGE-L F against every one kept before is at most 0.7. Ties are decided in whole numbers.
 * Departures: 1. Texts with CJK characters are compared by character, among themselves; rouge_score's tokens, which the
 * paper's code uses, would make all of them equal to nothing. 2. Texts in other alphabets are compared by their words,
 * for the same reason. 3. A pair whose lengths alone rule out the threshold is not computed.
 */
import { codeTokens, exceedsRougeL, lcsMatcher, rougeTokens } from '../text/rouge.ts';
import { characters, hasCjk } from '../text/words.ts';

export interface Fraction {
  readonly numerator: number;
  readonly denominator: number;
}

/** Keep what is at most this similar to anything. */
export const noveltyThreshold: Fraction = { numerator: 7, denominator: 10 };

export type NoveltyVerdict =
  | { readonly kept: true }
  /** `nearest`: the most similar of the kept ones, the earliest of equals; `f`: its ROUGE-L F. */
  | { readonly kept: false; readonly nearest: string; readonly f: number };

/** What a text is compared by. Tokens of the two kinds are never compared with each other. */
export function comparisonTokens(text: string): { kind: 'characters' | 'words'; tokens: string[] } {
  if (hasCjk(text)) return { kind: 'characters', tokens: characters(text.toLowerCase()) };
  const hasOtherLetters = /(?!\p{Script=Latin})\p{L}/u.test(text);
  return { kind: 'words', tokens: hasOtherLetters ? unicodeWords(text) : rougeTokens(text) };
}

/** Lower-case runs of letters, marks and digits of any script. */
export const unicodeWords = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];

/** Owns the coded texts it has kept. */
export class NoveltyFilter {
  readonly #kept: SimilarTexts;

  constructor(threshold: Fraction = noveltyThreshold) {
    this.#kept = new SimilarTexts(threshold);
  }

  /** Keeps a text without asking: a seed, for example. */
  add(text: string): void {
    this.#kept.add(text);
  }

  /** Keeps the text if nothing kept is too similar. */
  offer(text: string): NoveltyVerdict {
    const similar = this.#kept.above(text);
    if (similar.length > 0) {
      const { text: nearest, f } = similar.reduce((best, one) => (isMore(one, best) ? one : best));
      return { kept: false, nearest, f };
    }
    this.#kept.add(text);
    return { kept: true };
  }
}

export interface SimilarText {
  readonly text: string;
  /** How many were added before it. */
  readonly order: number;
  /** Of the longest common subsequence. */
  readonly lcs: number;
  /** Tokens of both texts together. */
  readonly sum: number;
  readonly f: number;
}

/** F = 2·lcs / sum, compared without dividing. */
const isMore = (a: SimilarText, b: SimilarText): boolean => a.lcs * b.sum > b.lcs * a.sum;

interface CodedText {
  readonly text: string;
  readonly order: number;
  readonly codes: Int32Array;
}

/** Texts that are found again by their similarity to another. Owns their codes. */
export class SimilarTexts {
  readonly #threshold: Fraction;
  readonly #codes = new Map<string, number>();
  readonly #byLength = { characters: new Map<number, CodedText[]>(), words: new Map<number, CodedText[]>() };
  #size = 0;

  constructor(threshold: Fraction) {
    this.#threshold = threshold;
  }

  add(text: string): void {
    const { kind, tokens } = comparisonTokens(text);
    const codes = codeTokens(tokens, this.#codes);
    const added = { text, codes, order: this.#size++ };
    const same = this.#byLength[kind].get(codes.length);
    if (same) same.push(added);
    else this.#byLength[kind].set(codes.length, [added]);
  }

  /** All with an F above the threshold, in the order they were added. */
  above(text: string): SimilarText[] {
    const { numerator, denominator } = this.#threshold;
    const { kind, tokens } = comparisonTokens(text);
    const pattern = codeTokens(tokens, this.#codes);
    const lcsWith = lcsMatcher(pattern);
    const m = pattern.length;
    const found: SimilarText[] = [];
    for (const [n, texts] of this.#byLength[kind]) {
      if (!exceedsRougeL(Math.min(m, n), m, n, numerator, denominator)) continue;
      for (const { text, codes, order } of texts) {
        const lcs = lcsWith(codes);
        if (!exceedsRougeL(lcs, m, n, numerator, denominator)) continue;
        found.push({ text, order, lcs, sum: m + n, f: (2 * lcs) / (m + n) });
      }
    }
    return found.sort((a, b) => a.order - b.order);
  }
}
