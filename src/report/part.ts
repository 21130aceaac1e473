/**
 * A part of the report as data: headings, sentences and tables that page and Markdown both show, and charts that only
 * the page can. Each figure is thus worded once.
 */
import type { Html } from './html.ts';
import type { Table } from './table.ts';

export interface Chart {
  readonly title: string;
  readonly svg: Html;
  /** What is drawn and over how many values. */
  readonly caption: string;
  /** Whether the colors of before and after need a key. */
  readonly legend?: boolean;
}

export type Block =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  /** A sentence the reader should not miss. */
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'table'; readonly table: Table }
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
