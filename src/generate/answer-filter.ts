/**
 * Which answers of a teacher are no answers to learn from, and why. Nothing here judges whether an answer is right.
 */
import { isEcho } from '../data/lints/echo.ts';
import { type Language, wrongAnswerLanguage } from '../data/lints/language.ts';
import { speaksAsMachine } from '../data/lints/refusal.ts';
import { findRepetition } from '../data/lints/repetition.ts';
import type { TeacherAnswer } from '../teacher/teacher.ts';
import type { Rejection } from './filter.ts';

export const answerReasons = ['no answer', 'empty', 'cut', 'echo', 'as an AI', 'repetition', 'wrong language'] as const;
export type AnswerReason = (typeof answerReasons)[number];

/** What any answer must be, filtered or not: there, and whole. */
export function rejectBroken({ text, finishReason }: TeacherAnswer): Rejection<AnswerReason> | undefined {
  if (finishReason !== 'stop') return { reason: 'cut', detail: `finish reason ${finishReason}` };
  return text.trim() === '' ? { reason: 'empty' } : undefined;
}

export function rejectAnswer(
  instruction: string,
  answer: TeacherAnswer,
  language: Language,
): Rejection<AnswerReason> | undefined {
  const broken = rejectBroken(answer);
  if (broken) return broken;
  if (isEcho(instruction, answer.text)) return { reason: 'echo' };
  const machine = speaksAsMachine(answer.text);
  if (machine !== undefined) return { reason: 'as an AI', detail: machine };
  const repeated = findRepetition(answer.text);
  if (repeated !== undefined) return { reason: 'repetition', detail: repeated };
  const tongue = wrongAnswerLanguage(instruction, answer.text, language);
  return tongue === undefined ? undefined : { reason: 'wrong language', detail: tongue };
}
