/** Rows of a ledger held against what they must be; calls that pass from one ledger to another. */
import { expect, test } from 'vitest';
import { canonicalJson } from '../../src/base/hash.ts';
import type { BatchColumns } from '../../src/teacher/ledger-batches.ts';
import { batchProblems, rowProblems } from '../../src/teacher/ledger-check.ts';
import type { Columns } from '../../src/teacher/ledger-row.ts';
import { readRecordedCall, toRecordedCall } from '../../src/teacher/recorded-call.ts';
import { requestKey } from '../../src/teacher/request-key.ts';
import { request } from './fixtures/make.ts';

const time = '2026-11-22T16:09:51.682Z';
const sound: Columns = {
  key: requestKey(request('hello')),
  state: 'stored',
  teacher: 'fake:test-model',
  stage: 'answers',
  request: canonicalJson(request('hello')),
  answer: '{"text":"world","finishReason":"stop","usage":{"inputTokens":10,"outputTokens":5}}',
  raw: '{"id":"world"}',
  error: null,
  cost_usd: 0.25,
  upper_bound_usd: 0.5,
  lost_usd: 0,
  attempts: 1,
  idempotency_key: 'idempotent',
  created_at: time,
  sent_at: time,
  finished_at: time,
  batch: null,
};
const sent: Columns = { ...sound, state: 'sent', answer: null, raw: null, cost_usd: null, finished_at: null };
const failed: Columns = {
  ...sent,
  state: 'failed',
  error: '{"message":"no","retryable":false}',
  idempotency_key: null,
  finished_at: time,
};
const problems = (columns: Columns, notUtf8: string[] = []) => rowProblems({ columns, notUtf8 });

test('rows of every state are sound; an imported one was never sent', () => {
  expect(problems(sound)).toEqual([]);
  expect(problems(sent)).toEqual([]);
  expect(problems(failed)).toEqual([]);
  expect(problems({ ...sound, attempts: 0, idempotency_key: null, sent_at: null, upper_bound_usd: null })).toEqual([]);
  // Servers that do not count, prices that are not known.
  expect(problems({ ...sound, answer: '{"text":"","finishReason":"length"}', cost_usd: null })).toEqual([]);
});

test.each<[string, Partial<Columns>, string]>([
  [
    'a changed request',
    { request: canonicalJson(request('hullo')) },
    `not the hash of its request, which is ${requestKey(request('hullo'))}`,
  ],
  ['a torn request', { request: sound.request.slice(0, 40) }, 'request is no JSON'],
  [
    'a request without a hash',
    { request: sound.request.replace('"maxTokens":100', '"maxTokens":1e400') },
    'request has no hash',
  ],
  ['a torn answer', { answer: '{"text":"wor' }, 'answer is no JSON'],
  ['an answer that is another thing', { answer: '["world"]' }, 'answer: expected an object, got an array'],
  [
    'an unknown finish reason',
    { answer: '{"text":"","finishReason":"tired"}' },
    'answer.finishReason: expected one of',
  ],
  [
    'a count below 0',
    { answer: '{"text":"","finishReason":"stop","usage":{"inputTokens":-1,"outputTokens":5}}' },
    'answer.usage',
  ],
  ['a torn raw', { raw: '{' }, 'raw is no JSON'],
  ['no answer', { answer: null }, 'stored, but without an answer'],
  ['an error beside the answer', { error: '{"message":"no"}' }, 'stored, but with an error'],
  ['no end', { finished_at: null }, 'stored, but finished_at is nothing'],
  ['an unknown state', { state: 'lost' as 'sent' }, 'state: expected one of sent, stored, failed, found lost'],
  ['a cost below 0', { cost_usd: -0.1 }, 'cost_usd: expected a number from 0, found -0.1'],
  ['an infinite bound', { upper_bound_usd: Number.POSITIVE_INFINITY }, 'upper_bound_usd'],
  ['lost below 0', { lost_usd: -1 }, 'lost_usd'],
  ['sendings below 0', { attempts: -1 }, 'attempts'],
  ['no date', { created_at: 'yesterday' }, 'created_at is no date: "yesterday"'],
  ['no stage', { stage: '' }, 'teacher or stage is empty'],
])('%s', (_, change, problem) => {
  expect(problems({ ...sound, ...change }).join('\n')).toContain(problem);
});

test('a sending that is not recorded, an answer to a call in doubt, bytes that are no text', () => {
  expect(problems({ ...sent, attempts: 0 })).toEqual(['sent, but the sending is not recorded']);
  expect(problems({ ...sent, answer: sound.answer })).toEqual(['sent, but with an answer']);
  expect(problems({ ...failed, error: null })).toEqual(['failed, but without an error']);
  expect(problems({ ...failed, error: '"no"' })).toEqual(['error is no JSON with a message']);
  expect(problems(sound, ['teacher'])).toEqual(['teacher is no UTF-8 text']);
});

