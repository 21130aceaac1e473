/**
 * One or two data sets as an HTML page that asks the network for nothing and runs no script: their numbers side by side,
 * how long the answers are, which verbs and nouns they have. All text out of data goes through `html`.
 */
import type { SharedPairs } from '../data/statistics-compare.ts';
import type { DataFigures } from '../data/statistics-figures.ts';
import type { SetStatistics, VerbNounTexts } from '../data/statistics-set.ts';
import { countBars } from './charts.ts';
import { figureBlocks, lengthChart, verbNounSentence } from './data-figures.ts';
import { count, languageName, plural } from './format.ts';
import { html, trusted } from './html.ts';
import { partHtml } from './page.ts';
import { type Block, charts, note, type Part, table, text } from './part.ts';
import { statisticsRows } from './statistics-table.ts';
import { style } from './style.ts';

export interface StatisticsPageInput {
  /** One or two. */
  readonly sets: readonly {
    readonly name: string;
    readonly statistics: SetStatistics;
    readonly figures: DataFigures;
  }[];
  /** Of two sets. */
  readonly pairs?: Readonly<Partial<Record<VerbNounTexts, Readonly<Record<string, SharedPairs>>>>> | undefined;
  /** The model whose tokenizer counted, where tokens were counted. */
  readonly model?: string | undefined;
}

const policy = "default-src 'none'; style-src 'unsafe-inline'";

export function statisticsPage(input: StatisticsPageInput): string {
  const names = input.sets.map(({ name }) => name).join(' and ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Data statistics: ${names}</title>
<style>${trusted(style)}</style>
</head>
<body>
<header class="top">
<h1>Data statistics</h1>
<p class="soft">${names}${input.model === undefined ? '' : html` · tokens by the tokenizer of ${input.model}`}</p>
</header>
<main>
${[numbersPart(input), ...figureParts(input)].map(partHtml)}
</main>
</body>
</html>
`.markup;
}

function numbersPart({ sets }: StatisticsPageInput): Part {
  const values = [...sets.map(({ name }) => name), ...(sets.length > 1 ? ['difference'] : [])];
  const rows = statisticsRows(sets.map(({ statistics }) => statistics));
  return {
    id: 'numbers',
    title: 'Numbers',
    blocks: [
      text('Every row counts, whether or not training would take it.'),
      table({
        caption: 'Lengths are by nearest rank',
        columns: [{ label: '' }, ...values.map((label) => ({ label, numeric: true }))],
        rows,
      }),
    ],
  };
}

function figureParts({ sets, pairs }: StatisticsPageInput): Part[] {
  const [first] = sets;
  if (sets.length === 1 && first) {
    return [{ id: 'figures', title: 'Lengths, verbs and nouns', blocks: figureBlocks(first.name, first.figures) }];
  }
  const lengths = sets.flatMap(({ name, figures }) => figures.lengths.map((figure) => lengthChart(name, figure)));
  return [
    {
      id: 'lengths',
      title: 'Lengths',
      blocks: [lengths.length > 0 ? charts(...lengths) : note('There are no answers.')],
    },
    { id: 'pairs', title: 'Verbs and nouns', blocks: pairBlocks(sets, pairs ?? {}) },
  ];
}

function pairBlocks(sets: StatisticsPageInput['sets'], pairs: NonNullable<StatisticsPageInput['pairs']>): Block[] {
  const blocks = Object.entries(pairs).flatMap(([texts, languages]) =>
    Object.entries(languages).flatMap(([code, shared]): Block[] => {
      const what = `${texts} in ${languageName(code)}`;
      const { inBoth, onlyA, onlyB, top } = shared;
      const sentences = sets.flatMap(({ name, statistics }) => {
        const own = statistics.verbNouns[texts as VerbNounTexts]?.[code as 'en' | 'zh'];
        return own ? [`${name}: ${verbNounSentence(what, own)}`] : [];
      });
      const drawn = sets.map(({ name }, i) => ({
        title: `${what} of “${name}”`,
        svg: countBars(
          `Pairs of verb and noun in ${what} of set ${i + 1}`,
          top.map(({ verb, noun, a, b }): [string, number] => [`${verb} ${noun}`, i === 0 ? a : b]),
        ),
        caption: `The ${plural(top.length, 'pair')} most frequent in both sets together, in the same order.`,
      }));
      const both = `${plural(inBoth, 'pair')} in both sets, ${count(onlyA)} in the first alone, ${count(onlyB)} in the second alone.`;
      return [...[...sentences, both].map(text), ...(top.length > 0 ? [charts(...drawn)] : [])];
    }),
  );
  return blocks.length > 0 ? blocks : [note('No verbs and nouns were counted in both sets.')];
}
