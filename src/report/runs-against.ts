/**
 * Several runs held against the first: the students after training on the same questions, question by question, and what
 * the runs were told differently. Questions are the same where id, prompt and reference are.
 */
import { pairedDifference } from '../base/intervals.ts';
import { groupOf } from '../evaluate/rouge.ts';
import type { EvaluationRow } from '../evaluate/rows.ts';
import { countCell, meanCell } from './figure-cells.ts';
import { signed } from './format.ts';
import { verdictOf } from './headline.ts';
import { type Block, note, type Part, table, text } from './part.ts';
import { plainWithoutSecrets } from './plain.ts';
import type { RowsLink } from './rows.ts';
import type { Cell } from './table.ts';
import type { Phrase, Words } from './words.ts';

export interface ComparedRun {
  readonly id: string;
  readonly name: string;
  readonly rows: readonly EvaluationRow[];
  /** undefined where it was not recorded. */
  readonly config: unknown;
}

interface Measure {
  readonly name: Phrase;
  readonly better: 'lower' | 'higher';
  readonly places: number;
  /** Of the student after training; undefined where it was not measured. */
  readonly value: (row: EvaluationRow) => number | undefined;
  readonly weight?: (row: EvaluationRow) => number;
}

const measures: readonly Measure[] = [
  {
    name: 'Held-out loss',
    better: 'lower',
    places: 3,
    value: ({ referenceAfter: { sum, tokens } }) => (tokens === 0 ? undefined : -sum / tokens),
    weight: ({ referenceAfter }) => referenceAfter.tokens,
  },
  {
    name: 'Teacher’s log-probability',
    better: 'higher',
    places: 3,
    value: ({ teacherAfter }) => teacherAfter && teacherAfter.sum / teacherAfter.tokens,
  },
  { name: 'Teacher’s score', better: 'higher', places: 2, value: scoreAfter },
  {
    name: 'ROUGE-L',
    better: 'higher',
    places: 3,
    value: (row) => (groupOf(row) === 'cjk' ? undefined : row.rougeAfter),
  },
  {
    name: 'ROUGE-L by character',
    better: 'higher',
    places: 3,
    value: (row) => (groupOf(row) === 'cjk' ? row.rougeAfter : undefined),
  },
];

/** Mean of both orders; undefined where one is missing. */
function scoreAfter({ judge }: EvaluationRow): number | undefined {
  const scores = judge.flatMap(({ before, after }) => (before === undefined || after === undefined ? [] : [after]));
  return judge.length === 2 && scores.length === 2 ? (scores[0]! + scores[1]!) / 2 : undefined;
}

export function runsAgainstPart(runs: readonly ComparedRun[], words: Words): Part {
  const { say } = words;
  const [first, ...others] = runs as [ComparedRun, ...ComparedRun[]];
  const rows = others.flatMap((run) => againstRows(first, run, words));
  const numeric = (label: string) => ({ label, numeric: true });
  const blocks: Block[] = [
    text(
      say(
        'The students after training, question by question: each run − {first}. Only questions that both runs have count.',
        { first: first.name },
      ),
    ),
    rows.length === 0
      ? note(say('The runs have no question in common: nothing can be compared.'))
      : table({
          caption: say('After training, against {first}', { first: first.name }),
          columns: [
            { label: say('measure') },
            { label: say('run') },
            { label: say('language') },
            ...[say('n'), say('difference'), say('95 % interval')].map(numeric),
            { label: say('in a word') },
          ],
          rows,
        }),
    ...settingsBlocks(runs, words),
  ];
  return { id: 'against', title: say('Runs against each other'), blocks };
}

const sameQuestion = (a: EvaluationRow, b: EvaluationRow): boolean =>
  a.prompt === b.prompt && a.reference === b.reference;

function againstRows(first: ComparedRun, run: ComparedRun, words: Words): Cell[][] {
  const byId = new Map(first.rows.map((row) => [row.id, row]));
  const pairs = run.rows.flatMap((row) => {
    const own = byId.get(row.id);
    return own && sameQuestion(own, row) ? [{ first: own, second: row }] : [];
  });
  const languages = [...new Set(pairs.map(({ second }) => second.language))].sort();
  return measures.flatMap(({ name, better, places, value, weight }) =>
    languages.flatMap((language): Cell[][] => {
      const measured = pairs.flatMap((pair) => {
        const [before, after] = [value(pair.first), value(pair.second)];
        if (pair.second.language !== language || before === undefined || after === undefined) return [];
        // Two tokenizers: losses per token are not of the same thing.
        if (weight && weight(pair.first) !== weight(pair.second)) return [];
        return [{ before, after, weight: weight?.(pair.second) }];
      });
      const options = weight ? { weights: measured.map((one) => one.weight!) } : {};
      const difference = pairedDifference(
        measured.map(({ before }) => before),
        measured.map(({ after }) => after),
        options,
      );
      if (difference === undefined) return [];
      const rows: RowsLink = { set: `${run.id}-questions`, filter: { language } };
      return [
        [
          words.say(name),
          run.name,
          words.languageName(language),
          countCell(difference.n, null, rows),
          meanCell(difference, places, rows, signed),
          words.interval(difference, places),
          words.say(verdictOf(difference, better)),
        ],
      ];
    }),
  );
}

function settingsBlocks(runs: readonly ComparedRun[], words: Words): Block[] {
  const { say } = words;
  const known = runs.filter(({ config }) => config !== undefined);
  if (known.length < 2) return [];
  const flat = known.map(({ name, config }) => ({ name, values: new Map(flattened(plainWithoutSecrets(config), '')) }));
  const keys = [...new Set(flat.flatMap(({ values }) => [...values.keys()]))];
  const differing = keys.filter((key) => new Set(flat.map(({ values }) => values.get(key))).size > 1);
  if (differing.length === 0) return [text(say('All runs have the same configuration.'))];
  return [
    table({
      caption: say('Settings that differ: {n} of {all}', { n: differing.length, all: keys.length }),
      columns: [{ label: say('setting') }, ...flat.map(({ name }) => ({ label: name }))],
      rows: differing.map((key): Cell[] => [
        { text: key, differs: true },
        ...flat.map(({ values }) => values.get(key) ?? say('not set')),
      ]),
    }),
  ];
}

/** `sft.learningRate` → its value as JSON. */
function flattened(value: unknown, path: string): [string, string][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([name, member]) =>
    member === undefined ? [] : flattened(member, path === '' ? name : `${path}.${name}`),
  );
}
