/** A table as data, and its two forms: HTML that scrolls where it is too wide, and Markdown. Cells are plain text. */
import { type Html, html } from './html.ts';
import { escapeMarkdown } from './markdown-text.ts';

export interface Column {
  /** Where all are empty the table has no head. */
  readonly label: string;
  /** Right-aligned, with figures of equal width. */
  readonly numeric?: boolean;
}

export interface Table {
  readonly caption: string;
  readonly columns: readonly Column[];
  /** The first cell of a row names it. */
  readonly rows: readonly (readonly string[])[];
}

export function tableHtml({ caption, columns, rows }: Table): Html {
  const kind = (i: number): string => (columns[i]?.numeric ? 'number' : 'text');
  const cell = (text: string, i: number): Html =>
    i === 0 ? html`<th scope="row" class="${kind(i)}">${text}</th>` : html`<td class="${kind(i)}">${text}</td>`;
  const heads = columns.map(({ label }, i) => html`<th scope="col" class="${kind(i)}">${label}</th>`);
  const head = columns.some(({ label }) => label !== '') ? html`<thead><tr>${heads}</tr></thead>\n` : '';
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<caption>${caption}</caption>
${head}<tbody>
${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody>
</table></div>
`;
}

export function tableMarkdown({ caption, columns, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeMarkdown).join(' | ')} |`;
  return [
    `${escapeMarkdown(caption)}:`,
    '',
    line(columns.map(({ label }) => label)),
    `|${columns.map(({ numeric }) => (numeric ? '---:' : '---')).join('|')}|`,
    ...rows.map(line),
  ].join('\n');
}
