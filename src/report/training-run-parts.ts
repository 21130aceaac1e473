/**
 * A training by itself. Of a reward model: how often it puts the better of two held-out answers first, beside what “the longer
 * one is better” would do; its curves. Of preferences the same curves. Fine-tuning is told as a run tells it.
 */
import type { CorrelationFigure } from '../evaluate/correlation.ts';
import type { NamedAccuracy, PairAccuracy, PickFigures, RewardCard } from '../evaluate/reward-card.ts';
import { countCell, meanCell, rangeCell } from './figure-cells.ts';
import { count, fixed, signed } from './format.ts';
import { type LinePoint, lineChart } from './line-charts.ts';
import { type Block, type Chart, charts, folded, note, type Part, table, text } from './part.ts';
import type { TrainingInput, TrainingLogRow, TrainingRunInput } from './report-input.ts';
import type { RowsLink } from './rows.ts';
import { trainingPart } from './run-parts.ts';
import type { Cell, FigureCell } from './table.ts';
import type { Words } from './words.ts';

type PairsOf = (filter?: Readonly<Record<string, string>>) => RowsLink;

export function trainingRunPart(id: string, name: string, input: TrainingRunInput, words: Words): Part {
  const { say } = words;
  const steps: RowsLink = { set: `${id}-steps`, filter: {} };
  const pairsOf: PairsOf = (filter = {}) => ({ set: `${id}-pairs`, filter });
  const { stage, training, card } = input;
  if (stage === 'sft') {
    return { ...trainingPart(training, words, steps), id, title: say('Fine-tuning: {name}', { name }) };
  }
  const title = say(stage === 'reward' ? 'Reward model: {name}' : 'Preferences: {name}', { name });
  const blocks: Block[] = [
    ...(card ? cardBlocks(card, words, pairsOf) : []),
    ...(card || stage === 'dpo'
      ? []
      : [
          note(
            say(
              'No held-out comparisons with their rewards stand in the folder: nothing says what the reward is worth. `train reward --eval-share 0.1` holds some out.',
            ),
          ),
        ]),
    ...curves(training.log, words, steps),
    table({
      caption: say('Training in figures'),
      columns: [{ label: '' }, { label: '' }],
      rows: settings(training, words, steps),
      isSettings: true,
    }),
  ];
  return { id, title, blocks };
}

const percent = (share: number): string => `${fixed(100 * share, 1)} %`;

function cardBlocks(card: RewardCard, words: Words, pairsOf: PairsOf): Block[] {
  const { say } = words;
  const { all, notLonger, overLongerWins, margins, languages, sources } = card;
  if (!all) return [note(say('No held-out pair is left: there is no accuracy to speak of.'))];
  const head = say(
    'Of {pairs} of {prompts} held out from training, the better answer has the higher reward in {accuracy} ({ends}): {evidence}. “The longer one is better” is right in {longer}.',
    {
      ...{ pairs: words.plural(all.pairs, 'answer pair'), prompts: words.plural(all.prompts, 'prompt') },
      ...{ accuracy: percent(all.accuracy.mean), ends: percentRange(all.accuracy, words) },
      ...{ evidence: say(all.evidence), longer: percent(all.longerWins.mean) },
    },
  );
  const beyond =
    notLonger?.evidence === 'better than chance'
      ? say(
          'Where the better answer is not the longer one it is right more often than chance: it has learned more than length.',
        )
      : say(
          'Where the better answer is not the longer one nothing shows that it is right more often than chance: it may have learned length alone.',
        );
  const named = (
    what: string,
    rows: readonly NamedAccuracy[],
    facet: string,
    nameOf = (one: string) => one,
  ): Cell[][] =>
    rows.length < 2
      ? []
      : rows.map((row) => [
          `${what}: ${nameOf(row.name)}`,
          ...accuracyCells(row, words, pairsOf({ [facet]: row.name })),
        ]);
  const accuracy = table({
    caption: say('How often the better of two held-out answers has the higher reward; intervals over prompts'),
    columns: [
      { label: '' },
      ...[say('pairs'), say('right, %'), say('“the longer one is better”, %')].map((label) => ({
        label,
        numeric: true,
      })),
      { label: say('says') },
    ],
    rows: [
      [say('all pairs'), ...accuracyCells(all, words, pairsOf())],
      ...(notLonger
        ? [[say('the better is not the longer'), ...accuracyCells(notLonger, words, pairsOf({ longer: 'no' }))]]
        : []),
      ...named(say('language'), languages, 'language', words.languageName),
      ...named(say('margin of the judge’s scores'), margins, 'margin', words.told),
      ...named(say('written by'), sources, 'sources'),
    ],
  });
  const over =
    overLongerWins === null
      ? []
      : [
          text(
            say('Against “the longer one is better”: {change} points ({ends}).', {
              change: signed(100 * overLongerWins.mean, 1),
              ends: words.interval(hundredfold(overLongerWins), 1),
            }),
          ),
        ];
  return [
    text(head),
    text(beyond),
    accuracy,
    ...over,
    pickTable(card, words),
    folded(say('Calibration, length'), [calibrationTable(card, words, pairsOf), lengthText(card, words)]),
  ];
}

const hundredfold = <T extends { readonly mean: number; readonly low: number; readonly high: number }>(one: T): T => ({
  ...one,
  ...{ mean: 100 * one.mean, low: 100 * one.low, high: 100 * one.high },
});

const percentRange = ({ low, high }: { readonly low: number; readonly high: number }, words: Words): string =>
  words.range({ low: 100 * low, high: 100 * high }, 1);

