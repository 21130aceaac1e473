/**
 * The parts on how good the student is: held-out loss, ROUGE-L by the length of the reference, and what the teacher said
 * as a judge, each with its denominators. What was not measured is said, not left out.
 */
import type { Interval } from '../base/intervals.ts';
import type { BeforeAfter, EvaluationSummary, LanguageSummary } from '../evaluate/summary.ts';
import { type Bar, pairedBars } from './charts.ts';
import { count, fixed, interval, languageName, plural, share, signed } from './format.ts';
import { languagesOf, verdictOf } from './headline.ts';
import { type Block, charts, note, type Part, table, text } from './part.ts';
import type { Table } from './table.ts';

type Judge = NonNullable<LanguageSummary['judge']>;
type TeacherLogprob = NonNullable<LanguageSummary['teacherLogprob']>;

const numeric = (label: string) => ({ label, numeric: true });

const figureColumns = [
  numeric('n'),
  numeric('before'),
  numeric('after'),
  numeric('difference'),
  numeric('95 % interval'),
  { label: 'in a word' },
];

function figureCells(figure: BeforeAfter | undefined, better: 'lower' | 'higher'): string[] {
  if (figure === undefined) return ['0', 'none', 'none', 'none', 'none', 'not measured'];
  const { before, after, difference } = figure;
  return [
    count(difference.n),
    fixed(before.mean, 3),
    fixed(after.mean, 3),
    signed(difference.mean, 3),
    interval(difference, 3),
    verdictOf(difference, better),
  ];
}

export function lossPart(summary: EvaluationSummary): Part {
  const languages = languagesOf(summary);
  const all = summary.heldOutLoss;
  const named = [
    ...languages.map(([code, { heldOutLoss }]) => [languageName(code), heldOutLoss] as const),
    ...(all !== undefined && languages.length > 1 ? [['all questions', all] as const] : []),
  ];
  return {
    id: 'loss',
    title: 'Held-out loss',
    blocks: [
      text('How surprised the student is by the reference answers to the held-out questions.'),
      named.length === 0
        ? note('No questions were evaluated.')
        : table({
            caption: 'Nats per token of the reference answers; n counts questions',
            columns: [{ label: '' }, numeric('tokens'), ...figureColumns],
            rows: named.map(([name, figure]) => [name, count(figure.tokens), ...figureCells(figure, 'lower')]),
          }),
    ],
  };
}

export function rougePart(summary: EvaluationSummary): Part {
  const languages = languagesOf(summary);
  const drawn = languages.flatMap(([code, { rougeL }]) => bucketCharts(code, rougeL));
  return {
    id: 'rouge',
    title: 'ROUGE-L by length of the reference',
    blocks: [
      text(
        'Overlap of an answer with the reference as F-measure from 0 to 1: by words, and by characters where the reference has Chinese, Japanese or Korean characters. The two are different scales. One good answer in other words scores low: ROUGE-L says more about many answers than about one.',
      ),
      ...(drawn.length > 0 ? [charts(...drawn)] : []),
      ...(languages.length === 0 ? [note('No questions were evaluated.')] : languages.map(rougeTable)),
    ],
  };
}

const bucketName = (bucket: string): string => `${bucket.replace('-', '–')} words`;

function bucketCharts(code: string, { buckets, overall, characters }: LanguageSummary['rougeL']) {
  const groups = buckets.map(({ bucket, figure }) => [bucketName(bucket), figure] as const);
  const byWords = overall === undefined ? [] : [barChart(code, 'by words', groups)];
  const byCharacters = characters === undefined ? [] : [barChart(code, 'by character', [['all lengths', characters]])];
  return [...byWords, ...byCharacters];
}

function barChart(code: string, how: string, groups: readonly (readonly [string, BeforeAfter | undefined])[]) {
  const nameOf = (name: string, figure: BeforeAfter | undefined) => `${name}\nn = ${count(figure?.difference.n ?? 0)}`;
  const bars = groups.flatMap(([name, figure]): Bar[] =>
    figure === undefined
      ? []
      : (['before', 'after'] as const).map((side) => {
          const { mean: value, low, high } = figure[side];
          return { group: nameOf(name, figure), side, value, low, high };
        }),
  );
  const empty = groups.filter(([, figure]) => figure === undefined).map(([name]) => name);
  return {
    title: `${languageName(code)}, ${how}`,
    svg: pairedBars(
      `Mean ROUGE-L before and after, ${how}`,
      groups.map(([name, figure]) => nameOf(name, figure)),
      bars,
    ),
    caption: `Mean and 95 % interval; n questions under each pair.${empty.length > 0 ? ` No reference with ${empty.join(' or ')}.` : ''}`,
    legend: true,
  };
}

