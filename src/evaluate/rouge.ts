/**
 * ROUGE of a model's answers against reference answers, apart by the length of the reference: the comparison that
 * "Instruction Tuning with GPT-4" (Peng et al. 2023, arXiv 2304.03277) makes on Unnatural Instructions, there by ROUGE-L.
 * Departure from rouge_score, which drops every CJK character and so gives two equal Chinese sentences 0: pairs whose
 * reference has CJK characters are compared by characters, or by words of a segmenter, and counted apart, in no other
 * figure.
 */
import { bootstrapMean, type Interval } from '../base/intervals.ts';
import { chineseWords } from '../text/jieba.ts';
import { codePair, type RougeOptions, rougeLOfCodes, rougeNOfCodes, rougeTokens } from '../text/rouge.ts';
import { characters, hasCjk, whitespaceWords } from '../text/words.ts';
import type { AnswerPair } from './answer-pairs.ts';

/** By words between white space in the reference, as in the paper. */
export const rougeBuckets = ['0-2', '3-5', '6-10', '>10'] as const;
export type RougeBucket = (typeof rougeBuckets)[number];

export const rougeKinds = ['rouge1', 'rouge2', 'rougeL'] as const;
export type RougeKind = (typeof rougeKinds)[number];

/** F-measures. */
export type PairRouge = Readonly<Record<RougeKind, number>>;

/** Mean F-measures, not rounded; null where n is 0. */
export interface RougeMean extends Readonly<Record<RougeKind, number | null>> {
  readonly n: number;
  /** 95 % bootstrap over the pairs; null where n is 0. */
  readonly intervals: Readonly<Record<RougeKind, { readonly low: number; readonly high: number } | null>>;
}

export interface RougeByLengthOptions extends RougeOptions {
  /** What a CJK text is compared by. Default characters. */
  readonly chinese?: 'characters' | 'words';
}

export interface RougeByLength {
  /** All pairs but the CJK ones. */
  readonly all: RougeMean;
  readonly buckets: readonly (RougeMean & { readonly bucket: RougeBucket })[];
  /** By other units, so not to be averaged with the others. */
  readonly cjk: RougeMean;
}

/** A pair with its figures: a line of rows.jsonl. */
export interface RougeRow {
  readonly id: string;
  readonly bucket: RougeBucket | 'cjk';
  readonly reference: string;
  readonly candidate: string;
  readonly rouge: PairRouge;
}

/** A pair that was not matched by an id is named by its place, from 1. */
export function rougeRows(pairs: readonly AnswerPair[], options: RougeByLengthOptions = {}): RougeRow[] {
  return pairs.map((pair, i) => {
    const { reference, candidate, id = i + 1 } = pair;
    return { id: String(id), bucket: groupOf(pair), reference, candidate, rouge: rougeOf(pair, options) };
  });
}

/** `all`, by buckets, and CJK pairs. */
export function rougeByLength(pairs: readonly AnswerPair[], options: RougeByLengthOptions = {}): RougeByLength {
  return summarizeRouge(pairs.map((pair) => ({ bucket: groupOf(pair), rouge: rougeOf(pair, options) })));
}

/** What `rougeByLength` gives, from rows that were kept. */
export function summarizeRouge(rows: readonly Pick<RougeRow, 'bucket' | 'rouge'>[]): RougeByLength {
  const average = (counts: (group: RougeRow['bucket']) => boolean) =>
    meansOf(rows.filter(({ bucket }) => counts(bucket)).map(({ rouge }) => rouge));
  return {
    all: average((group) => group !== 'cjk'),
    buckets: rougeBuckets.map((bucket) => ({ bucket, ...average((group) => group === bucket) })),
    cjk: average((group) => group === 'cjk'),
  };
}

/** Where a pair is counted. */
export function groupOf({ reference }: Pick<AnswerPair, 'reference'>): RougeBucket | 'cjk' {
  if (hasCjk(reference)) return 'cjk';
  const words = whitespaceWords(reference).length;
  if (words <= 2) return '0-2';
  if (words <= 5) return '3-5';
  return words <= 10 ? '6-10' : '>10';
}

export function rougeOf({ reference, candidate }: AnswerPair, options: RougeByLengthOptions = {}): PairRouge {
  const { chinese = 'characters', stemmer = false } = options;
  const cjk = (text: string): string[] =>
    chinese === 'words' ? chineseWords(text.toLowerCase()) : characters(text.toLowerCase());
  const tokens = hasCjk(reference) ? cjk : (text: string) => rougeTokens(text, { stemmer });
  const [a, b] = codePair(tokens(reference), tokens(candidate));
  return { rouge1: rougeNOfCodes(1, a, b).f, rouge2: rougeNOfCodes(2, a, b).f, rougeL: rougeLOfCodes(a, b).f };
}

/** Numbers drawn for an interval, so that many pairs take no longer than few. */
const drawnInAll = 2e7;

function meansOf(scores: readonly PairRouge[]): RougeMean {
  const draws = Math.max(1000, Math.min(10_000, Math.floor(drawnInAll / Math.max(1, scores.length))));
  const means = new Map(
    rougeKinds.map((kind) => {
      const values = scores.map((score) => score[kind]);
      return [kind, bootstrapMean(values, { draws })];
    }),
  );
  const each = <T>(of: (interval: Interval) => T) =>
    Object.fromEntries(
      rougeKinds.map((kind) => {
        const interval = means.get(kind);
        return [kind, interval === undefined ? null : of(interval)];
      }),
    ) as Record<RougeKind, T | null>;
  return { n: scores.length, ...each(({ mean }) => mean), intervals: each(({ low, high }) => ({ low, high })) };
}
