/**
 * What the readers of all shapes have in common: a row's members with their types checked, and the order of its turns.
 * A finding goes to `report`; reading goes on, so that a row's issues are named together.
 */
import type { Message } from '../../base/message.ts';
import { isObject, kindOf } from '../../base/rows.ts';
import type { ConversationTurn, Provenance } from '../records.ts';

/** Takes one issue: path inside the row, and what was expected and found. */
export type Report = (path: string, message: string) => void;

export type Members = Readonly<Record<string, unknown>>;

/** A turn with the path to its text. */
export interface Turn extends ConversationTurn {
  readonly path: string;
}

/** A row as it was read; meaningless where something was reported. */
export interface RowReading {
  readonly turns: readonly Turn[];
  readonly provenance?: Provenance | undefined;
}

/** An answer of a comparison; without a score, its place in the list is its rank. */
export interface AnswerReading {
  readonly content: string;
  readonly path: string;
  readonly score?: number | undefined;
  readonly source?: string | undefined;
  readonly reason?: string | undefined;
  /** Where the comparison is ranked by ranks. */
  readonly rank?: number | undefined;
}

/** A comparison as it was read; meaningless where something was reported. */
export interface PreferenceReading {
  readonly prompt: readonly Turn[];
  readonly answers: readonly AnswerReading[];
  /** `scores`: the highest is the best. `order`: the first is. `ranks`: every answer has its own. */
  readonly rankedBy: 'scores' | 'order' | 'ranks';
  readonly margin?: number | undefined;
  /** Places of two answers of which neither is better. */
  readonly undecided?: readonly (readonly [number, number])[] | undefined;
  readonly provenance?: Provenance | undefined;
}

interface ShapeOf<Kind extends string, Name extends string, Reading> {
  readonly kind: Kind;
  readonly name: Name;
  /** Whether a row is of this shape, by the members it has. */
  matches(members: Members): boolean;
  /** Its rows, for people. */
  readonly example: string;
  read(members: Members, report: Report): Reading;
}

export type ConversationShape = ShapeOf<
  'conversations',
  'alpaca' | 'messages' | 'prompt-completion' | 'sharegpt',
  RowReading
>;
export type PreferenceShape = ShapeOf<
  'preferences',
  'comparison-pairs' | 'comparison-v1' | 'comparison-v2' | 'preference' | 'ranked',
  PreferenceReading
>;

/** One of the shapes of files. */
export type Shape = ConversationShape | PreferenceShape;

/** What a form makes of a record: its rows, or why it cannot say it. `ties`: twos of answers that it leaves out. */
export type Written = { readonly rows: readonly object[]; readonly ties?: number } | { readonly problem: string };

/** Tables write null where there is nothing. */
export const isThere = (value: unknown): boolean => value !== undefined && value !== null;

/** Whether a row has all of these members, and something in them. */
export const hasAll = (members: Members, ...names: readonly string[]): boolean =>
  names.every((name) => isThere(members[name]));

/** A string that must be there; '' where it is not. */
export function requiredString(members: Members, name: string, report: Report, path: string = name): string {
  const value = members[name];
  if (typeof value === 'string') return value;
  report(path, `expected a string, got ${kindOf(value)}`);
  return '';
}

/** A string that may be missing or null, which is how exports from tables write a missing one. */
export function optionalString(
  members: Members,
  name: string,
  report: Report,
  path: string = name,
): string | undefined {
  if (!isThere(members[name])) return undefined;
  return requiredString(members, name, report, path);
}

/** What `read` makes of each object of a list, in order; nothing of a member that is none. */
export function mapObjects<T>(
  members: Members,
  name: string,
  report: Report,
  read: (item: Members, path: string) => T,
): T[] {
  const value = members[name];
  if (!Array.isArray(value)) {
    report(name, `expected a list, got ${kindOf(value)}`);
    return [];
  }
  return value.flatMap((item: unknown, i) => {
    const path = `${name}[${i}]`;
    if (isObject(item)) return [read(item, path)];
    report(path, `expected an object, got ${kindOf(item)}`);
    return [];
  });
}

/** A number that may be missing or null. */
export function optionalNumber(
  members: Members,
  name: string,
  report: Report,
  path: string = name,
): number | undefined {
  const value = members[name];
  if (!isThere(value)) return undefined;
  if (typeof value === 'number') return value;
  report(path, `expected a number, got ${kindOf(value)}`);
  return undefined;
}

/** An optional system turn, then user and assistant in turn, none of them empty, the last the assistant's. */
export function checkTurns(turns: readonly Turn[], listPath: string, report: Report): void {
  const spoken = checkOrder(turns, report);
  const last = spoken.at(-1);
  if (last === undefined) report(listPath, 'expected a turn of the user and one of the assistant, found neither');
  else if (last.role !== 'assistant')
    report(last.path, `expected the last turn to be the assistant's, got the ${last.role}'s`);
  else if (spoken.every(({ role, weight }) => role === 'user' || weight === 0))
    report(listPath, 'expected an answer to learn, found none but with weight 0');
}

/** The same where the answer is still to come: the last turn is the user's. */
export function checkPrompt(turns: readonly Turn[], listPath: string, report: Report): void {
  const last = checkOrder(turns, report).at(-1);
  if (last === undefined) report(listPath, 'expected a turn of the user, found none');
  else if (last.role !== 'user') report(last.path, `expected the last turn to be the user's, got the ${last.role}'s`);
}

/** Returns the turns but for the system's. */
function checkOrder(turns: readonly Turn[], report: Report): readonly Turn[] {
  for (const { role, content, path } of turns) {
    if (content.trim() === '') report(path, role === 'assistant' ? 'empty answer' : `empty ${role} turn`);
  }
  const spoken = turns[0]?.role === 'system' ? turns.slice(1) : turns;
  let expected: Message['role'] = 'user';
  for (const { role, path } of spoken) {
    if (role === 'system') report(path, 'a system turn may only be the first');
    else if (role !== expected) report(path, `expected a turn of the ${expected}, got one of the ${role}`);
    // Goes on from what is there: one turn too many is one issue.
    if (role !== 'system') expected = role === 'user' ? 'assistant' : 'user';
  }
  return spoken;
}
