/**
 * Settings by the names that users of other tools know: Hugging Face TrainingArguments, TRL, LLaMA-Factory, Axolotl,
 * PEFT. A table says which of their names mean which of ours, and how their value becomes ours; what cannot be said
 * exactly in our settings is refused, with the arithmetic that leads there. Our own names are taken in camelCase,
 * snake_case and kebab-case. Checks no values: that is the schema's (config.ts).
 */
import { ConfigError } from '../base/errors.ts';
import { isObject } from '../base/rows.ts';

export type Settings = Readonly<Record<string, unknown>>;

/** What a conversion gives where the user says that a setting is to be left out (`finetuning_type: full`). */
export const unset = Symbol('unset');

export interface Alias {
  /** Our name; a dot leads into a section, as in `lora.rank`. */
  readonly to: string;
  /** Names of others in snake_case; kebab-case and camelCase of them are taken too. May be none: our own spellings. */
  readonly from: readonly string[];
  /**
   * Their value as ours; `undefined` where it says nothing (`bf16: false`). Throws ConfigError where it has no
   * counterpart. Values under our own name are never converted. Without it null says nothing.
   */
  readonly convert?: (value: unknown, name: string) => unknown;
}

/** Names whose meaning we have, but in another unit. */
export interface Refusal {
  /** In snake_case, as in `Alias`. */
  readonly refuse: readonly string[];
  /** From the values given, by name as the user wrote it; `undefined` lets them pass as saying nothing. */
  readonly why: (given: Settings) => { readonly message: string; readonly hint: string } | undefined;
}

export type AliasTable = readonly (Alias | Refusal)[];

export interface Mapped {
  /** As the user wrote it; inside a section with the section's name before it. */
  readonly from: string;
  readonly to: string;
}

/** A setting as the user gave it, and what it is here. */
interface Given {
  readonly from: string;
  readonly to: string;
  readonly raw: unknown;
  readonly value: unknown;
}

/**
 * Settings under our names; one that is to be left out is undefined there. Throws one ConfigError with everything that is wrong: two names of one setting with
 * different values, a refused name, a value without a counterpart. Names that the table does not know stay as they are.
 * `prefix` stands before each message.
 */
export function resolveAliases(
  raw: Settings,
  table: AliasTable,
  prefix = '',
): { config: Settings; mapped: readonly Mapped[] } {
  const problems: ConfigError[] = [];
  const refused = new Map<Refusal, Record<string, unknown>>();
  const all: Given[] = [];
  for (const { from, to, value, entry } of namedSettings(raw, nameIndex(table))) {
    if (value === undefined) continue;
    if (entry && 'refuse' in entry) refused.set(entry, { ...refused.get(entry), [from]: value });
    else if (!entry) all.push({ from, to, raw: value, value });
    else {
      const own = attempt(() => (entry.convert ? entry.convert(value, from) : (value ?? undefined)), problems);
      if (own !== undefined) all.push({ from, to, raw: value, value: own });
    }
  }
  for (const [refusal, given] of refused) {
    const why = refusal.why(given);
    if (why) problems.push(new ConfigError(why.message, { hint: why.hint }));
  }
  problems.push(...contradictions(all));
  if (problems.length > 0) {
    const hints = [...new Set(problems.flatMap(({ hint }) => hint ?? []))];
    throw new ConfigError(problems.map(({ message }) => prefix + message).join('\n'), {
      hint: hints.length > 0 ? hints.join('; ') : undefined,
    });
  }
  const set = all.filter(({ value }) => value !== unset);
  const leftOut = all.filter(({ value }) => value === unset).map(({ to }) => [to, undefined] as const);
  return {
    config: {
      ...set.reduce<Settings>((config, { to, value }) => layOver(config, nested(to, value)), {}),
      ...Object.fromEntries(leftOut),
    },
    mapped: set.filter(({ from, to }) => from !== to).map(({ from, to }) => ({ from, to })),
  };
}

/** `upper` before `lower`; sections are joined member by member. What is undefined above is not there in the result. */
export function layOver(lower: Settings, upper: Settings): Settings {
  const joined = new Map(Object.entries(lower));
  for (const [name, value] of Object.entries(upper)) {
    const below = joined.get(name);
    if (value === undefined) joined.delete(name);
    else joined.set(name, isObject(value) ? layOver(isObject(below) ? below : {}, value) : value);
  }
  return Object.fromEntries(joined);
}

/** For the terminal, once: `lora_rank → lora.rank, lr → learningRate`. */
export const mappedText = (mapped: readonly Mapped[]): string =>
  mapped.map(({ from, to }) => `${from} → ${to}`).join(', ');

