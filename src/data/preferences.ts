/**
 * Comparisons of answers to one prompt, for reward models and preference losses: the one form inside the product. Files
 * in TRL's, GPT-4-LLM's and Alpaca's forms become it (formats.ts). A rank says who is better; scores are kept where
 * somebody gave them, and are never made up from ranks.
 */
import type { Message } from '../base/message.ts';
import type { Provenance } from './records.ts';

export interface PreferenceAnswer {
  readonly content: string;
  /** 1 is the best; answers of equal rank are tied; after two of rank 1 comes rank 3. */
  readonly rank: number;
  /** The higher the better; on the scale of whoever judged. */
  readonly score?: number;
  /** The model that wrote it. */
  readonly source?: string;
  /** Why it has this score, as the judge said. */
  readonly reason?: string;
}

export interface Preference {
  /** Unique in its file. */
  readonly id: string;
  /** Optional system turn, then user and assistant in turn; the last is the user's. */
  readonly prompt: readonly Message[];
  /** Two or more, as the file has them. The best are not empty. */
  readonly answers: readonly PreferenceAnswer[];
  /** How much better the first of two answers is, where the file says so. */
  readonly margin?: number;
  /** Texts of two answers of which neither is known to be better although their ranks differ: no pair. */
  readonly undecided?: readonly (readonly [string, string])[];
  /** ISO 639-1, where known. */
  readonly language?: string;
  readonly category?: string;
  readonly provenance: Provenance;
}

export interface PreferencePair {
  readonly better: PreferenceAnswer;
  readonly worse: PreferenceAnswer;
  /** The file's, else the difference of the scores, where both have one. */
  readonly margin?: number;
}

/** Every two answers of different rank, better ones first; and how many twos are tied or undecided and thus say nothing. */
export function preferencePairs({
  answers,
  margin: given,
  undecided = [],
}: Pick<Preference, 'answers' | 'margin' | 'undecided'>): {
  pairs: PreferencePair[];
  ties: number;
} {
  const sorted = [...answers].sort((a, b) => a.rank - b.rank);
  const all = sorted.flatMap((better, i) => sorted.slice(i + 1).map((worse) => ({ better, worse })));
  const pairs = all
    .filter(({ better, worse }) => better.rank < worse.rank && !undecided.some(isOf(better.content, worse.content)))
    .map(({ better, worse }): PreferencePair => {
      const hasScores = better.score !== undefined && worse.score !== undefined;
      const margin = given ?? (hasScores ? (better.score as number) - (worse.score as number) : undefined);
      return { better, worse, ...(margin === undefined ? {} : { margin }) };
    });
  return { pairs, ties: all.length - pairs.length };
}

const isOf =
  (a: string, b: string) =>
  ([first, second]: readonly [string, string]): boolean =>
    (first === a && second === b) || (first === b && second === a);

/** Ranks by score: one more than there are better ones. */
export const rankScores = (scores: readonly number[]): number[] =>
  scores.map((score) => 1 + scores.filter((other) => other > score).length);
