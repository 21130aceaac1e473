/**
 * An answered call as it passes from one ledger to another: what was asked, what was answered, by whom, when, and what it
 * cost. No idempotency key and no header is in it.
 */
import { isObject, kindOf } from '../base/rows.ts';
import { answerProblems, keyProblems, requestProblems } from './ledger-check.ts';
import type { StoredRow } from './ledger-reader.ts';
import type { TeacherAnswer, TeacherRequest } from './teacher.ts';

export interface RecordedCall {
  /** The hash of the request. */
  readonly key: string;
  /** `Teacher.name`. */
  readonly teacher: string;
  readonly stage: string;
  readonly request: TeacherRequest;
  readonly answer: TeacherAnswer;
  /** Where the price was known. */
  readonly costUsd: number | null;
  /** ISO 8601: when it was first meant to be asked, and when it was answered. */
  readonly askedAt: string;
  readonly answeredAt: string;
}

/** Of a stored row in which nothing is broken (ledger-check.ts). */
export function toRecordedCall({ columns }: StoredRow): RecordedCall {
  const { key, teacher, stage, request, answer, raw, cost_usd, created_at, finished_at } = columns;
  return {
    key,
    teacher,
    stage,
    request: JSON.parse(request) as TeacherRequest,
    answer: { ...(JSON.parse(answer as string) as TeacherAnswer), raw: raw === null ? null : JSON.parse(raw) },
    costUsd: cost_usd,
    askedAt: created_at,
    answeredAt: finished_at as string,
  };
}

/** A row of a file as a call, or all that is wrong with it. Members that a call has not are left out. */
export function readRecordedCall(value: unknown): RecordedCall | { readonly problems: readonly string[] } {
  if (!isObject(value)) return { problems: [`expected a recorded call, got ${kindOf(value)}`] };
  const { key, teacher, stage, request, answer, costUsd, askedAt, answeredAt } = value;
  const problems = [...requestProblems(request), ...answerProblems(answer)];
  if (typeof key !== 'string') problems.push(`key: expected a string, got ${kindOf(key)}`);
  else problems.push(...keyProblems(key, request));
  for (const [name, text] of Object.entries({ teacher, stage })) {
    if (typeof text !== 'string' || text === '') problems.push(`${name}: expected a name, got ${kindOf(text)}`);
  }
  for (const [name, time] of Object.entries({ askedAt, answeredAt })) {
    if (typeof time !== 'string' || Number.isNaN(Date.parse(time)))
      problems.push(`${name}: expected a date, got ${JSON.stringify(time) ?? 'nothing'}`);
  }
  const isCost = costUsd === null || (typeof costUsd === 'number' && Number.isFinite(costUsd) && costUsd >= 0);
  if (!isCost) problems.push(`costUsd: expected null or a number from 0, got ${JSON.stringify(costUsd) ?? 'nothing'}`);
  if (problems.length > 0) return { problems };
  const { model, messages, parameters, sample } = request as TeacherRequest;
  const { text, finishReason, usage, raw = null } = answer as TeacherAnswer;
  return {
    key: key as string,
    teacher: teacher as string,
    stage: stage as string,
    request: { model, messages, parameters, sample },
    answer: { text, finishReason, usage, raw },
    costUsd: costUsd as number | null,
    askedAt: askedAt as string,
    answeredAt: answeredAt as string,
  };
}
