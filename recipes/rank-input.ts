/**
 * Files of prompts with several answers each, to be ranked or already ranked: the rows that `answer --best-of` and `rank`
 * write, `{prompt, candidates: [text or {text, …}]}`, prompts in all the shapes that `answer` reads; and every form of answers
 * that are compared (formats.ts), whose scores go along. Words only, no libtorch.
 */
import { DataError, type DataIssue } from '../src/base/errors.ts';
import { isMessage, type Message } from '../src/base/message.ts';
import { isObject, kindOf, readRows } from '../src/base/rows.ts';
import { readPreferences } from '../src/data/formats.ts';
import { readPrompts } from '../src/data/prompts.ts';
import type { AnswerSet, GivenAnswer, RankedCandidate, RankedRow } from './rank-rows.ts';

type Members = Readonly<Record<string, unknown>>;
type Report = (path: string, message: string) => void;

const hint =
  'rows are {"id", "prompt", "candidates": ["…", {"text", "source", "score"}]}, or answers that are compared in any form of ' +
  '`data validate`';

/** Throws DataError that names every broken row. */
export function readAnswerSets(file: string): AnswerSet[] {
  const { rows } = readRows(file, hint);
  const isOurs = rows.some(({ value }) => isObject(value) && Array.isArray(value['candidates']));
  if (isOurs) return readCandidateRows(file).map(({ set }) => set);
  return readPreferences(file).map(({ id, prompt, language, category, answers }) => ({
    id,
    messages: prompt,
    ...(language !== undefined && { language }),
    ...(category !== undefined && { category }),
    answers: answers.map(({ content, source, score }) => ({
      text: content,
      ...(source !== undefined && { source }),
      ...(score !== undefined && { score }),
    })),
  }));
}

/** As they were written; throws DataError where a row has no rewards. */
export function readRankedRows(file: string): RankedRow[] {
  const issues: DataIssue[] = [];
  const rows = readCandidateRows(file).map(({ set, row, members }): RankedRow => {
    const list = members['candidates'] as readonly Members[];
    const candidates = set.answers.map((answer, i): RankedCandidate => {
      const { reward, rank } = isObject(list[i]) ? list[i] : ({} as Members);
      const report = (path: string, message: string) =>
        void issues.push({ row, path: `candidates[${i}].${path}`, message });
      if (reward !== null && typeof reward !== 'number')
        report('reward', `expected a number or null, got ${kindOf(reward)}`);
      if (!Number.isInteger(rank)) report('rank', `expected a whole number, got ${kindOf(rank)}`);
      return { ...answer, reward: reward as number | null, rank: rank as number };
    });
    const best = candidates.find(({ rank }) => rank === 1);
    if (!best && issues.length === 0) issues.push({ row, path: 'candidates', message: 'expected one of rank 1' });
    const { messages, answers: _answers, ...known } = set;
    return {
      ...known,
      prompt: messages.at(-1)!.content,
      ...(messages.length > 1 && { conversation: messages }),
      output: best?.text ?? '',
      ...(best?.finishReason !== undefined && { finishReason: best.finishReason }),
      reward: best?.reward ?? null,
      candidates,
    };
  });
  if (issues.length > 0)
    throw new DataError(file, issues, { hint: 'have them ranked: ./understudy rank FILE --reward-model FOLDER' });
  return rows;
}

function readCandidateRows(file: string): { set: AnswerSet; row: number; members: Members }[] {
  const prompts = readPrompts(file);
  const issues: DataIssue[] = [];
  const sets = readRows(file, hint).rows.map(({ row, value }, i) => {
    const members = value as Members;
    const report: Report = (path, message) => void issues.push({ row, path, message });
    const { id, messages } = prompts[i]!;
    const answers = readCandidates(members['candidates'], report);
    const { language, category } = members;
    const set: AnswerSet = {
      id,
      messages: conversationOf(members, report) ?? messages,
      ...(typeof language === 'string' && { language }),
      ...(typeof category === 'string' && { category }),
      answers,
    };
    return { set, row, members };
  });
  if (issues.length > 0) throw new DataError(file, issues, { hint });
  return sets;
}

function conversationOf({ conversation }: Members, report: Report): readonly Message[] | undefined {
  if (conversation === undefined) return undefined;
  if (Array.isArray(conversation) && conversation.every(isMessage) && conversation.at(-1)?.role === 'user')
    return conversation;
  report('conversation', 'expected turns {role, content}, the last of them the user’s');
  return undefined;
}

function readCandidates(list: unknown, report: Report): GivenAnswer[] {
  if (!Array.isArray(list) || list.length === 0) {
    report('candidates', `expected a list of answers, got ${Array.isArray(list) ? 'an empty one' : kindOf(list)}`);
    return [];
  }
  return list.map((one: unknown, i): GivenAnswer => {
    if (typeof one === 'string') return { text: one };
    const path = `candidates[${i}]`;
    const { text, finishReason, source, score } = isObject(one) ? one : ({} as Members);
    if (typeof text !== 'string') report(`${path}.text`, `expected a string, got ${kindOf(text)}`);
    if (score !== undefined && typeof score !== 'number')
      report(`${path}.score`, `expected a number, got ${kindOf(score)}`);
    return {
      text: typeof text === 'string' ? text : '',
      ...((finishReason === 'stop' || finishReason === 'length') && { finishReason }),
      ...(typeof source === 'string' && { source }),
      ...(typeof score === 'number' && { score }),
    };
  });
}
