/**
 * Answers of a teacher to instructions: generated ones, filtered, or a given set as it is (Peng et al. 2023, arXiv
 * 2304.03277, section 2: GPT-4 answers Alpaca's 52 thousand). One call an instruction; what the student learns is the
 * instruction and its answer, not what the teacher was shown before.
 */
import type { Message } from '../base/message.ts';
import { guessLanguage } from '../data/guess-language.ts';
import type { Conversation } from '../data/records.ts';
import { askChecked, type Checked, type CheckedOutcome } from '../teacher/ask-checked.ts';
import { askAll, type CallerOptions, type Outcome } from '../teacher/caller.ts';
import type { TeacherAnswer, TeacherRequest } from '../teacher/teacher.ts';
import { type AnswerReason, rejectAnswer, rejectBroken } from './answer-filter.ts';
import { assertAnswered, CallFailures } from './failures.ts';
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
  /** Ledger keys of the calls that made it. */
  readonly calls?: readonly string[];
}

export interface Answered {
  readonly conversations: Conversation[];
  readonly rejects: Reject<AnswerReason>[];
}

export const planAnswerRequests = (
  instructions: readonly { readonly text: string }[],
  settings: AnswerSettings & { readonly model: string },
): TeacherRequest[] => instructions.map(({ text }) => answerRequest(text, settings));

function answerRequest(
  text: string,
  { model, maxTokens, temperature, topP, examples = [] }: AnswerSettings & { readonly model: string },
): TeacherRequest {
  const parameters = { maxTokens, temperature, ...(topP === undefined ? {} : { topP }) };
  return { model, messages: [...examples, { role: 'user', content: text }], parameters, sample: 0 };
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

/** What becomes of an answer that ends at its limit of tokens: left out, asked for with more tokens, or kept and marked. */
export type CutPolicy = 'drop' | 'longer' | 'keep';

export interface GivenSettings {
  readonly maxTokens: number;
  /** Default drop. */
  readonly cut?: CutPolicy | undefined;
}

export type GivenAnswer =
  | { readonly conversation: Conversation; readonly reject?: undefined }
  | { readonly reject: Reject<AnswerReason>; readonly conversation?: undefined };

/**
 * The teacher answers a given set of any size, greedily. Only what is no whole answer is left out: a failed call, an empty
 * or a cut answer. Everything else is the teacher's word, to be learned as it stands. `prompts` is gone through several
 * times and must be the same each time.
 */
export async function* answerGiven(
  prompts: () => Iterable<GivenPrompt> | AsyncIterable<GivenPrompt>,
  total: number,
  { maxTokens, cut = 'drop' }: GivenSettings,
  ask: CallerOptions,
): AsyncGenerator<GivenAnswer> {
  const { model, name: teacher } = ask.teacher;
  const asking = {
    request: ({ prompt }: GivenPrompt) => answerRequest(prompt, { model, maxTokens, temperature: 0 }),
    check: (answer: TeacherAnswer) => checkWhole(answer, cut),
  };
  const failures = new CallFailures();
  for await (const outcome of askChecked(prompts, total, asking, ask)) {
    failures.count(outcome.error);
    yield toGivenAnswer(teacher, outcome);
  }
  failures.assertAnswered(ask.teacher);
}

function checkWhole(answer: TeacherAnswer, cut: CutPolicy): Checked<string> {
  const rejection = rejectBroken(answer);
  const text = answer.text.trim();
  if (!rejection || (cut === 'keep' && answer.finishReason === 'length' && text !== '')) return { value: text };
  const mayGrow = cut === 'longer' && answer.finishReason === 'length';
  return { fault: mayGrow ? { ...rejection, again: 'longer' } : rejection };
}

function toGivenAnswer(
  teacher: string,
  { item: given, answer, calls, result }: CheckedOutcome<GivenPrompt, string>,
): GivenAnswer {
  const { id, prompt, language = guessLanguage(prompt), category, file, row } = given;
  if (result.fault) {
    const { reason, detail } = result.fault as Rejection<AnswerReason>;
    const rejection = detail === undefined ? { reason } : { reason, detail };
    return { reject: { id, text: answer?.text ?? '', call: calls.at(-1) as string, ...rejection } };
  }
  const place = { ...(file === undefined ? {} : { file }), ...(row === undefined ? {} : { row }) };
  const marked = answer?.finishReason === 'length' ? { cut: true as const } : {};
  const conversation: Conversation = {
    id,
    messages: [
      { role: 'user', content: prompt },
      { role: 'assistant', content: result.value },
    ],
    language,
    ...(category === undefined ? {} : { category }),
    provenance: { source: 'generated', ...place, teacher, calls: [...(given.calls ?? []), ...calls], ...marked },
  };
  return { conversation };
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
