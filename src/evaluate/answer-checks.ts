/** Rewards that a program gives: each between 0 and 1, a function of the answer (and of the row's own answer) alone. */
import { countWords } from '../text/words.ts';

export interface WordBounds {
  readonly atMost?: number | undefined;
  readonly atLeast?: number | undefined;
  /** Words beyond the bounds at which nothing is left; without it nothing is left at once. */
  readonly slack?: number | undefined;
}

/** 1 within the bounds, less beyond. An empty answer earns nothing. */
export function wordsReward(answer: string, { atMost, atLeast, slack }: WordBounds): number {
  const words = countWords(answer);
  if (words === 0) return 0;
  const over = Math.max(0, words - (atMost ?? words), (atLeast ?? words) - words);
  if (over === 0) return 1;
  return slack === undefined ? 0 : Math.max(0, 1 - over / slack);
}

export const regexReward = (answer: string, pattern: RegExp): number => (answer.search(pattern) >= 0 ? 1 : 0);

const plain = (text: string): string => text.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();
export const exactReward = (answer: string, reference: string): number => (plain(answer) === plain(reference) ? 1 : 0);

export function jsonReward(answer: string): number {
  try {
    JSON.parse(answer);
    return 1;
  } catch {
    return 0;
  }
}
