/**
 * Verdicts that judges of other projects gave, read again: Vicuna's and FastChat's reviews, whose scores are taken from
 * the review's own text (src/text/verdict.ts) and never from the file's `score`, which was wrong now and then; and
 * AlpacaEval's annotations.json. Nobody is asked anything here.
 * Rows about the same question are no independent evidence: intervals are by bootstrap over questions.
 */
import { DataError, type DataIssue } from '../base/errors.ts';
import { mean } from '../base/intervals.ts';
import { isObject, kindOf, readRows } from '../base/rows.ts';
import { type PairVerdict, readPairVerdict, zeroToTen } from '../text/verdict.ts';
import { type Cases, type Figure, figureOf, meanOf } from './judge-figures.ts';

export interface Review {
  /** As DataIssue counts them. */
  readonly row: number;
  readonly question: string;
  readonly verdict: PairVerdict;
}

export interface Annotation {
  readonly instruction: string;
  /** How much of a win it is for output_2: 1, ½ for a draw, 0, or what a judge's probabilities say; null: not judged. */
  readonly win: number | null;
}

export type ImportedVerdicts =
  | { readonly form: 'vicuna-reviews'; readonly reviews: readonly Review[] }
  | { readonly form: 'alpaca-eval'; readonly annotations: readonly Annotation[] };

/** Of 95 %, by bootstrap over questions. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

export interface ReviewSummary {
  /** Reviews. asked = parsed + failed. */
  readonly asked: number;
  /** Reviews with two readable scores: what all figures but `bounds` are over. */
  readonly parsed: number;
  /** Summed scores of the answer shown first and of the second. */
  readonly sum1: number;
  readonly sum2: number;
  /** sum1 / sum2; null where sum2 is 0. */
  readonly ratio: number | null;
  readonly wins1: number;
  readonly wins2: number;
  readonly ties: number;
  readonly failed: number;
  readonly questions: number;
  /** Null where fewer than two questions have scores. `difference`: mean score of the first − of the second. */
  readonly intervals: { readonly ratio: Bounds | null; readonly difference: Bounds | null };
  /** For the first answer, a missing verdict being 0 : 10 or 10 : 0; null where none is missing. */
  readonly bounds: { readonly ratio: Cases; readonly wins1: Cases } | null;
  readonly failures: readonly { readonly row: number; readonly question: string; readonly reason: string }[];
}

export interface AnnotationSummary {
  /** Annotations. asked = judged + nulls. */
  readonly asked: number;
  readonly judged: number;
  readonly nulls: number;
  /** Of output_2: rows worth more than ½, less, and exactly ½. */
  readonly wins: number;
  readonly losses: number;
  readonly draws: number;
  /** Percent; null where nothing was judged. */
  readonly winRate: number | null;
  /** Sample standard deviation / √judged, in percent; null where fewer than two rows were judged. */
  readonly standardError: number | null;
  readonly instructions: number;
  /** Null where fewer than two instructions were judged. */
  readonly intervals: { readonly winRate: Bounds | null };
  /** A missing verdict being a loss or a win; null where none is missing. */
  readonly bounds: { readonly winRate: Cases } | null;
}

type Row = Readonly<Record<string, unknown>>;

const hint =
  'give a review file of Vicuna or FastChat (rows with text and question_id), or annotations.json of AlpacaEval ' +
  '(rows with instruction, output_1, output_2 and preference)';

/** Throws ConfigError where the file cannot be opened, DataError naming every broken row, or where no row has a known form. */
export function readImportedVerdicts(file: string): ImportedVerdicts {
  const { rows, issues } = readRows(file, hint);
  const objects = rows.map(({ value }) => value).filter(isObject);
  const form = objects.map(formOf).find((one) => one !== undefined);
  if (form === undefined) {
    const members = Object.keys(objects[0] ?? {}).join(', ') || 'no objects';
    const message = `expected rows of reviews or annotations, found ${members}`;
    throw new DataError(file, [...issues, { message }], { hint });
  }
  const found: DataIssue[] = [...issues];
  const read = <T extends object>(take: (members: Row, row: number) => T | Broken): T[] =>
    rows.flatMap(({ row, value }) => {
      const taken = isObject(value) ? take(value, row) : { problems: [{ message: expected('an object', value) }] };
      if (!('problems' in taken)) return [taken];
      found.push(...taken.problems.map((problem) => ({ row, ...problem })));
      return [];
    });
  const verdicts: ImportedVerdicts =
    form === 'vicuna-reviews'
      ? { form, reviews: read<Review>(readReview) }
      : { form, annotations: read<Annotation>(readAnnotation) };
  found.sort((a, b) => (a.row ?? 0) - (b.row ?? 0));
  if (found.length > 0)
    throw new DataError(file, found, { hint: `${found.length} places are broken: mend these rows or take them out` });
  return verdicts;
}

type Problem = Omit<DataIssue, 'row'>;

interface Broken {
  readonly problems: readonly Problem[];
}

