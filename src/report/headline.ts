/**
 * The before/after table as data: one row a measure and language, with its denominators, the paired difference, its
 * 95 % interval and a plain word taken from that interval alone. Page, Markdown, JSON and terminal show the same rows.
 * Measures of two languages are never averaged: neither losses nor ROUGE of English and Chinese have a common scale.
 */
import type { Interval } from '../base/intervals.ts';
import type { BeforeAfter, EvaluationSummary, LanguageSummary } from '../evaluate/summary.ts';
import { count, fixed, languageName, minus, plural, signed } from './format.ts';
import { english, type Words } from './words.ts';

export type Verdict = 'better' | 'worse' | 'no clear difference' | 'too few to say' | 'not measured';

export interface HeadlineRow {
  readonly measure: 'heldOutLoss' | 'teacherLogprob' | 'teacherScore' | 'rougeL' | 'rougeLCharacters';
  readonly language: string;
  readonly metric: string;
  /** What the figures are, and which way is better. */
  readonly scale: string;
  readonly better: 'lower' | 'higher';
  /** Decimal places it is written with. */
  readonly places: number;
  /** Questions the figures are over, of the questions of this language. */
  readonly n: number;
  readonly questions: number;
  /** The denominators in words: what was asked, what could be read. */
  readonly denominators: string;
  /** Means; undefined where nothing was measured. */
  readonly before: number | undefined;
  readonly after: number | undefined;
  readonly difference: Interval | undefined;
  readonly verdict: Verdict;
}

/**
 * Below six pairs, differences that all happen to have one sign exclude 0 from the bootstrap interval, and among five
 * pairs that happens by chance in 1 of 16 cases (2 · ½⁵): more often than 5 %.
 */
export const fewestPairs = 6;

export function verdictOf(difference: Interval | undefined, better: 'lower' | 'higher'): Verdict {
  if (difference === undefined) return 'not measured';
  const { low, high, n } = difference;
  if (n < fewestPairs) return 'too few to say';
  if (high < 0) return better === 'lower' ? 'better' : 'worse';
  if (low > 0) return better === 'lower' ? 'worse' : 'better';
  return 'no clear difference';
}

/** English first, then Chinese, then the others by code. */
export function languagesOf({ languages }: EvaluationSummary): (readonly [string, LanguageSummary])[] {
  const rank = (code: string): string => (code === 'en' ? '0' : code === 'zh' ? '1' : `2${code}`);
  return Object.entries(languages).sort(([a], [b]) => (rank(a) < rank(b) ? -1 : 1));
}

export function headlineRows(summary: EvaluationSummary, words: Words = english): HeadlineRow[] {
  return languagesOf(summary).flatMap(([language, figures]) => [
    lossRow(language, figures, words),
    teacherLogprobRow(language, figures, words),
    teacherScoreRow(language, figures, words),
    rougeRow(language, figures, words),
  ]);
}

type RowStart = Omit<HeadlineRow, 'n' | 'before' | 'after' | 'difference' | 'verdict'>;

function row(start: RowStart, figure: Partial<BeforeAfter> | undefined): HeadlineRow {
  const { before, after, difference } = figure ?? {};
  const verdict = verdictOf(difference, start.better);
  return { ...start, n: difference?.n ?? 0, before: before?.mean, after: after?.mean, difference, verdict };
}

const ofQuestions = (figure: BeforeAfter | undefined, questions: number, words: Words): string =>
  words.say('{n} of {questions}', {
    n: count(figure?.difference.n ?? 0),
    questions: words.plural(questions, 'question'),
  });

function lossRow(language: string, { questions, heldOutLoss }: LanguageSummary, words: Words): HeadlineRow {
  return row(
    {
      measure: 'heldOutLoss',
      language,
      metric: words.say('Held-out loss'),
      scale: words.say('nats per token of the reference answer; lower is better'),
      better: 'lower',
      places: 3,
      questions,
      denominators: words.list([
        ofQuestions(heldOutLoss, questions, words),
        words.plural(heldOutLoss.tokens, 'reference token'),
      ]),
    },
    heldOutLoss,
  );
}

