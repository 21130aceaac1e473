/**
 * What the readers of all shapes have in common: a row's members with their types checked, and the order of its turns.
 * A finding goes to `report`; reading goes on, so that a row's issues are named together.
 */
import type { Message } from '../../base/message.ts';
import { isObject, kindOf } from '../../base/rows.ts';
import type { Provenance } from '../records.ts';

/** Takes one issue: path inside the row, and what was expected and found. */
export type Report = (path: string, message: string) => void;

export type Members = Readonly<Record<string, unknown>>;

/** A turn with the path to its text. */
export interface Turn extends Message {
  readonly path: string;
}

/** A row as it was read; meaningless where something was reported. */
export interface RowReading {
  readonly turns: readonly Turn[];
  readonly provenance?: Provenance | undefined;
}

/** One of the shapes of files. */
export interface Shape {
  readonly name: 'alpaca' | 'messages' | 'sharegpt';
  /** The members by which its rows are recognised. */
  readonly signature: readonly string[];
  /** Its rows, for people. */
  readonly example: string;
  read(members: Members, report: Report): RowReading;
}

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
  const value = members[name];
  if (value === undefined || value === null) return undefined;
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

/** An optional system turn, then user and assistant in turn, none of them empty, the last the assistant's. */
export function checkTurns(turns: readonly Turn[], listPath: string, report: Report): void {
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
  const last = spoken.at(-1);
  if (last === undefined) report(listPath, 'expected a turn of the user and one of the assistant, found neither');
  else if (last.role !== 'assistant')
    report(last.path, `expected the last turn to be the assistant's, got the ${last.role}'s`);
}
