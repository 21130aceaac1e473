/**
 * How the rows come with the page: inside it as JSON, so that one file is the whole report; or, where they are many, in scripts
 * beside it. Scripts, because a page opened from a folder may not fetch files there, but may load scripts under its policy.
 */
import { sha256 } from '../base/hash.ts';
import type { RowSet } from './rows.ts';

/** Rows of more bytes in all stand beside the page. */
export const inlineLimitBytes = 5_000_000;
const scriptBytes = 1_000_000;

export interface RowFile {
  /** Relative to the page. */
  readonly path: string;
  readonly content: string;
}

export interface PackedRows {
  /** Of each set all but its rows, and what scripts these are in. */
  readonly sets: readonly (Omit<RowSet, 'rows'> & { readonly count: number; readonly scripts: readonly string[] })[];
  /** JSON of the rows by set; empty where they stand beside. */
  readonly inline: readonly { readonly set: string; readonly json: string }[];
  readonly files: readonly RowFile[];
}

export function packRows(sets: readonly RowSet[], limitBytes = inlineLimitBytes): PackedRows {
  const packed = sets.map((set) => ({ set, rows: set.rows.map((row) => JSON.stringify(row)) }));
  const bytes = packed.reduce(
    (sum, { rows }) => sum + rows.reduce((own, row) => own + Buffer.byteLength(row) + 1, 0),
    0,
  );
  const isInline = bytes <= limitBytes;
  const beside = packed.map(({ set, rows }) => ({ set, files: isInline ? [] : scripts(set.id, rows) }));
  return {
    sets: beside.map(({ set: { rows, ...rest }, files }) => ({
      ...rest,
      count: rows.length,
      scripts: files.map(({ path }) => path),
    })),
    inline: isInline ? packed.map(({ set, rows }) => ({ set: set.id, json: `[${rows.join(',')}]` })) : [],
    files: beside.flatMap(({ files }) => files),
  };
}

/** Named by what is in them: an older page never meets newer rows. */
function scripts(set: string, rows: readonly string[]): RowFile[] {
  return chunks(rows).map((chunk, i) => {
    const content = `understudyRows(${JSON.stringify(set)},${i},[${chunk.join(',')}]);\n`;
    return { path: `rows/${set}-${i}-${sha256(content).slice(0, 8)}.js`, content };
  });
}

function chunks(rows: readonly string[]): string[][] {
  const all: string[][] = [[]];
  let bytes = 0;
  for (const row of rows) {
    const own = Buffer.byteLength(row);
    if (bytes > 0 && bytes + own > scriptBytes) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)!.push(row);
    bytes += own;
  }
  return all;
}

/** JSON that may stand in a script element: no `<` in it. */
export const scriptJson = (json: string): string => json.replaceAll('<', '\\u003c');
