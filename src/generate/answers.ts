/**
 * Answers of a teacher to instructions: generated ones, filtered, or a given set as it is (Peng et al. 2023, arXiv
 * 2304.03277, section 2: GPT-4 answers Alpaca's 52 thousand). One call an instruction; what the student learns is the
 * instruction and its answer, not what the teacher was shown before.
 */
import type { Message } from '../base/message.ts';
import { guessLanguage } from '../data/guess-language.ts';
import type { Conversation } from '../data/records.ts';
import { askAll, type CallerOptions, type Outcome } from '../teacher/caller.ts';
import type { TeacherAnswer, TeacherRequest } from '../teacher/teacher.ts';
import { type AnswerReason, rejectAnswer, rejectBroken } from './answer-filter.ts';
import { assertAnswered } from './failures.ts';
import type { Rejection } from './filter.ts';
import type { GeneratedInstruction, Reject } from './instructions.ts';

export interface AnswerSettings {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP?: number | undefined;
  /** Turns shown before each instruction, ending with an answer: what a very small teacher takes its manner from. */
  readonly examples?: readonly Message[] | undefined;
}

/** A prompt of a given set. */
export interface GivenPrompt {
  readonly id: string;
  /** The user's turn. */
  readonly prompt: string;
  /** Guessed from the prompt where it is not given. */
  readonly language?: string;
  readonly category?: string;
  /** Where it was read. */
  readonly file?: string;
  readonly row?: number;
}

export interface Answered {
  readonly conversations: Conversation[];
  readonly rejects: Reject<AnswerReason>[];
}

export function planAnswerRequests(
  instructions: readonly { readonly text: string }[],
  { model, maxTokens, temperature, topP, examples = [] }: AnswerSettings & { readonly model: string },
): TeacherRequest[] {
  const parameters = { maxTokens, temperature, ...(topP === undefined ? {} : { topP }) };
  return instructions.map(({ text }) => {
    return { model, messages: [...examples, { role: 'user', content: text }], parameters, sample: 0 };
  });
}

/** Conversations in the order of the instructions, without those whose answer is rejected. */
export async function answerInstructions(
  instructions: readonly GeneratedInstruction[],
  settings: AnswerSettings,
  ask: CallerOptions,
): Promise<Answered> {
  const { model, name: teacher } = ask.teacher;
  const outcomes = await askAll(planAnswerRequests(instructions, { ...settings, model }), ask);
  assertAnswered(outcomes, ask.teacher);
  return sort(
    instructions,
    outcomes,
    ({ text, language }, answer) => rejectAnswer(text, answer, language),
    ({ language, call }, answerCall) => {
      return { language, provenance: { source: 'generated', teacher, calls: [call, answerCall] } };
    },
  );
}

/**
 * The teacher answers a given set, greedily. Only what is no whole answer is left out: a failed call, an empty or a cut
 * answer. Everything else is the teacher's word, to be learned as it stands.
 */
export async function answerGiven(
  prompts: readonly GivenPrompt[],
  { maxTokens }: Pick<AnswerSettings, 'maxTokens'>,
  ask: CallerOptions,
): Promise<Answered> {
  const { model, name: teacher } = ask.teacher;
  const given = prompts.map((prompt) => ({ ...prompt, text: prompt.prompt }));
  const outcomes = await askAll(planAnswerRequests(given, { model, maxTokens, temperature: 0 }), ask);
  assertAnswered(outcomes, ask.teacher);
  return sort(
    given,
    outcomes,
    (_, answer) => rejectBroken(answer),
    ({ prompt, language = guessLanguage(prompt), category, file, row }, answerCall) => {
      const place = { ...(file === undefined ? {} : { file }), ...(row === undefined ? {} : { row }) };
      return {
        language,
        ...(category === undefined ? {} : { category }),
        provenance: { source: 'generated', ...place, teacher, calls: [answerCall] },
      };
    },
  );
}

function sort<T extends { readonly id: string; readonly text: string }>(
  asked: readonly T[],
  outcomes: readonly Outcome[],
  reject: (one: T, answer: TeacherAnswer) => Rejection<AnswerReason> | undefined,
  describe: (one: T, call: string) => Omit<Conversation, 'id' | 'messages'>,
): Answered {
  const answered: Answered = { conversations: [], rejects: [] };
  for (const [i, { key: call, answer, error }] of outcomes.entries()) {
    const one = asked[i] as T;
    const { id, text } = one;
    const rejection = answer ? reject(one, answer) : ({ reason: 'no answer', detail: error.message } as const);
    if (rejection) {
      answered.rejects.push({ id, text: answer?.text ?? '', call, ...rejection });
      continue;
    }
    const messages = [
      { role: 'user', content: text },
      { role: 'assistant', content: (answer as TeacherAnswer).text.trim() },
    ] as const;
    answered.conversations.push({ id, messages, ...describe(one, call) });
  }
  return answered;
}
