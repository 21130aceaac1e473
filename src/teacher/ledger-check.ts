/**
 * What a row of a ledger must be, whoever wrote it: its key is the hash of its request, its texts are JSON of the right
 * form, its state fits the rest, and no cost is negative. The same of a batch: its state fits what is known of it, and
 * when it is over nobody awaits anything of it.
 */
import { isMessage } from '../base/message.ts';
import { isObject, kindOf } from '../base/rows.ts';
import type { StoredBatch, StoredRow } from './ledger-reader.ts';
import { requestKey } from './request-key.ts';
import type { FinishReason, TeacherRequest } from './teacher.ts';

const states = ['sent', 'stored', 'failed'];
const batchStates = ['open', 'submitted', 'collected', 'refused'];
const finishReasons: readonly string[] = [
  'stop',
  'length',
  'content-filter',
  'other',
] satisfies readonly FinishReason[];

/** What is wrong with a row, each a sentence with the column's name; nothing where it is sound. */
export function rowProblems({ columns: row, notUtf8 }: StoredRow): string[] {
  const problems = notUtf8.map((name) => `${name} is no UTF-8 text`);
  const request = parse(row.request);
  if (request === undefined) problems.push('request is no JSON');
  else problems.push(...requestProblems(request), ...keyProblems(row.key, request));
  if (!states.includes(row.state)) problems.push(`state: expected one of ${states.join(', ')}, found ${row.state}`);
  if (row.teacher === '' || row.stage === '') problems.push('teacher or stage is empty');
  problems.push(...stateProblems(row), ...costProblems(row));
  for (const name of ['created_at', 'sent_at', 'finished_at'] as const) problems.push(...dateProblems(name, row[name]));
  return problems;
}

/** What is wrong with a batch; nothing where it is sound. */
export function batchProblems({ columns: batch, awaited }: StoredBatch): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  const { state } = batch;
  const isOver = state === 'collected' || state === 'refused';
  const wasTaken = state === 'submitted' || state === 'collected';
  expect(batchStates.includes(state), `state: expected one of ${batchStates.join(', ')}, found ${state}`);
  expect(!wasTaken || batch.provider_id !== null, `${state}, but without the provider's id`);
  expect(!wasTaken || batch.submitted_at !== null, `${state}, but submitted_at is nothing`);
  expect((batch.collected_at !== null) === isOver, `${state}, but collected_at is ${batch.collected_at ?? 'nothing'}`);
  expect(!isOver || awaited === 0, `${state}, but ${awaited} rows are awaited in it`);
  for (const name of ['requests', 'prompt_tokens'] as const) {
    expect(isCount(batch[name]), `${name}: expected a whole number from 0, found ${batch[name]}`);
  }
  for (const name of ['created_at', 'sent_at', 'submitted_at', 'collected_at'] as const)
    problems.push(...dateProblems(name, batch[name]));
  return problems;
}

/** What keeps a value out of JSON from being a request; nothing where it is one. */
export function requestProblems(value: unknown): string[] {
  if (!isObject(value)) return [`request: expected an object, got ${kindOf(value)}`];
  const { model, messages, parameters, sample } = value;
  const isList = Array.isArray(messages) && messages.length > 0 && messages.every(isMessage);
  return [
    ...(typeof model === 'string' && model !== '' ? [] : ['request.model: expected a name']),
    ...(isList ? [] : ['request.messages: expected a list of {role, content}']),
    ...(isObject(parameters) && isCount(parameters['maxTokens'])
      ? []
      : ['request.parameters: expected an object with maxTokens']),
    ...(isCount(sample) ? [] : ['request.sample: expected a whole number']),
  ];
}

/** The same of an answer, with or without what the provider sent. */
export function answerProblems(value: unknown): string[] {
  if (!isObject(value)) return [`answer: expected an object, got ${kindOf(value)}`];
  const { text, finishReason, usage } = value;
  const isUsage = isObject(usage) && isCount(usage['inputTokens']) && isCount(usage['outputTokens']);
  return [
    ...(typeof text === 'string' ? [] : [`answer.text: expected a string, got ${kindOf(text)}`]),
    ...(finishReasons.includes(finishReason as string)
      ? []
      : [`answer.finishReason: expected one of ${finishReasons.join(', ')}`]),
    ...(usage === undefined || isUsage ? [] : ['answer.usage: expected counts of inputTokens and outputTokens']),
  ];
}

const dateProblems = (name: string, time: string | null): string[] =>
  time !== null && Number.isNaN(Date.parse(time)) ? [`${name} is no date: ${JSON.stringify(time)}`] : [];

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** `request` is any JSON. */
export function keyProblems(key: string, request: unknown): string[] {
  if (!isObject(request)) return [];
  try {
    const hash = requestKey(request as unknown as TeacherRequest);
    return hash === key ? [] : [`key is not the hash of its request, which is ${hash}`];
  } catch (error) {
    // A number such as 1e400 is JSON and has no hash.
    return [`request has no hash: ${(error as Error).message}`];
  }
}

function stateProblems({
  state,
  answer,
  raw,
  error,
  attempts,
  idempotency_key,
  ...row
}: StoredRow['columns']): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(`${state}, but ${problem}`);
  };
  expect((answer !== null) === (state === 'stored'), answer === null ? 'without an answer' : 'with an answer');
  expect((error !== null) === (state === 'failed'), error === null ? 'without an error' : 'with an error');
  expect((row.finished_at === null) === (state === 'sent'), `finished_at is ${row.finished_at ?? 'nothing'}`);
  if (state === 'sent') {
    expect(row.sent_at !== null && idempotency_key !== null && attempts > 0, 'the sending is not recorded');
  }
  if (answer !== null) {
    const value = parse(answer);
    problems.push(...(value === undefined ? ['answer is no JSON'] : answerProblems(value)));
  }
  if (raw !== null && parse(raw) === undefined) problems.push('raw is no JSON');
  if (error !== null) {
    const value = parse(error);
    if (!isObject(value) || typeof value['message'] !== 'string') problems.push('error is no JSON with a message');
  }
  return problems;
}

function costProblems(row: StoredRow['columns']): string[] {
  const isCost = (value: number | null): boolean => value === null || (Number.isFinite(value) && value >= 0);
  const problems = (['cost_usd', 'upper_bound_usd', 'lost_usd'] as const)
    .filter((name) => !isCost(row[name]))
    .map((name) => `${name}: expected a number from 0, found ${row[name]}`);
  if (!isCount(row.attempts)) problems.push(`attempts: expected a whole number from 0, found ${row.attempts}`);
  return problems;
}

/** undefined where it is no JSON, which has no undefined. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
