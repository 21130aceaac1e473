/**
 * Which answers of a teacher are no answers to learn from, and why. Nothing here judges whether an answer is right.
 */
import { unicodeWords } from '../data/novelty.ts';
import type { TeacherAnswer } from '../teacher/teacher.ts';
import type { Rejection } from './filter.ts';
import { type Language, wrongAnswerLanguage } from './language.ts';
import { findRepetition } from './repetition.ts';

export const answerReasons = ['no answer', 'empty', 'cut', 'echo', 'as an AI', 'repetition', 'wrong language'] as const;
export type AnswerReason = (typeof answerReasons)[number];

const machine = '(?:AI|artificial intelligence|(?:AI |large )?language model|virtual assistant|chatbot)';
const machineZh = '(?:AI|人工智能|大?语言模型|虚拟助手|聊天机器人)';
/** “as an AI researcher, she …” is of somebody else. */
const kind = '(?: (?:language )?(?:model|assistant|system|chatbot|program))?';

/** Speaking of itself as a machine. */
const asAnAi = [
  new RegExp(String.raw`\bas an? ${machine}${kind}(?=\s*[,.;:]|\s+(?:I|my|it)\b)`, 'iu'),
  new RegExp(String.raw`\bI(?: am|['’]m) (?:just |only |merely )?an? ${machine}\b`, 'iu'),
  new RegExp(`(?:作为|身为)(?:一[个名款位种])?${machineZh}`, 'iu'),
  new RegExp(`我(?:只|仅仅|只不过)?是(?:一[个名款位种])?${machineZh}`, 'iu'),
];

/** Fewer words or Chinese characters are said again by chance: an answer may be a name that stands in the task. */
const leastEchoUnits = 4;

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
  for (const pattern of asAnAi) {
    const found = pattern.exec(answer.text)?.[0];
    if (found !== undefined) return { reason: 'as an AI', detail: found };
  }
  const repeated = findRepetition(answer.text);
  if (repeated !== undefined) return { reason: 'repetition', detail: repeated };
  const tongue = wrongAnswerLanguage(instruction, answer.text, language);
  return tongue === undefined ? undefined : { reason: 'wrong language', detail: tongue };
}

/** It says the whole task again and little else, or the first half of it or more and no more than that. */
function isEcho(instruction: string, answer: string): boolean {
  const units = (text: string): string[] => unicodeWords(text.replaceAll(/\p{Script=Han}/gu, ' $& '));
  const [asked, said] = [units(instruction), units(answer)];
  if (Math.min(asked.length, said.length) < leastEchoUnits) return false;
  const [whole, part] = [asked, said].map((list) => ` ${list.join(' ')} `) as [string, string];
  // Beyond twice the length the task is a heading, and an answer follows.
  if (part.includes(whole)) return said.length < 2 * asked.length;
  return whole.startsWith(part) && 2 * said.length >= asked.length;
}
