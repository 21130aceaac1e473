/**
 * How often each root verb has each noun object (text/verb-noun.ts), as in figure 2 of Self-Instruct (Wang et al. 2022):
 * the 20 most frequent verbs, each with its 4 most frequent objects; and as in figure 1 of Peng et al. 2023: the most
 * frequent pairs, and how many there are. Memory grows with the different pairs.
 */
import { type VerbNounLanguage, verbNounOf } from '../text/verb-noun.ts';

const topVerbs = 20;
const topNouns = 4;
const topPairs = 25;
/** A pair that occurs more often than this is drawn in the paper's figure 1 (a, b). */
const frequent = 10;

export interface VerbNounPair {
  readonly verb: string;
  readonly noun: string;
  readonly count: number;
}

export interface VerbNounStatistics {
  readonly texts: number;
  readonly withVerb: number;
  readonly withPair: number;
  /** Of pairs. */
  readonly uniqueVerbs: number;
  readonly uniquePairs: number;
  /** Pairs that occur more than ten times. */
  readonly frequentPairs: number;
  /** By the pairs that each verb is in; most frequent first, then by name. */
  readonly top: readonly {
    readonly verb: string;
    readonly count: number;
    readonly nouns: readonly { readonly noun: string; readonly count: number }[];
  }[];
  readonly pairs: readonly VerbNounPair[];
}

export class VerbNounCounts {
  readonly #language: VerbNounLanguage;
  readonly #nounsOf = new Map<string, Map<string, number>>();
  #texts = 0;
  #withVerb = 0;
  #withPair = 0;

  constructor(language: VerbNounLanguage) {
    this.#language = language;
  }

  add(text: string): void {
    this.#texts += 1;
    const found = verbNounOf(text, this.#language);
    if (!found) return;
    this.#withVerb += 1;
    const { verb, noun } = found;
    if (noun === undefined) return;
    this.#withPair += 1;
    const nouns = this.#nounsOf.get(verb) ?? new Map<string, number>();
    this.#nounsOf.set(verb, nouns.set(noun, (nouns.get(noun) ?? 0) + 1));
  }

  count(verb: string, noun: string): number {
    return this.#nounsOf.get(verb)?.get(noun) ?? 0;
  }

  *all(): Generator<VerbNounPair> {
    for (const [verb, nouns] of this.#nounsOf) for (const [noun, count] of nouns) yield { verb, noun, count };
  }

  result(): VerbNounStatistics {
    const pairs = [...this.all()].sort(mostFrequent(({ verb, noun }) => `${verb} ${noun}`));
    const verbs = [...this.#nounsOf].map(([verb, nouns]) => ({
      verb,
      count: [...nouns.values()].reduce((sum, count) => sum + count, 0),
      nouns: [...nouns].map(([noun, count]) => ({ noun, count })).sort(mostFrequent(({ noun }) => noun)),
    }));
    verbs.sort(mostFrequent(({ verb }) => verb));
    return {
      texts: this.#texts,
      withVerb: this.#withVerb,
      withPair: this.#withPair,
      uniqueVerbs: verbs.length,
      uniquePairs: pairs.length,
      frequentPairs: pairs.filter(({ count }) => count > frequent).length,
      top: verbs.slice(0, topVerbs).map(({ nouns, ...verb }) => ({ ...verb, nouns: nouns.slice(0, topNouns) })),
      pairs: pairs.slice(0, topPairs),
    };
  }
}

const mostFrequent =
  <T extends { readonly count: number }>(nameOf: (item: T) => string) =>
  (a: T, b: T): number =>
    b.count - a.count || (nameOf(a) < nameOf(b) ? -1 : 1);
