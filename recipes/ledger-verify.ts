/** A ledger held against what it must be, row by row and batch by batch, and its file against SQLite's own check. Nothing
 * is mended.
 */
import { throwIfAborted, WorkError } from '../src/base/errors.ts';
import { batchProblems, rowProblems } from '../src/teacher/ledger-check.ts';
import { LedgerReader } from '../src/teacher/ledger-reader.ts';

export interface VerifyResult {
  readonly ledger: string;
  /** Rows that were looked at. */
  readonly rows: number;
  readonly broken: readonly { readonly key: string; readonly problems: readonly string[] }[];
  readonly batches: number;
  readonly brokenBatches: readonly { readonly id: string; readonly problems: readonly string[] }[];
  /** Of the file as SQLite sees it; of a damaged one the rows cannot all be read. */
  readonly damage: readonly string[];
}

/** Throws ConfigError where the file is no ledger. */
export async function run(ledger: string, signal: AbortSignal): Promise<VerifyResult> {
  const damage: string[] = [];
  const broken: { key: string; problems: readonly string[] }[] = [];
  const brokenBatches: { id: string; problems: readonly string[] }[] = [];
  let rows = 0;
  let batches = 0;
  let reader: LedgerReader | undefined;
  try {
    reader = new LedgerReader(ledger);
    damage.push(...reader.damage());
    const strays = new Map(reader.strays().map(({ key, batch }) => [key, batch]));
    for (const row of reader.rows()) {
      throwIfAborted(signal);
      rows += 1;
      const { key } = row.columns;
      const stray = strays.get(key);
      const problems = [...rowProblems(row), ...(stray === undefined ? [] : [`batch ${stray} is not in the ledger`])];
      if (problems.length > 0) broken.push({ key, problems });
    }
    for (const batch of reader.batches()) {
      batches += 1;
      const problems = batchProblems(batch);
      if (problems.length > 0) brokenBatches.push({ id: batch.columns.id, problems });
    }
  } catch (error) {
    // What cannot be read any further; of the rest the rows so far are told.
    if (!(error instanceof WorkError)) throw error;
    damage.push(`${error.message}, after ${rows} rows`);
  } finally {
    reader?.close();
  }
  return { ledger, rows, broken, batches, brokenBatches, damage };
}
