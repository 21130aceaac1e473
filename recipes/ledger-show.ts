/** Calls of a ledger with everything that is known of them, found by key, stage, state, text, or the data row they made. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from '../src/base/errors.ts';
import { rowProblems } from '../src/teacher/ledger-check.ts';
import { ledgerPath } from '../src/teacher/ledger-file.ts';
import { LedgerReader, type StoredRow } from '../src/teacher/ledger-reader.ts';
import { type LedgerRow, toLedgerRow } from '../src/teacher/ledger-row.ts';
import { findRowCalls, type RowName } from './ledger-row.ts';

export interface ShowConfig {
  /** File or folder; undefined: that of the row. */
  readonly ledger?: string | undefined;
  /** The beginning of one or more keys. */
  readonly key?: string | undefined;
  readonly stages?: readonly string[] | undefined;
  readonly state?: LedgerRow['state'] | undefined;
  /** Stands in a message, in the answer or in the error, in this spelling. */
  readonly text?: string | undefined;
  readonly row?: RowName | undefined;
  /** Calls to return; all that match are counted. */
  readonly limit: number;
}

/** A call, or what its row has where that cannot be read. */
export type ShownCall =
  | (Omit<LedgerRow, 'error' | 'idempotencyKey'> & { readonly error: ShownError | undefined })
  | { readonly key: string; readonly problems: readonly string[]; readonly columns: StoredRow['columns'] };

interface ShownError {
  readonly message: string;
  readonly status?: number | undefined;
  readonly retryable: boolean;
  readonly hint?: string | undefined;
}

export interface ShowResult {
  readonly ledger: string;
  readonly matched: number;
  readonly calls: readonly ShownCall[];
  /** Keys that the data row names and the ledger does not have. */
  readonly missing: readonly string[];
}

/** Throws ConfigError where nothing is asked for or nothing matches. */
export async function run(config: ShowConfig): Promise<ShowResult> {
  const { key, stages, state, text, row, limit } = config;
  const asked = [key, stages, state, text].some((one) => one !== undefined);
  if (asked === (row !== undefined)) {
    throw new ConfigError(asked ? '--row names the calls already' : 'nothing says which calls to show', {
      hint: 'give --row FILE:ROW, or one or more of --key, --stage, --state and --grep',
    });
  }
  const file = ledgerPath(config.ledger ?? ledgerOfRow(row));
  const reader = new LedgerReader(file);
  try {
    const calls: ShownCall[] = [];
    let matched = 0;
    const take = (one: StoredRow): void => {
      matched += 1;
      if (calls.length < limit) calls.push(toShown(one));
    };
    let missing: readonly string[] = [];
    if (row) {
      const found = await findRowCalls(reader, row);
      for (const one of found.rows) take(one);
      missing = found.missing;
    } else {
      const contains = text === undefined ? [] : [text];
      const states = state && [state];
      for (const one of reader.rows({ keyPrefix: key, stages, states, contains }))
        if (text === undefined || says(one, text)) take(one);
    }
    if (matched === 0) throw noMatch(file, config, missing);
    return { ledger: file, matched, calls, missing };
  } finally {
    reader.close();
  }
}

/** The folder of the data file or one of the two above it: a run's ledger stands above the folders of its stages. */
function ledgerOfRow(row: RowName | undefined): string {
  if (!row) throw new ConfigError('which ledger?', { hint: 'name a ledger.sqlite, or the folder it stands in' });
  const own = dirname(resolve(row.file));
  const folders = [own, dirname(own), dirname(dirname(own))];
  const found = folders.map((folder) => join(folder, 'ledger.sqlite')).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new ConfigError(`no ledger.sqlite beside ${row.file} or above it`, {
    hint: 'name the ledger: ledger show LEDGER --row FILE:ROW',
  });
}

function toShown(row: StoredRow): ShownCall {
  const problems = rowProblems(row);
  const { columns } = row;
  if (problems.length > 0) return { key: columns.key, problems, columns };
  const { error, idempotencyKey: _, ...call } = toLedgerRow(columns);
  return {
    ...call,
    error: error && { message: error.message, status: error.status, retryable: error.retryable, hint: error.hint },
  };
}

/** The ledger was searched by its JSON, in which the text may stand by chance. */
function says(row: StoredRow, text: string): boolean {
  const shown = toShown(row);
  if ('problems' in shown) return true;
  const { request, answer, error } = shown;
  const texts = [...request.messages.map(({ content }) => content), answer?.text, error?.message];
  return texts.some((one) => one?.includes(text));
}

function noMatch(file: string, { row }: ShowConfig, missing: readonly string[]): ConfigError {
  if (!row)
    return new ConfigError(`no call in ${file} matches`, {
      hint: `its stages and teachers: ./understudy ledger stats ${file}`,
    });
  const place = `${row.file}:${row.row}`;
  const reason =
    missing.length > 0 ? `the calls of ${place} are not in ${file}` : `no call in ${file} has an answer of ${place}`;
  return new ConfigError(reason, { hint: 'name the ledger the row was made with: ledger show LEDGER --row FILE:ROW' });
}
