/**
 * How good an answer is as an answer to what was asked, by a teacher's word: one score of 1 to 5, halves too, with a reason
 * (in the manner of Chen et al. 2023, AlpaGasus, arXiv 2307.08701, section 2, whose scale is 0 to 5). The last answer of a
 * conversation is rated, in its context. Which scores are good enough is the caller's to say; reading a score out of a
 * text is src/text/verdict.ts's.
 */
import type { Message } from '../base/message.ts';
import { askChecked, type Checked, type Fault } from '../teacher/ask-checked.ts';
import type { CallerOptions } from '../teacher/caller.ts';
import type { TeacherAnswer, TeacherRequest } from '../teacher/teacher.ts';
import { frameTexts } from '../text/frame.ts';
import { readSingleVerdict, reasonOfVerdict, type ScoreRange } from '../text/verdict.ts';
import { CallFailures } from './failures.ts';
import { fillPrompt, promptFile, readPrompt } from './prompts.ts';

export const qualityRange: ScoreRange = { lowest: 1, highest: 5 };

export interface RatedConversation {
  /** The last is the assistant's, and is rated. */
  readonly messages: readonly Message[];
  /** ISO 639-1. Chinese ones are rated by a Chinese prompt, all others by an English one. */
  readonly language?: string | undefined;
}

export interface QualitySettings {
  /** Longest verdict; what is cut before its score is asked for again, longer. */
  readonly maxTokens: number;
}

export type Rating = {
  /** Ledger keys of all askings. */
  readonly calls: readonly string[];
} & (
  | { readonly score: number; readonly reason: string; readonly problem?: undefined }
  | {
      readonly score?: undefined;
      /** `unreadable`: no score in what the teacher said, asked again as well. `failed`: it said nothing. */
      readonly problem: 'unreadable' | 'failed';
      readonly detail: string;
      /** What it said last. */
      readonly text: string;
    }
);

type PromptLanguage = 'en' | 'zh';

const promptLanguage = ({ language }: RatedConversation): PromptLanguage => (language === 'zh' ? 'zh' : 'en');

const roleNames: Record<PromptLanguage, Record<Message['role'], string>> = {
  en: { system: 'Rules given to the assistant:', user: 'User:', assistant: 'Assistant:' },
  zh: { system: '给助手的规则：', user: '用户：', assistant: '助手：' },
};

interface Verdict {
  readonly score: number;
  readonly reason: string;
}

interface VerdictFault extends Fault {
  readonly language: PromptLanguage;
}

/** Reads the wording; the function it returns makes the request that rates a conversation. */
export function qualityRequests({
  model,
  maxTokens,
}: QualitySettings & { readonly model: string }): (conversation: RatedConversation) => TeacherRequest {
  const prompts = readPrompts();
  return (conversation) => {
    const language = promptLanguage(conversation);
    const framed = frameTexts(conversation.messages.map(({ content }) => content));
    const turns = conversation.messages.slice(0, -1).map(({ role }, i) => `${roleNames[language][role]}\n${framed[i]}`);
    const values = { conversation: turns.join('\n\n'), answer: framed.at(-1) as string };
    const content = fillPrompt(prompts[language].asking, values);
    return { model, messages: [{ role: 'user', content }], parameters: { maxTokens, temperature: 0 }, sample: 0 };
  };
}

/** In the order of the conversations, which must be the same each time they are gone through. */
export async function* rateAnswers<Item extends RatedConversation>(
  items: () => Iterable<Item> | AsyncIterable<Item>,
  total: number,
  settings: QualitySettings,
  ask: CallerOptions,
): AsyncGenerator<{ readonly item: Item; readonly rating: Rating }> {
  const { model } = ask.teacher;
  const prompts = readPrompts();
  const asking = { request: qualityRequests({ ...settings, model }), check };
  const complaint = (fault: Fault): string => prompts[(fault as VerdictFault).language].complaint;
  const failures = new CallFailures();
  for await (const outcome of askChecked<Item, Verdict>(items, total, asking, { ...ask, complaint })) {
    const { item, answer, error, calls, result } = outcome;
    failures.count(error);
    if (!result.fault) {
      yield { item, rating: { calls, ...result.value } };
      continue;
    }
    const { reason, detail = reason } = result.fault;
    const problem = error ? 'failed' : 'unreadable';
    yield { item, rating: { calls, problem, detail, text: answer?.text ?? '' } };
  }
  failures.assertAnswered(ask.teacher);
}

function check({ text, finishReason }: TeacherAnswer, conversation: RatedConversation): Checked<Verdict> {
  const fault = (detail: string, again: Fault['again'] & string): Checked<Verdict> => {
    const found: VerdictFault = { reason: 'unreadable', detail, again, language: promptLanguage(conversation) };
    return { fault: found };
  };
  if (finishReason === 'content-filter') return fault('withheld by a content filter', 'anew');
  const verdict = readSingleVerdict(text, qualityRange);
  if ('score' in verdict) return { value: { score: verdict.score, reason: reasonOfVerdict(text) } };
  if (finishReason === 'length') return fault(`${verdict.unreadable} (cut off)`, 'longer');
  return fault(verdict.unreadable, 'told');
}

function readPrompts(): Record<PromptLanguage, { readonly asking: string; readonly complaint: string }> {
  const read = (language: PromptLanguage) => {
    const file = promptFile(`score-answer-${language}`);
    const [asking, complaint] = readPrompt(file, 2, ['conversation', 'answer']).parts as readonly [string, string];
    return { asking, complaint };
  };
  return { en: read('en'), zh: read('zh') };
}
