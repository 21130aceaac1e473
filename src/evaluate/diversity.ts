/**
 * How varied answers are: the share of different ones, and distinct-n (Li et al. 2016, arXiv 1510.03055), the different
 * n-grams among all. English by words in lower case, Chinese by characters; apart by language, and a language is its text's
 * own. An n-gram never reaches over the end of an answer.
 * No intervals: a bootstrap draws answers twice, and what is there twice is not distinct. Distinct-n falls as texts
 * grow, so compare files of about as many units; `units` says how many there are.
 */
import { guessLanguage } from '../data/guess-language.ts';
import { characters, whitespaceWords } from '../text/words.ts';

export interface Diversity {
  readonly language: string;
  readonly answers: number;
  /** Different answers, white space and case aside. */
  readonly unique: number;
  readonly uniqueShare: number;
  /** Words, or characters of Chinese. */
  readonly units: number;
  /** Different n-grams / all n-grams, for n = 1, 2, 3; null where no answer has one. */
  readonly distinct: readonly [number | null, number | null, number | null];
}

/** One element a language, sorted. */
export function diversityByLanguage(answers: readonly string[]): Diversity[] {
  const languages = [...new Set(answers.map(guessLanguage))].sort();
  return languages.map((language) => {
    const own = answers
      .filter((answer) => guessLanguage(answer) === language)
      .map((answer) => unitsOf(answer, language));
    const unique = new Set(own.map((units) => units.join(' '))).size;
    return {
      language,
      answers: own.length,
      unique,
      uniqueShare: unique / own.length,
      units: own.reduce((sum, { length }) => sum + length, 0),
      distinct: [distinct(own, 1), distinct(own, 2), distinct(own, 3)],
    };
  });
}

/** Punctuation at a word's ends is no part of it; in Chinese it is a character like others. */
function unitsOf(answer: string, language: string): string[] {
  const text = answer.toLowerCase();
  if (language === 'zh') return characters(text);
  return whitespaceWords(text).flatMap((word) => {
    const bare = word.replace(/^\p{P}+|\p{P}+$/gu, '');
    return bare === '' ? [] : [bare];
  });
}

function distinct(answers: readonly (readonly string[])[], n: number): number | null {
  const met = new Set<string>();
  let all = 0;
  for (const units of answers) {
    for (let end = n; end <= units.length; end++) {
      met.add(units.slice(end - n, end).join(' '));
      all += 1;
    }
  }
  return all === 0 ? null : met.size / all;
}
