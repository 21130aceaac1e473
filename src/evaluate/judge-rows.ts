/**
 * What is known of one thing that was put to a judge: a line of rows.jsonl. Everything the judge said is in it as it came, so
 * that verdicts are read again, and figures made again, from the file alone.
 */
import { DataError, type DataIssue } from '../base/errors.ts';
import { parseJsonl, readText } from '../base/jsonl.ts';
import { isObject, kindOf } from '../base/rows.ts';
import type { Choice } from '../text/verdict.ts';
import type { JudgeProblem } from './rows.ts';

/**
 * `single`: one answer, a score 1–10. `pair`: which of two answers is better. `reference`: a score 1–10 for each of two
 * answers, one of them the reference model's.
 */
export const judgeModes = ['single', 'pair', 'reference'] as const;
export type JudgeMode = (typeof judgeModes)[number];

/** `scores`: of the answer shown first and of the second. */
export type Verdict =
  | { readonly score: number }
  | { readonly scores: readonly [number, number] }
  | { readonly choice: Choice };

/** Which wording a verdict was given under. */
export interface PromptId {
  /** Of the mode and the language: `judge-choice-en`. */
  readonly name: string;
  readonly version: number;
  /** Of judge-points-<language>. */
  readonly pointsVersion: number;
  /** Of both files. */
  readonly sha256: string;
}

/** One call and what came of it. */
export interface Asking {
  /** Ledger key. */
  readonly call: string;
  readonly text: string;
  readonly finishReason: string;
}

export interface JudgeRow {
  readonly question: string;
  /** From 1: the turn whose answer is judged. */
  readonly turn: number;
  readonly category: string;
  readonly language: string;
  /** Whose answers were shown, in order: one in mode `single`, else two. */
  readonly models: readonly string[];
  /** Of those answers, in characters. */
  readonly lengths: readonly number[];
  /** From 0. */
  readonly sample: number;
  readonly prompt: PromptId & { readonly points: readonly string[] };
  /** Asked again where no verdict could be read: all of them, in order. */
  readonly askings: readonly Asking[];
  /** Why the last call brought no answer; absent where it did. */
  readonly error?: string;
  readonly verdict?: Verdict | undefined;
  /** Why there is no verdict. */
  readonly problem?: JudgeProblem | undefined;
}

/** Reads rows.jsonl. Verdicts stand in it as they were read when it was written. Throws DataError with every broken row. */
export function readJudgeRows(file: string): JudgeRow[] {
  const issues: DataIssue[] = [];
  const rows = parseJsonl(readText(file), file).map(({ row, value }) => {
    const problem = problemOf(value);
    if (problem) issues.push({ row, ...problem });
    return value as JudgeRow;
  });
  if (rows.length === 0) issues.push({ message: 'expected rows of verdicts, found none' });
  if (issues.length > 0)
    throw new DataError(file, issues, { hint: 'expected the rows.jsonl that `evaluate judge` wrote' });
  return rows;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const checks: Readonly<Record<string, readonly [expected: string, holds: (value: unknown) => boolean]>> = {
  question: ['a string', isText],
  turn: ['a whole number', Number.isInteger],
  category: ['a string', isText],
  language: ['a string', isText],
  models: ['names', (value) => Array.isArray(value) && value.every(isText)],
  lengths: ['numbers', (value) => Array.isArray(value) && value.every(Number.isFinite)],
  sample: ['a whole number', Number.isInteger],
  prompt: ['an object', isObject],
  askings: ['a list of {call, text, finishReason}', (value) => Array.isArray(value) && value.every(isAsking)],
};
const isAsking = (value: unknown): boolean =>
  isObject(value) && ['call', 'text', 'finishReason'].every((name) => isText(value[name]));

function problemOf(value: unknown): Omit<DataIssue, 'row'> | undefined {
  if (!isObject(value)) return { message: `expected an object, got ${kindOf(value)}` };
  for (const [path, [expected, holds]] of Object.entries(checks)) {
    if (!holds(value[path])) return { path, message: `expected ${expected}, got ${kindOf(value[path])}` };
  }
  return undefined;
}