/**
 * Every name that may be written, with what to call it in "did you mean": our name, also for other spellings of it,
 * else the alias and our name. Only for settings whose top name is in `known`.
 */
export function suggestibleNames(table: AliasTable, known: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map(known.map((name) => [name, name]));
  for (const entry of table) {
    if ('refuse' in entry || !known.includes(entry.to.split('.')[0] as string)) continue;
    const own = snakeCase(entry.to);
    if (!names.has(own)) names.set(own, entry.to);
    for (const name of entry.from) if (!names.has(name)) names.set(name, `${name} (${entry.to} here)`);
  }
  return names;
}

/** `lora.rank`, `loraRank`, `lora-rank` → `lora_rank`. */
const snakeCase = (name: string): string =>
  name
    .split(/[._-]|(?<=[a-z0-9])(?=[A-Z])/)
    .join('_')
    .toLowerCase();

type Entry = Alias | Refusal;

/** By snake case. Our own spellings go before aliases, and have no conversion. */
function nameIndex(table: AliasTable): ReadonlyMap<string, Entry> {
  const aliases = table.flatMap((entry) =>
    ('refuse' in entry ? entry.refuse : entry.from).map((name) => [name, entry] as const),
  );
  const own = table.flatMap((entry) =>
    'refuse' in entry ? [] : [[snakeCase(entry.to), { to: entry.to, from: [] }] as const],
  );
  return new Map<string, Entry>([...aliases, ...own]);
}

interface Named {
  readonly from: string;
  readonly to: string;
  readonly value: unknown;
  /** Absent under our very own name, and where nobody knows the name. */
  readonly entry: Entry | undefined;
}

function namedSettings(raw: Settings, names: ReadonlyMap<string, Entry>): Named[] {
  const targets = [...names.values()].flatMap((entry) => ('refuse' in entry ? [] : [entry.to]));
  return Object.entries(raw).flatMap(([name, value]): Named[] => {
    const entry = names.get(snakeCase(name));
    const alias = entry && !('refuse' in entry) ? entry : undefined;
    const to = alias?.to ?? name;
    if (!isObject(value) || !targets.some((target) => target.startsWith(`${to}.`)))
      return [{ from: name, to, value, entry: name === alias?.to ? undefined : entry }];
    // The section itself, so that an empty one is not lost, then its members.
    return [{ from: name, to, value: {}, entry: undefined }, ...memberSettings(name, to, value, names)];
  });
}

/** Members of the section `to`: by our name, or by an alias with or without the section's name (PEFT's `r`). */
function memberSettings(name: string, to: string, members: Settings, names: ReadonlyMap<string, Entry>): Named[] {
  return Object.entries(members).map(([member, value]) => {
    const candidates = [names.get(snakeCase(`${to}.${member}`)), names.get(snakeCase(member))];
    const entry = candidates.find(
      (one): one is Alias => one !== undefined && !('refuse' in one) && one.to.startsWith(`${to}.`),
    );
    const target = entry?.to ?? `${to}.${member}`;
    const from = `${name}.${member}`;
    return { from, to: target, value, entry: target === `${to}.${member}` ? undefined : entry };
  });
}

/** The error of a conversion goes to the others, so that all are named at once. */
function attempt(convert: () => unknown, problems: ConfigError[]): unknown {
  try {
    return convert();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(error);
    return undefined;
  }
}

function contradictions(all: readonly Given[]): ConfigError[] {
  const problems: ConfigError[] = [];
  for (const [i, one] of all.entries()) {
    for (const other of all.slice(0, i)) {
      const isSame = one.to === other.to && !isEqual(one.value, other.value);
      const isLeftOut = [one, other].some(
        (leaving) => leaving.value === unset && [one, other].some(({ to }) => to.startsWith(`${leaving.to}.`)),
      );
      if (!isSame && !isLeftOut) continue;
      const both = [other, one].map(({ from, raw }) => `${from}: ${JSON.stringify(raw)}`);
      const about = isSame ? `are both ${one.to}, and differ` : 'contradict each other';
      problems.push(new ConfigError(`${both.join(' and ')} ${about}`, { hint: 'keep one of them' }));
    }
  }
  return problems;
}

const isEqual = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a !== 'symbol' && typeof b !== 'symbol' && JSON.stringify(a) === JSON.stringify(b));

function nested(name: string, value: unknown): Settings {
  const [first, ...rest] = name.split('.') as [string, ...string[]];
  return { [first]: rest.length === 0 ? value : nested(rest.join('.'), value) };
}
