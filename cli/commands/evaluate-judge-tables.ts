/** What a judge's verdicts come to, for people. */
import type { JudgeSummary } from '../../recipes/judge.ts';
import type { PositionBias, SelfPreference } from '../../src/evaluate/judge-biases.ts';
import type { Cases, Figure } from '../../src/evaluate/judge-figures.ts';
import type { CallCounts, MatchResult, ModelScores, Named, Tally } from '../../src/evaluate/judge-results.ts';
import { count, fixed, plural, share, signed } from '../../src/report/format.ts';
import { bold } from '../terminal.ts';

type Write = (value: number) => string;

const percent: Write = (value) => `${fixed(100 * value, 1)} %`;
const points: Write = (value) => fixed(value, 2);
const labelWidth = 20;
const line = (label: string, text: string): string => `  ${label.padEnd(labelWidth)}${text}`;

export function judgeTables(summary: JudgeSummary): string {
  const { settings, calls, questions, prompts, models, matches, selfPreference } = summary;
  const { mode, teacher, baseline } = settings;
  const wordings = prompts.map(({ name, version, pointsVersion }) => `${name} ${version}.${pointsVersion}`);
  const left = summary.files.answers.flatMap(({ model, missing }) =>
    missing.length > 0 ? [line('not answered', `${model}: ${plural(missing.length, 'turn')}, left out`)] : [],
  );
  return [
    [
      bold(`${teacher} as judge, mode ${mode}, ${plural(questions, 'question')}`),
      line('calls', callsText(calls)),
      line('wording', wordings.join(', ')),
      ...left,
    ].join('\n'),
    ...models.map(scoresText),
    ...matches.map((match) => matchText(match, baseline !== null)),
    ...(matches.length > 1 && summary.position
      ? [`${bold('all comparisons')}\n${positionText(summary.position)}`]
      : []),
    line('self-preference', selfText(selfPreference)),
  ].join('\n\n');
}

const callsText = ({ asked, answered, parsed, unreadable, refused, failed }: CallCounts): string =>
  `${count(asked)} asked, ${count(answered)} answered, verdicts read in ${share(parsed, asked)}; ` +
  `not readable ${count(unreadable)}, refused ${count(refused)}, failed ${count(failed)}`;

function figureText({ value, low, high, n }: Figure, write: Write): string {
  if (value === null) return '–';
  const interval = low === null || high === null ? '' : `, 95 % interval ${write(low)} to ${write(high)}`;
  return `${write(value)} (of ${count(n)}${interval})`;
}

const casesText = ({ worst, best }: Cases, write: Write): string =>
  `${worst === null ? '–' : write(worst)} to ${best === null ? '–' : write(best)}`;

function scoresText(scores: ModelScores): string {
  const { model, sum, mean, bounds, asked, parsed } = scores;
  return [
    bold(model),
    line('scores', `sum ${points(sum)} over ${share(parsed, asked)}`),
    line('mean', figureText(mean, points)),
    ...(bounds ? [line('missing ones', `whatever they had been: mean ${casesText(bounds, points)}`)] : []),
    ...breakdown(scores, (part: Figure) => figureText(part, points)),
  ].join('\n');
}

function matchText(match: MatchResult, hasBaseline: boolean): string {
  const { model, opponent, asked, wins, ties, losses, winRate, bounds, sums, ratio, position, length } = match;
  const { longerWins, correlation } = length;
  return [
    bold(`${model} against ${opponent}`),
    line('compared', `${share(match.compared, asked)}: won ${count(wins)}, tie ${count(ties)}, lost ${count(losses)}`),
    line('win rate', figureText(winRate, percent)),
    ...(bounds ? [line('missing ones', `whatever they had been: win rate ${casesText(bounds.winRate, percent)}`)] : []),
    line('length-controlled', lengthControlledText(match)),
    ...(sums && ratio
      ? [
          line('sums of scores', `${points(sums.model)} : ${points(sums.opponent)}`),
          line(hasBaseline ? `of ${opponent}` : 'ratio', figureText(ratio, percent)),
        ]
      : []),
    ...(bounds?.ratio ? [line('missing ones', `whatever they had been: ${casesText(bounds.ratio, percent)}`)] : []),
    ...(position ? [positionText(position)] : []),
    line('longer answer won', `${figureText(longerWins, percent)}; correlation ${figureText(correlation, points)}`),
    ...breakdown(match, tallyText),
  ].join('\n');
}

function lengthControlledText({ lengthControlled: found }: MatchResult): string {
  if ('unfit' in found) return `– (${found.unfit})`;
  const { winRate, fit } = found;
  const { value, standardError } = fit.length;
  return (
    `${figureText({ ...winRate, value: winRate.mean }, percent)}; ` +
    `length’s coefficient ${signed(value, 2)} ± ${points(standardError)} per ${points(fit.lengthScale)} characters`
  );
}

function positionText({ flips, flipShare, firstAmongFlips, firstOverall, firstLead }: PositionBias): string {
  return [
    line(
      'orders disagree',
      `${count(flips)}: ${figureText(flipShare, percent)}; first shown won in ${figureText(firstAmongFlips, percent)}`,
    ),
    line('first shown won', figureText(firstOverall, percent)),
    ...(firstLead ? [line('first shown leads', `${figureText(firstLead, (value) => signed(value, 2))} points`)] : []),
  ].join('\n');
}

function selfText(self: SelfPreference): string {
  if ('notMeasurable' in self) return `not measurable: ${self.notMeasurable}`;
  const { own, ownWinRate, othersWinRate, difference } = self;
  const inPoints: Write = (value) => signed(100 * value, 1);
  return (
    `${own.join(', ')}: win rate ${figureText(ownWinRate, percent)}, others ${figureText(othersWinRate, percent)}; ` +
    `difference in points ${figureText(difference, inPoints)}`
  );
}

const tallyText = ({ wins, ties, losses, asked, compared, winRate, ratio }: Tally): string =>
  `${count(compared)} of ${count(asked)}: won ${count(wins)}, tie ${count(ties)}, lost ${count(losses)}; ` +
  `win rate ${figureText(winRate, percent)}${ratio ? `; ratio ${figureText(ratio, percent)}` : ''}`;

function breakdown<T extends object>(
  { categories, languages, turns }: Record<'categories' | 'languages' | 'turns', readonly Named<T>[]>,
  write: (part: T) => string,
): string[] {
  return [
    ...categories.map((part) => line(`  ${part.name}`, write(part))),
    ...languages.map((part) => line(`  ${part.name}`, write(part))),
    ...turns.map((part) => line(`  turn ${part.name}`, write(part))),
  ];
}
