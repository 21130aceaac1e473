/**
 * The filters of `data dedupe`: which rows go for the sake of one that stays, and which one that is. Rows come one by
 * one, in the order of the file; they are counted from 0.
 */
import { sha256 } from '../base/hash.ts';
import type { Members } from './formats/row.ts';
import { NearDuplicates } from './near-duplicates.ts';
import { type Fraction, SimilarTexts } from './novelty.ts';
import { instructionText, wholeText } from './record-text.ts';

export type DuplicateReason = 'exact duplicate' | 'too similar' | 'near duplicate';

export interface Duplicate {
  /** The row that goes. */
  readonly row: number;
  /** An earlier row that passed this filter. */
  readonly of: number;
  /** ROUGE-L F of two that are too similar. */
  readonly f?: number;
  /** Estimated Jaccard similarity of near duplicates' shingles. */
  readonly jaccard?: number;
}

export interface DuplicateFilter {
  readonly reason: DuplicateReason;
  /** A duplicate where that can be said now, or what keeps the row from being compared. */
  offer(row: number, members: Members): Duplicate | { readonly problem: string } | undefined;
  /** After the last row: duplicates that can be told only then. */
  rest(onProgress: (done: number, total: number) => void): AsyncIterable<Duplicate>;
  /** Closes its files. */
  close(): void;
}

const nothingMore = { async *rest() {}, close() {} };

/**
 * Rows that say the same in every member, but for `id` and `provenance`: those tell copies of one text apart. Texts are
 * the same where they are after Unicode's NFC and without white space around them; the order of members does not count.
 */
export function exactFilter(): DuplicateFilter {
  const rowOf = new Map<string, number>();
  return {
    ...nothingMore,
    reason: 'exact duplicate',
    offer(row, { id: _id, provenance: _provenance, ...content }) {
      const key = sha256(trimmed(content));
      const of = rowOf.get(key);
      if (of !== undefined) return { row, of };
      rowOf.set(key, row);
      return undefined;
    },
  };
}

function trimmed(value: unknown): unknown {
  if (typeof value === 'string') return value.normalize('NFC').trim();
  if (Array.isArray(value)) return value.map(trimmed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, trimmed(member)]));
}

/** The novelty filter (novelty.ts) over instructions, or the first turns of the user. */
export function noveltyFilter(threshold: Fraction): DuplicateFilter {
  const kept = new SimilarTexts(threshold);
  const rows: number[] = [];
  return {
    ...nothingMore,
    reason: 'too similar',
    offer(row, members) {
      const text = instructionText(members);
      if (text === undefined) return { problem: 'expected an instruction, or a turn of the user, to compare by' };
      const similar = kept.nearest(text);
      if (similar) return { row, of: rows[similar.order] as number, f: similar.f };
      kept.add(text);
      rows.push(row);
      return undefined;
    },
  };
}

/** Near duplicates (near-duplicates.ts) over all that rows say. Its files are made in `folder`. */
export function nearFilter(threshold: number, folder: string): DuplicateFilter {
  const texts = new NearDuplicates(folder, threshold);
  const rows: number[] = [];
  return {
    reason: 'near duplicate',
    offer(row, members) {
      const text = wholeText(members);
      if (text === undefined) return { problem: 'expected texts to compare by, in a row of a known shape' };
      texts.add(text);
      rows.push(row);
      return undefined;
    },
    async *rest(onProgress) {
      for await (const { order, of, jaccard } of texts.find(onProgress)) {
        yield { row: rows[order] as number, of: rows[of] as number, jaccard };
      }
    },
    close: () => texts.close(),
  };
}
