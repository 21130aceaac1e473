/**
 * Settings, read from YAML and held against their zod schema: every wrong one is named at once, an unknown one with the
 * nearest known name. Names of other tools are taken for ours where a table says so (aliases.ts).
 */
import { parse, YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { ConfigError, DataError } from '../base/errors.ts';
import { readText } from '../base/jsonl.ts';
import { nearestName } from '../base/nearest.ts';
import { isObject } from '../base/rows.ts';
import { type AliasTable, layOver, type Mapped, resolveAliases, type Settings, suggestibleNames } from './aliases.ts';

/** Tables by the section they are for: a top name, or '' for the top itself. */
type AliasTables = Readonly<Record<string, AliasTable>>;

export interface ParseOptions {
  /** Other names for settings; other spellings of our own names are taken with them. */
  readonly aliases?: AliasTables;
  /** Go before the settings in `value`, each under any of its names: flags before a file. */
  readonly overrides?: Settings;
  /** What was called otherwise in `value`, if anything; flags are not told of. */
  readonly onMapped?: (mapped: readonly Mapped[]) => void;
}

/**
 * `where` names the source in messages: a file, or a command. Members that are undefined count as not given. Throws
 * ConfigError with all that is wrong: first with the names, then with the values.
 */
export function parseConfig<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: string,
  { aliases = {}, overrides = {}, onMapped }: ParseOptions = {},
): z.output<Schema> {
  const given = ourNames(schema, dropUndefined(value), aliases, where);
  const over = ourNames(schema, dropUndefined(overrides), aliases, where);
  const mapped = [...given.mapped, ...over.mapped];
  const layers = [given.value, over.value].filter(isObject);
  const parsed = schema.safeParse(isObject(value) ? layers.reduce(layOver, {}) : value);
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => describe(issue, schema, aliases, mapped));
    throw new ConfigError(problems.map((problem) => `${where}: ${problem}`).join('\n'));
  }
  if (given.mapped.length > 0) onMapped?.(given.mapped);
  return parsed.data;
}

/** Settings of a YAML file as they stand there. */
export function readSettings(file: string): Settings {
  let value: unknown;
  try {
    value = parse(readText(file));
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    const row = error.linePos?.[0].line;
    throw new DataError(file, { ...(row !== undefined && { row }), message: error.message.split('\n')[0] ?? '' });
  }
  if (!isObject(value)) throw new DataError(file, { message: 'expected settings as key: value lines' });
  return value;
}

/** Every section that has a table, under our names; `mapped` has full names. */
function ourNames(
  schema: z.ZodType,
  value: unknown,
  aliases: AliasTables,
  where: string,
): { value: unknown; mapped: Mapped[] } {
  const mapped: Mapped[] = [];
  let all = value;
  for (const [section, table] of Object.entries(aliases)) {
    const path = section === '' ? [] : [section];
    const within = isObject(all) && section !== '' ? all[section] : all;
    if (!isObject(all) || !isObject(within)) continue;
    const own = knownKeys(schema, path).map((to) => ({ to, from: [] }));
    const prefix = path.map((part) => `${part}.`).join('');
    const resolved = resolveAliases(within, [...table, ...own], `${where}: ${prefix}`);
    mapped.push(...resolved.mapped.map(({ from, to }) => ({ from: prefix + from, to: prefix + to })));
    all = section === '' ? resolved.config : { ...all, [section]: resolved.config };
  }
  return { value: all, mapped };
}

function describe(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  aliases: AliasTables,
  mapped: readonly Mapped[],
): string[] {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') {
    const name = path.join('.');
    const asGiven = mapped.filter(({ to }) => to === name).map(({ from }) => from);
    const also = asGiven.length > 0 ? ` (given as ${asGiven.join(', ')})` : '';
    return [`${name || 'the whole'}${also}: ${issue.message}`];
  }
  const known = knownKeys(schema, issue.path);
  const names = suggestibleNames(aliases[path.join('.')] ?? [], known);
  return issue.keys.map((key) => {
    const name = [...path, key].join('.');
    const asGiven = mapped.filter(({ to }) => to === name || to.startsWith(`${name}.`)).map(({ from }) => from);
    if (asGiven.length > 0) return `${asGiven.join(', ')}: there is no setting ${name} here`;
    const near = nearestName(key, [...names.keys()]);
    const suggestion = near ? `did you mean ${names.get(near)}?` : `known: ${known.join(', ')}`;
    return `unknown key ${name}; ${suggestion}`;
  });
}

/** The keys an object schema has at `path`; wrappers (optional, default) are looked through. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at = unwrap(schema);
  for (const part of path) {
    const { shape, element } = at as { shape?: Record<string, z.ZodType>; element?: z.ZodType };
    const next = typeof part === 'number' ? element : shape?.[String(part)];
    if (!next) return unionKeys(at);
    at = unwrap(next);
  }
  const { shape } = at as { shape?: Record<string, z.ZodType> };
  return shape ? Object.keys(shape) : unionKeys(at);
}

function unionKeys(schema: z.ZodType): string[] {
  const { options } = schema as { options?: { shape?: object }[] };
  return [...new Set((options ?? []).flatMap((option) => Object.keys(option.shape ?? {})))];
}

function unwrap(schema: z.ZodType): z.ZodType {
  const inner = (schema as { unwrap?: () => z.ZodType }).unwrap;
  const { type } = schema as { type?: string };
  return inner && type !== 'array' ? unwrap(inner.call(schema)) : schema;
}

function dropUndefined(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}
