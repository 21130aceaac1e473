/** Settings against their zod schema: every wrong one is named at once, an unknown one with the nearest known name. */
import type { z } from 'zod';
import { ConfigError } from '../base/errors.ts';
import { nearestName } from '../base/nearest.ts';

/** `where` names the source in messages: a file, or a command. Members that are undefined count as not given. */
export function parseConfig<Schema extends z.ZodType>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const parsed = schema.safeParse(dropUndefined(value));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => describe(issue, schema));
  throw new ConfigError(problems.map((problem) => `${where}: ${problem}`).join('\n'));
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType): string[] {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') return [`${path.join('.') || 'the whole'}: ${issue.message}`];
  const known = knownKeys(schema, issue.path);
  return issue.keys.map((key) => {
    const near = nearestName(key, known);
    const suggestion = near ? `did you mean ${near}?` : `known: ${known.join(', ')}`;
    return `unknown key ${[...path, key].join('.')}; ${suggestion}`;
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
