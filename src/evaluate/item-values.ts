/**
 * One number an item out of a file of rows, whatever else is in them: what paired tests compare. Any rows of ours will do that
 * have an id; the field may lie inside others (`referenceBefore.sum`).
 */
import { ConfigError, DataError, type DataIssue } from '../base/errors.ts';
import { isObject, kindOf, readRows } from '../base/rows.ts';

export interface ItemValues {
  readonly file: string;
  readonly field: string;
  /** By id, in the file's order; true is 1, false 0. */
  readonly values: ReadonlyMap<string, number>;
  /** Ids of the rows where the field is null or not there. */
  readonly missing: readonly string[];
}

/** What names an item; the first that a row has counts. */
export const idFields = ['id', 'question_id', 'item'] as const;

export const usualField = 'score';

const formHint = `rows are {"id": …, "${usualField}": number}, one an item; the id may be called ${idFields.slice(1).join(' or ')} too`;

/** Throws ConfigError or DataError where there is no such file, or rows that have no id, one id twice, or no number. */
export function readItemValues(file: string, field: string = usualField): ItemValues {
  const { rows, issues: broken } = readRows(file, formHint);
  const issues: DataIssue[] = [...broken];
  const values = new Map<string, number>();
  const missing: string[] = [];
  const rowOf = new Map<string, number>();
  for (const { row, value } of rows) {
    const read = readRow(value, field);
    if ('issue' in read) {
      issues.push({ row, ...read.issue });
      continue;
    }
    const before = rowOf.get(read.id);
    if (before !== undefined) {
      issues.push({ row, message: `expected one row an item, found ${read.id} in row ${before} already` });
      continue;
    }
    rowOf.set(read.id, row);
    if (read.value === undefined) missing.push(read.id);
    else values.set(read.id, read.value);
  }
  if (issues.length > 0) throw new DataError(file, issues, { hint: formHint });
  if (values.size === 0) throw noValues(file, field, rows[0]?.value);
  return { file, field, values, missing };
}

type RowReading = { id: string; value: number | undefined } | { issue: Omit<DataIssue, 'row'> };

function readRow(value: unknown, field: string): RowReading {
  if (!isObject(value)) return { issue: { message: `expected an object, got ${kindOf(value)}` } };
  const named = idFields.find((name) => Object.hasOwn(value, name));
  const id = named === undefined ? undefined : value[named];
  if (typeof id !== 'string' && typeof id !== 'number') {
    return { issue: { path: named ?? 'id', message: `expected a string or a number, got ${kindOf(id)}` } };
  }
  const found = memberOf(value, field);
  if (found === undefined || found === null) return { id: String(id), value: undefined };
  const number = typeof found === 'boolean' ? Number(found) : found;
  if (typeof number === 'number' && Number.isFinite(number)) return { id: String(id), value: number };
  return { issue: { path: field, message: `expected a number, true or false, got ${kindOf(found)}` } };
}

/** The member of that name, or along a path of names with dots between. */
function memberOf(value: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(value, path)) return value[path];
  const [first = '', ...rest] = path.split('.');
  const inner = Object.hasOwn(value, first) ? value[first] : undefined;
  return rest.length > 0 && isObject(inner) ? memberOf(inner, rest.join('.')) : undefined;
}

function noValues(file: string, field: string, first: unknown): ConfigError {
  const found = isObject(first) ? numericPaths(first) : [];
  return new ConfigError(`${file}: no row has a number in ${field}`, {
    hint:
      found.length === 0
        ? 'the first row has no numbers at all: is this the file of rows?'
        : `choose with --field; the first row has numbers in ${found.slice(0, 12).join(', ')}`,
  });
}

function numericPaths(value: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(value).flatMap(([name, one]) => {
    if (isObject(one)) return numericPaths(one).map((path) => `${name}.${path}`);
    const isValue = typeof one === 'boolean' || typeof one === 'number';
    return isValue && !(idFields as readonly string[]).includes(name) ? [name] : [];
  });
}

export interface ItemPairs {
  readonly first: readonly number[];
  readonly second: readonly number[];
  /** Items left out, because only one of the two has a value. */
  readonly onlyFirst: readonly string[];
  readonly onlySecond: readonly string[];
}

/** Items with a value in both, in the order of the first. Throws ConfigError where there are none. */
export function pairItems(first: ItemValues, second: ItemValues): ItemPairs {
  const shared = [...first.values.keys()].filter((id) => second.values.has(id));
  if (shared.length === 0) {
    const [some, other] = [first, second].map(({ values }) => [...values.keys()].slice(0, 3).join(', '));
    throw new ConfigError(`${first.file} and ${second.file} have no item in common`, {
      hint: `items are matched by id: the first has ${some}, the second ${other}`,
    });
  }
  return {
    first: shared.map((id) => first.values.get(id)!),
    second: shared.map((id) => second.values.get(id)!),
    onlyFirst: [...first.values.keys()].filter((id) => !second.values.has(id)),
    onlySecond: [...second.values.keys()].filter((id) => !first.values.has(id)),
  };
}
