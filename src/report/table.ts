/**
 * A table as data, and its two forms: HTML that scrolls where it is too wide, and Markdown. Cells are plain text; one that is a
 * figure carries its number, unrounded, with interval and denominator, and where the rows behind it are.
 */
import { type Html, html } from './html.ts';
import { escapeMarkdown } from './markdown-text.ts';
import { type RowsLink, rowsAddress } from './rows.ts';

export interface Column {
  /** Where all are empty the table has no head. */
  readonly label: string;
  /** Right-aligned, with figures of equal width. */
  readonly numeric?: boolean;
}

export interface CellFigure {
  readonly value: number | null;
  /** Of the 95 % interval. */
  readonly low?: number | null;
  readonly high?: number | null;
  /** What the value is over: its denominator. */
  readonly n: number | null;
}

export interface FigureCell {
  readonly text: string;
  readonly figure?: CellFigure | undefined;
  readonly rows?: RowsLink | undefined;
  /** Says again what stands above it. */
  readonly isRepeated?: boolean;
  /** Not the same in all runs. */
  readonly differs?: boolean;
}

export type Cell = string | FigureCell;

export interface Table {
  readonly caption: string;
  /** The same in the tables of several runs that belong side by side; default the caption. */
  readonly key?: string;
  readonly columns: readonly Column[];
  /** The first cell of a row names it. */
  readonly rows: readonly (readonly Cell[])[];
  /** Values are settings, which are the same in two runs or are not; figures of two runs always differ a little. */
  readonly isSettings?: boolean;
}

export const cellText = (cell: Cell): string => (typeof cell === 'string' ? cell : cell.text);

/** Text that opens its rows, where it has some. */
export function cellHtml(cell: Cell): Html {
  if (typeof cell === 'string') return html`${cell}`;
  const { text, rows, isRepeated } = cell;
  if (isRepeated) return html`<span class="repeated">${text}</span>`;
  return rows === undefined ? html`${text}` : html`<a class="rows" href="${rowsAddress(rows)}">${text}</a>`;
}

export function tableHtml({ caption, columns, rows }: Table): Html {
  const kind = (i: number, cell: Cell): string =>
    [
      columns[i]?.numeric ? 'number' : 'text',
      // A short name is not broken into two lines.
      ...(i > 0 && cellText(cell).length <= 16 ? ['short'] : []),
      ...(typeof cell !== 'string' && cell.differs ? ['differs'] : []),
    ].join(' ');
  const cellOf = (cell: Cell, i: number): Html =>
    i === 0
      ? html`<th scope="row" class="${kind(i, cell)}">${cellHtml(cell)}</th>`
      : html`<td class="${kind(i, cell)}">${cellHtml(cell)}</td>`;
  const heads = columns.map(({ label }, i) => html`<th scope="col" class="${kind(i, '')}">${label}</th>`);
  const head = columns.some(({ label }) => label !== '') ? html`<thead><tr>${heads}</tr></thead>\n` : '';
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<caption>${caption}</caption>
${head}<tbody>
${rows.map((row) => html`<tr>${row.map(cellOf)}</tr>\n`)}</tbody>
</table></div>
`;
}

export function tableMarkdown({ caption, columns, rows }: Table): string {
  const line = (cells: readonly Cell[]): string =>
    `| ${cells.map((cell) => escapeMarkdown(cellText(cell))).join(' | ')} |`;
  return [
    `${escapeMarkdown(caption)}:`,
    '',
    line(columns.map(({ label }) => label)),
    `|${columns.map(({ numeric }) => (numeric ? '---:' : '---')).join('|')}|`,
    ...rows.map(line),
  ].join('\n');
}
