/** The numbers of one or two data sets as rows of text, the same for page and terminal. */
import type { SetStatistics } from '../data/statistics-set.ts';
import type { VerbNounStatistics } from '../data/statistics-verb-nouns.ts';
import { count, fixed, languageName, minus } from './format.ts';

/** Name, a value for each set, and the difference where there are two. An empty one: the set has no such thing. */
export type StatisticsRow = readonly [name: string, ...values: string[]];

export function statisticsRows(sets: readonly SetStatistics[]): StatisticsRow[] {
  return names(sets).map(([name, read, places = 0]): StatisticsRow => {
    const values = sets.map(read);
    const shown = values.map((value) => (value === undefined ? '' : formatted(value, places)));
    const [a, b] = values;
    if (sets.length < 2) return [name, ...shown];
    return [name, ...shown, a === undefined || b === undefined ? '' : difference(b - a, places)];
  });
}

type Named = readonly [name: string, read: (set: SetStatistics) => number | undefined, places?: number];

function names(sets: readonly SetStatistics[]): Named[] {
  const languages = [...new Set(sets.flatMap((set) => Object.keys(set.languages)))];
  const all: Named[] = [
    ['records', (set) => set.records],
    ...languages.map((code): Named => [`records in ${languageName(code)}`, (set) => set.languages[code] ?? 0]),
    ['records with an input', (set) => set.withInput],
    ['broken records', (set) => set.brokenRecords],
    ['outputs', (set) => set.outputs],
    ['empty outputs', (set) => set.emptyOutputs],
    ['unique outputs', (set) => set.uniqueOutputs],
    ...lengths('words of an output', ({ outputWords }) => outputWords),
    ...lengths('characters of a Chinese output', ({ outputCharacters }) => outputCharacters),
    ...lengths('words of an instruction', ({ instructionWords }) => instructionWords),
    ...lengths('characters of a Chinese instruction', ({ instructionCharacters }) => instructionCharacters),
    ...lengths('turns', ({ turns }) => turns),
    ['tokens of all prompts', (set) => set.tokens?.prompts.total],
    ...lengths('tokens of a prompt', ({ tokens }) => tokens?.prompts),
    ['tokens of all outputs', (set) => set.tokens?.outputs.total],
    ...lengths('tokens of an output', ({ tokens }) => tokens?.outputs),
    ...verbNouns(sets),
  ];
  return all.filter(([, read]) => sets.some((set) => read(set) !== undefined));
}

type Lengths = { readonly mean: number; readonly median: number; readonly p95: number; readonly max: number };

const lengths = (name: string, read: (set: SetStatistics) => Lengths | null | undefined): Named[] => [
  [`${name}: mean`, (set) => read(set)?.mean, 2],
  [`${name}: median`, (set) => read(set)?.median],
  [`${name}: 95 % are at most`, (set) => read(set)?.p95],
  [`${name}: longest`, (set) => read(set)?.max],
];

function verbNouns(sets: readonly SetStatistics[]): Named[] {
  const kinds = ['instructions', 'answers'] as const;
  const codes = ['en', 'zh'] as const;
  return kinds.flatMap((kind) =>
    codes.flatMap((code): Named[] => {
      const of = (set: SetStatistics): VerbNounStatistics | undefined => set.verbNouns[kind]?.[code];
      if (!sets.some(of)) return [];
      const where = `${kind} in ${languageName(code)}`;
      return [
        [where, (set) => of(set)?.texts],
        [`${where}: with a root verb`, (set) => of(set)?.withVerb],
        [`${where}: with verb and noun`, (set) => of(set)?.withPair],
        [`${where}: different pairs`, (set) => of(set)?.uniquePairs],
        [`${where}: pairs more than ten times`, (set) => of(set)?.frequentPairs],
      ];
    }),
  );
}

const formatted = (value: number, places: number): string => (places === 0 ? count(value) : fixed(value, places));

function difference(value: number, places: number): string {
  const rounded = Number(value.toFixed(places));
  if (rounded === 0) return '0';
  return `${rounded > 0 ? '+' : minus}${formatted(Math.abs(rounded), places)}`;
}
