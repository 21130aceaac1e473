/**
 * What the report draws of a data set, after the figures of Self-Instruct and of Peng et al. 2023: how long the answers are,
 * and what is asked for and told, as root verbs with their noun objects; the counts stand beside.
 */
import type { DataFigures, LengthFigure } from '../data/statistics-figures.ts';
import { verbNounTexts } from '../data/statistics-set.ts';
import type { VerbNounStatistics } from '../data/statistics-verb-nouns.ts';
import { countBars, lengthBars } from './charts.ts';
import { countCell } from './figure-cells.ts';
import { count } from './format.ts';
import { type Block, type Chart, charts, folded, table, text } from './part.ts';
import type { RowsLink } from './rows.ts';
import type { VerbTexts } from './rows-of-data.ts';
import { english, type Words } from './words.ts';

/** More pairs than this are a wall. */
const drawnPairs = 20;

/** Links into a set's rows; gives undefined where they are not at hand. */
export type SetRowsOf = (filter: Readonly<Record<string, string>>) => RowsLink | undefined;

export function figureBlocks(
  name: string,
  { lengths, verbNouns }: DataFigures,
  words: Words = english,
  rowsOf: SetRowsOf = () => undefined,
): Block[] {
  const all = verbNounsOf(verbNouns, words);
  const drawn = [
    ...lengths.map((figure) => ({ ...lengthChart(name, figure, words), rows: rowsOf({}) })),
    ...all.flatMap(({ what, statistics }) =>
      statistics.pairs.length > 0 ? [{ ...pairChart(name, what, statistics, words), rows: rowsOf({}) }] : [],
    ),
  ];
  return [...(drawn.length > 0 ? [charts(...drawn)] : []), ...all.flatMap((one) => verbBlocks(one, words, rowsOf))];
}

interface NamedVerbs {
  /** `instructions in English` and so on. */
  readonly what: string;
  readonly texts: VerbTexts;
  readonly statistics: VerbNounStatistics;
}

function verbNounsOf(verbNouns: DataFigures['verbNouns'], words: Words): NamedVerbs[] {
  return verbNounTexts.flatMap((texts) =>
    Object.entries(verbNouns[texts] ?? {}).map(([code, statistics]) => ({
      what: words.say(texts === 'answers' ? 'answers in {language}' : 'instructions in {language}', {
        language: words.languageName(code),
      }),
      ...{ texts, statistics },
    })),
  );
}

export function lengthChart(name: string, { unit, answers, bins }: LengthFigure, words: Words = english): Chart {
  const { say } = words;
  const units = say(unit);
  const longer = bins.filter(({ to }) => to === undefined);
  const drawn = bins.flatMap(({ from, to, count }) => (to === undefined ? [] : [{ from, to, count }]));
  const away = longer.map((bin) =>
    say('; {share} of {from} {units} or more not drawn', {
      share: words.share(bin.count, answers),
      from: count(bin.from),
      units,
    }),
  );
  return {
    title: say('Length of the answers of “{name}”', { name }),
    svg: lengthBars(
      say('Answers by length in {units}', { units }),
      say('{units} in the answer', { units }),
      drawn,
      say('answers'),
    ),
    caption: say('{text}.', {
      text: `${words.plural(answers, 'answer')}${unit === 'characters' ? say(' in Chinese') : ''}${away.join('')}`,
    }),
  };
}

function pairChart(
  name: string,
  what: string,
  { pairs, withPair, uniquePairs }: VerbNounStatistics,
  words: Words,
): Chart {
  const { say } = words;
  const drawn = pairs.slice(0, drawnPairs);
  const counts = drawn.map(({ verb, noun, count }): [string, number] => [`${verb} ${noun}`, count]);
  return {
    title: say('What is done to what: {what} of “{name}”', { what, name }),
    svg: countBars(say('Most frequent pairs of verb and noun in {what}', { what }), counts),
    caption: say('Root verb and direct noun object of {texts}; {drawn} of {pairs} drawn.', {
      texts: words.plural(withPair, 'text'),
      drawn: count(drawn.length),
      pairs: words.plural(uniquePairs, 'pair'),
    }),
  };
}

export function verbNounSentence(what: string, statistics: VerbNounStatistics, words: Words = english): string {
  const { texts, withVerb, withPair, uniqueVerbs, uniquePairs, frequentPairs } = statistics;
  return words.say(
    'Of {texts} {what}, {withVerb} have a root verb and {withPair} a noun object of it: {pairs} of {verbs}, {frequent} of them more than ten times.',
    {
      texts: count(texts),
      what,
      withVerb: words.share(withVerb, texts),
      withPair: words.share(withPair, texts),
      pairs: words.plural(uniquePairs, 'different pair'),
      verbs: words.plural(uniqueVerbs, 'verb'),
      frequent: count(frequentPairs),
    },
  );
}

function verbBlocks({ what, texts, statistics }: NamedVerbs, words: Words, rowsOf: SetRowsOf): Block[] {
  const { say } = words;
  const sentence = text(verbNounSentence(what, statistics, words));
  if (statistics.top.length === 0) return [sentence];
  return [
    sentence,
    table({
      caption: say('The most frequent root verbs of {what}, and their most frequent noun objects', { what }),
      columns: [{ label: say('verb') }, { label: say('with an object'), numeric: true }, { label: say('objects') }],
      rows: statistics.top.map(({ verb, count: number, nouns }) => [
        verb,
        countCell(number, statistics.texts, rowsOf({ [`${texts}-verb`]: verb })),
        nouns.map((noun) => `${noun.noun} ${count(noun.count)}`).join(', '),
      ]),
    }),
    folded(say('The most frequent pairs of {what}', { what }), [
      table({
        caption: say('Most frequent pairs of verb and noun in {what}', { what }),
        columns: [{ label: say('verb and noun') }, { label: say('rows'), numeric: true }],
        rows: statistics.pairs.map(({ verb, noun, count: number }) => [
          `${verb} ${noun}`,
          countCell(number, statistics.texts, rowsOf({ [`${texts}-pair`]: `${verb} ${noun}` })),
        ]),
      }),
    ]),
  ];
}
