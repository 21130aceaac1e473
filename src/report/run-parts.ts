/** The parts on how the student came to be: data, training, costs, and what the run was started with. No judgement. */
import type { DataStatistics } from '../data/statistics.ts';
import { countBars, learningRateChart, lossChart, lossSeries } from './charts.ts';
import { figureBlocks } from './data-figures.ts';
import { count, dollars, duration, fixed, languageName, plural, share } from './format.ts';
import { type Block, charts, heading, note, type Part, table, text } from './part.ts';
import { plainWithoutSecrets } from './plain.ts';
import type { ReportInput, StageCost } from './report-input.ts';

export function trainingPart({ training }: ReportInput): Part {
  const { log } = training;
  const first = log[0];
  const last = log.at(-1);
  const head =
    first === undefined || last === undefined
      ? note('The training log is empty: no curve can be drawn.')
      : text(
          `${plural(log.length, 'step')} over ${plural(new Set(log.map(({ epoch }) => epoch)).size, 'epoch')} in ${duration(training.seconds)}: ` +
            `the loss of a step went from ${fixed(first.loss, 3)} to ${fixed(last.loss, 3)} nats per answer token.`,
        );
  return { id: 'training', title: 'Training', blocks: [head, ...curves(training), table(trainingTable(training))] };
}

function curves({ log }: ReportInput['training']): Block[] {
  if (log.length === 0) return [];
  const { binSteps, windowSteps } = lossSeries(log);
  const thin = binSteps > 1 ? `mean of ${binSteps} steps` : 'each step';
  const skipped = log.filter(({ loss }) => !Number.isFinite(loss)).length;
  const caption = [
    `${plural(log.length, 'step')}; each is the mean over the answer tokens of that step`,
    ...(windowSteps > 1 ? [`thin: ${thin}, thick: mean of ${windowSteps} steps`] : []),
    ...(skipped > 0 ? [`${plural(skipped, 'step')} without a finite loss not drawn`] : []),
  ].join('; ');
  return [
    charts(
      { title: 'Training loss by step', svg: lossChart(log), caption: `${caption}.` },
      { title: 'Learning rate by step', svg: learningRateChart(log), caption: `${plural(log.length, 'step')}.` },
    ),
  ];
}

function trainingTable(training: ReportInput['training']) {
  const { documents, dropped, cut, labelTokens, trainedTokens, seconds, parameters, dtype, log } = training;
  const speed = seconds > 0 ? `${count(Math.round(trainedTokens / seconds))} tokens per second` : 'not measured';
  const norms = log.map(({ gradNorm }) => gradNorm).filter((norm) => !Number.isNaN(norm));
  const gradients = norms.sort((a, b) => a - b);
  const rows: [string, string][] = [
    ['conversations trained on', count(documents)],
    ['cut at the end of a turn', share(cut, documents)],
    ['left out (too long, or no answer in them)', share(dropped, documents + dropped)],
    ['tokens computed', count(trainedTokens)],
    ['answer tokens (only they have a loss)', count(labelTokens)],
    ['parameters', `${count(parameters)} in ${dtype}`],
    ['time', `${duration(seconds)}, ${speed}`],
  ];
  if (gradients.length > 0) {
    const middle = gradients[Math.floor((gradients.length - 1) / 2)]!;
    rows.push([
      'gradient norm',
      `median ${fixed(middle, 2)}, greatest ${fixed(gradients.at(-1)!, 2)} of ${plural(gradients.length, 'step')}`,
    ]);
  }
  return { caption: 'Training in figures', columns: [{ label: '' }, { label: '' }], rows };
}

export function dataPart({ data }: ReportInput): Part {
  const blocks = data.length === 0 ? [note('No statistics of the data were given.')] : data.flatMap(dataBlocks);
  return { id: 'data', title: 'Data', blocks };
}

