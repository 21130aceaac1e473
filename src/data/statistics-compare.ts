/** Two data sets side by side: the difference of every number that both have, and of the pairs that either has. */
import { type VerbNounLanguage, verbNounLanguages } from '../text/verb-noun.ts';
import {
  type ByLanguage,
  type SetStatistics,
  type SetTally,
  type VerbNounTexts,
  verbNounTexts,
} from './statistics-set.ts';

/** Numbers as in the two sets, b − a; a member that one of them lacks is left out. */
export type Differences = { readonly [name: string]: number | Differences };

export interface SharedPairs {
  /** Different pairs of verb and noun. */
  readonly inBoth: number;
  readonly onlyA: number;
  readonly onlyB: number;
  /** The most frequent of both sets together. */
  readonly top: readonly { readonly verb: string; readonly noun: string; readonly a: number; readonly b: number }[];
}

export interface Comparison {
  readonly a: SetStatistics;
  readonly b: SetStatistics;
  readonly difference: Differences;
  readonly pairs: Readonly<Partial<Record<VerbNounTexts, ByLanguage<SharedPairs>>>>;
}

/** As many as figure 1 (c) of Peng et al. 2023 compares. */
const topPairs = 25;

export function compareSets(first: SetTally, second: SetTally): Comparison {
  const [a, b] = [first.result(), second.result()];
  // A language that a set does not have is one with no rows.
  const none = Object.fromEntries(Object.keys({ ...a.languages, ...b.languages }).map((code) => [code, 0]));
  const numbers = ({ verbNouns: _, ...rest }: SetStatistics) => ({
    ...rest,
    languages: { ...none, ...rest.languages },
  });
  const pairs = verbNounTexts.map((texts) => [texts, pairsByLanguage(first, second, texts)] as const);
  return {
    a,
    b,
    difference: differences(numbers(a), numbers(b)),
    pairs: Object.fromEntries(pairs.filter(([, languages]) => Object.keys(languages).length > 0)),
  };
}

function differences(a: object, b: object): Differences {
  const other = b as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(a).flatMap(([name, value]): [string, number | Differences][] => {
      const second = other[name];
      if (typeof value === 'number' && typeof second === 'number') {
        return [[name, Math.round(100 * (second - value)) / 100]];
      }
      const isObject = typeof value === 'object' && value !== null && typeof second === 'object' && second !== null;
      return isObject ? [[name, differences(value, second)]] : [];
    }),
  );
}

function pairsByLanguage(a: SetTally, b: SetTally, texts: VerbNounTexts): ByLanguage<SharedPairs> {
  return Object.fromEntries(
    verbNounLanguages.flatMap((language) => {
      const shared = sharedPairs(a, b, texts, language);
      return shared ? [[language, shared]] : [];
    }),
  );
}

function sharedPairs(
  a: SetTally,
  b: SetTally,
  texts: VerbNounTexts,
  language: VerbNounLanguage,
): SharedPairs | undefined {
  const [first, second] = [a.verbNouns(texts, language), b.verbNouns(texts, language)];
  if (!first || !second) return undefined;
  const rows = [...first.all()].map(({ verb, noun, count }) => ({ verb, noun, a: count, b: second.count(verb, noun) }));
  const others = [...second.all()].filter(({ verb, noun }) => first.count(verb, noun) === 0);
  const all = [...rows, ...others.map(({ verb, noun, count }) => ({ verb, noun, a: 0, b: count }))];
  const inBoth = rows.filter((row) => row.b > 0).length;
  const byName = (x: (typeof all)[number], y: (typeof all)[number]) =>
    `${x.verb} ${x.noun}` < `${y.verb} ${y.noun}` ? -1 : 1;
  all.sort((x, y) => y.a + y.b - x.a - x.b || byName(x, y));
  return { inBoth, onlyA: rows.length - inBoth, onlyB: others.length, top: all.slice(0, topPairs) };
}
