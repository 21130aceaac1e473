/**
 * The parts on how good the student is: held-out loss, ROUGE-L by the length of the reference, and what the teacher said
 * as a judge, each with its denominators. What was not measured is said, not left out.
 */
import type { BeforeAfter, EvaluationSummary, LanguageSummary } from '../evaluate/summary.ts';
import { type Bar, pairedBars } from './charts.ts';
import { countCell, intervalCell, meanCell, shareCell } from './figure-cells.ts';
import { count, signed } from './format.ts';
import { languagesOf, verdictOf } from './headline.ts';
import { type Block, type Chart, charts, note, type Part, table, text } from './part.ts';
import type { RowsLink } from './rows.ts';
import type { Cell, Table } from './table.ts';
import type { Phrase, Words } from './words.ts';

type Judge = NonNullable<LanguageSummary['judge']>;
type TeacherLogprob = NonNullable<LanguageSummary['teacherLogprob']>;

/** Links into the run's questions. */
export type RowsOf = (filter: Readonly<Record<string, string>>) => RowsLink;

const numeric = (label: string) => ({ label, numeric: true });

const figureColumns = ({ say }: Words) => [
  numeric(say('n')),
  numeric(say('before')),
  numeric(say('after')),
  numeric(say('difference')),
  numeric(say('95 % interval')),
  { label: say('in a word') },
];

function figureCells(
  figure: BeforeAfter | undefined,
  better: 'lower' | 'higher',
  words: Words,
  rows: RowsLink,
): Cell[] {
  const none = words.say('none');
  if (figure === undefined) return ['0', none, none, none, none, words.say('not measured')];
  const { before, after, difference } = figure;
  return [
    countCell(difference.n, null, rows),
    meanCell(before, 3, rows),
    meanCell(after, 3, rows),
    meanCell(difference, 3, rows, signed),
    words.interval(difference, 3),
    words.say(verdictOf(difference, better)),
  ];
}

export function lossPart(summary: EvaluationSummary, words: Words, rowsOf: RowsOf): Part {
  const { say } = words;
  const languages = languagesOf(summary);
  const all = summary.heldOutLoss;
  const named = [
    ...languages.map(
      ([code, { heldOutLoss }]) => [words.languageName(code), heldOutLoss, rowsOf({ language: code })] as const,
    ),
    ...(all !== undefined && languages.length > 1 ? [[say('all questions'), all, rowsOf({})] as const] : []),
  ];
  return {
    id: 'loss',
    title: say('Held-out loss'),
    blocks: [
      text(say('How surprised the student is by the reference answers to the held-out questions.')),
      named.length === 0
        ? note(say('No questions were evaluated.'))
        : table({
            caption: say('Nats per token of the reference answers; n counts questions'),
            columns: [{ label: '' }, numeric(say('tokens')), ...figureColumns(words)],
            rows: named.map(([name, figure, rows]) => [
              name,
              countCell(figure.tokens, null, rows),
              ...figureCells(figure, 'lower', words, rows),
            ]),
          }),
    ],
  };
}

export function rougePart(summary: EvaluationSummary, words: Words, rowsOf: RowsOf): Part {
  const { say } = words;
  const languages = languagesOf(summary);
  const drawn = languages.flatMap(([code, { rougeL }]) => bucketCharts(code, rougeL, words, rowsOf));
  return {
    id: 'rouge',
    title: say('ROUGE-L by length of the reference'),
    blocks: [
      text(say(rougeText)),
      ...(drawn.length > 0 ? [charts(...drawn)] : []),
      ...(languages.length === 0
        ? [note(say('No questions were evaluated.'))]
        : languages.map((one) => rougeTable(one, words, rowsOf))),
    ],
  };
}

export const rougeText =
  'Overlap of an answer with the reference as F-measure from 0 to 1: by words, and by characters where the reference has Chinese, Japanese or Korean characters. The two are different scales. One good answer in other words scores low: ROUGE-L says more about many answers than about one.';

export const bucketName = (bucket: string, { say }: Words): string =>
  say('{bucket} words', { bucket: bucket.replace('-', '–') });

