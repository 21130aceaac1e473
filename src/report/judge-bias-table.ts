/** What a judge likes besides quality, as a table, and why something of it could not be measured. */
import type { PositionBias } from '../evaluate/judge-biases.ts';
import { judgeCell } from './figure-cells.ts';
import { signed } from './format.ts';
import type { LinkTo } from './judge-charts.ts';
import { type Block, table, text } from './part.ts';
import type { JudgeInput } from './report-input.ts';
import { matchName } from './rows-of-judge.ts';
import type { Cell, Table } from './table.ts';
import type { Words } from './words.ts';

const numeric = (label: string) => ({ label, numeric: true });
const percent = { factor: 100, places: 1, unit: ' %' };

/** What could not be measured is said under the tables: a reason does not fit a cell. */
export function biasBlocks(input: JudgeInput, words: Words, link: LinkTo): Block[] {
  const { say, told } = words;
  const { matches, selfPreference } = input.results;
  const biases = biasTable(input, words, link);
  const reasons = matches.flatMap(({ model, opponent, lengthControlled }) =>
    'unfit' in lengthControlled
      ? [
          say('{pair}, length taken out: {reason}.', {
            pair: matchName(model, opponent),
            reason: told(lengthControlled.unfit),
          }),
        ]
      : [],
  );
  const own =
    'notMeasurable' in selfPreference
      ? [say('The judge’s liking for its own: {reason}.', { reason: told(selfPreference.notMeasurable) })]
      : [];
  return [...(biases.rows.length > 0 ? [table(biases)] : []), ...[...reasons, ...own].map(text)];
}

function biasTable({ results }: JudgeInput, words: Words, link: LinkTo): Table {
  const { say } = words;
  const { position, length, selfPreference } = results;
  const all = link('comparisons', { compared: 'yes' });
  const rows: [string, Cell][] = [
    ...(position ? positionRows(position, words, link) : []),
    ...(length
      ? ([
          [say('of the wins, those of the longer answer'), judgeCell(length.longerWins, words, all, percent)],
          [say('correlation of length and outcome'), judgeCell(length.correlation, words, all, { write: signed })],
        ] satisfies [string, Cell][])
      : []),
    ...('notMeasurable' in selfPreference
      ? []
      : ([
          [
            say('own models’ win rate − the others’'),
            judgeCell(selfPreference.difference, words, all, { ...percent, write: signed }),
          ],
        ] satisfies [string, Cell][])),
  ];
  return {
    caption: say('What the judge likes besides quality'),
    columns: [{ label: '' }, numeric(say('figure'))],
    rows,
  };
}

const positionRows = (
  { flipShare, firstAmongFlips, firstOverall, firstLead }: PositionBias,
  words: Words,
  link: LinkTo,
): [string, Cell][] => [
  [
    words.say('comparisons whose winner turned with the order'),
    judgeCell(flipShare, words, link('comparisons', { flags: 'flip' }), percent),
  ],
  [
    words.say('of these, won by what was shown first'),
    judgeCell(firstAmongFlips, words, link('comparisons', { flags: 'flip' }), percent),
  ],
  [
    words.say('of all named winners, shown first'),
    judgeCell(firstOverall, words, link('comparisons', { compared: 'yes' }), percent),
  ],
  ...(firstLead
    ? ([
        [
          words.say('lead of what was shown first, points'),
          judgeCell(firstLead, words, link('comparisons', { compared: 'yes' }), { write: signed }),
        ],
      ] satisfies [string, Cell][])
    : []),
];