function teacherLogprobRow(
  language: string,
  { questions, teacherLogprob }: LanguageSummary,
  words: Words,
): HeadlineRow {
  return row(
    {
      measure: 'teacherLogprob',
      language,
      metric: words.say('Teacher’s log-probability'),
      scale: words.say('nats per token of the student’s answer; higher is better'),
      better: 'higher',
      places: 3,
      questions,
      denominators:
        teacherLogprob === undefined
          ? words.say('no teacher gave log-probabilities')
          : words.say('{n} scored on both answers', { n: ofQuestions(teacherLogprob, questions, words) }),
    },
    teacherLogprob,
  );
}

function teacherScoreRow(language: string, { questions, judge }: LanguageSummary, words: Words): HeadlineRow {
  const calls = judge && [
    words.say('{n} of {questions} read in both orders', {
      n: count(judge.compared),
      questions: words.plural(questions, 'question'),
    }),
    words.say('{calls} asked: {parsed} parsed, {unreadable} unreadable, {refused} refused, {failed} failed', {
      calls: words.plural(judge.asked, 'call'),
      parsed: count(judge.parsed),
      unreadable: count(judge.unreadable),
      refused: count(judge.refused),
      failed: count(judge.failed),
    }),
  ];
  const figure = judge?.meanBefore &&
    judge.meanAfter &&
    judge.difference && { before: judge.meanBefore, after: judge.meanAfter, difference: judge.difference };
  return row(
    {
      measure: 'teacherScore',
      language,
      metric: words.say('Teacher’s score'),
      scale: words.say('1 to 10, mean of both orders; higher is better'),
      better: 'higher',
      places: 2,
      questions,
      denominators: calls?.join('; ') ?? words.say('no teacher was asked to score'),
    },
    figure,
  );
}

/** By words or by characters: whichever more of the references are compared by. The other is in the ROUGE table. */
function rougeRow(language: string, { questions, rougeL }: LanguageSummary, words: Words): HeadlineRow {
  const { overall, characters } = rougeL;
  const byCharacters = (characters?.difference.n ?? 0) > (overall?.difference.n ?? 0);
  const figure = byCharacters ? characters : overall;
  return row(
    {
      measure: byCharacters ? 'rougeLCharacters' : 'rougeL',
      language,
      metric: words.say(byCharacters ? 'ROUGE-L by character' : 'ROUGE-L'),
      scale: words.say('overlap with the reference, 0 to 1; higher is better'),
      better: 'higher',
      places: 3,
      questions,
      denominators: ofQuestions(figure, questions, words),
    },
    figure,
  );
}

/** Whether a teacher judged at all: without one there is nothing to be careful about. */
export const hasJudge = (rows: readonly HeadlineRow[]): boolean =>
  rows.some(({ measure, n }) => n > 0 && (measure === 'teacherLogprob' || measure === 'teacherScore'));

/** The five figures of a row as text: n, before, after, difference, interval. */
export function headlineFigures(
  { n, questions, before, after, difference, places }: HeadlineRow,
  words: Words = english,
): string[] {
  const none = words.say('none');
  const mean = (value: number | undefined): string => (value === undefined ? none : fixed(value, places));
  return [
    `${n}/${questions}`,
    mean(before),
    mean(after),
    difference === undefined ? none : signed(difference.mean, places),
    difference === undefined ? none : words.interval(difference, places),
  ];
}

/** For the terminal: aligned, without colors, at most 100 columns, ASCII but for the names of languages. */
export function headlineText(rows: readonly HeadlineRow[]): string {
  if (rows.length === 0) return 'No questions were evaluated.\n';
  const heading = ['', 'n', 'before', 'after', 'change', '95 % interval', ''];
  const body = rows.map((one) => {
    const figures = one.verdict === 'not measured' ? [`0/${one.questions}`, '-', '-', '-', '-'] : headlineFigures(one);
    return [one.metric.replace('probability', 'prob'), ...figures, one.verdict];
  });
  const widths = heading.map((label, i) => Math.max(label.length, ...body.map((cells) => cells[i]!.length)));
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, i) => (i === 0 || i === 6 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)));
    return `  ${padded.join('  ')}`.trimEnd();
  };
  const lines = [line(heading)];
  for (const [i, { language, questions }] of rows.entries()) {
    if (rows[i - 1]?.language !== language) lines.push(`${languageName(language)}, ${plural(questions, 'question')}`);
    lines.push(line(body[i]!));
  }
  return `${lines.join('\n')}\n`.replaceAll(minus, '-').replaceAll('’', "'").replaceAll('∞', 'inf');
}
