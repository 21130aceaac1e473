/**
 * A part of the report as data: headings, sentences and tables that page and Markdown both show, and charts that only
 * the page can. Each figure is thus worded once.
 */
import type { Html } from './html.ts';
import type { RowsLink } from './rows.ts';
import type { Table } from './table.ts';

export interface Chart {
  readonly title: string;
  readonly svg: Html;
  /** What is drawn and over how many values. */
  readonly caption: string;
  /** What each color stands for: a style class and its name. */
  readonly legend?: readonly (readonly [kind: string, name: string])[];
  /** Three fit side by side. */
  readonly isSmall?: boolean;
  /** Behind what is drawn. */
  readonly rows?: RowsLink | undefined;
}

export type Block =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  /** A sentence the reader should not miss. */
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'table'; readonly table: Table }
  /** Folded until it is opened. */
  | { readonly kind: 'folded'; readonly summary: string; readonly blocks: readonly Block[] }
  | { readonly kind: 'charts'; readonly charts: readonly Chart[] }
  /** Folded until it is opened. */
  | { readonly kind: 'json'; readonly summary: string; readonly value: unknown };

export interface Part {
  /** Its anchor in the page. */
  readonly id: string;
  readonly title: string;
  readonly blocks: readonly Block[];
}

export const heading = (words: string): Block => ({ kind: 'heading', text: words });
export const text = (sentence: string): Block => ({ kind: 'text', text: sentence });
export const note = (sentence: string): Block => ({ kind: 'note', text: sentence });
export const table = (content: Table): Block => ({ kind: 'table', table: content });
export const charts = (...drawn: readonly Chart[]): Block => ({ kind: 'charts', charts: drawn });
export const folded = (summary: string, blocks: readonly Block[]): Block => ({ kind: 'folded', summary, blocks });
