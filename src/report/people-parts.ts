/**
 * What people chose, as the paper's figure 3: a pie for each criterion and pair of models; how far raters agree, and with the
 * judge. The paper's pies stand beside where the questions are the same.
 */

import type { Coefficient } from '../evaluate/agreement.ts';
import type { CriterionResult, PairResult, PeopleChoice } from '../evaluate/people.ts';
import { pie } from './comparison-charts.ts';
import { countCell, shareCell } from './figure-cells.ts';
import { count, fixed } from './format.ts';
import { publishedVotes, publishedVotesSource } from './paper-figures.ts';
import { type Block, type Chart, charts, heading, note, type Part, table, text } from './part.ts';
import type { PeopleInput } from './report-input.ts';
import type { RowsLink } from './rows.ts';
import { matchName } from './rows-of-judge.ts';
import { criterionName } from './rows-of-people.ts';
import type { Cell, Table } from './table.ts';
import type { Words } from './words.ts';

/** To what was compared, a row an item, or to what was voted, a row an item and rater. */
type Links = (set: 'items' | 'votes', filter: Readonly<Record<string, string>>) => RowsLink;

const choices: readonly PeopleChoice[] = ['win', 'tie', 'lose'];
const numeric = (label: string) => ({ label, numeric: true });

export function peoplePart(id: string, name: string, { results, knownSet }: PeopleInput, words: Words): Part {
  const { say } = words;
  const link: Links = (set, filter) => ({ set: `${id}-${set}`, filter });
  const blocks: Block[] = [
    text(
      say(
        '{votes} by {raters} on {items} of {asked}; each item to {k} raters. Attention checks are in no figure about models.',
        {
          votes: words.plural(results.votes, 'vote'),
          raters: words.plural(results.raters, 'rater'),
          items: count(results.items),
          asked: words.plural(results.asked, 'item'),
          k: count(results.ratersPerItem),
        },
      ),
    ),
    ...(results.leftOut.length > 0
      ? [note(say('Left out: the votes of {raters}.', { raters: words.list(results.leftOut) }))]
      : []),
    ...(results.pairs.length === 0 ? [note(say('There are no votes yet.'))] : []),
    ...results.pairs.flatMap((pair) => pairBlocks(pair, words, link)),
    ...(knownSet === 'user-oriented-252' ? publishedBlocks(words) : []),
    ...(results.judge && results.judge.length > 0 ? [judgeTable(results.judge, words, link)] : []),
    ...(results.left ? [placeTable(results.left, words, link)] : []),
    ...(results.raterQuality.length > 0 ? [raterTable(results, words, link)] : []),
  ];
  return { id, title: say('People: {name}', { name }), blocks };
}

function pairBlocks(pair: PairResult, words: Words, link: Links): Block[] {
  const { say } = words;
  const { modelA, modelB, criteria } = pair;
  const match = matchName(modelA, modelB);
  const of = (criterion: CriterionResult, choice: PeopleChoice) =>
    link('votes', { match, [criterion.criterion]: choice });
  const shares: Table = {
    caption: say('{pair}: votes by criterion', { pair: match }),
    columns: [
      { label: say('criterion') },
      numeric(say('votes')),
      numeric(say('items')),
      numeric(say('{model} wins', { model: modelA })),
      numeric(say('tie')),
      numeric(say('{model} wins', { model: modelB })),
    ],
    rows: criteria.map((criterion): Cell[] => {
      return [
        criterionName(criterion.criterion, words),
        countCell(criterion.votes, null, link('votes', { match, voted: criterion.criterion })),
        countCell(criterion.items, null, link('items', { match, voted: criterion.criterion })),
        ...choices.map((choice) => {
          const { count: votes, percent, low, high } = criterion[choice];
          const shown = say('{percent} % ({ends}, {n} of {votes})', {
            percent: fixed(percent, 1),
            ends: words.range({ low, high }, 1),
            n: count(votes),
            votes: count(criterion.votes),
          });
          return {
            text: shown,
            figure: { value: percent, low, high, n: criterion.votes },
            rows: of(criterion, choice),
          };
        }),
      ];
    }),
  };
  const drawn = criteria.map((criterion): Chart => {
    const title = `${criterionName(criterion.criterion, words)}: ${match}`;
    const slices = choices.map((choice) => ({
      kind: choice,
      name: say(choice),
      count: criterion[choice].count,
      percent: criterion[choice].percent,
    }));
    return {
      title,
      svg: pie(title, slices),
      caption: say('{votes} on {items}.', {
        votes: words.plural(criterion.votes, 'vote'),
        items: words.plural(criterion.items, 'item'),
      }),
      legend: pieLegend(modelA, modelB, words),
      isSmall: true,
      rows: link('votes', { match, voted: criterion.criterion }),
    };
  });
  return [
    heading(match),
    charts(...drawn),
    table(shares),
    table(agreementTable(pair, words, link('items', { match }))),
  ];
}

