/**
 * The rows behind the figures, as the page's browser takes them: what was asked, the texts, what was measured, and what rows
 * are chosen by. A figure points to them by a set and a choice; the browser's own code is assets/report.
 */

/** Which rows a figure is made of. */
export interface RowsLink {
  readonly set: string;
  /** Facet → value; a row is in where it has the value in each. */
  readonly filter: Readonly<Record<string, string>>;
}

export interface BrowserRow {
  readonly id: string;
  /** Facet → its values in this row. */
  readonly facets: Readonly<Record<string, readonly string[]>>;
  /** What was asked; empty where nothing was. */
  readonly prompt: string;
  /** Answers, references, verdicts: label and text. Any two can be compared word by word. */
  readonly texts: readonly (readonly [label: string, text: string])[];
  /** Name and value, formatted. */
  readonly values: readonly (readonly [name: string, value: string])[];
}

export interface RowSet {
  /** Letters, digits and hyphens: it stands in addresses and file names. */
  readonly id: string;
  readonly title: string;
  /** In the order in which they are offered. */
  readonly facets: readonly { readonly name: string; readonly label: string }[];
  /** Values of facets as the reader sees them; others are shown as they are. */
  readonly labels: Readonly<Record<string, string>>;
  readonly rows: readonly BrowserRow[];
  /** Where the rows come from, relative to the report's folder; undefined where no file has them. */
  readonly file: string | undefined;
}

/** `#rows=run-1&language=en`. */
export function rowsAddress({ set, filter }: RowsLink): string {
  const parts = Object.entries(filter).map(
    ([name, value]) => `&${name}=${encodeURIComponent(value).replaceAll("'", '%27')}`,
  );
  return `#rows=${set}${parts.join('')}`;
}
