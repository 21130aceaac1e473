/** The types of a table's columns, in DuckDB's words, found in rows of JSON: Parquet wants them before the first row. */
import { ConfigError } from '../base/errors.ts';

/** `nothing`: null in every row so far. */
type Type = 'nothing' | 'VARCHAR' | 'BIGINT' | 'DOUBLE' | 'BOOLEAN' | ListType | StructType;
interface ListType {
  readonly element: Type;
}
interface StructType {
  readonly members: ReadonlyMap<string, Type>;
}

/** Owns what it has seen. */
export class ColumnTypes {
  #row: StructType = { members: new Map() };
  /** Of a row's JSON. */
  largestRowBytes = 0;

  /** `bytes`: the length of the row's JSON. Throws ConfigError where a member was of another type before. */
  add(row: object, bytes: number): void {
    this.#row = merge(this.#row, typeOf(row), '') as StructType;
    this.largestRowBytes = Math.max(this.largestRowBytes, bytes);
  }

  /** Names and types, in the order of their first row. */
  all(): [name: string, type: string][] {
    return [...this.#row.members].map(([name, type]) => [name, sqlOf(type)]);
  }
}

function typeOf(value: unknown): Type {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return 'VARCHAR';
  if (typeof value === 'boolean') return 'BOOLEAN';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'BIGINT' : 'DOUBLE';
  if (Array.isArray(value)) {
    return { element: value.map(typeOf).reduce((all, one) => merge(all, one, '[]'), 'nothing') };
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return { members: new Map(members.map(([name, member]) => [name, typeOf(member)])) };
}

function merge(a: Type, b: Type, path: string): Type {
  if (a === 'nothing' || a === b) return b;
  if (b === 'nothing') return a;
  if (typeof a === 'object' && typeof b === 'object') {
    if ('element' in a && 'element' in b) return { element: merge(a.element, b.element, `${path}[]`) };
    if ('members' in a && 'members' in b) {
      const members = new Map(a.members);
      for (const [name, type] of b.members) {
        members.set(name, merge(members.get(name) ?? 'nothing', type, path === '' ? name : `${path}.${name}`));
      }
      return { members };
    }
  }
  const isNumber = [a, b].every((type) => type === 'BIGINT' || type === 'DOUBLE');
  if (isNumber) return 'DOUBLE';
  throw new ConfigError(
    `a column of Parquet has one type: ${path} is ${nameOf(a)} in one row and ${nameOf(b)} in another`,
    {
      hint: 'write JSON Lines: --out FILE.jsonl',
    },
  );
}

function nameOf(type: Type): string {
  if (typeof type === 'object') return 'element' in type ? 'a list' : 'an object';
  return { nothing: 'null', VARCHAR: 'a string', BIGINT: 'a number', DOUBLE: 'a number', BOOLEAN: 'a boolean' }[type];
}

function sqlOf(type: Type): string {
  if (type === 'nothing') return 'VARCHAR';
  if (typeof type !== 'object') return type;
  if ('element' in type) return `${sqlOf(type.element)}[]`;
  const members = [...type.members].map(([name, member]) => `"${name.replaceAll('"', '""')}" ${sqlOf(member)}`);
  // A struct has a member: an object that is empty in every row is kept as text.
  return members.length === 0 ? 'VARCHAR' : `STRUCT(${members.join(', ')})`;
}
