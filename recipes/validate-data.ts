/** Every row of data files held against the form of its file. Nothing is written; memory
 * grows with the ids and the issues alone. */
import { DataError, type DataIssue, throwIfAborted } from '../src/base/errors.ts';
import { openDataFile } from '../src/data/data-file.ts';
import type { Shape } from '../src/data/formats/row.ts';

export interface FileReport {
  readonly file: string;
  /** null where no row has a known form. */
  readonly form: Shape['name'] | null;
  readonly rows: number;
  /** Rows with an issue. */
  readonly broken: number;
  readonly issues: readonly DataIssue[];
  /** What to do where the file cannot be read to its end, or has no known form. */
  readonly hint?: string | undefined;
}

export interface ValidationReport {
  readonly rows: number;
  readonly broken: number;
  /** Sound rows by form. */
  readonly byForm: Readonly<Record<string, number>>;
  readonly files: readonly FileReport[];
}

/** Throws ConfigError where a file cannot be opened. */
export async function run(files: readonly string[], signal: AbortSignal): Promise<ValidationReport> {
  const reports: FileReport[] = [];
  for (const file of files) reports.push(await validate(file, signal));
  const byForm: Record<string, number> = {};
  for (const { form, rows, broken } of reports) {
    if (form !== null) byForm[form] = (byForm[form] ?? 0) + rows - broken;
  }
  const total = (count: (report: FileReport) => number): number => reports.reduce((sum, one) => sum + count(one), 0);
  return { rows: total(({ rows }) => rows), broken: total(({ broken }) => broken), byForm, files: reports };
}

async function validate(file: string, signal: AbortSignal): Promise<FileReport> {
  let form: Shape['name'] | null = null;
  let rows = 0;
  let broken = 0;
  const issues: DataIssue[] = [];
  try {
    const data = await openDataFile(file);
    form = data.form;
    for await (const row of data.rows()) {
      throwIfAborted(signal);
      rows += 1;
      if (row.issues.length > 0) broken += 1;
      issues.push(...row.issues);
    }
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    // The file ends in its middle, or none of its rows has a form.
    return { file, form, rows, broken, issues: [...issues, ...error.issues], hint: error.hint };
  }
  return { file, form, rows, broken, issues };
}