function formOf(row: Row): ImportedVerdicts['form'] | undefined {
  if ('preference' in row && 'instruction' in row) return 'alpaca-eval';
  return 'text' in row && 'question_id' in row ? 'vicuna-reviews' : undefined;
}

function readReview({ text, question_id: question }: Row, row: number): Review | Broken {
  const problems: Problem[] = [];
  if (typeof text !== 'string') problems.push({ path: 'text', message: expected('a string', text) });
  if (typeof question !== 'string' && typeof question !== 'number')
    problems.push({ path: 'question_id', message: expected('a string or a number', question) });
  if (problems.length > 0) return { problems };
  return { row, question: String(question), verdict: readPairVerdict(text as string, zeroToTen) };
}

function readAnnotation({ instruction, preference, ...outputs }: Row): Annotation | Broken {
  const problems: Problem[] = [];
  if (typeof instruction !== 'string')
    problems.push({ path: 'instruction', message: expected('a string', instruction) });
  for (const path of ['output_1', 'output_2']) {
    const output = outputs[path];
    // A model that answered nothing stands there as null.
    if (typeof output !== 'string' && output !== null)
      problems.push({ path, message: expected('a string or null', output) });
  }
  const win = winOf(preference);
  if (win === undefined) problems.push({ path: 'preference', message: expected('0, 1 to 2, or null', preference) });
  return problems.length > 0 ? { problems } : { instruction: instruction as string, win: win as number | null };
}

/** 1: output_1 wins, 2: output_2, between them a probability, 0 an old way to say 1.5. undefined for what is none of these. */
function winOf(preference: unknown): number | null | undefined {
  if (preference === null) return null;
  if (preference === 0) return 0.5;
  return typeof preference === 'number' && preference >= 1 && preference <= 2 ? preference - 1 : undefined;
}

const expected = (what: string, value: unknown): string =>
  `expected ${what}, got ${typeof value === 'number' ? value : kindOf(value)}`;

export function summarizeReviews(reviews: readonly Review[]): ReviewSummary {
  const failures = reviews.flatMap(({ row, question, verdict }) =>
    'unreadable' in verdict ? [{ row, question, reason: verdict.unreadable }] : [],
  );
  const scored = reviews.flatMap(({ question, verdict }) => {
    if ('unreadable' in verdict) return [];
    const [first, second] = verdict.scores;
    return [{ question, first, second, sums: [first, second, 1] }];
  });
  const sides = scored.map(({ first, second }) => Math.sign(first - second));
  const sum1 = sum(scored.map(({ first }) => first));
  const sum2 = sum(scored.map(({ second }) => second));
  const wins1 = sides.filter((side) => side === 1).length;
  const failed = failures.length;
  const most = zeroToTen.highest * failed;
  const least = zeroToTen.lowest * failed;
  return {
    asked: reviews.length,
    parsed: scored.length,
    sum1,
    sum2,
    ratio: ratioOf(sum1, sum2),
    wins1,
    wins2: sides.filter((side) => side === -1).length,
    ties: sides.filter((side) => side === 0).length,
    failed,
    questions: new Set(scored.map(({ question }) => question)).size,
    intervals: {
      ratio: boundsOf(figureOf(scored, ([all1 = 0, all2 = 0]) => ratioOf(all1, all2) ?? Number.NaN, seed)),
      difference: boundsOf(figureOf(scored, ([all1 = 0, all2 = 0, n = 0]) => (all1 - all2) / n, seed)),
    },
    bounds:
      failed === 0
        ? null
        : {
            ratio: { worst: ratioOf(sum1 + least, sum2 + most), best: ratioOf(sum1 + most, sum2 + least) },
            wins1: { worst: wins1, best: wins1 + failed },
          },
    failures,
  };
}

export function summarizeAnnotations(annotations: readonly Annotation[]): AnnotationSummary {
  const judged = annotations.flatMap(({ instruction, win }) =>
    win === null ? [] : [{ question: instruction, value: 100 * win }],
  );
  const percents = judged.map(({ value }) => value);
  const asked = annotations.length;
  const nulls = asked - judged.length;
  const total = sum(percents);
  return {
    asked,
    judged: judged.length,
    nulls,
    wins: percents.filter((percent) => percent > 50).length,
    losses: percents.filter((percent) => percent < 50).length,
    draws: percents.filter((percent) => percent === 50).length,
    winRate: ratioOf(total, judged.length),
    standardError: standardErrorOf(percents),
    instructions: new Set(judged.map(({ question }) => question)).size,
    intervals: { winRate: boundsOf(meanOf(judged, seed)) },
    bounds: nulls === 0 ? null : { winRate: { worst: total / asked, best: (total + 100 * nulls) / asked } },
  };
}

/** Of the bootstrap's draws. */
const seed = 1;

const ratioOf = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

function standardErrorOf(values: readonly number[]): number | null {
  const n = values.length;
  if (n < 2) return null;
  const average = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - average) ** 2)) / (n - 1) / n);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Null where the questions are too few, or where the figure is of nothing. */
const boundsOf = ({ low, high }: Figure): Bounds | null => (low === null || high === null ? null : { low, high });