function dataBlocks(set: DataStatistics): Block[] {
  const languages = byCount(set.byLanguage);
  const categories = byCount(set.byCategory);
  const of = plural(set.rows, 'row');
  const languageText = languages.map(([code, rows]) => `${languageName(code)} ${share(rows, set.rows)}`).join(', ');
  const drawn = categories.slice(0, maxBars);
  const more = categories.length - drawn.length;
  return [
    heading(`“${set.name}”`),
    text(`${of}, answers by ${set.teacher}. Languages: ${languageText || 'not recorded'}.`),
    ...(set.rows === 0 ? [] : [table(lengthTable(set))]),
    ...(drawn.length === 0
      ? [text('Categories: not recorded.')]
      : [
          charts({
            title: `Categories of “${set.name}”`,
            svg: countBars('Rows by category', drawn),
            caption: `${of}${more > 0 ? `; ${plural(more, 'smaller category')} not drawn` : ''}.`,
          }),
        ]),
    ...(set.figures ? figureBlocks(set.name, set.figures) : []),
    rejectedBlock(set),
  ];
}

/** More bars than this are a wall; the rest is named by number. */
const maxBars = 24;

function lengthTable({ answerLength, rows }: DataStatistics) {
  const { mean, median, p95, max } = answerLength;
  return {
    caption: `Length of the answers of ${plural(rows, 'row')} in words, of Chinese ones in characters`,
    columns: ['mean', 'median', '95 % are at most', 'longest'].map((label) => ({ label, numeric: true })),
    rows: [[fixed(mean, 1), count(median), count(p95), count(max)]],
  };
}

function rejectedBlock({ rejected, rows, name }: DataStatistics): Block {
  const reasons = byCount(rejected);
  const away = reasons.reduce((sum, [, number]) => sum + number, 0);
  if (away === 0) return text('Taken away: none.');
  return table({
    caption: `Taken away from “${name}”: ${share(away, rows + away)}`,
    columns: [{ label: 'reason' }, { label: 'rows', numeric: true }],
    rows: reasons.map(([reason, number]) => [reason, share(number, rows + away)]),
  });
}

/** Greatest first; equal ones by name, so that the same data give the same page. */
function byCount(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

export function costsPart({ costs }: ReportInput): Part {
  if (costs.length === 0) return { id: 'costs', title: 'Costs', blocks: [text('No teacher was called in this run.')] };
  const sum = (value: (cost: StageCost) => number): number => costs.reduce((total, cost) => total + value(cost), 0);
  const total: StageCost = {
    stage: 'all stages',
    calls: sum(({ calls }) => calls),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    usd: sum(({ usd }) => usd),
    unpricedCalls: sum(({ unpricedCalls }) => unpricedCalls),
    inDoubtCalls: sum(({ inDoubtCalls }) => inDoubtCalls),
    inDoubtUsd: sum(({ inDoubtUsd }) => inDoubtUsd),
  };
  const numeric = (label: string) => ({ label, numeric: true });
  const columns = ['calls', 'tokens in', 'tokens out', 'cost', 'calls in doubt', 'in doubt, at most'];
  return {
    id: 'costs',
    title: 'Costs',
    blocks: [
      table({
        caption: 'Teacher calls in the ledger by stage, US dollars; a ledger shared by runs has the calls of all',
        columns: [{ label: 'stage' }, ...columns.map(numeric)],
        rows: (costs.length > 1 ? [...costs, total] : costs).map(costRow),
      }),
      text(
        'In doubt: sent, but the answer was not stored before the run was interrupted. The teacher may have charged for these calls; they are counted at their upper bound.',
      ),
    ],
  };
}

function costRow(cost: StageCost): string[] {
  const { stage, calls, inputTokens, outputTokens, usd, unpricedCalls, inDoubtCalls, inDoubtUsd } = cost;
  const counts = [calls, inputTokens, outputTokens].map(count);
  const unknown = unpricedCalls > 0 ? ` and ${plural(unpricedCalls, 'call')} of unknown price` : '';
  return [stage, ...counts, dollars(usd) + unknown, count(inDoubtCalls), dollars(inDoubtUsd)];
}

export function configurationPart({ config, versions }: ReportInput): Part {
  const rows = Object.entries(versions).map(([name, version]) => [name, version]);
  return {
    id: 'configuration',
    title: 'Configuration and versions',
    blocks: [
      { kind: 'json', summary: 'The resolved configuration of this run', value: plainWithoutSecrets(config) },
      rows.length === 0
        ? text('Versions: not recorded.')
        : table({ caption: 'Versions', columns: [{ label: '' }, { label: '' }], rows }),
    ],
  };
}
