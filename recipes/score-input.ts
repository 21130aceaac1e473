/** The rows that `data score` rates, of files that are first held against what it can read and write. */
import { existsSync, realpathSync } from 'node:fs';
import { ConfigError, DataError, throwIfAborted } from '../src/base/errors.ts';
import { openDataFile } from '../src/data/data-file.ts';
import { isPreference, type ReadRow } from '../src/data/formats/read-row.ts';
import { wrongKind } from '../src/data/formats.ts';
import type { Conversation } from '../src/data/records.ts';
import { lostNumber } from '../src/data/rewritable.ts';
import type { RatedConversation } from '../src/generate/quality.ts';

export interface ScoreFiles {
  /** Of one form. */
  readonly files: readonly string[];
  readonly out: string;
  readonly rejects: string;
  /** Where a card of the data set is to be written. */
  readonly card?: string | undefined;
}

export interface RatedRow extends RatedConversation {
  readonly place: { readonly file: string; readonly row: number };
  /** As it stands in the file. */
  readonly value: object;
  readonly record: Conversation;
}

export interface BrokenRow {
  readonly place: RatedRow['place'];
  readonly problem: string;
  readonly value: unknown;
}

export interface Survey {
  /** Rows that can be rated. */
  readonly asked: number;
  readonly broken: number;
  readonly form: string;
}

/**
 * Counts the rows of the files. Throws ConfigError or DataError where they are not conversations of one form, would be
 * written over, or have nothing to rate.
 */
export async function survey({ files, out, rejects }: ScoreFiles, signal: AbortSignal): Promise<Survey> {
  for (const target of [out, rejects]) {
    if (existsSync(target) && files.some((file) => existsSync(file) && realpathSync(file) === realpathSync(target)))
      throw new ConfigError(`${target} is one of the files to read`, { hint: 'choose another name to write to' });
  }
  const forms = new Map<string, string>();
  let asked = 0;
  let broken = 0;
  for await (const row of allRows(files, signal, (file, form) => forms.set(form, file))) {
    if ('problem' in row) broken += 1;
    else asked += 1;
  }
  const [first, second] = forms;
  if (first && second) {
    throw new ConfigError(`${first[1]} is ${first[0]}, ${second[1]} is ${second[0]}`, {
      hint: 'what is kept is written in the form of the input: make one form of them with data convert',
    });
  }
  if (!first || asked === 0)
    throw new DataError(files[0] as string, { message: 'no row can be rated' }, { hint: 'see: data validate' });
  return { asked, broken, form: first[0] };
}

export async function* allRows(
  files: readonly string[],
  signal: AbortSignal,
  onForm: (file: string, form: string) => void = () => {},
): AsyncGenerator<RatedRow | BrokenRow> {
  for (const file of files) {
    const data = await openDataFile(file);
    if (data.kind !== 'conversations') {
      await data.close();
      throw wrongKind(file, 'conversations', data.form);
    }
    onForm(file, data.form);
    for await (const row of data.rows()) {
      throwIfAborted(signal);
      yield toRated(file, row);
    }
  }
}

export async function* soundRows(files: readonly string[], signal: AbortSignal): AsyncGenerator<RatedRow> {
  for await (const row of allRows(files, signal)) if (!('problem' in row)) yield row;
}

function toRated(file: string, { row, value, issues, record }: ReadRow): RatedRow | BrokenRow {
  const place = { file, row };
  const lost = lostNumber(value);
  if (lost !== undefined) return { place, value, problem: `expected numbers that JavaScript can hold, got ${lost}` };
  if (!record || isPreference(record)) {
    const problem = issues.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
    return { place, value, problem };
  }
  const { messages, language } = record;
  // An answer of weight 0 is not learned: the last that is, is rated.
  const last = messages.findLastIndex(({ role, weight }) => role === 'assistant' && weight !== 0);
  return { place, value: value as object, record, messages: messages.slice(0, last + 1), language };
}