const call = toRecordedCall({ columns: sound, notUtf8: [] });

test('a recorded call is what was asked, answered and paid, and no more', () => {
  expect(call).toEqual({
    key: sound.key,
    teacher: 'fake:test-model',
    stage: 'answers',
    request: request('hello'),
    answer: { text: 'world', finishReason: 'stop', usage: { inputTokens: 10, outputTokens: 5 }, raw: { id: 'world' } },
    costUsd: 0.25,
    askedAt: time,
    answeredAt: time,
  });
  expect(readRecordedCall(JSON.parse(JSON.stringify({ ...call, headers: { authorization: 'x' } })))).toEqual(call);
});

test.each<[string, object, string]>([
  ['an answer put to another request', { request: request('hullo') }, 'key is not the hash of its request'],
  ['no request', { request: 'hello' }, 'request: expected an object, got a string'],
  ['no messages', { request: { ...request('hello'), messages: [] } }, 'request.messages'],
  ['a message without a role', { request: { ...request('hello'), messages: [{ content: 'x' }] } }, 'request.messages'],
  ['no longest answer', { request: { ...request('hello'), parameters: {} } }, 'request.parameters'],
  ['half a sample', { request: { ...request('hello'), sample: 0.5 } }, 'request.sample'],
  ['no text', { answer: { finishReason: 'stop' } }, 'answer.text: expected a string, got nothing'],
  ['no teacher', { teacher: undefined }, 'teacher: expected a name, got nothing'],
  ['a cost below 0', { costUsd: -1 }, 'costUsd: expected null or a number from 0, got -1'],
  ['no cost', { costUsd: undefined }, 'costUsd: expected null or a number from 0, got nothing'],
  ['no date', { answeredAt: 'today' }, 'answeredAt: expected a date, got "today"'],
  ['no key', { key: 7 }, 'key: expected a string, got a number'],
])('no recorded call: %s', (_, change, problem) => {
  const read = readRecordedCall({ ...call, ...change });
  expect('problems' in read && read.problems.join('\n')).toContain(problem);
});

test('no recorded call: anything else', () => {
  for (const value of [null, 7, [], 'x'])
    expect(readRecordedCall(value)).toMatchObject({ problems: [expect.stringContaining('expected a recorded call')] });
});

const open: BatchColumns = {
  id: 'ours',
  run: 'run',
  teacher: 'fake:test-model',
  provider: 'openai',
  base_url: 'http://127.0.0.1:1',
  provider_id: null,
  upload: null,
  state: 'open',
  requests: 0,
  prompt_tokens: 0,
  created_at: time,
  sent_at: null,
  submitted_at: null,
  collected_at: null,
};
const submitted: BatchColumns = {
  ...open,
  state: 'submitted',
  provider_id: 'theirs',
  sent_at: time,
  submitted_at: time,
};
const collected: BatchColumns = { ...submitted, state: 'collected', collected_at: time };

test('batches of every state are sound; those that run have rows that are awaited', () => {
  expect(batchProblems({ columns: open, awaited: 3 })).toEqual([]);
  expect(batchProblems({ columns: submitted, awaited: 3 })).toEqual([]);
  expect(batchProblems({ columns: collected, awaited: 0 })).toEqual([]);
  expect(batchProblems({ columns: { ...open, state: 'refused', collected_at: time }, awaited: 0 })).toEqual([]);
});

test.each<[string, BatchColumns, number, string]>([
  [
    'an unknown state',
    { ...open, state: 'lost' as 'open' },
    0,
    'state: expected one of open, submitted, collected, refused, found lost',
  ],
  ['no name at the provider', { ...submitted, provider_id: null }, 0, "submitted, but without the provider's id"],
  ['no time of submission', { ...submitted, submitted_at: null }, 0, 'submitted, but submitted_at is nothing'],
  ['over too early', { ...submitted, collected_at: time }, 0, `submitted, but collected_at is ${time}`],
  ['rows that nobody will collect', collected, 2, 'collected, but 2 rows are awaited in it'],
  ['a count below zero', { ...open, requests: -1 }, 0, 'requests: expected a whole number from 0, found -1'],
  ['no date', { ...open, created_at: 'monday' }, 0, 'created_at is no date: "monday"'],
])('a batch with %s is told', (_, columns, awaited, problem) => {
  expect(batchProblems({ columns, awaited })).toEqual([problem]);
});