function accuracyCells({ pairs, accuracy, longerWins, evidence }: PairAccuracy, words: Words, rows: RowsLink): Cell[] {
  const share = (value: typeof accuracy): FigureCell => rangeCell(hundredfold(value), 1, words, rows);
  return [countCell(pairs, null, rows), share(accuracy), share(longerWins), words.say(evidence)];
}

function pickTable({ pick: { answersPerPrompt, rank, score } }: RewardCard, words: Words): Block {
  const { say } = words;
  if (!rank) return text(say('No prompt has two rewarded answers to pick from.'));
  const row = (name: string, { prompts, random, pick, best, gain }: PickFigures): Cell[] => [
    name,
    countCell(prompts, null),
    ...[random, pick, best].map((figure) => meanCell(figure, 2)),
    rangeCell(gain, 2, words, undefined, signed),
  ];
  return table({
    caption: say('The answer of the highest reward, of {n} a prompt', { n: fixed(answersPerPrompt, 1) }),
    columns: [
      { label: '' },
      ...[say('prompts'), say('at random'), say('picked'), say('the best'), say('gain')].map((label) => ({
        label,
        numeric: true,
      })),
    ],
    rows: [row(say('rank, 1 is the best'), rank), ...(score ? [row(say('judge’s score'), score)] : [])],
  });
}

function calibrationTable({ calibration: { error, bins } }: RewardCard, words: Words, pairsOf: PairsOf): Block {
  const { say } = words;
  const cell = (value: number, n: number): FigureCell => ({
    text: percent(value),
    figure: { value: 100 * value, n },
    rows: pairsOf(),
  });
  return table({
    caption: say('Whether σ(r₁ − r₂) comes true as the probability that the first is better; expected error {error}', {
      error: error === null ? say('none') : percent(error),
    }),
    columns: [
      { label: 'σ(r₁ − r₂)' },
      ...[say('pairs'), say('predicted'), say('came true')].map((label) => ({ label, numeric: true })),
    ],
    rows: bins
      .filter(({ items }) => items > 0)
      .map(({ from, to, items, predicted, observed }) => [
        say('{low} to {high}', { low: fixed(from, 1), high: fixed(to, 1) }),
        countCell(items, null, pairsOf()),
        cell(predicted!, items),
        cell(observed!, items),
      ]),
  });
}

function lengthText({ length: { items, pearson, spearman } }: RewardCard, words: Words): Block {
  const { say } = words;
  const figure = ({ value, low, high }: CorrelationFigure): string =>
    value === null
      ? say('none')
      : say('{value} ({ends})', {
          value: signed(value, 2),
          ends: words.interval({ mean: value, low: low ?? value, high: high ?? value, n: items }, 2),
        });
  return text(
    say('Reward and length in tokens, over {answers}: Spearman’s ρ {spearman}, Pearson’s r {pearson}.', {
      answers: words.plural(items, 'answer'),
      ...{ spearman: figure(spearman), pearson: figure(pearson) },
    }),
  );
}

/** By TRL's names: a reward model's, then a preference training's. */
const accuracyNames = ['accuracy', 'rewards/accuracies'];
const marginNames = ['margin', 'rewards/margins'];

function curves(log: readonly TrainingLogRow[], words: Words, rows: RowsLink): Block[] {
  const { say } = words;
  if (log.length === 0) return [note(say('The training log is empty: no curve can be drawn.'))];
  const over = words.plural(log.length, 'step');
  const metric = (names: readonly string[]) => (row: TrainingLogRow) =>
    names.map((name) => row.metrics?.[name]).find((value) => value !== undefined) ?? Number.NaN;
  const drawn: [string, string, (row: TrainingLogRow) => number][] = [
    [say('Loss by step'), say('loss'), ({ loss }) => loss],
    [say('Pairs told right by step'), say('share'), metric(accuracyNames)],
    [say('Margin of the better by step'), say('difference of rewards'), metric(marginNames)],
    [say('Held-out loss by step'), say('loss'), ({ heldOutLoss }) => heldOutLoss ?? Number.NaN],
  ];
  return [
    charts(
      ...drawn.flatMap(([title, yLabel, value]): Chart[] => {
        const points = log
          .map((row): LinePoint => ({ x: row.step, y: value(row) }))
          .filter(({ y }) => Number.isFinite(y));
        // A single point is no curve: the table has it.
        if (points.length < 2) return [];
        const svg = lineChart(`${title}${say(', ')}${over}`, points, { xLabel: say('step'), yLabel, zero: true });
        return [
          { title, svg, caption: say('{text}.', { text: words.plural(points.length, 'step') }), isSmall: true, rows },
        ];
      }),
    ),
  ];
}

function settings(training: TrainingInput, words: Words, rows: RowsLink): Cell[][] {
  const { say } = words;
  const { documents, dropped, trainedTokens, seconds, parameters, dtype, log } = training;
  const heldOut = log.findLast(({ heldOutLoss }) => heldOutLoss !== undefined)?.heldOutLoss;
  return [
    [say('rows trained on'), countCell(documents, null)],
    [say('rows and answers left out'), countCell(dropped, null)],
    [say('tokens computed'), countCell(trainedTokens, null, rows)],
    ...(heldOut === undefined
      ? []
      : [
          [say('held-out loss, measured last'), { text: fixed(heldOut, 4), figure: { value: heldOut, n: null }, rows }],
        ]),
    [
      say('parameters'),
      { text: say('{n} in {dtype}', { n: count(parameters), dtype }), figure: { value: parameters, n: null } },
    ],
    [say('time'), { text: words.duration(seconds), figure: { value: seconds, n: null }, rows }],
  ];
}
