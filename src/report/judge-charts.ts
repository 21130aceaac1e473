/** The bars of a judge's results: mean scores, percent of a reference model as the paper's figure 4, win rates. */
import type { MatchResult, ModelScores } from '../evaluate/judge-results.ts';
import { type PercentBar, percentBars } from './comparison-charts.ts';
import { count, fixed } from './format.ts';
import { publishedScores } from './paper-figures.ts';
import type { Chart } from './part.ts';
import type { JudgeInput } from './report-input.ts';
import type { RowsLink } from './rows.ts';
import { matchName } from './rows-of-judge.ts';
import type { Words } from './words.ts';

export type LinkTo = (set: 'comparisons' | 'verdicts', filter: Readonly<Record<string, string>>) => RowsLink;

export function scoreBars(models: readonly ModelScores[], words: Words, link: LinkTo): Chart {
  const { say } = words;
  const bars = models.flatMap(({ model, mean }): PercentBar[] =>
    mean.value === null
      ? []
      : [
          {
            name: model,
            percent: mean.value,
            low: mean.low,
            high: mean.high,
            label: `${fixed(mean.value, 2)}  n = ${count(mean.n)}`,
            isPublished: false,
          },
        ],
  );
  const title = say('Mean score from 1 to 10');
  return {
    title,
    svg: percentBars(title, bars, 10),
    caption: say('Mean and 95 % interval, questions drawn whole.'),
    rows: link('verdicts', {}),
  };
}

/** One chart a reference model; published bars of the same reference below ours. */
export function ratioCharts({ results, knownSet }: JudgeInput, words: Words, link: LinkTo): Chart[] {
  const { say } = words;
  const scored = results.matches.filter((match) => match.ratio !== undefined && match.ratio.value !== null);
  const opponents = [...new Set(scored.map(({ opponent }) => opponent))];
  return opponents.map((opponent): Chart => {
    const ours = scored.filter((match) => match.opponent === opponent).map((match) => ratioBar(match, match.model));
    const published = knownSet === 'vicuna-80' ? publishedOf(opponent) : undefined;
    const paper = published?.rows.map(({ model, score, reference }): PercentBar => {
      const value = (100 * score) / reference;
      return {
        name: say('{model}, paper', { model }),
        percent: value,
        label: `${fixed(value, 1)} %  ${score} : ${reference}`,
        isPublished: true,
      };
    });
    const title = say('Percent of {reference}', { reference: opponent });
    return {
      title,
      svg: percentBars(title, [...ours, ...(paper ?? [])]),
      caption: say(
        'Ratio of the summed scores, with its 95 % interval by bootstrap over questions; sums behind the bars.',
      ),
      ...(paper && {
        legend: [
          ['after', say('measured here')],
          ['before', say('published')],
        ] as const,
      }),
      rows: link('comparisons', {}),
    };
  });
}

function ratioBar({ ratio, sums }: MatchResult, name: string): PercentBar {
  const scaled = (value: number | null | undefined) => (typeof value === 'number' ? 100 * value : null);
  const value = scaled(ratio?.value) ?? 0;
  const label = `${fixed(value, 1)} %${sums ? `  ${round(sums.model)} : ${round(sums.opponent)}` : ''}`;
  return { name, percent: value, low: scaled(ratio?.low), high: scaled(ratio?.high), label, isPublished: false };
}

export const round = (value: number): string => String(Math.round(100 * value) / 100);

/** `ChatGPT`, `gpt-4`: whatever the spelling, case and punctuation aside. */
function publishedOf(reference: string) {
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const aliases: Readonly<Record<string, string>> = { gpt35turbo: 'chatgpt', gpt35: 'chatgpt' };
  const wanted = plain(reference);
  return publishedScores.find((one) => plain(one.reference) === (aliases[wanted] ?? wanted));
}

export function winBars(matches: readonly MatchResult[], words: Words, link: LinkTo): Chart {
  const { say } = words;
  const bars = matches.flatMap(({ model, opponent, winRate, wins, ties, losses }): PercentBar[] =>
    winRate.value === null
      ? []
      : [
          {
            name: matchName(model, opponent),
            percent: 100 * winRate.value,
            low: winRate.low === null ? null : 100 * winRate.low,
            high: winRate.high === null ? null : 100 * winRate.high,
            label: `${fixed(100 * winRate.value, 1)} %  ${wins} / ${ties} / ${losses}`,
            isPublished: false,
          },
        ],
  );
  const title = say('Win rate of the first model, a tie as half');
  return {
    title,
    svg: percentBars(title, bars, 50),
    caption: say('With 95 % intervals; wins / ties / losses behind the bars; the line is at 50 %.'),
    rows: link('comparisons', {}),
  };
}
