/**
 * Files of conversations and of preferences in the forms the field has, as JSON array or JSON Lines, compressed or not,
 * recognised by looking inside. Every row is checked to its end and every issue is named; nothing is mended or left out
 * silently. What the shapes are stands in formats/, one file each. Here a file is read whole; data-file.ts streams.
 */
import { DataError, type DataIssue } from '../base/errors.ts';
import { readRows } from '../base/rows.ts';
import { isPreference, type ReadRow, rowReader } from './formats/read-row.ts';
import type { Shape } from './formats/row.ts';
import { shapeOf, unknownShape } from './formats/shapes.ts';
import type { Preference } from './preferences.ts';
import type { Conversation } from './records.ts';

export { alpacaPrompt } from './formats/alpaca.ts';
export { toMessagesJsonl, toMessagesRow } from './formats/messages.ts';
export { type Question, readQuestions, readSeeds, type Seed, seedConversation } from './formats/seeds.ts';

export interface FileReading {
  readonly format: Shape['name'];
  /** Rows in the file, broken ones included. */
  readonly rows: number;
  readonly issues: readonly DataIssue[];
  /** The rows without an issue, in order: one of the two lists is empty. */
  readonly conversations: readonly Conversation[];
  readonly preferences: readonly Preference[];
}

/** Reads a whole file of conversations. Throws one DataError with every issue of every row. */
export function readConversations(file: string): Conversation[] {
  const { conversations } = readSound(file, 'conversations');
  return [...conversations];
}

/** Reads a whole file of answers that are compared. Throws one DataError with every issue of every row. */
export function readPreferences(file: string): Preference[] {
  const { preferences } = readSound(file, 'preferences');
  return [...preferences];
}

function readSound(file: string, wanted: Shape['kind']): FileReading {
  const { kind, reading } = readWhole(file);
  if (kind !== wanted) throw wrongKind(file, wanted, reading.format);
  const { issues } = reading;
  if (issues.length > 0) throw new DataError(file, issues, { hint: 'mend these rows or delete them' });
  return reading;
}

export const wrongKind = (file: string, wanted: Shape['kind'], found: Shape['name']): DataError =>
  new DataError(file, {
    message:
      wanted === 'conversations'
        ? `expected conversations, found answers that are compared (${found})`
        : `expected answers that are compared, found conversations (${found})`,
  });

/** Throws only where there are no rows to speak of: no such file, no JSON, an unknown shape. */
export const validateFile = (file: string): FileReading => readWhole(file).reading;

function readWhole(file: string): { kind: Shape['kind']; reading: FileReading } {
  const { rows, issues: broken } = readRows(file);
  // The shape of the first row that has one; the other rows are then held against it.
  const shape = rows.map(({ value }) => shapeOf(value)).find((one) => one !== undefined);
  if (!shape) throw unknownShape(file, rows[0]?.value, rows.length > 0, broken);
  const read = rows.map(rowReader(file, shape));
  const issues = [...broken, ...read.flatMap((one: ReadRow) => one.issues)];
  issues.sort((a, b) => (a.row as number) - (b.row as number));
  const records = read.flatMap(({ record }) => (record ? [record] : []));
  const reading: FileReading = {
    format: shape.name,
    rows: rows.length + broken.length,
    issues,
    conversations: records.filter((record): record is Conversation => !isPreference(record)),
    preferences: records.filter(isPreference),
  };
  return { kind: shape.kind, reading };
}
