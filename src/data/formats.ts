/**
 * Files of conversations in the forms the field has: Alpaca, messages, ShareGPT, as JSON array or JSON Lines, gzipped
 * or not, recognised by looking inside. Every row is checked to its end and every issue is named; nothing is mended or
 * left out silently. What the shapes are stands in formats/, one file each.
 */
import { basename } from 'node:path';
import { DataError, type DataIssue } from '../base/errors.ts';
import type { Line } from '../base/jsonl.ts';
import { isObject, kindOf, readRows } from '../base/rows.ts';
import { alpacaShape } from './formats/alpaca.ts';
import { messagesShape } from './formats/messages.ts';
import { type Members, optionalString, type Report, type RowReading, type Shape } from './formats/row.ts';
import { shareGptShape } from './formats/sharegpt.ts';
import { guessLanguage } from './guess-language.ts';
import type { Conversation } from './records.ts';

export { alpacaPrompt, toAlpaca } from './formats/alpaca.ts';
export { toMessagesJsonl } from './formats/messages.ts';
export { type Question, readQuestions, readSeeds, type Seed, seedConversation } from './formats/seeds.ts';

const shapes: readonly Shape[] = [messagesShape, shareGptShape, alpacaShape];

export interface FileReading {
  readonly format: Shape['name'];
  /** Rows in the file, broken ones included. */
  readonly rows: number;
  readonly issues: readonly DataIssue[];
  /** The rows without an issue, in order. */
  readonly conversations: readonly Conversation[];
}

/** Reads a whole file. Throws one DataError with every issue of every row. */
export function readConversations(file: string): Conversation[] {
  const { conversations, issues } = validateFile(file);
  if (issues.length > 0) throw new DataError(file, issues, { hint: 'mend these rows or delete them' });
  return [...conversations];
}

/** Throws only where there are no rows to speak of: no such file, no JSON, an unknown shape. */
export function validateFile(file: string): FileReading {
  const { rows, issues: broken } = readRows(file);
  const shape = recognise(file, rows, broken);
  const issues = [...broken];
  const rowOf = new Map<string, number>();
  const conversations = rows.flatMap(({ row, value }): Conversation[] => {
    const before = issues.length;
    const report: Report = (path, message) => {
      issues.push({ row, ...(path === '' ? {} : { path }), message });
    };
    if (!isObject(value)) {
      report('', `expected an object, got ${kindOf(value)}`);
      return [];
    }
    const reading = shape.read(value, report);
    const conversation = toConversation(reading, value, { file, row }, report);
    const other = rowOf.get(conversation.id);
    if (other === undefined) rowOf.set(conversation.id, row);
    else report('id', `${JSON.stringify(conversation.id)} is the id of row ${other} already`);
    return issues.length === before ? [conversation] : [];
  });
  issues.sort((a, b) => (a.row as number) - (b.row as number));
  return { format: shape.name, rows: rows.length + broken.length, issues, conversations };
}

/** The shape of the first row that has one; the other rows are then held against it. */
function recognise(file: string, rows: readonly Line[], broken: readonly DataIssue[]): Shape {
  for (const { value } of rows) {
    const shape = isObject(value)
      ? shapes.find(({ signature }) => signature.every((name) => Object.hasOwn(value, name)))
      : undefined;
    if (shape) return shape;
  }
  const hint = `known shapes, as JSON array or JSON Lines: ${shapes.map(({ example }) => example).join('; ')}`;
  if (rows.length === 0) throw new DataError(file, broken, { hint });
  const first = rows[0]?.value;
  const found = isObject(first) ? `an object with ${listNames(Object.keys(first))}` : kindOf(first);
  throw new DataError(file, { message: `expected rows of a known shape, found ${found} first` }, { hint });
}

const listNames = (names: readonly string[]): string =>
  names.length === 0
    ? 'nothing in it'
    : names
        .slice(0, 8)
        .map((name) => JSON.stringify(name))
        .join(', ');

function toConversation(
  { turns, provenance }: RowReading,
  members: Members,
  place: { file: string; row: number },
  report: Report,
): Conversation {
  const messages = turns.map(({ role, content }) => ({ role, content }));
  const category = optionalString(members, 'category', report);
  const user = messages.find(({ role }) => role === 'user')?.content ?? '';
  return {
    id: readId(members, report) ?? `${basename(place.file).replace(/\..*$/, '')}:${place.row}`,
    messages,
    language: optionalString(members, 'language', report) || guessLanguage(user),
    ...(category ? { category } : {}),
    // A row that knows where it comes from keeps that: copying a file does not change it.
    provenance: provenance ?? { source: 'imported', ...place },
  };
}

function readId({ id }: Members, report: Report): string | undefined {
  if (id === undefined || id === null) return undefined;
  // Whole numbers beyond 2^53 are read as their neighbours: two rows would be taken for one.
  if ((typeof id === 'string' && id !== '') || Number.isSafeInteger(id)) return String(id);
  report('id', `expected a string or a whole number below 2^53, got ${typeof id === 'number' ? id : kindOf(id)}`);
  return undefined;
}
