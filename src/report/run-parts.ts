/** The parts on how the student came to be: data, training, costs, and what the run was started with. No judgement. */
import type { DataStatistics } from '../data/statistics.ts';
import { countBars, learningRateChart, lossChart, lossSeries } from './charts.ts';
import { figureBlocks, type SetRowsOf } from './data-figures.ts';
import { countCell, shareCell } from './figure-cells.ts';
import { count, fixed } from './format.ts';
import { type Block, charts, heading, note, type Part, table, text } from './part.ts';
import { plainWithoutSecrets } from './plain.ts';
import type { RemovedRow, ReportInput, TrainingInput } from './report-input.ts';
import type { RowsLink } from './rows.ts';
import type { Cell, Table } from './table.ts';
import type { Words } from './words.ts';

const none: SetRowsOf = () => undefined;

export function trainingPart(training: TrainingInput, words: Words, rows: RowsLink, dataOf: SetRowsOf = none): Part {
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
  const blocks = [head, ...curves(training, words, rows), table(trainingTable(training, words, rows, dataOf))];
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

function trainingTable(training: TrainingInput, words: Words, link: RowsLink, dataOf: SetRowsOf): Table {
  const { say } = words;
  const { documents, dropped, cut, labelTokens, trainedTokens, seconds, parameters, dtype, log } = training;
  const speed =
    seconds > 0 ? say('{n} tokens per second', { n: count(Math.round(trainedTokens / seconds)) }) : say('not measured');
  const norms = log.map(({ gradNorm }) => gradNorm).filter((norm) => !Number.isNaN(norm));
  const gradients = norms.sort((a, b) => a - b);
  const of = say('{n} in {dtype}', { n: count(parameters), dtype });
  const rows: [string, Cell][] = [
    [say('conversations trained on'), countCell(documents, documents + dropped, dataOf({ learned: 'learned' }))],
    [say('cut at the end of a turn'), shareCell(cut, documents, words, dataOf({ flags: 'cut' }))],
    [
      say('left out (too long, or no answer in them)'),
      shareCell(dropped, documents + dropped, words, dataOf({ flags: 'dropped' })),
    ],
    [say('tokens computed'), countCell(trainedTokens, null, link)],
    [say('answer tokens (only they have a loss)'), countCell(labelTokens, trainedTokens, link)],
    [say('parameters'), { text: of, figure: { value: parameters, n: null } }],
    [
      say('time'),
      { text: `${words.duration(seconds)}${say(', ')}${speed}`, figure: { value: seconds, n: null }, rows: link },
    ],
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

/** Links into a run's rows; they give undefined where those are not at hand. */
export interface DataLinks {
  /** What was trained on, of a set. */
  readonly kept: (set: DataStatistics, filter: Readonly<Record<string, string>>) => RowsLink | undefined;
  /** What was taken away of a set, by its name. */
  readonly removed: (set: string, filter: Readonly<Record<string, string>>) => RowsLink | undefined;
}

export function dataPart(
  { data, removed }: Pick<ReportInput, 'data' | 'removed'>,
  words: Words,
  links: DataLinks,
): Part {
  const { say } = words;
  const lost = countReasons((removed ?? []).filter(({ set }) => set === 'untranslated'));
  const asked = Object.values(lost).reduce((sum, number) => sum + number, 0);
  const blocks =
    data.length === 0
      ? [note(say('No statistics of the data were given.'))]
      : [
          ...data.flatMap((set) => dataBlocks(set, words, links)),
          ...(asked > 0 ? [rejectedBlock({ name: 'untranslated', rows: 0, rejected: lost }, words, links)] : []),
        ];
  return { id: 'data', title: say('Data'), blocks };
}

function countReasons(rows: readonly RemovedRow[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of rows) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

function dataBlocks(set: DataStatistics, words: Words, links: DataLinks): Block[] {
  const { say } = words;
  const rowsOf: SetRowsOf = (filter) => links.kept(set, filter);
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
    ...(set.figures ? figureBlocks(set.name, set.figures, words, rowsOf) : []),
    rejectedBlock(set, words, links),
  ];
}

/** More bars than this are a wall; the rest is named by number. */
const maxBars = 24;

function languageTable(
  set: DataStatistics,
  languages: readonly (readonly [string, number])[],
  words: Words,
  rowsOf: SetRowsOf,
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

function rejectedBlock(
  { rejected, rows, name }: Pick<DataStatistics, 'rejected' | 'rows' | 'name'>,
  words: Words,
  links: DataLinks,
): Block {
  const { say } = words;
  const reasons = byCount(rejected);
  const away = reasons.reduce((sum, [, number]) => sum + number, 0);
  if (away === 0) return text(say('Taken away: none.'));
  return table({
    caption: say('Taken away from “{name}”: {share}', { name, share: words.share(away, rows + away) }),
    key: `rejected ${name}`,
    columns: [{ label: say('reason') }, { label: say('rows'), numeric: true }],
    rows: reasons.map(([reason, number]) => [
      words.told(reason),
      shareCell(number, rows + away, words, links.removed(name, { reason })),
    ]),
  });
}

/** Greatest first; equal ones by name, so that the same data give the same page. */
function byCount(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
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
