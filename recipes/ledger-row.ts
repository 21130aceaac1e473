/**
 * From a row of produced data back to the calls that made it. Rows of ours name them: `provenance.calls` of conversations,
 * `call` of rejects and verdicts. A row that has lost the names on its way through another form is looked for by what it
 * says: the calls whose answer is one of its turns, to the turn before where that was the user's.
 */
import { ConfigError, DataError } from '../src/base/errors.ts';
import { isObject } from '../src/base/rows.ts';
import { shapeOf } from '../src/data/formats/shapes.ts';
import { isBroken, streamRows } from '../src/data/row-stream.ts';
import type { LedgerReader, StoredRow } from '../src/teacher/ledger-reader.ts';
import type { TeacherAnswer, TeacherRequest } from '../src/teacher/teacher.ts';

export interface RowName {
  readonly file: string;
  /** Line from 1 in JSON Lines, element from 0 in an array. */
  readonly row: number;
}

export interface RowCalls {
  /** In the row's order where it names them, else in the ledger's. */
  readonly rows: readonly StoredRow[];
  /** Keys that the row names and the ledger does not have. */
  readonly missing: readonly string[];
}

/** Throws ConfigError where it is no place in a file. */
export function parseRowName(text: string): RowName {
  const [, file, row] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (file === undefined || row === undefined)
    throw new ConfigError(`expected a file and a row, such as data.jsonl:17, got "${text}"`);
  return { file, row: Number(row) };
}

/** Throws ConfigError or DataError where there is no such row, or it says nothing. */
export async function findRowCalls(reader: LedgerReader, name: RowName): Promise<RowCalls> {
  const value = await readRow(name);
  const keys = [...new Set(namedCalls(value))];
  if (keys.length === 0) {
    const rejected = isObject(value) ? value['value'] : undefined;
    return { rows: callsThatSay(reader, turnsOf(rejected ?? value, name)), missing: [] };
  }
  const found = keys.map((key) => ({ key, rows: [...reader.rows({ keyPrefix: key })] }));
  return {
    rows: found.flatMap(({ rows }) => rows),
    missing: found.filter(({ rows }) => rows.length === 0).map(({ key }) => key),
  };
}

async function readRow({ file, row }: RowName): Promise<unknown> {
  let last: number | undefined;
  for await (const line of streamRows(file)) {
    last = line.row;
    if (line.row > row) break;
    if (line.row !== row) continue;
    if (isBroken(line)) throw new DataError(file, line);
    return line.value;
  }
  throw new DataError(file, { row, message: last === undefined || last < row ? `the last row is ${last}` : 'no row' });
}

/** Wherever rows of ours keep keys; a file of rejects has the row itself in `value`. */
function namedCalls(row: unknown): string[] {
  if (!isObject(row)) return [];
  const { provenance, call, judge, value } = row;
  const named = isObject(provenance) ? provenance['calls'] : undefined;
  const verdicts = Array.isArray(judge) ? judge.flatMap(namedCalls) : [];
  return [
    ...(Array.isArray(named) ? named.filter((key): key is string => typeof key === 'string') : []),
    ...(typeof call === 'string' ? [call] : []),
    ...verdicts,
    ...namedCalls(value),
  ];
}

interface Said {
  readonly text: string;
  /** What it answers. */
  readonly to: string | undefined;
}

function turnsOf(value: unknown, { file, row }: RowName): Said[] {
  const shape = isObject(value) ? shapeOf(value) : undefined;
  const turns = isObject(value) && shape?.kind === 'conversations' ? shape.read(value, () => {}).turns : [];
  if (turns.length === 0)
    throw new DataError(file, { row, message: 'expected a row with the keys of its calls, or a conversation' });
  const said = turns.map(({ role, content }, i) => {
    return { text: content.trim(), to: role === 'assistant' ? turns[i - 1]?.content : undefined };
  });
  return said.filter(({ text }) => text !== '');
}

/** Stored calls whose answer is one of these texts. */
function callsThatSay(reader: LedgerReader, turns: readonly Said[]): StoredRow[] {
  const found = new Map<string, StoredRow>();
  for (const { text, to } of turns) {
    const contains = [text, ...(to === undefined ? [] : [to])];
    for (const row of reader.rows({ states: ['stored'], contains })) {
      const call = readCall(row);
      const last = call?.request.messages.at(-1)?.content;
      if (call?.answer.text.trim() === text && (to === undefined || last === to)) found.set(row.columns.key, row);
    }
  }
  return [...found.values()];
}

/** undefined where the row is broken: `ledger verify` says so. */
function readCall({
  columns: { request, answer },
}: StoredRow): { request: TeacherRequest; answer: TeacherAnswer } | undefined {
  try {
    return { request: JSON.parse(request) as TeacherRequest, answer: JSON.parse(answer ?? '') as TeacherAnswer };
  } catch {
    return undefined;
  }
}
