import type { AnnotationSummary, Bounds, ReviewSummary } from '../../src/evaluate/imported-verdicts.ts';
import type { Cases } from '../../src/evaluate/judge-figures.ts';
import { print, printJson } from '../terminal.ts';

/** So many failed reviews are listed for people; --json lists all. */
const fewFailures = 20;

/** Prints what the verdicts of a file of another project come to. */
export async function judgeImported(file: string, { json }: { readonly json?: boolean }): Promise<void> {
  const { readImportedVerdicts, summarizeAnnotations, summarizeReviews } = await import(
    '../../src/evaluate/imported-verdicts.ts'
  );
  const verdicts = readImportedVerdicts(file);
  const { form } = verdicts;
  if (form === 'vicuna-reviews') {
    const summary = summarizeReviews(verdicts.reviews);
    if (json) printJson({ ...summary, form });
    else print(await reviewTable(file, summary));
  } else {
    const summary = summarizeAnnotations(verdicts.annotations);
    if (json) printJson({ ...summary, form });
    else print(await annotationTable(summary));
  }
}

async function reviewTable(file: string, summary: ReviewSummary): Promise<string> {
  const { count, fixed, plural, share } = await import('../../src/report/format.ts');
  const { asked, parsed, failed, questions, intervals, bounds, failures } = summary;
  const mean = (sum: number) => (parsed === 0 ? '–' : fixed(sum / parsed, 2));
  const ratio = (value: number | null) => (value === null ? '–' : fixed(value, 4));
  const row = (name: string, ...cells: string[]) =>
    `${name.padEnd(16)}${cells.map((cell) => cell.padStart(12)).join('')}`;
  const lines = [
    `${plural(asked, 'review')} of ${plural(questions, 'question')} with scores; ` +
      `scores read in ${share(parsed, asked)}, not readable in ${count(failed)}`,
    '',
    row('', 'first', 'second'),
    row('sum of scores', fixed(summary.sum1, 2), fixed(summary.sum2, 2)),
    row('mean score', mean(summary.sum1), mean(summary.sum2)),
    row('wins', count(summary.wins1), count(summary.wins2)),
    row('ties', count(summary.ties)),
    '',
    `first / second     ${ratio(summary.ratio)}${within(intervals.ratio, (value) => fixed(value, 4))}`,
    `mean difference    ${parsed === 0 ? '–' : fixed((summary.sum1 - summary.sum2) / parsed, 2)}` +
      within(intervals.difference, (value) => fixed(value, 2)),
  ];
  if (bounds !== null) {
    const { ratio: ratios, wins1 } = bounds;
    lines.push(
      `whatever the ${failed} had said: ratio ${cases(ratios, ratio)}, wins of the first ${cases(wins1, String)}`,
    );
  }
  for (const { row: at, question, reason } of failures.slice(0, fewFailures))
    lines.push(`not readable: ${file}:${at}, question ${question}: ${reason}`);
  if (failures.length > fewFailures) lines.push(`… and ${failures.length - fewFailures} more: --json lists all`);
  return lines.join('\n');
}

async function annotationTable(summary: AnnotationSummary): Promise<string> {
  const { count, fixed, plural, share } = await import('../../src/report/format.ts');
  const { asked, judged, nulls, winRate, standardError, intervals, bounds } = summary;
  const percent = (value: number | null) => (value === null ? '–' : `${fixed(value, 2)} %`);
  const lines = [
    `${plural(asked, 'annotation')}; judged ${share(judged, asked)}, not judged ${count(nulls)}`,
    `output_2: ${plural(summary.wins, 'win')}, ${count(summary.losses)} lost, ${plural(summary.draws, 'draw')}`,
    `win rate          ${percent(winRate)}${within(intervals.winRate, percent)}`,
    `standard error    ${percent(standardError)}`,
  ];
  if (bounds !== null) lines.push(`whatever the ${nulls} had been: win rate ${cases(bounds.winRate, percent)}`);
  return lines.join('\n');
}

const within = (bounds: Bounds | null, write: (value: number) => string): string =>
  bounds === null ? '' : ` (95 % interval ${write(bounds.low)} to ${write(bounds.high)})`;

const cases = ({ worst, best }: Cases, write: (value: number) => string): string =>
  `${worst === null ? '–' : write(worst)} to ${best === null ? '–' : write(best)}`;