function rougeTable([code, { questions, rougeL }]: readonly [string, LanguageSummary]): Block {
  const { overall, buckets, characters } = rougeL;
  const byWords: [string, BeforeAfter | undefined][] = [
    ...buckets.map(({ bucket, figure }): [string, BeforeAfter | undefined] => [bucketName(bucket), figure]),
    ['all, by words', overall],
  ];
  const rows = [
    ...(overall === undefined ? [] : byWords),
    ...(characters === undefined ? [] : [['all, by character', characters] as const]),
  ];
  return table({
    caption: `ROUGE-L, ${languageName(code)}, ${plural(questions, 'question')}`,
    columns: [{ label: 'reference' }, ...figureColumns],
    rows: rows.map(([name, figure]) => [name, ...figureCells(figure, 'higher')]),
  });
}

/** Why the two judges are not worth the same: said where their figures come first. */
export const judgeCaution =
  'With a tiny teacher the log-probability judge is the one that means something: it asks how likely the teacher itself finds an answer, token by token, and even a small model can say that. A small model asked for a score from 1 to 10 often cannot keep to the task; see how many of its verdicts were unreadable and how often they turned with the order. A likely answer is not always a good one, so read the answers below as well.';

export function judgePart(summary: EvaluationSummary): Part {
  const languages = languagesOf(summary);
  const scored = languages.flatMap(([code, { judge }]) => (judge === undefined ? [] : [[code, judge] as const]));
  const likely = languages.flatMap(([code, { teacherLogprob }]) =>
    teacherLogprob === undefined ? [] : [[code, teacherLogprob] as const],
  );
  return {
    id: 'judge',
    title: 'The teacher as judge',
    blocks: [
      likely.length === 0
        ? note('No log-probabilities of the teacher: it was not asked, or its interface returns none.')
        : table(logprobTable(likely)),
      ...(scored.length === 0
        ? [note('No scores: no teacher was asked to score the answers.')]
        : [table(scoreTable(scored)), text(scoreText)]),
    ],
  };
}

const scoreText =
  'Each question was put to the teacher twice, with the answers in either order; figures are over questions where both verdicts could be read. Position bias is how many points more the answer shown first got, whichever it was: 0 for a judge without such a liking. A flip is a question where the two orders named opposite winners; it counts as a tie.';

function logprobTable(likely: readonly (readonly [string, TeacherLogprob])[]): Table {
  const rows: [string, (figure: TeacherLogprob) => string][] = [
    ['questions scored on both answers', ({ difference }) => count(difference.n)],
    ['mean before, nats per token', ({ before }) => withInterval(before, 3, fixed)],
    ['mean after, nats per token', ({ after }) => withInterval(after, 3, fixed)],
    ['difference', ({ difference }) => withInterval(difference, 3, signed)],
    ['answer after training likelier', ({ wins, difference }) => share(wins, difference.n)],
    ['answer after training less likely', ({ losses, difference }) => share(losses, difference.n)],
    ['equal', ({ ties, difference }) => share(ties, difference.n)],
  ];
  return byLanguage('Teacher’s log-probability of the answers', likely, rows);
}

function scoreTable(scored: readonly (readonly [string, Judge])[]): Table {
  const rows: [string, (judge: Judge) => string][] = [
    ['calls asked', ({ asked, questions }) => `${count(asked)} on ${plural(questions, 'question')}`],
    ['parsed', ({ parsed, asked }) => share(parsed, asked)],
    ['unreadable', ({ unreadable, asked }) => share(unreadable, asked)],
    ['refused', ({ refused, asked }) => share(refused, asked)],
    ['failed', ({ failed, asked }) => share(failed, asked)],
    ['questions read in both orders', ({ compared, questions }) => share(compared, questions)],
    ['mean score before', ({ meanBefore }) => withInterval(meanBefore, 2, fixed)],
    ['mean score after', ({ meanAfter }) => withInterval(meanAfter, 2, fixed)],
    ['difference', ({ difference }) => withInterval(difference, 2, signed)],
    ['after won in both orders', ({ wins, compared }) => share(wins, compared)],
    ['before won in both orders', ({ losses, compared }) => share(losses, compared)],
    ['ties and flips', ({ ties, compared }) => share(ties, compared)],
    ['of these flips', ({ flips, ties }) => share(flips, ties)],
    ['win rate of after, a tie as half', ({ winRate }) => withInterval(winRate, 3, fixed)],
    ['position bias, points', ({ positionBias }) => withInterval(positionBias, 2, signed)],
  ];
  return byLanguage('Teacher’s scores from 1 to 10', scored, rows);
}

function byLanguage<T>(
  caption: string,
  figures: readonly (readonly [string, T])[],
  rows: readonly (readonly [string, (figure: T) => string])[],
): Table {
  return {
    caption,
    columns: [{ label: '' }, ...figures.map(([code]) => numeric(languageName(code)))],
    rows: rows.map(([name, cell]) => [name, ...figures.map(([, figure]) => cell(figure))]),
  };
}

function withInterval(
  value: Interval | undefined,
  places: number,
  write: (value: number, places: number) => string,
): string {
  if (value === undefined) return 'none (n = 0)';
  const { mean, low, high, n } = value;
  return `${write(mean, places)} (${write(low, places)} to ${write(high, places)}, n = ${count(n)})`;
}
