/** The parts on how the student came to be: data, training, costs, and what the run was started with. No judgement. */
import type { DataStatistics } from '../data/statistics.ts';
import { countBars, learningRateChart, lossChart, lossSeries } from './charts.ts';
import { figureBlocks } from './data-figures.ts';
import { countCell, shareCell } from './figure-cells.ts';
import { count, dollars, fixed } from './format.ts';
import { type Block, charts, heading, note, type Part, table, text } from './part.ts';
import { plainWithoutSecrets } from './plain.ts';
import type { ReportInput, StageCost, TrainingInput } from './report-input.ts';
import type { RowsLink } from './rows.ts';
import type { Cell, Table } from './table.ts';
import type { Words } from './words.ts';

export function trainingPart(training: TrainingInput, words: Words, rows: RowsLink): Part {
  const { say } = words;
  const { log } = training;
  const first = log[0];
  const last = log.at(-1);
  const head =
    first === undefined || last === undefined
      ? note(say('The training log is empty: no curve can be drawn.'))
      : text(
          say(
            '{steps} over {epochs} in {time}: the loss of a step went from {first} to {last} nats per answer token.',
            {
              steps: words.plural(log.length, 'step'),
              epochs: words.plural(new Set(log.map(({ epoch }) => epoch)).size, 'epoch'),
              time: words.duration(training.seconds),
              first: fixed(first.loss, 3),
              last: fixed(last.loss, 3),
            },
          ),
        );
  const blocks = [head, ...curves(training, words, rows), table(trainingTable(training, words, rows))];
  return { id: 'training', title: say('Training'), blocks };
}

function curves({ log }: TrainingInput, words: Words, rows: RowsLink): Block[] {
  if (log.length === 0) return [];
  const { say } = words;
  const { binSteps, windowSteps } = lossSeries(log);
  const thin = binSteps > 1 ? say('mean of {n} steps', { n: binSteps }) : say('each step');
  const skipped = log.filter(({ loss }) => !Number.isFinite(loss)).length;
  const steps = words.plural(log.length, 'step');
  const caption = [
    say('{steps}; each is the mean over the answer tokens of that step', { steps }),
    ...(windowSteps > 1 ? [say('thin: {thin}, thick: mean of {n} steps', { thin, n: windowSteps })] : []),
    ...(skipped > 0 ? [say('{steps} without a finite loss not drawn', { steps: words.plural(skipped, 'step') })] : []),
  ].join(say('; '));
  return [
    charts(
      {
        title: say('Training loss by step'),
        svg: lossChart(log, words),
        caption: say('{text}.', { text: caption }),
        rows,
      },
      {
        title: say('Learning rate by step'),
        svg: learningRateChart(log, words),
        caption: say('{text}.', { text: steps }),
        rows,
      },
    ),
  ];
}

function trainingTable(training: TrainingInput, words: Words, link: RowsLink): Table {
  const { say } = words;
  const { documents, dropped, cut, labelTokens, trainedTokens, seconds, parameters, dtype, log } = training;
  const speed =
    seconds > 0 ? say('{n} tokens per second', { n: count(Math.round(trainedTokens / seconds)) }) : say('not measured');
  const norms = log.map(({ gradNorm }) => gradNorm).filter((norm) => !Number.isNaN(norm));
  const gradients = norms.sort((a, b) => a - b);
  const of = say('{n} in {dtype}', { n: count(parameters), dtype });
  const rows: [string, Cell][] = [
    [say('conversations trained on'), countCell(documents, documents + dropped)],
    [say('cut at the end of a turn'), shareCell(cut, documents, words)],
    [say('left out (too long, or no answer in them)'), shareCell(dropped, documents + dropped, words)],
    [say('tokens computed'), countCell(trainedTokens, null, link)],
    [say('answer tokens (only they have a loss)'), countCell(labelTokens, trainedTokens, link)],
    [say('parameters'), { text: of, figure: { value: parameters, n: null } }],
    [say('time'), { text: `${words.duration(seconds)}${say(', ')}${speed}`, figure: { value: seconds, n: null } }],
  ];
  if (gradients.length > 0) {
    const middle = gradients[Math.floor((gradients.length - 1) / 2)]!;
    const values = {
      median: fixed(middle, 2),
      greatest: fixed(gradients.at(-1)!, 2),
      steps: words.plural(gradients.length, 'step'),
    };
    const shown = say('median {median}, greatest {greatest} of {steps}', values);
    rows.push([say('gradient norm'), { text: shown, figure: { value: middle, n: gradients.length }, rows: link }]);
  }
  return { caption: say('Training in figures'), columns: [{ label: '' }, { label: '' }], rows, isSettings: true };
}

