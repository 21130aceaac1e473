/**
 * Which generated instructions are left out, and why: the filters of Self-Instruct (Wang et al. 2022, arXiv 2212.10560,
 * section 2.2 and its code) and some that a very small teacher needs. The novelty filter is data/novelty.ts.
 */

import { type Language, wrongLanguage } from '../data/lints/language.ts';
import { asksForMoreThanText } from '../data/lints/not-text.ts';
import { findRepetition } from '../data/lints/repetition.ts';
import { unicodeWords } from '../data/novelty.ts';
import type { FinishReason } from '../teacher/teacher.ts';
import { characters, hasCjk, whitespaceWords } from '../text/words.ts';
import type { ParsedInstruction } from './parse.ts';

export const instructionReasons = [
  'no answer',
  'empty',
  'cut',
  'wrong language',
  'too short',
  'too long',
  'not text alone',
  'repetition',
  'copy of an example',
  'too similar',
] as const;
export type InstructionReason = (typeof instructionReasons)[number];

export interface Rejection<Reason extends string> {
  readonly reason: Reason;
  readonly detail?: string;
}

/** The paper's bounds for English; a Chinese word has one or two characters. */
const bounds: Record<Language, { least: number; most: number; unit: string }> = {
  en: { least: 3, most: 150, unit: 'words' },
  zh: { least: 4, most: 300, unit: 'characters' },
};

/** A sentence's end, maybe in quotes or brackets, or the end of code or of a formula. */
const properEnd = /[.!?…。！？)）\]】}」』"”'’`]$/u;

export function rejectInstruction(
  { text, closed }: ParsedInstruction,
  { finishReason, examples, language }: { finishReason: FinishReason; examples: readonly string[]; language: Language },
): Rejection<InstructionReason> | undefined {
  if (finishReason !== 'stop' && finishReason !== 'length') return { reason: 'no answer', detail: finishReason };
  if (text === '') return { reason: 'empty' };
  if (finishReason === 'length' && !closed && !properEnd.test(text)) return { reason: 'cut' };
  const tongue = wrongLanguage(text, language);
  if (tongue !== undefined) return { reason: 'wrong language', detail: tongue };
  const { least, most, unit } = bounds[language];
  const length = (language === 'zh' ? characters(text) : whitespaceWords(text)).length;
  if (length < least) return { reason: 'too short', detail: `${unit}: ${length}` };
  if (length > most) return { reason: 'too long', detail: `${unit}: ${length}` };
  const words = asksForMoreThanText(text);
  if (words !== undefined) return { reason: 'not text alone', detail: words };
  const repeated = findRepetition(text);
  if (repeated !== undefined) return { reason: 'repetition', detail: repeated };
  const example = examples.find((one) => isCopy(text, one));
  return example === undefined ? undefined : { reason: 'copy of an example', detail: example };
}

/** One contains the other whole, but for case, punctuation and white space. */
function isCopy(text: string, example: string): boolean {
  const [a, b] = [text, example].map((one) => ` ${unicodeWords(hasCjk(one) ? [...one].join(' ') : one).join(' ')} `);
  return (a as string).includes(b as string) || (b as string).includes(a as string);
}
