/** What a translated task must have kept: its numbers and its code; and whether it is in its new language at all. */
import { countLetters } from '../data/lints/language.ts';
import { lostMark, marksOf } from '../data/lints/translation.ts';

interface Texts {
  readonly instruction: string;
  readonly input: string;
}

export interface Loss {
  readonly reason: 'lost a number' | 'lost code' | 'not translated';
  readonly detail: string;
}

/** The first thing that was lost. `to`: ISO 639-1. */
export function lostInTranslation(source: Texts, translation: Texts, to: string): Loss | undefined {
  const [before, after] = [source, translation].map(({ instruction, input }) => `${instruction}\n${input}`) as [
    string,
    string,
  ];
  const lost = lostMark(marksOf(before), after);
  if (lost?.kind === 'code') return { reason: 'lost code', detail: `${JSON.stringify(lost.shown)} is missing` };
  if (lost) return { reason: 'lost a number', detail: `${lost.shown} is missing` };
  if (to !== 'zh') return undefined;
  const { letters, han } = countLetters(translation.instruction);
  return letters > 0 && han < 0.2 * letters
    ? { reason: 'not translated', detail: 'the instruction is not in Chinese' }
    : undefined;
}
