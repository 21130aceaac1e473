/** Automatic evaluations: held-out loss, questions that can be checked, what was forgotten, how varied answers are. */

import type { Interval } from '../base/intervals.ts';
import type { AutomaticSummary, CheckedByLanguage } from '../evaluate/automatic-summary.ts';
import { countCell, rangeCell } from './figure-cells.ts';
import { fixed, signed } from './format.ts';
import { type Block, note, type Part, table, text } from './part.ts';
import type { AutomaticInput } from './report-input.ts';
import type { RowsLink } from './rows.ts';
import type { Cell } from './table.ts';
import type { Phrase, Words } from './words.ts';

type LinkTo = (set: 'exact' | 'choice' | 'loss', filter: Readonly<Record<string, string>>) => RowsLink;

const numeric = (label: string) => ({ label, numeric: true });
const inPercent = ({ mean, low, high, n }: Interval): Interval => ({
  mean: 100 * mean,
  low: 100 * low,
  high: 100 * high,
  n,
});

export function automaticPart(id: string, name: string, { summary }: AutomaticInput, words: Words): Part {
  const { say } = words;
  const { model, against } = summary;
  const link: LinkTo = (set, filter) => ({ set: `${id}-${set}`, filter });
  const measured: [Phrase, CheckedByLanguage, 'exact' | 'choice', string][] = [
    ['Short answers, exact', summary.exact, 'exact', 'model'],
    ['Short answers, contained', summary.contained, 'exact', 'contained'],
    ['Choice, by log-probability', summary.choice, 'choice', 'model'],
    ['Choice, per byte', summary.choicePerByte, 'choice', 'perByte'],
  ];
  const blocks: Block[] = [
    text(
      against === undefined
        ? say('{model}, measured without a judge.', { model })
        : say('{model}, held against {against}.', { model, against }),
    ),
    ...lossBlocks(summary, words, link),
    ...measured.flatMap(([title, checked, set, facet]) =>
      checkedBlocks(title, checked, summary, words, (filter) => link(set, filter), facet),
    ),
    ...forgettingBlocks(summary, words, link),
    ...diversityBlocks(summary, words),
  ];
  return { id, title: say('Automatic: {name}', { name }), blocks };
}

function lossBlocks({ loss, tooLong, model, against }: AutomaticSummary, words: Words, link: LinkTo): Block[] {
  const { say } = words;
  if (loss === undefined) return [text(say('No held-out texts were given: no loss.'))];
  const rows = Object.entries(loss).flatMap(([language, one]): Cell[][] => {
    const rowsOf = link('loss', { language });
    return [[model, one.model] as const, ...(one.against ? [[`${against}`, one.against] as const] : [])].map(
      ([name, figures]): Cell[] => [
        words.languageName(language),
        name,
        countCell(figures.tokens, null, rowsOf),
        rangeCell(figures.loss, 3, words, rowsOf),
        rangeCell(figures.perplexity, 2, words, rowsOf),
        rangeCell(figures.bitsPerByte, 4, words, rowsOf),
        name === model && one.difference ? rangeCell(one.difference.bitsPerByte, 4, words, rowsOf, signed) : '',
      ],
    );
  });
  return [
    table({
      caption: say('Loss on held-out texts'),
      columns: [
        { label: say('language') },
        { label: say('model') },
        ...[
          say('tokens'),
          say('nats per token'),
          say('perplexity'),
          say('bits per byte'),
          say('difference, bits per byte'),
        ].map(numeric),
      ],
      rows,
    }),
    ...(tooLong.length > 0
      ? [
          note(
            say('Left out, longer than a model’s positions: {conversations}.', {
              conversations: words.plural(tooLong.length, 'conversation'),
            }),
          ),
        ]
      : []),
  ];
}

function checkedBlocks(
  title: Phrase,
  checked: CheckedByLanguage,
  { model, against }: AutomaticSummary,
  words: Words,
  link: (filter: Readonly<Record<string, string>>) => RowsLink,
  facet: string,
): Block[] {
  const { say } = words;
  const entries = Object.entries(checked).filter(([language], _, all) => language !== 'all' || all.length > 2);
  if (entries.length === 0) return [];
  const isMain = facet === 'model';
  return [
    table({
      caption: say(title),
      columns: [
        { label: say('language') },
        ...[
          say('n'),
          model,
          ...(against === undefined
            ? []
            : [against, say('difference, points'), say('right only now'), say('right only before')]),
          say('blind choice'),
        ].map(numeric),
      ],
      rows: entries.map(([language, one]): Cell[] => {
        const of = (filter: Readonly<Record<string, string>>) =>
          link({ ...(language !== 'all' && { language }), ...filter });
        const { n, comparison, chance } = one;
        return [
          words.languageName(language),
          countCell(n, null, of({})),
          rangeCell(inPercent(one.model), 1, words, of({ [facet]: 'right' })),
          ...(against === undefined
            ? []
            : [
                rangeCell(one.against && inPercent(one.against), 1, words, of(isMain ? { against: 'right' } : {})),
                rangeCell(comparison && inPercent(comparison.difference), 1, words, of({}), signed),
                countCell(comparison?.higher ?? 0, n, of(isMain ? { change: 'gained' } : {})),
                countCell(comparison?.lower ?? 0, n, of(isMain ? { change: 'lost' } : {})),
              ]),
          chance === undefined ? '–' : { text: `${fixed(100 * chance, 0)} %`, figure: { value: 100 * chance, n } },
        ];
      }),
    }),
  ];
}

function forgettingBlocks({ forgetting }: AutomaticSummary, words: Words, link: LinkTo): Block[] {
  const { say } = words;
  if (forgetting === undefined || forgetting.length === 0) return [];
  return [
    table({
      caption: say('Did it forget? Paired tests, corrected for both measures (Holm)'),
      columns: [
        { label: say('measure') },
        numeric(say('n')),
        numeric(say('difference, points')),
        numeric('p'),
        numeric('p (Holm)'),
        { label: say('in a word') },
      ],
      rows: forgetting.map(({ measure, n, difference, p, pHolm, forgot }) => [
        say(measure === 'exact' ? 'Short answers, exact' : 'Choice, by log-probability'),
        countCell(n, null, link(measure, {})),
        rangeCell(inPercent(difference), 1, words, link(measure, {}), signed),
        { text: fixed(p, 4), figure: { value: p, n } },
        { text: fixed(pHolm, 4), figure: { value: pHolm, n } },
        forgot ? say('worse') : say('no clear loss'),
      ]),
    }),
  ];
}

function diversityBlocks({ diversity }: AutomaticSummary, words: Words): Block[] {
  const { say } = words;
  if (diversity === undefined || diversity.length === 0) return [];
  return [
    table({
      caption: say('How varied the answers are'),
      columns: [
        { label: say('language') },
        ...[
          say('answers'),
          say('different ones'),
          say('words or characters'),
          'distinct-1',
          'distinct-2',
          'distinct-3',
        ].map(numeric),
      ],
      rows: diversity.map(({ language, answers, unique, units, distinct }) => [
        words.languageName(language),
        countCell(answers, null),
        { text: words.share(unique, answers), figure: { value: unique, n: answers } },
        countCell(units, null),
        ...distinct.map(
          (value): Cell => (value === null ? say('none') : { text: fixed(value, 3), figure: { value, n: units } }),
        ),
      ]),
    }),
    text(say('Distinct-n falls as texts grow: compare files of about as many words.')),
  ];
}