type Named = readonly [name: string, figure: BeforeAfter | undefined, filter: Readonly<Record<string, string>>];

function bucketCharts(
  code: string,
  { buckets, overall, characters }: LanguageSummary['rougeL'],
  words: Words,
  rowsOf: RowsOf,
) {
  const groups = buckets.map(({ bucket, figure }): Named => [bucketName(bucket, words), figure, {}]);
  const byCharacter: Named = [words.say('all lengths'), characters, {}];
  return [
    ...(overall === undefined ? [] : [barChart(code, 'by words', groups, words, rowsOf)]),
    ...(characters === undefined ? [] : [barChart(code, 'by character', [byCharacter], words, rowsOf)]),
  ];
}

function barChart(
  code: string,
  how: 'by words' | 'by character',
  groups: readonly Named[],
  words: Words,
  rowsOf: RowsOf,
): Chart {
  const { say } = words;
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
  const names = groups.map(([name, figure]) => nameOf(name, figure));
  const away = empty.length > 0 ? say(' No reference with {lengths}.', { lengths: words.list(empty) }) : '';
  return {
    title: `${words.languageName(code)}${say(', ')}${say(how)}`,
    svg: pairedBars(`${say('Mean ROUGE-L before and after')}, ${say(how)}`, names, bars, say('mean, 95 % interval')),
    caption: `${say('Mean and 95 % interval; n questions under each pair.')}${away}`,
    legend: beforeAfterLegend(words),
    rows: rowsOf({ language: code }),
  };
}

export const beforeAfterLegend = ({ say }: Words): [string, string][] => [
  ['before', say('before')],
  ['after', say('after')],
];

function rougeTable(
  [code, { questions, rougeL }]: readonly [string, LanguageSummary],
  words: Words,
  rowsOf: RowsOf,
): Block {
  const { say } = words;
  const { overall, buckets, characters } = rougeL;
  const byWords: Named[] = [
    ...buckets.map(({ bucket, figure }): Named => [bucketName(bucket, words), figure, { length: bucket }]),
    [say('all, by words'), overall, { units: 'words' }],
  ];
  const rows: Named[] = [
    ...(overall === undefined ? [] : byWords),
    ...(characters === undefined ? [] : [[say('all, by character'), characters, { units: 'characters' }] as const]),
  ];
  return table({
    caption: say('ROUGE-L, {language}, {questions}', {
      language: words.languageName(code),
      questions: words.plural(questions, 'question'),
    }),
    key: `rouge ${code}`,
    columns: [{ label: say('reference') }, ...figureColumns(words)],
    rows: rows.map(([name, figure, filter]) => [
      name,
      ...figureCells(figure, 'higher', words, rowsOf({ language: code, ...filter })),
    ]),
  });
}

/** Why the two judges are not worth the same: said where their figures come first. */
export const judgeCaution =
  'With a tiny teacher the log-probability judge is the one that means something: it asks how likely the teacher itself finds an answer, token by token, and even a small model can say that. A small model asked for a score from 1 to 10 often cannot keep to the task; see how many of its verdicts were unreadable and how often they turned with the order. A likely answer is not always a good one, so read the answers below as well.';

export function judgePart(summary: EvaluationSummary, words: Words, rowsOf: RowsOf): Part {
  const { say } = words;
  const languages = languagesOf(summary);
  const scored = languages.flatMap(([code, { judge }]) => (judge === undefined ? [] : [[code, judge] as const]));
  const likely = languages.flatMap(([code, { teacherLogprob }]) =>
    teacherLogprob === undefined ? [] : [[code, teacherLogprob] as const],
  );
  return {
    id: 'judge',
    title: say('The teacher as judge'),
    blocks: [
      likely.length === 0
        ? note(say('No log-probabilities of the teacher: it was not asked, or its interface returns none.'))
        : table(logprobTable(likely, words, rowsOf)),
      ...(scored.length === 0
        ? [note(say('No scores: no teacher was asked to score the answers.'))]
        : [table(scoreTable(scored, words, rowsOf)), text(say(scoreText))]),
    ],
  };
}

