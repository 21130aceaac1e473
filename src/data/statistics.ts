/** What a data set is made of, in numbers: the rows of the report's table on data. It judges nothing. */
import { characters, whitespaceWords } from '../text/words.ts';
import type { Conversation } from './records.ts';
import { type DataFigures, dataFigures } from './statistics-figures.ts';
import { SetTally, verbNounTexts } from './statistics-set.ts';

export interface DataStatistics {
  /** Which set: `seeds`, `generated`, … */
  readonly name: string;
  readonly rows: number;
  readonly byLanguage: Readonly<Record<string, number>>;
  readonly byCategory: Readonly<Record<string, number>>;
  /** Whitespace words of the answers; characters for Chinese. Nearest-rank quantiles. All 0 where there are no rows. */
  readonly answerLength: { readonly mean: number; readonly median: number; readonly p95: number; readonly max: number };
  /** Who wrote the answers. */
  readonly teacher: string;
  /** Rows taken away, by reason: `too similar`, `too short`, … */
  readonly rejected: Readonly<Record<string, number>>;
  /** Runs of earlier versions have none. */
  readonly figures?: DataFigures;
}

/** Rows without a language or a category count as `unknown`. Every answer of a conversation has its length. */
export function dataStatistics(
  name: string,
  conversations: readonly Conversation[],
  { teacher, rejected = {} }: { teacher: string; rejected?: Readonly<Record<string, number>> },
): DataStatistics {
  return {
    name,
    rows: conversations.length,
    byLanguage: countBy(conversations.map(({ language }) => language)),
    byCategory: countBy(conversations.map(({ category }) => category)),
    answerLength: lengthStatistics(conversations.flatMap(answerLengths)),
    teacher,
    rejected,
    figures: conversationFigures(conversations),
  };
}

/** What is drawn of the rows: lengths of their answers, verbs and nouns of instructions and answers. */
function conversationFigures(conversations: readonly Conversation[]): DataFigures {
  const tally = new SetTally({ verbNouns: verbNounTexts });
  for (const { messages, language } of conversations) tally.add({ messages, ...(language && { language }) });
  return dataFigures([tally])[0]!;
}

/** Most frequent first, then by name. */
export function countBy(names: readonly (string | undefined)[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name ?? 'unknown', (counts.get(name ?? 'unknown') ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

function answerLengths({ messages, language }: Conversation): number[] {
  return messages
    .filter(({ role }) => role === 'assistant')
    .map(({ content }) => (language === 'zh' ? characters(content) : whitespaceWords(content)).length);
}

function lengthStatistics(lengths: readonly number[]): DataStatistics['answerLength'] {
  if (lengths.length === 0) return { mean: 0, median: 0, p95: 0, max: 0 };
  const sorted = [...lengths].sort((a, b) => a - b);
  // The smallest value with at least that share of all values at or below it.
  const quantile = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] as number;
  const sum = sorted.reduce((total, length) => total + length, 0);
  return { mean: sum / sorted.length, median: quantile(0.5), p95: quantile(0.95), max: quantile(1) };
}