/** Links into the rows that were trained on; undefined where they are not at hand. */
export type DataRowsOf = (filter: Readonly<Record<string, string>>) => RowsLink | undefined;

export function dataPart({ data }: Pick<ReportInput, 'data'>, words: Words, rowsOf: DataRowsOf): Part {
  const { say } = words;
  // Rows know their teacher, not their set: sets of one teacher share their rows.
  const blocks =
    data.length === 0
      ? [note(say('No statistics of the data were given.'))]
      : data.flatMap((set) => dataBlocks(set, words, (filter) => rowsOf({ teacher: set.teacher, ...filter })));
  return { id: 'data', title: say('Data'), blocks };
}

function dataBlocks(set: DataStatistics, words: Words, rowsOf: DataRowsOf): Block[] {
  const { say } = words;
  const languages = byCount(set.byLanguage);
  const categories = byCount(set.byCategory);
  const rows = words.plural(set.rows, 'row');
  const drawn = categories.slice(0, maxBars);
  const more = categories.length - drawn.length;
  return [
    heading(say('“{name}”', { name: set.name })),
    text(say('{rows}, answers by {teacher}.', { rows, teacher: set.teacher })),
    ...(set.rows === 0
      ? []
      : [table(languageTable(set, languages, words, rowsOf)), table(lengthTable(set, words, rowsOf({})))]),
    ...(drawn.length === 0
      ? [text(say('Categories: not recorded.'))]
      : [
          charts({
            title: say('Categories of “{name}”', { name: set.name }),
            svg: countBars(say('Rows by category'), drawn),
            caption: say('{text}.', {
              text: `${rows}${more > 0 ? say('; {n} not drawn', { n: words.plural(more, 'smaller category') }) : ''}`,
            }),
            rows: rowsOf({}),
          }),
        ]),
    ...(set.figures ? figureBlocks(set.name, set.figures, words) : []),
    rejectedBlock(set, words),
  ];
}

/** More bars than this are a wall; the rest is named by number. */
const maxBars = 24;

function languageTable(
  set: DataStatistics,
  languages: readonly (readonly [string, number])[],
  words: Words,
  rowsOf: DataRowsOf,
): Table {
  return {
    caption: words.say('Rows of “{name}” by language', { name: set.name }),
    columns: [{ label: words.say('language') }, { label: words.say('rows'), numeric: true }],
    rows: languages.map(([code, rows]) => [
      words.languageName(code),
      shareCell(rows, set.rows, words, rowsOf({ language: code })),
    ]),
  };
}

function lengthTable({ answerLength, rows, name }: DataStatistics, words: Words, link: RowsLink | undefined): Table {
  const { say } = words;
  const { mean, median, p95, max } = answerLength;
  const cell = (value: number, shown: string) => ({ text: shown, figure: { value, n: rows }, rows: link });
  return {
    caption: say('Length of the answers of {rows} in words, of Chinese ones in characters', {
      rows: words.plural(rows, 'row'),
    }),
    key: `lengths ${name}`,
    columns: [
      { label: '' },
      ...[say('mean'), say('median'), say('95 % are at most'), say('longest')].map((label) => ({
        label,
        numeric: true,
      })),
    ],
    rows: [
      [say('answers'), cell(mean, fixed(mean, 1)), ...[median, p95, max].map((value) => cell(value, count(value)))],
    ],
  };
}

