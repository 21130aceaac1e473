/** Every figure of the report's tables as a row of data: what it is, its number unrounded, its interval, its denominator, its rows. */
import type { Block, Part } from './part.ts';
import { type RowSet, rowsAddress } from './rows.ts';
import { cellText, type Table } from './table.ts';

export interface FigureRecord {
  /** Anchor of its part in the page. */
  readonly part: string;
  readonly table: string;
  /** Names of the row, where several columns name it all of them. */
  readonly row: string;
  readonly column: string;
  readonly value: number | null;
  /** Of the 95 % interval. */
  readonly low: number | null;
  readonly high: number | null;
  /** What the value is over; null for plain counts. */
  readonly n: number | null;
  /** As the page has it. */
  readonly text: string;
  /** Opens the rows in the page; null where there are none. */
  readonly rows: string | null;
  /** The file that these rows come from, relative to the report. */
  readonly file: string | null;
}

export function figureRecords(parts: readonly Part[], sets: readonly RowSet[]): FigureRecord[] {
  const fileOf = new Map(sets.map(({ id, file }) => [id, file]));
  return parts.flatMap(({ id, blocks }) => blocks.flatMap((block) => ofBlock(id, block, fileOf)));
}

function ofBlock(part: string, block: Block, fileOf: ReadonlyMap<string, string | undefined>): FigureRecord[] {
  if (block.kind === 'folded') return block.blocks.flatMap((one) => ofBlock(part, one, fileOf));
  return block.kind === 'table' ? ofTable(part, block.table, fileOf) : [];
}

function ofTable(part: string, table: Table, fileOf: ReadonlyMap<string, string | undefined>): FigureRecord[] {
  return table.rows.flatMap((row) => {
    const names = row.filter(
      (cell, i) =>
        i === 0 || (typeof cell === 'string' && table.columns[i]?.numeric !== true && isBeforeFigures(row, i)),
    );
    return row.flatMap((cell, i): FigureRecord[] => {
      if (typeof cell === 'string' || cell.figure === undefined) return [];
      const { value, low = null, high = null, n } = cell.figure;
      return [
        {
          part,
          table: table.caption,
          row: names.map(cellText).join(' · '),
          column: table.columns[i]?.label ?? '',
          ...{ value, low, high, n },
          text: cell.text,
          rows: cell.rows ? `index.html${rowsAddress(cell.rows)}` : null,
          file: cell.rows ? (fileOf.get(cell.rows.set) ?? null) : null,
        },
      ];
    });
  });
}

/** Names stand before the first figure; words after it are findings. */
const isBeforeFigures = (row: Table['rows'][number], at: number): boolean =>
  row.slice(0, at).every((cell) => typeof cell === 'string' || cell.figure === undefined);

const columns = [
  'part',
  'table',
  'row',
  'column',
  'value',
  'low',
  'high',
  'n',
  'text',
  'rows',
  'file',
] as const satisfies readonly (keyof FigureRecord)[];

/** RFC 4180, with a header. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
export function figuresCsv(figures: readonly FigureRecord[]): string {
  const lines = [columns.join(','), ...figures.map((figure) => columns.map((name) => cell(figure[name])).join(','))];
  return lines.map((line) => `${line}\r\n`).join('');
}

function cell(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