const scoreText =
  'Each question was put to the teacher twice, with the answers in either order; figures are over questions where both verdicts could be read. Position bias is how many points more the answer shown first got, whichever it was: 0 for a judge without such a liking. A flip is a question where the two orders named opposite winners; it counts as a tie.';

type Row<T> = readonly [name: Phrase, cell: (figure: T, rowsOf: RowsOf) => Cell];

function logprobTable(likely: readonly (readonly [string, TeacherLogprob])[], words: Words, rowsOf: RowsOf): Table {
  const scored = { scored: 'scored' };
  const rows: Row<TeacherLogprob>[] = [
    ['questions scored on both answers', ({ difference }, of) => countCell(difference.n, null, of(scored))],
    ['mean before, nats per token', ({ before }, of) => intervalCell(before, 3, words, of(scored))],
    ['mean after, nats per token', ({ after }, of) => intervalCell(after, 3, words, of(scored))],
    ['difference', ({ difference }, of) => intervalCell(difference, 3, words, of(scored), signed)],
    [
      'answer after training likelier',
      ({ wins, difference: { n } }, of) => shareCell(wins, n, words, of({ likelier: 'after' })),
    ],
    [
      'answer after training less likely',
      ({ losses, difference: { n } }, of) => shareCell(losses, n, words, of({ likelier: 'before' })),
    ],
    ['equal', ({ ties, difference: { n } }, of) => shareCell(ties, n, words, of({ likelier: 'equal' }))],
  ];
  return byLanguage('Teacher’s log-probability of the answers', likely, rows, words, rowsOf);
}

function scoreTable(scored: readonly (readonly [string, Judge])[], words: Words, rowsOf: RowsOf): Table {
  const of = (part: 'parsed' | 'unreadable' | 'refused' | 'failed'): Row<Judge> => [
    part,
    (judge, link) => shareCell(judge[part], judge.asked, words, link({ calls: part })),
  ];
  const won = (winner: string) => ({ winner });
  const both = { judged: 'both' };
  const rows: Row<Judge>[] = [
    [
      'calls asked',
      ({ asked, questions }, link) => {
        const on = { calls: count(asked), questions: words.plural(questions, 'question') };
        return {
          text: words.say('{calls} on {questions}', on),
          figure: { value: asked, n: questions },
          rows: link({ calls: 'asked' }),
        };
      },
    ],
    of('parsed'),
    of('unreadable'),
    of('refused'),
    of('failed'),
    [
      'questions read in both orders',
      ({ compared, questions }, link) => shareCell(compared, questions, words, link(both)),
    ],
    ['mean score before', ({ meanBefore }, link) => intervalCell(meanBefore, 2, words, link(both))],
    ['mean score after', ({ meanAfter }, link) => intervalCell(meanAfter, 2, words, link(both))],
    ['difference', ({ difference }, link) => intervalCell(difference, 2, words, link(both), signed)],
    ['after won in both orders', ({ wins, compared }, link) => shareCell(wins, compared, words, link(won('after')))],
    [
      'before won in both orders',
      ({ losses, compared }, link) => shareCell(losses, compared, words, link(won('before'))),
    ],
    ['ties and flips', ({ ties, compared }, link) => shareCell(ties, compared, words, link(won('tie')))],
    ['of these flips', ({ flips, ties }, link) => shareCell(flips, ties, words, link({ flags: 'flip' }))],
    ['win rate of after, a tie as half', ({ winRate }, link) => intervalCell(winRate, 3, words, link(both))],
    ['position bias, points', ({ positionBias }, link) => intervalCell(positionBias, 2, words, link(both), signed)],
  ];
  return byLanguage('Teacher’s scores from 1 to 10', scored, rows, words, rowsOf);
}

function byLanguage<T>(
  caption: Phrase,
  figures: readonly (readonly [string, T])[],
  rows: readonly Row<T>[],
  words: Words,
  rowsOf: RowsOf,
): Table {
  return {
    caption: words.say(caption),
    columns: [{ label: '' }, ...figures.map(([code]) => numeric(words.languageName(code)))],
    rows: rows.map(([name, cell]) => [
      words.say(name),
      ...figures.map(([code, figure]) => cell(figure, (filter) => rowsOf({ language: code, ...filter }))),
    ]),
  };
}