function rejectedBlock({ rejected, rows, name }: DataStatistics, words: Words): Block {
  const { say } = words;
  const reasons = byCount(rejected);
  const away = reasons.reduce((sum, [, number]) => sum + number, 0);
  if (away === 0) return text(say('Taken away: none.'));
  return table({
    caption: say('Taken away from “{name}”: {share}', { name, share: words.share(away, rows + away) }),
    key: `rejected ${name}`,
    columns: [{ label: say('reason') }, { label: say('rows'), numeric: true }],
    rows: reasons.map(([reason, number]) => [reason, shareCell(number, rows + away, words)]),
  });
}

/** Greatest first; equal ones by name, so that the same data give the same page. */
function byCount(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

export function costsPart({ costs }: Pick<ReportInput, 'costs'>, words: Words): Part {
  const { say } = words;
  const part = { id: 'costs', title: say('Costs') };
  if (costs.length === 0) return { ...part, blocks: [text(say('No teacher was called in this run.'))] };
  const sum = (value: (cost: StageCost) => number): number => costs.reduce((total, cost) => total + value(cost), 0);
  const total: StageCost = {
    stage: say('all stages'),
    calls: sum(({ calls }) => calls),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    usd: sum(({ usd }) => usd),
    unpricedCalls: sum(({ unpricedCalls }) => unpricedCalls),
    inDoubtCalls: sum(({ inDoubtCalls }) => inDoubtCalls),
    inDoubtUsd: sum(({ inDoubtUsd }) => inDoubtUsd),
  };
  const columns = [
    say('calls'),
    say('tokens in'),
    say('tokens out'),
    say('cost'),
    say('calls in doubt'),
    say('in doubt, at most'),
  ];
  return {
    ...part,
    blocks: [
      table({
        caption: say('Teacher calls in the ledger by stage, US dollars; a ledger shared by runs has the calls of all'),
        columns: [{ label: say('stage') }, ...columns.map((label) => ({ label, numeric: true }))],
        rows: (costs.length > 1 ? [...costs, total] : costs).map((cost) => costRow(cost, words)),
      }),
      text(
        say(
          'In doubt: sent, but the answer was not stored before the run was interrupted. The teacher may have charged for these calls; they are counted at their upper bound.',
        ),
      ),
    ],
  };
}

function costRow(cost: StageCost, words: Words): Cell[] {
  const { stage, calls, inputTokens, outputTokens, usd, unpricedCalls, inDoubtCalls, inDoubtUsd } = cost;
  const unknown =
    unpricedCalls > 0 ? words.say(' and {calls} of unknown price', { calls: words.plural(unpricedCalls, 'call') }) : '';
  const money = (value: number, n: number, more = '') => ({ text: dollars(value) + more, figure: { value, n } });
  return [
    stage,
    countCell(calls, null),
    countCell(inputTokens, calls),
    countCell(outputTokens, calls),
    money(usd, calls, unknown),
    countCell(inDoubtCalls, calls + inDoubtCalls),
    money(inDoubtUsd, inDoubtCalls),
  ];
}

export function configurationPart({ config, versions }: Pick<ReportInput, 'config' | 'versions'>, words: Words): Part {
  const { say } = words;
  const rows = Object.entries(versions).map(([name, version]) => [name, version]);
  return {
    id: 'configuration',
    title: say('Configuration and versions'),
    blocks: [
      { kind: 'json', summary: say('The resolved configuration of this run'), value: plainWithoutSecrets(config) },
      rows.length === 0
        ? text(say('Versions: not recorded.'))
        : table({ caption: say('Versions'), columns: [{ label: '' }, { label: '' }], rows, isSettings: true }),
    ],
  };
}
