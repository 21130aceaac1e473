/**
 * A judge's results as the paper lays them out: bars of percent of a reference model (its figure 4), wins beside ties and
 * losses, every figure with its denominator, and what the judge likes besides quality. The paper's own bars stand beside
 * where the questions are the same.
 */

import type { Interval } from '../base/intervals.ts';
import type { Figure } from '../evaluate/judge-figures.ts';
import type { CallCounts, MatchResult, ModelScores, Tally } from '../evaluate/judge-results.ts';
import { countCell, judgeCell, shareCell } from './figure-cells.ts';
import { count, fixed } from './format.ts';
import { biasBlocks } from './judge-bias-table.ts';
import { type LinkTo, ratioCharts, round, scoreBars, winBars } from './judge-charts.ts';
import { publishedScores } from './paper-figures.ts';
import { type Block, charts, folded, note, type Part, table, text } from './part.ts';
import type { JudgeInput } from './report-input.ts';
import type { RowsLink } from './rows.ts';
import { matchName } from './rows-of-judge.ts';
import type { Cell, Table } from './table.ts';
import type { Phrase, Words } from './words.ts';

const numeric = (label: string) => ({ label, numeric: true });
const percent = { factor: 100, places: 1, unit: ' %' };

export function judgeFolderPart(id: string, name: string, input: JudgeInput, words: Words): Part {
  const { say } = words;
  const { results, turns } = input;
  const { settings, matches, models } = results;
  const link: LinkTo = (set, filter) => ({ set: `${id}-${set}`, filter });
  const drawn = [
    ...(settings.mode === 'single' ? [scoreBars(models, words, link)] : []),
    ...ratioCharts(input, words, link),
    ...(matches.length > 0 && settings.mode !== 'reference' ? [winBars(matches, words, link)] : []),
  ];
  const blocks: Block[] = [
    text(
      say('{judge} judged {models} on {questions}; mode {mode}.', {
        judge: settings.judgeModel,
        models: words.list(settings.models),
        questions: words.plural(results.questions, 'question'),
        mode: settings.mode,
      }),
    ),
    ...(turns === undefined
      ? [note(say('The files that were judged are gone, or have changed: rows show verdicts without the answers.'))]
      : []),
    ...(drawn.length > 0 ? [charts(...drawn)] : []),
    ...publishedBlocks(input, words),
    ...(models.length > 0 ? [table(modelTable(models, words, link))] : []),
    ...(matches.length > 0 ? [table(matchTable(matches, words, link))] : []),
    ...biasBlocks(input, words, link),
    ...breakdownBlocks(matches, words, link),
  ];
  return { id, title: say('Judge: {name}', { name }), blocks };
}

function publishedBlocks({ results, knownSet }: JudgeInput, words: Words): Block[] {
  const { say } = words;
  if (knownSet !== 'vicuna-80' || results.settings.mode === 'pair') return [];
  const published = publishedScores.flatMap(({ reference, source, rows }) =>
    rows.map(({ model, score, reference: of }): Cell[] => [
      model,
      reference,
      { text: `${score} : ${of}`, figure: { value: score, n: 80 } },
      { text: `${fixed((100 * score) / of, 2)} %`, figure: { value: (100 * score) / of, n: 80 } },
      source,
    ]),
  );
  return [
    text(
      say(
        'The questions are Vicuna’s 80, the set of the paper: its figures stand beside. They are of other models and another judge (GPT-4 of spring 2023), and have no intervals.',
      ),
    ),
    folded(say('What the paper published on this set'), [
      table({
        caption: say('Published: sums of scores over 80 questions'),
        columns: [
          { label: say('model') },
          { label: say('reference') },
          numeric(say('scores')),
          numeric(say('percent of the reference')),
          { label: say('source') },
        ],
        rows: published,
      }),
    ]),
  ];
}

type CallKind = keyof CallCounts;
const callKinds: readonly CallKind[] = ['asked', 'answered', 'parsed', 'unreadable', 'refused', 'failed'];

function modelTable(models: readonly ModelScores[], words: Words, link: LinkTo): Table {
  const { say } = words;
  return {
    caption: say('Scores by model; best and worst case: were every missing score 10, or 1'),
    columns: [
      { label: say('model') },
      ...callKinds.map((kind) => numeric(say(kind))),
      numeric(say('sum of scores')),
      numeric(say('mean score')),
      numeric(say('worst and best case')),
    ],
    rows: models.map(({ model, sum, mean, bounds, ...counts }) => {
      const rows = (kind: CallKind) => link('verdicts', { model, calls: kind });
      return [
        model,
        ...callKinds.map((kind) => countCell(counts[kind], counts.asked, rows(kind))),
        { text: count(sum), figure: { value: sum, n: counts.parsed }, rows: rows('parsed') },
        judgeCell(mean, words, rows('parsed')),
        bounds === null
          ? say('none is missing')
          : say('{low} to {high}', {
              low: fixed(bounds.worst ?? Number.NaN, 2),
              high: fixed(bounds.best ?? Number.NaN, 2),
            }),
      ];
    }),
  };
}

