/**
 * The answers that are compared: of files, of models that are asked here, and of rows that compare some already. What is no
 * whole answer is put aside with its reason; the same text by several is one answer.
 */
import type { Message } from '../src/base/message.ts';
import { type AnswerReason, rejectBroken } from '../src/generate/answer-filter.ts';
import { CallFailures } from '../src/generate/failures.ts';
import type { Candidate, CandidateGroup } from '../src/generate/feedback.ts';
import { askChecked, type Checked, type CheckedOutcome } from '../src/teacher/ask-checked.ts';
import type { Teacher, TeacherAnswer, TeacherRequest } from '../src/teacher/teacher.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import type { AnswererConfig, FeedbackConfig } from './feedback-config.ts';
import type { PromptRow } from './feedback-input.ts';
import type { RecordedFile } from './feedback-recorded.ts';

export interface Answerer extends AnswererConfig {
  readonly opened: Teacher;
}

/** What became of one source's answers. */
export interface SourceCounts {
  /** Texts of their own. */
  compared: number;
  /** The same text as an earlier one to that prompt. */
  same: number;
  cut: number;
  empty: number;
  failed: number;
  /** Prompts that a file has no answer to. */
  missing: number;
}

/** An answer that is not compared, or a prompt without two that are. */
export type AnswerReject =
  | { readonly reason: 'cut answer' | 'empty answer' | 'no answer'; readonly source: string; readonly detail?: string }
  | { readonly reason: 'fewer than two answers'; readonly answers: number };

type Given =
  | { readonly source: string; readonly text: string; readonly calls: readonly string[] }
  | {
      readonly source: string;
      readonly problem: 'cut' | 'empty' | 'failed';
      readonly detail?: string;
      readonly calls: readonly string[];
    };

interface Sources {
  readonly recorded: readonly RecordedFile[];
  readonly answerers: readonly Answerer[];
  readonly cut: FeedbackConfig['cut'];
}

export function answerRequest(
  messages: readonly Message[],
  { opened: { model }, samples, temperature = samples > 1 ? 1 : 0, topP, maxTokens }: Answerer,
  sample: number,
): TeacherRequest {
  const parameters = { maxTokens, temperature, ...(topP === undefined ? {} : { topP }) };
  return { model, messages, parameters, sample };
}

/**
 * Groups of two or more answers, in the order of the prompts, which must be the same each time they are gone through. `counts`
 * gets what became of each source's answers; `reject` hears of what is put aside.
 */
export async function* candidateGroups(
  prompts: () => AsyncIterable<PromptRow>,
  total: number,
  { recorded, answerers, cut }: Sources,
  context: RunContext,
  counts: Map<string, SourceCounts>,
  reject: (prompt: PromptRow, reject: AnswerReject, calls: readonly string[]) => Promise<void>,
): AsyncGenerator<CandidateGroup> {
  const asked = answerers.map((one) => answersOf(one, prompts, total, cut, context));
  try {
    for await (const prompt of prompts()) {
      const given: Given[] = prompt.answers.map(({ text, source }) => ofText(source, text, false, cut));
      for (const file of recorded) {
        const found = file.answersTo(prompt);
        if (found.length === 0) countsOf(counts, file.name).missing += 1;
        given.push(...found.map(({ text, isCut }) => ofText(file.name, text, isCut, cut)));
      }
      for (const answers of asked) given.push(...((await answers.next()).value as Given[]));
      const candidates = distinct(given, counts);
      for (const one of given) {
        if (!('problem' in one)) continue;
        const { source, detail, problem, calls } = one;
        const reason = problem === 'failed' ? 'no answer' : (`${problem} answer` as const);
        await reject(prompt, { reason, source, ...(detail === undefined ? {} : { detail }) }, calls);
      }
      if (candidates.length < 2) {
        const calls = candidates.flatMap((one) => one.calls);
        await reject(prompt, { reason: 'fewer than two answers', answers: candidates.length }, calls);
        continue;
      }
      const { id, messages, language, category, file, row } = prompt;
      yield { id, prompt: messages, language, ...(category === undefined ? {} : { category }), file, row, candidates };
    }
    // To their ends, where they tell whether enough was answered.
    for (const answers of asked) await answers.next();
  } finally {
    for (const answers of asked) await answers.return(undefined);
  }
}

