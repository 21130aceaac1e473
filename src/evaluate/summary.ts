/**
 * The figures of an evaluation before against after training, from its rows: held-out loss, ROUGE-L, the judge's scores,
 * the teacher's log-probabilities; by language, because neither losses nor ROUGE of two languages can be averaged to
 * something one could read. Every figure carries its n and its 95 % bootstrap interval; the items drawn are questions,
 * so that the two calls of a judge on one question are never taken for independent ones. Plain data: it goes through
 * JSON unchanged, except that members without data are left out. It rounds nothing and calls nobody.
 */
import { WorkError } from '../base/errors.ts';
import { bootstrapMean, type Interval, pairedDifference } from '../base/intervals.ts';
import { type JudgeSummary, summarizeJudge } from './judge-summary.ts';
import { groupOf, type RougeBucket, rougeBuckets } from './rouge.ts';
import type { EvaluationRow } from './rows.ts';
import type { ScoredAnswer } from './scorer.ts';

/** One measure on the same items before and after; `n` is the same in all three. */
export interface BeforeAfter {
  readonly before: Interval;
  readonly after: Interval;
  /** After − before, question by question. */
  readonly difference: Interval;
}

/**
 * Nats per token of the reference, the token that ends the turn included: Σ −log p / Σ tokens over the questions; lower
 * is better. A question counts by its tokens, in the means and in each draw of the bootstrap. `n` counts questions.
 */
export interface LossSummary extends BeforeAfter {
  /** Reference tokens, the denominator. */
  readonly tokens: number;
}

/** Mean ROUGE-L F of the answers against the references, 0–1; higher is better. */
export interface RougeSummary {
  /** By words: all references without CJK characters. */
  readonly overall: BeforeAfter | undefined;
  /** The same apart by the words between white space in the reference; always all four buckets. */
  readonly buckets: readonly { readonly bucket: RougeBucket; readonly figure: BeforeAfter | undefined }[];
  /** By characters: references with CJK characters. Not to be averaged or compared with the figures by words. */
  readonly characters: BeforeAfter | undefined;
}

/**
 * The teacher's own log-probability of the answers, in nats per token of each answer, averaged over the questions where
 * it gave both; higher means: more as the teacher would have put it. Long answers weigh no more than short ones.
 */
export interface TeacherLogprobSummary extends BeforeAfter {
  /** Questions whose answer after training is likelier per token than the one before; then less likely, and equal. */
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
}

export interface LanguageSummary {
  readonly questions: number;
  readonly heldOutLoss: LossSummary;
  readonly rougeL: RougeSummary;
  /** undefined where no teacher judged. */
  readonly judge: JudgeSummary | undefined;
  /** undefined where the teacher gives no log-probabilities. */
  readonly teacherLogprob: TeacherLogprobSummary | undefined;
}

export interface EvaluationSummary {
  readonly questions: number;
  /** Over all languages; undefined without questions. */
  readonly heldOutLoss: LossSummary | undefined;
  /** By ISO 639-1 code (`en`, `zh`), sorted; languages without questions are not there. */
  readonly languages: Readonly<Record<string, LanguageSummary>>;
}

/** Throws a WorkError where a log-probability is not finite: no figure is made from a broken model. */
export function summarize(rows: readonly EvaluationRow[]): EvaluationSummary {
  const languages = [...new Set(rows.map(({ language }) => language))].sort();
  const summarized = languages.map((language): [string, LanguageSummary] => {
    const own = rows.filter((row) => row.language === language);
    return [
      language,
      {
        questions: own.length,
        heldOutLoss: heldOutLoss(own)!,
        rougeL: rougeSummary(own),
        judge: summarizeJudge(own),
        teacherLogprob: teacherLogprob(own),
      },
    ];
  });
  return { questions: rows.length, heldOutLoss: heldOutLoss(rows), languages: Object.fromEntries(summarized) };
}

/**
 * The gate of the demo: whether the whole 95 % interval of the difference in held-out loss on English questions lies
 * below 0. One question proves nothing: its interval is a point. Chinese figures are shown, not gated.
 */
export function lossImproved(summary: EvaluationSummary): boolean {
  const difference = summary.languages['en']?.heldOutLoss.difference;
  return difference !== undefined && difference.n > 1 && difference.high < 0;
}

function heldOutLoss(rows: readonly EvaluationRow[]): LossSummary | undefined {
  const weights = rows.map(({ id, referenceBefore, referenceAfter }) => {
    if (referenceBefore.tokens !== referenceAfter.tokens) {
      throw new WorkError(
        `the reference of ${id} has ${referenceBefore.tokens} tokens before training and ${referenceAfter.tokens} after`,
        { hint: 'losses per token can be compared only under one tokenizer and one chat template' },
      );
    }
    return referenceBefore.tokens;
  });
  const figure = beforeAfter(
    rows.map((row) => -perToken(row.referenceBefore, row)),
    rows.map((row) => -perToken(row.referenceAfter, row)),
    weights,
  );
  return figure && { ...figure, tokens: weights.reduce((sum, tokens) => sum + tokens, 0) };
}

function rougeSummary(rows: readonly EvaluationRow[]): RougeSummary {
  const groups = rows.map(groupOf);
  const figureOf = (isIn: (group: RougeBucket | 'cjk') => boolean): BeforeAfter | undefined => {
    const own = rows.filter((_, i) => isIn(groups[i]!));
    return beforeAfter(
      own.map(({ rougeBefore }) => rougeBefore),
      own.map(({ rougeAfter }) => rougeAfter),
    );
  };
  return {
    overall: figureOf((group) => group !== 'cjk'),
    buckets: rougeBuckets.map((bucket) => ({ bucket, figure: figureOf((group) => group === bucket) })),
    characters: figureOf((group) => group === 'cjk'),
  };
}

function teacherLogprob(rows: readonly EvaluationRow[]): TeacherLogprobSummary | undefined {
  const pairs = rows.flatMap((row) => {
    const { teacherBefore, teacherAfter } = row;
    if (teacherBefore === undefined || teacherAfter === undefined) return [];
    return [{ before: perToken(teacherBefore, row), after: perToken(teacherAfter, row) }];
  });
  const figure = beforeAfter(
    pairs.map(({ before }) => before),
    pairs.map(({ after }) => after),
  );
  if (!figure) return undefined;
  const wins = pairs.filter(({ before, after }) => after > before).length;
  const losses = pairs.filter(({ before, after }) => after < before).length;
  return { ...figure, wins, losses, ties: pairs.length - wins - losses };
}

function perToken({ sum, tokens }: ScoredAnswer, { id }: EvaluationRow): number {
  const logprob = sum / tokens;
  if (Number.isFinite(logprob)) return logprob;
  throw new WorkError(`expected a finite log-probability for ${id}, got ${sum} over ${tokens} tokens`, {
    hint: 'the model that scored is broken: look whether its loss stayed finite in training',
  });
}

/** undefined where there are no values. */
function beforeAfter(
  before: readonly number[],
  after: readonly number[],
  weights?: readonly number[],
): BeforeAfter | undefined {
  const options = weights === undefined ? {} : { weights };
  const difference = pairedDifference(before, after, options);
  if (!difference) return undefined;
  return { before: bootstrapMean(before, options)!, after: bootstrapMean(after, options)!, difference };
}
