/**
 * Every sound row of some files, one after another, in bounded memory. A row that is broken, or that whoever takes it
 * cannot use, stops the work at the end of its file with every such row named; where there is a file for rejects it
 * goes there, with the reason, and the work goes on.
 */
import { DataError, type DataIssue, throwIfAborted } from '../base/errors.ts';
import { openDataFile } from './data-file.ts';
import type { DataRecord } from './formats/read-row.ts';
import type { Shape } from './formats/row.ts';
import { wrongKind } from './formats.ts';

export interface SoundRow {
  readonly file: string;
  readonly row: number;
  /** As it stands in the file. */
  readonly value: object;
  readonly record: DataRecord;
}

export interface RowCounts {
  /** All that the files have. */
  readonly rows: number;
  readonly rejected: Readonly<Record<string, number>>;
  /** Rows by the form of their file. */
  readonly forms: Readonly<Record<string, number>>;
}

/** A line of a file of rejects. */
export interface RejectedRow {
  readonly file: string;
  readonly row: number;
  readonly reason: string;
  readonly detail: string;
  readonly value?: unknown;
}

export interface EachRowOptions {
  /** Of the first file where it is not given: files of both kinds do not mix. */
  readonly kind?: Shape['kind'] | undefined;
  /** Takes the rows that are broken or refused; without it they stop the work. */
  readonly reject?: ((row: RejectedRow) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** `take` returns why it cannot use a row. Throws DataError for the first file with rows to reject and no place for them. */
export async function eachRow(
  files: readonly string[],
  { kind, reject, signal }: EachRowOptions,
  take: (row: SoundRow) => Promise<{ readonly problem: string } | undefined>,
): Promise<RowCounts> {
  let rows = 0;
  const rejected: Record<string, number> = {};
  const forms: Record<string, number> = {};
  let wanted = kind;
  for (const file of files) {
    const data = await openDataFile(file);
    wanted ??= data.kind;
    if (data.kind !== wanted) {
      await data.close();
      throw wrongKind(file, wanted, data.form);
    }
    const issues: DataIssue[] = [];
    const refuse = async (row: number, value: unknown, reason: string, found: readonly DataIssue[]): Promise<void> => {
      rejected[reason] = (rejected[reason] ?? 0) + 1;
      const detail = found.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
      if (reject) await reject({ file, row, reason, detail, value });
      else issues.push(...found);
    };
    for await (const { row, value, issues: found, record } of data.rows()) {
      throwIfAborted(signal);
      rows += 1;
      forms[data.form] = (forms[data.form] ?? 0) + 1;
      if (!record) {
        await refuse(row, value, 'broken row', found);
        continue;
      }
      const refused = await take({ file, row, value: value as object, record });
      if (refused) await refuse(row, value, 'cannot be written', [{ row, message: refused.problem }]);
    }
    if (issues.length > 0) {
      throw new DataError(file, issues, { hint: 'mend these rows, or put them aside: --rejects FILE' });
    }
  }
  return { rows, rejected, forms };
}