function countsOf(counts: Map<string, SourceCounts>, source: string): SourceCounts {
  const found = counts.get(source) ?? { compared: 0, same: 0, cut: 0, empty: 0, failed: 0, missing: 0 };
  counts.set(source, found);
  return found;
}

function ofText(source: string, text: string, isCut: boolean, cut: FeedbackConfig['cut']): Given {
  if (text.trim() === '') return { source, problem: 'empty', calls: [] };
  return isCut && cut !== 'keep' ? { source, problem: 'cut', calls: [] } : { source, text: text.trim(), calls: [] };
}

/** Each text once. */
function distinct(given: readonly Given[], counts: Map<string, SourceCounts>): Candidate[] {
  const byText = new Map<string, Candidate>();
  for (const one of given) {
    const own = countsOf(counts, one.source);
    if ('problem' in one) {
      own[one.problem] += 1;
      continue;
    }
    const { text, source, calls } = one;
    const known = byText.get(text);
    own[known ? 'same' : 'compared'] += 1;
    const { also = [] } = known ?? {};
    const others = known && known.source !== source && !also.includes(source) ? [...also, source] : also;
    byText.set(text, {
      content: text,
      source: known?.source ?? source,
      ...(others.length === 0 ? {} : { also: others }),
      calls: [...(known?.calls ?? []), ...calls],
    });
  }
  return [...byText.values()];
}

interface Sampled {
  readonly prompt: PromptRow;
  readonly sample: number;
}

/** A model's samples, a prompt's together. Everything is asked before the first comes. */
async function* answersOf(
  answerer: Answerer,
  prompts: () => AsyncIterable<PromptRow>,
  total: number,
  cut: FeedbackConfig['cut'],
  { ledger, budgetUsd, signal, progress }: RunContext,
): AsyncGenerator<Given[]> {
  const { name, opened: teacher, samples } = answerer;
  const shown = askProgress(progress(`answers of ${name}`));
  async function* items(): AsyncGenerator<Sampled> {
    for await (const prompt of prompts()) for (let sample = 0; sample < samples; sample++) yield { prompt, sample };
  }
  const asking = {
    request: ({ prompt, sample }: Sampled) => answerRequest(prompt.messages, answerer, sample),
    check: (answer: TeacherAnswer) => checkWhole(answer, cut),
  };
  const ask = { teacher, ledger, stage: 'feedback-answers', budgetUsd, signal, ...shown.listen };
  const failures = new CallFailures();
  let own: Given[] = [];
  let isFirst = true;
  for await (const outcome of askChecked<Sampled, string>(items, total * samples, asking, ask)) {
    if (isFirst) shown.finish();
    isFirst = false;
    failures.count(outcome.error);
    own.push(toGiven(name, outcome));
    if (own.length < samples) continue;
    yield own;
    own = [];
  }
  failures.assertAnswered(teacher);
}

function checkWhole(answer: TeacherAnswer, cut: FeedbackConfig['cut']): Checked<string> {
  const text = answer.text.trim();
  const rejection = rejectBroken(answer);
  if (!rejection || (cut === 'keep' && answer.finishReason === 'length' && text !== '')) return { value: text };
  return {
    fault: cut === 'longer' && answer.finishReason === 'length' ? { ...rejection, again: 'longer' } : rejection,
  };
}

function toGiven(source: string, { calls, error, result }: CheckedOutcome<Sampled, string>): Given {
  if (!result.fault) return { source, text: result.value, calls };
  const { reason, detail } = result.fault;
  const problem = error ? 'failed' : (reason as AnswerReason) === 'empty' ? 'empty' : 'cut';
  return { source, problem, ...(detail === undefined ? {} : { detail }), calls };
}
