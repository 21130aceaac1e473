/** Rows of a file whose shape is known become records, each checked to its end. */
import { basename } from 'node:path';
import type { DataIssue } from '../../base/errors.ts';
import type { Line } from '../../base/jsonl.ts';
import { isObject, kindOf } from '../../base/rows.ts';
import { guessLanguage } from '../guess-language.ts';
import { type Preference, rankScores } from '../preferences.ts';
import type { Conversation } from '../records.ts';
import {
  isThere,
  type Members,
  optionalString,
  type PreferenceReading,
  type Report,
  type RowReading,
  type Shape,
} from './row.ts';

export type DataRecord = Conversation | Preference;

export const isPreference = (record: DataRecord): record is Preference => 'answers' in record;

/** One row; the record is there where there is no issue. */
export interface ReadRow {
  /** Line from 1 in JSON Lines, element from 0 in an array, row from 0 in Parquet. */
  readonly row: number;
  /** As it stands in the file; undefined where it is no JSON. */
  readonly value: unknown;
  readonly issues: readonly (DataIssue & { readonly row: number })[];
  readonly record?: DataRecord;
}

/** A reader of one file's rows: it remembers their ids. */
export function rowReader(file: string, shape: Shape): (line: Line) => ReadRow {
  const rowOf = new Map<string, number>();
  return ({ row, value }) => {
    const issues: (DataIssue & { row: number })[] = [];
    const report: Report = (path, message) => {
      issues.push({ row, ...(path === '' ? {} : { path }), message });
    };
    if (!isObject(value)) {
      report('', `expected an object, got ${kindOf(value)}`);
      return { row, value, issues };
    }
    const place = { file, row };
    const record =
      shape.kind === 'conversations'
        ? toConversation(shape.read(value, report), value, place, report)
        : toPreference(shape.read(value, report), value, place, report);
    const other = rowOf.get(record.id);
    if (other === undefined) rowOf.set(record.id, row);
    else report('id', `${JSON.stringify(record.id)} is the id of row ${other} already`);
    return { row, value, issues, ...(issues.length === 0 ? { record } : {}) };
  };
}

interface Place {
  readonly file: string;
  readonly row: number;
}

function toConversation(
  { turns, provenance }: RowReading,
  members: Members,
  place: Place,
  report: Report,
): Conversation {
  const messages = turns.map(({ role, content, weight }) => ({ role, content, ...(weight === 0 ? { weight } : {}) }));
  const user = messages.find(({ role }) => role === 'user')?.content ?? '';
  const { category, id, language } = readCommon(members, user, place, report);
  return {
    id,
    messages,
    language,
    ...(category ? { category } : {}),
    // A row that knows where it comes from keeps that: copying a file does not change it.
    provenance: provenance ?? { source: 'imported', ...place },
  };
}

function toPreference(reading: PreferenceReading, members: Members, place: Place, report: Report): Preference {
  const { prompt, answers, margin, undecided = [], provenance } = reading;
  const ranks = ranksOf(reading);
  for (const [i, { content, path }] of answers.entries()) {
    if (ranks[i] === 1 && content.trim() === '') report(path, 'empty answer, and no other is better');
  }
  const user = prompt.find(({ role }) => role === 'user')?.content ?? '';
  const { category, id, language } = readCommon(members, user, place, report);
  return {
    id,
    prompt: prompt.map(({ role, content }) => ({ role, content })),
    answers: answers.map(({ content, score, source, reason }, i) => ({
      content,
      rank: ranks[i] as number,
      ...(score === undefined ? {} : { score }),
      ...(source === undefined ? {} : { source }),
      ...(reason === undefined ? {} : { reason }),
    })),
    ...(margin === undefined ? {} : { margin }),
    ...(undecided.length === 0
      ? {}
      : { undecided: undecided.map(([a, b]) => [answers[a]?.content ?? '', answers[b]?.content ?? ''] as const) }),
    language,
    ...(category ? { category } : {}),
    provenance: provenance ?? { source: 'imported', ...place },
  };
}

function ranksOf({ answers, rankedBy }: PreferenceReading): number[] {
  if (rankedBy === 'order') return answers.map((_, i) => i + 1);
  return rankedBy === 'ranks'
    ? answers.map(({ rank }) => rank ?? 1)
    : rankScores(answers.map(({ score }) => score ?? 0));
}

/** What every shape may say beside its texts. */
function readCommon(
  members: Members,
  user: string,
  { file, row }: Place,
  report: Report,
): { category: string | undefined; id: string; language: string } {
  const category = optionalString(members, 'category', report);
  return {
    category,
    id: readId(members, report) ?? placeId(file, row),
    language: optionalString(members, 'language', report) || guessLanguage(user),
  };
}

/** The id of a row that has none. */
export const placeId = (file: string, row: number): string => `${basename(file).replace(/\..*$/, '')}:${row}`;

function readId({ id }: Members, report: Report): string | undefined {
  if (!isThere(id)) return undefined;
  // Whole numbers beyond 2^53 are read as their neighbours: two rows would be taken for one.
  if ((typeof id === 'string' && id !== '') || Number.isSafeInteger(id)) return String(id);
  report('id', `expected a string or a whole number below 2^53, got ${typeof id === 'number' ? id : kindOf(id)}`);
  return undefined;
}