function agreementTable({ agreement, modelA, modelB }: PairResult, words: Words, rows: RowsLink): Table {
  const { say } = words;
  return {
    caption: say('How far raters agree beyond chance'),
    key: `agreement ${matchName(modelA, modelB)}`,
    columns: [{ label: say('criterion') }, numeric(say('items')), numeric('Krippendorff α'), numeric('Fleiss κ')],
    rows: agreement.map(({ criterion, items, krippendorffAlpha, fleissKappa }) => [
      criterionName(criterion ?? '', words),
      countCell(items, null, rows),
      coefficientCell(krippendorffAlpha, items, words, rows),
      coefficientCell(fleissKappa, items, words, rows),
    ]),
  };
}

const pieLegend = (modelA: string, modelB: string, { say }: Words): [string, string][] => [
  ['win', say('{model} wins', { model: modelA })],
  ['tie', say('tie')],
  ['lose', say('{model} wins', { model: modelB })],
];

function coefficientCell(coefficient: Coefficient, n: number, words: Words, rows: RowsLink): Cell {
  if (coefficient.value === null) return words.say('none');
  const { value, low, high } = coefficient;
  const ends = low === null || high === null ? '' : words.say(' ({ends})', { ends: words.range({ low, high }, 2) });
  return { text: `${fixed(value, 2)}${ends}`, figure: { value, low, high, n }, rows };
}

function publishedBlocks(words: Words): Block[] {
  const { say } = words;
  const pies = publishedVotes.map(({ modelA, modelB, criterion, win, tie, lose }): Chart => {
    const counts = { win, tie, lose };
    const votes = win + tie + lose;
    const title = say('Paper, {criterion}: {pair}', {
      criterion: criterionName(criterion, words),
      pair: matchName(modelA, modelB),
    });
    const slices = choices.map((choice) => ({
      kind: choice,
      name: say(choice),
      count: counts[choice],
      percent: (100 * counts[choice]) / votes,
    }));
    return {
      title,
      svg: pie(title, slices),
      caption: say('{votes}; {source}.', { votes: words.plural(votes, 'vote'), source: publishedVotesSource }),
      legend: pieLegend(modelA, modelB, words),
      isSmall: true,
    };
  });
  return [
    heading(say('What the paper published on this set')),
    text(say('The items are the 252 user-oriented instructions of the paper; its raters and models are others.')),
    charts(...pies),
  ];
}

function judgeTable(judge: NonNullable<PeopleInput['results']['judge']>, words: Words, link: Links): Block {
  const { say } = words;
  return table({
    caption: say('People’s majority against the judge, on the same items'),
    columns: [
      { label: say('criterion') },
      numeric(say('agreed')),
      numeric(say('κ of the two')),
      numeric(say('no majority')),
      numeric(say('no verdict')),
    ],
    rows: judge.map(({ criterion, items, agreed, kappa, withoutMajority, withoutVerdict }) => {
      const where = (value: string) => link('items', { [`${criterion}-judge`]: value });
      return [
        criterionName(criterion, words),
        agreed === null
          ? say('none')
          : {
              text: words.share(agreed.count, items),
              figure: { value: agreed.percent, low: agreed.low, high: agreed.high, n: items },
              rows: where('agreed'),
            },
        coefficientCell(kappa, items, words, where('compared')),
        countCell(withoutMajority, null, where('=majority')),
        countCell(withoutVerdict, null, where('=verdict')),
      ];
    }),
  });
}

/** Where the place has no say it is one half. */
function placeTable(left: NonNullable<PeopleInput['results']['left']>, words: Words, link: Links): Block {
  const { say } = words;
  const { count: votes, percent, low, high, decided } = left;
  const text = say('{percent} % ({ends}, {n} of {votes})', {
    percent: fixed(percent, 1),
    ends: words.range({ low, high }, 1),
    n: count(votes),
    votes: count(decided),
  });
  return table({
    caption: say('Whether the place of an answer had a say: 50 % if it had none'),
    columns: [{ label: '' }, { label: '', numeric: true }],
    rows: [
      [
        say('of the votes that are no tie, those for the answer on the left'),
        { text, figure: { value: percent, low, high, n: decided }, rows: link('votes', { stood: 'left' }) },
      ],
    ],
  });
}

function raterTable({ raterQuality }: PeopleInput['results'], words: Words, link: Links): Block {
  const { say } = words;
  return table({
    caption: say('Raters'),
    columns: [
      { label: say('rater') },
      numeric(say('items')),
      numeric(say('checks passed')),
      numeric(say('with the others’ majority')),
      numeric(say('median seconds')),
    ],
    rows: raterQuality.map(({ rater, items, checks, checksPassed, compared, withMajority, medianSeconds }) => [
      rater,
      countCell(items, null, link('votes', { rater, kind: 'item' })),
      shareCell(checksPassed, checks, words, checks > 0 ? link('votes', { rater, kind: 'check' }) : undefined),
      shareCell(withMajority, compared, words, link('votes', { rater, kind: 'item' })),
      medianSeconds === null
        ? say('none')
        : { text: fixed(medianSeconds, 1), figure: { value: medianSeconds, n: items }, rows: link('votes', { rater }) },
    ]),
  });
}
