/**
 * What the report draws of a data set, after the figures of Self-Instruct and of Peng et al. 2023: how long the answers are,
 * and what is asked for and told, as root verbs with their noun objects; the counts stand beside.
 */
import type { DataFigures, LengthFigure } from '../data/statistics-figures.ts';
import type { VerbNounStatistics } from '../data/statistics-verb-nouns.ts';
import { countBars, lengthBars } from './charts.ts';
import { count, languageName, plural, share } from './format.ts';
import { type Block, type Chart, charts, table, text } from './part.ts';

/** More pairs than this are a wall. */
const drawnPairs = 20;

export function figureBlocks(name: string, { lengths, verbNouns }: DataFigures): Block[] {
  const all = verbNounsOf(verbNouns);
  const drawn = [
    ...lengths.map((figure) => lengthChart(name, figure)),
    ...all.flatMap(([what, statistics]) => (statistics.pairs.length > 0 ? [pairChart(name, what, statistics)] : [])),
  ];
  return [
    ...(drawn.length > 0 ? [charts(...drawn)] : []),
    ...all.flatMap(([what, statistics]) => verbBlocks(what, statistics)),
  ];
}

/** `instructions in English` and so on. */
function verbNounsOf(verbNouns: DataFigures['verbNouns']): [string, VerbNounStatistics][] {
  return Object.entries(verbNouns).flatMap(([texts, languages]) =>
    Object.entries(languages).map(([code, statistics]): [string, VerbNounStatistics] => [
      `${texts} in ${languageName(code)}`,
      statistics,
    ]),
  );
}

export function lengthChart(name: string, { unit, answers, bins }: LengthFigure): Chart {
  const longer = bins.filter(({ to }) => to === undefined);
  const drawn = bins.flatMap(({ from, to, count }) => (to === undefined ? [] : [{ from, to, count }]));
  const away = longer.map((bin) => `; ${share(bin.count, answers)} of ${count(bin.from)} ${unit} or more not drawn`);
  return {
    title: `Length of the answers of “${name}”`,
    svg: lengthBars(`Answers by length in ${unit}`, `${unit} in the answer`, drawn),
    caption: `${plural(answers, 'answer')}${unit === 'characters' ? ' in Chinese' : ''}${away.join('')}.`,
  };
}

function pairChart(name: string, what: string, { pairs, withPair, uniquePairs }: VerbNounStatistics): Chart {
  const drawn = pairs.slice(0, drawnPairs);
  const counts = drawn.map(({ verb, noun, count }): [string, number] => [`${verb} ${noun}`, count]);
  return {
    title: `What is done to what: ${what} of “${name}”`,
    svg: countBars(`Most frequent pairs of verb and noun in ${what}`, counts),
    caption: `Root verb and direct noun object of ${plural(withPair, 'text')}; ${count(drawn.length)} of ${plural(uniquePairs, 'pair')} drawn.`,
  };
}

export function verbNounSentence(what: string, statistics: VerbNounStatistics): string {
  const { texts, withVerb, withPair, uniqueVerbs, uniquePairs, frequentPairs } = statistics;
  return (
    `Of ${count(texts)} ${what}, ${share(withVerb, texts)} have a root verb and ${share(withPair, texts)} a noun object of it: ` +
    `${plural(uniquePairs, 'different pair')} of ${plural(uniqueVerbs, 'verb')}, ${count(frequentPairs)} of them more than ten times.`
  );
}

function verbBlocks(what: string, statistics: VerbNounStatistics): Block[] {
  const sentence = text(verbNounSentence(what, statistics));
  if (statistics.top.length === 0) return [sentence];
  return [
    sentence,
    table({
      caption: `The most frequent root verbs of ${what}, and their most frequent noun objects`,
      columns: [{ label: 'verb' }, { label: 'with an object', numeric: true }, { label: 'objects' }],
      rows: statistics.top.map(({ verb, count: number, nouns }) => [
        verb,
        count(number),
        nouns.map((noun) => `${noun.noun} ${count(noun.count)}`).join(', '),
      ]),
    }),
  ];
}
