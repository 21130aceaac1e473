/**
 * A data file of any form and size, read row by row; the form is that of the first row that has one. What is broken is
 * passed on beside what is sound: whoever reads decides whether that stops the work. formats.ts reads whole files.
 */
import type { DataIssue } from '../base/errors.ts';
import type { Line } from '../base/jsonl.ts';
import { type ReadRow, rowReader } from './formats/read-row.ts';
import type { Shape } from './formats/row.ts';
import { shapeOf, unknownShape } from './formats/shapes.ts';
import { type BrokenLine, isBroken, streamRows } from './row-stream.ts';

export interface DataFile {
  readonly file: string;
  readonly form: Shape['name'];
  readonly kind: Shape['kind'];
  /** Once. Throws DataError where the file ends in its middle. */
  rows(): AsyncGenerator<ReadRow>;
  /** For whoever does not read the rows to their end. */
  close(): Promise<void>;
}

/** Reads up to the first row of a known shape. Throws ConfigError or DataError where there is none. */
export async function openDataFile(file: string): Promise<DataFile> {
  const lines = streamRows(file);
  const begun: (Line | BrokenLine)[] = [];
  let shape: Shape | undefined;
  while (!shape) {
    const { value, done } = await lines.next();
    if (done) {
      const first = begun.find((line): line is Line => !isBroken(line));
      throw unknownShape(file, first?.value, first !== undefined, begun.filter(isBroken));
    }
    begun.push(value);
    shape = isBroken(value) ? undefined : shapeOf(value.value);
  }
  const read = rowReader(file, shape);
  return {
    file,
    form: shape.name,
    kind: shape.kind,
    async *rows() {
      for (const line of begun.splice(0)) yield isBroken(line) ? brokenRow(line) : read(line);
      for await (const line of lines) yield isBroken(line) ? brokenRow(line) : read(line);
    },
    async close() {
      await lines.return(undefined);
    },
  };
}

const brokenRow = (issue: DataIssue & { readonly row: number }): ReadRow => {
  return { row: issue.row, value: undefined, issues: [issue] };
};
