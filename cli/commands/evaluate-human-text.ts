/** People's results for a terminal. */
import type { Coefficient } from '../../src/evaluate/agreement.ts';
import type { PairResult, Percentage } from '../../src/evaluate/people.ts';
import { count, fixed, plural, share } from '../../src/report/format.ts';
import type { PeopleResults } from '../../studio/server/results.ts';

export function peopleLines(results: PeopleResults, bold: (text: string) => string): string[] {
  const { items, asked, raters, votes, comments, leftOut, left, pairs, raterQuality, judge } = results;
  return [
    `${plural(votes, 'vote')} of ${plural(raters, 'rater')} on ${count(items)} of ${plural(asked, 'item')}, ` +
      `${results.ratersPerItem} raters an item wanted; ${plural(comments, 'comment')}`,
    ...(leftOut.length > 0 ? [`left out: ${leftOut.join(', ')}`] : []),
    ...(left === null
      ? []
      : [`for the answer on the left: ${percent(left, left.decided)} of the votes that are no tie`]),
    ...pairs.flatMap((pair) => ['', ...pairLines(pair, bold)]),
    '',
    bold('raters'),
    `  ${'name'.padEnd(20)}${['items', 'checks passed', 'median', 'with majority'].map((name) => name.padStart(17)).join('')}`,
    ...raterQuality.map((rater) => {
      const time = rater.medianSeconds === null ? '–' : `${fixed(rater.medianSeconds, 1)} s`;
      const cells = [
        count(rater.items),
        `${rater.checksPassed} of ${rater.checks}`,
        time,
        `${rater.withMajority} of ${rater.compared}`,
      ];
      return `  ${rater.rater.padEnd(20)}${cells.map((cell) => cell.padStart(17)).join('')}`;
    }),
    ...(judge === undefined ? [] : ['', bold('people’s majority and the judge')]),
    ...(judge ?? []).flatMap(({ criterion, items: both, agreed, kappa, withoutMajority, withoutVerdict }) => [
      `  ${criterion.padEnd(12)}${agreed === null ? 'no item has both' : `the same on ${percent(agreed, both)}`}`,
      `  ${''.padEnd(12)}κ ${coefficient(kappa)}; without a majority ${withoutMajority}, without a verdict ${withoutVerdict}`,
    ]),
  ];
}

function pairLines(
  { modelA, modelB, items, criteria, agreement }: PairResult,
  bold: (text: string) => string,
): string[] {
  return [
    bold(`${modelA} and ${modelB}, ${plural(items, 'item')}`),
    ...criteria.flatMap((one) => {
      const agreed = agreement.find(({ criterion }) => criterion === one.criterion);
      return [
        `  ${one.criterion}`,
        `    ${`${modelA} better`.padEnd(22)}${percent(one.win, one.votes)}`,
        `    ${'the same'.padEnd(22)}${percent(one.tie, one.votes)}`,
        `    ${`${modelB} better`.padEnd(22)}${percent(one.lose, one.votes)}`,
        ...(agreed === undefined
          ? []
          : [
              `    ${'Fleiss’ κ'.padEnd(22)}${coefficient(agreed.fleissKappa)}`,
              `    ${'Krippendorff’s α'.padEnd(22)}${coefficient(agreed.krippendorffAlpha)}`,
            ]),
      ];
    }),
  ];
}

const percent = (part: Percentage, whole: number): string =>
  `${share(part.count, whole)}, 95 % interval ${fixed(part.low, 1)} to ${fixed(part.high, 1)}`;

function coefficient({ value, low, high, reason }: Coefficient): string {
  const interval = low === null || high === null ? '' : ` (95 % interval ${fixed(low, 3)} to ${fixed(high, 3)})`;
  return `${value === null ? '–' : fixed(value, 3)}${interval}${reason === undefined ? '' : ` (${reason})`}`;
}