type MatchRow = readonly [
  name: Phrase,
  cell: (match: MatchResult, rows: (filter: Readonly<Record<string, string>>) => RowsLink) => Cell,
];

function matchTable(matches: readonly MatchResult[], words: Words, link: LinkTo): Table {
  const { say } = words;
  const counted = (kind: 'wins' | 'ties' | 'losses', outcome: string): MatchRow => [
    kind,
    (match, rows) => shareCell(match[kind], match.compared, words, rows({ outcome })),
  ];
  const yes = { compared: 'yes' };
  const rows: MatchRow[] = [
    ['comparisons with all verdicts', ({ compared, asked }, of) => shareCell(compared, asked, words, of(yes))],
    counted('wins', 'win'),
    counted('ties', 'tie'),
    counted('losses', 'loss'),
    ['win rate, a tie as half', ({ winRate }, of) => judgeCell(winRate, words, of(yes), percent)],
    [
      'win rate with length taken out',
      ({ lengthControlled }, of) =>
        'unfit' in lengthControlled
          ? words.say('not fitted')
          : judgeCell(figureOf(lengthControlled.winRate), words, of(yes), percent),
    ],
    ...(matches.some(({ ratio }) => ratio)
      ? ([
          [
            'sums of scores',
            ({ sums, compared }, of) =>
              sums
                ? {
                    text: `${round(sums.model)} : ${round(sums.opponent)}`,
                    figure: { value: sums.model, n: compared },
                    rows: of(yes),
                  }
                : say('none'),
          ],
          [
            'percent of the opponent',
            ({ ratio }, of) => (ratio ? judgeCell(ratio, words, of(yes), percent) : say('none')),
          ],
        ] satisfies MatchRow[])
      : []),
    [
      'win rate, worst and best case',
      ({ bounds }) =>
        bounds === null
          ? say('none is missing')
          : say('{low} to {high}', {
              low: `${fixed(100 * (bounds.winRate.worst ?? Number.NaN), 1)} %`,
              high: `${fixed(100 * (bounds.winRate.best ?? Number.NaN), 1)} %`,
            }),
    ],
    ...callKinds.map(
      (kind): MatchRow => [
        callPhrases[kind],
        ({ calls }, of) => countCell(calls[kind], calls.asked, of({ calls: kind })),
      ],
    ),
    [
      'flips',
      ({ position }, of) =>
        position ? judgeCell(position.flipShare, words, of({ flags: 'flip' }), percent) : say('none'),
    ],
    ['the longer answer wins', ({ length }, of) => judgeCell(length.longerWins, words, of(yes), percent)],
  ];
  return {
    caption: say('Each two models: figures are the first one’s'),
    columns: [{ label: '' }, ...matches.map(({ model, opponent }) => numeric(matchName(model, opponent)))],
    rows: rows.map(([name, cell]) => [
      say(name),
      ...matches.map((match) =>
        cell(match, (filter) => link('comparisons', { match: matchName(match.model, match.opponent), ...filter })),
      ),
    ]),
  };
}

const callPhrases = {
  asked: 'calls asked',
  answered: 'calls answered',
  parsed: 'calls parsed',
  unreadable: 'calls unreadable',
  refused: 'calls refused',
  failed: 'calls failed',
} as const satisfies Record<CallKind, Phrase>;

const figureOf = ({ mean, low, high, n }: Interval): Figure => ({ value: mean, low, high, n });

/** By category, language and turn, where there are several. */
function breakdownBlocks(matches: readonly MatchResult[], words: Words, link: LinkTo): Block[] {
  const { say } = words;
  const kinds = [
    ['categories', 'category', say('category')],
    ['languages', 'language', say('language')],
    ['turns', 'turn', say('turn')],
  ] as const;
  const tables = kinds.flatMap(([member, facet, label]) => {
    const rows = matches.flatMap((match) =>
      match[member].map((part: Tally & { readonly name: string }): Cell[] => {
        const of = (more: Readonly<Record<string, string>>) =>
          link('comparisons', { match: matchName(match.model, match.opponent), [facet]: part.name, ...more });
        return [
          facet === 'language' ? words.languageName(part.name) : part.name,
          matchName(match.model, match.opponent),
          shareCell(part.compared, part.asked, words, of({ compared: 'yes' })),
          countCell(part.wins, part.compared, of({ outcome: 'win' })),
          countCell(part.ties, part.compared, of({ outcome: 'tie' })),
          countCell(part.losses, part.compared, of({ outcome: 'loss' })),
          judgeCell(part.winRate, words, of({ compared: 'yes' }), percent),
        ];
      }),
    );
    if (rows.length === 0) return [];
    const columns = [
      { label },
      { label: say('models') },
      ...[say('compared'), say('wins'), say('ties'), say('losses'), say('win rate, a tie as half')].map(numeric),
    ];
    return [table({ caption: say('By {what}', { what: label }), key: `by ${facet}`, columns, rows })];
  });
  return tables.length === 0 ? [] : [folded(say('By category, language and turn'), tables)];
}
