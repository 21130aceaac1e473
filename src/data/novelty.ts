/**
 * The novelty filter of Self-Instruct (Wang et al. 2022, arXiv 2212.10560, section 2.2): an instruction is kept if its
 * ROUGE-L F against every one kept before is at most 0.7. Ties are decided in whole numbers.
 * Departures: 1. Texts with CJK characters are compared by character, among themselves; rouge_score's tokens, which the
 * paper's code uses, would make all of them equal to nothing. 2. Texts in other alphabets are compared by their words,
 * for the same reason. 3. A pair is computed only where the tokens in common can suffice (`SimilarTexts`); nothing is
 * lost by that.
 */
import { ConfigError } from '../base/errors.ts';
import { codeTokens, exceedsRougeL, lcsLengths, rougeTokens } from '../text/rouge.ts';
import { characters, hasCjk } from '../text/words.ts';

export interface Fraction {
  readonly numerator: number;
  readonly denominator: number;
}

/** Keep what is at most this similar to anything. */
export const noveltyThreshold: Fraction = { numerator: 7, denominator: 10 };

/** More would leave the whole numbers below 2^53 for texts of a million tokens. */
const mostDecimals = 9;

/** A threshold as people write it, `0.7`, without rounding. Throws ConfigError for what is not from 0 to 1. */
export function parseThreshold(text: string): Fraction {
  const [, whole = '', decimals = ''] = /^(\d*)(?:\.(\d+))?$/.exec(text.trim()) ?? [];
  const denominator = 10 ** decimals.length;
  const numerator = Number(whole + decimals);
  if (whole + decimals === '' || decimals.length > mostDecimals || numerator > denominator) {
    throw new ConfigError(`expected a similarity from 0 to 1, such as 0.7, got "${text}"`, {
      hint: `write it with a point and at most ${mostDecimals} decimals`,
    });
  }
  return { numerator, denominator };
}

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

/** Owns the texts it has kept. */
export class NoveltyFilter {
  readonly #similar: SimilarTexts;
  readonly #kept: string[] = [];

  constructor(threshold: Fraction = noveltyThreshold) {
    this.#similar = new SimilarTexts(threshold);
  }

  /** Keeps a text without asking: a seed, for example. */
  add(text: string): void {
    this.#similar.add(text);
    this.#kept.push(text);
  }

  /** Keeps the text if nothing kept is too similar. */
  offer(text: string): NoveltyVerdict {
    const found = this.#similar.nearest(text);
    if (found) return { kept: false, nearest: this.#kept[found.order] as string, f: found.f };
    this.add(text);
    return { kept: true };
  }
}

export interface SimilarText {
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

/** Texts of one kind. */
interface TokenIndex {
  /** Of the tokens seen so far. */
  readonly codes: Map<string, number>;
  readonly texts: Int32Array[];
  /** By text: how many texts of both kinds were added before it. */
  readonly orders: number[];
  /** Code → for each text entered under it: its index, then how many of its tokens are not rarer. */
  readonly entries: Map<number, number[]>;
}

/**
 * Texts that are found again by their similarity to another. Owns their codes, not the texts.
 * An index over rare tokens leaves out pairs without computing them (prefix filtering: Bayardo et al. 2007, "Scaling up
 * all pairs similarity search"). Sort the tokens of both texts by one order. What stands before the first one in common
 * occurs in one text alone; so no common subsequence is longer than the rest of either text from there on. Hence a text is
 * entered, and found, under only those of its tokens whose rest may still suffice. Any fixed order will do. Tokens that are
 * first seen late tend to be rare: codes are gone through from the highest.
 */
export class SimilarTexts {
  readonly #threshold: Fraction;
  readonly #indexes = { characters: emptyIndex(), words: emptyIndex() };
  #size = 0;

  constructor(threshold: Fraction) {
    this.#threshold = threshold;
  }

  add(text: string): void {
    const { codes, texts, orders, entries } = this.#prepare(text);
    for (const { code, rest } of this.#rareTokens(codes)) {
      const entry = entries.get(code);
      if (entry) entry.push(texts.length, codes.length, rest);
      else entries.set(code, [texts.length, codes.length, rest]);
    }
    texts.push(codes);
    orders.push(this.#size++);
  }

  /** All with an F above the threshold, in the order they were added. */
  above(text: string): SimilarText[] {
    const { codes, texts, orders, entries } = this.#prepare(text);
    const candidates = new Set<number>();
    for (const { code, rest } of this.#rareTokens(codes)) {
      const entry = entries.get(code) ?? [];
      for (let k = 0; k < entry.length; k += 3) {
        if (this.#exceeds(Math.min(rest, entry[k + 2]!), codes.length, entry[k + 1]!)) candidates.add(entry[k]!);
      }
    }
    const indexes = [...candidates].sort((a, b) => a - b);
    const lengths = lcsLengths(
      codes,
      indexes.map((index) => texts[index]!),
    );
    return indexes.flatMap((index, i): SimilarText[] => {
      const lcs = lengths[i]!;
      const n = texts[index]!.length;
      if (!this.#exceeds(lcs, codes.length, n)) return [];
      const sum = codes.length + n;
      return [{ order: orders[index]!, lcs, sum, f: (2 * lcs) / sum }];
    });
  }

  /** The most similar of those above the threshold, the earliest of equals. */
  nearest(text: string): SimilarText | undefined {
    const similar = this.above(text);
    return similar.length === 0 ? undefined : similar.reduce((best, one) => (isMore(one, best) ? one : best));
  }

  #prepare(text: string): Omit<TokenIndex, 'codes'> & { codes: Int32Array } {
    const { kind, tokens } = comparisonTokens(text);
    const index = this.#indexes[kind];
    return { ...index, codes: codeTokens(tokens, index.codes) };
  }

  #exceeds(lcs: number, m: number, n: number): boolean {
    return exceedsRougeL(lcs, m, n, this.#threshold.numerator, this.#threshold.denominator);
  }

  /** Each with the number of tokens that are not rarer, itself included; as long as those may suffice for some partner. */
  #rareTokens(codes: Int32Array): { code: number; rest: number }[] {
    const sorted = codes.slice().sort();
    const rare: { code: number; rest: number }[] = [];
    // The partner that asks for least is no longer than what is in common.
    for (let rest = sorted.length; this.#exceeds(rest, codes.length, rest); rest--) {
      if (sorted[rest - 1] !== sorted[rest]) rare.push({ code: sorted[rest - 1]!, rest });
    }
    return rare;
  }
}

const emptyIndex = (): TokenIndex => ({ codes: new Map(), texts: [], orders: [], entries: new Map() });
