/**
 * Which of sixty languages a text is in, by the n-grams of `eld` (its large set: 430 MB of memory, loaded at first use).
 * Code and addresses say nothing of a language and are left out. guess-language.ts is the guess for rows that do not
 * say theirs.
 */
import { ConfigError } from '../base/errors.ts';
import { nearestName } from '../base/nearest.ts';

export interface LanguageDetector {
  /** ISO 639-1. */
  readonly languages: readonly string[];
  /** undefined where the text does not say it clearly: too short, no words. */
  detect(text: string): string | undefined;
}

/** Characters of prose that `eld` looks at: those after them cost time and change nothing. */
const longest = 1000;

let loading: Promise<LanguageDetector> | undefined;

export function loadLanguageDetector(): Promise<LanguageDetector> {
  loading ??= import('eld/large').then(({ eld }) => ({
    languages: Object.values(eld.info().Languages),
    detect(text) {
      const result = eld.detect(prose(text.slice(0, 5 * longest)).slice(0, longest));
      return result.isReliable() ? result.language : undefined;
    },
  }));
  return loading;
}

/** Throws ConfigError where a code is of no language that can be told. */
export function checkLanguages(codes: readonly string[], { languages }: LanguageDetector): void {
  for (const code of codes) {
    if (languages.includes(code)) continue;
    const near = nearestName(code, languages);
    throw new ConfigError(`expected ISO 639-1 codes of languages, got ${JSON.stringify(code)}`, {
      hint: near === undefined ? `known are ${languages.join(', ')}` : `did you mean ${near}?`,
    });
  }
}

const prose = (text: string): string =>
  text
    .replace(/```[\s\S]*?(?:```|$)/g, ' ')
    .replace(/`[^`\n]*`/g, ' ')
    .replace(/https?:\/\/\S+/g, ' ');
