/**
 * The card of a data set: a README in Markdown with the front matter that the Hugging Face hub reads (its documentation,
 * "Dataset Cards"). It says what is known of how the rows came to be, and says so where something is not known.
 */
import type { DataRecord } from './formats/read-row.ts';

export interface CardFacts {
  readonly title: string;
  /** Files beside the card, with the split each is. */
  readonly files: readonly { readonly path: string; readonly split: string; readonly form: string }[];
  readonly rows: number;
  /** Rows by language (ISO 639-1), by what made them, and by who wrote the answers. */
  readonly languages: Readonly<Record<string, number>>;
  readonly sources: Readonly<Record<string, number>>;
  readonly teachers: Readonly<Record<string, number>>;
  /** Prompts of ours that the teacher was asked with. */
  readonly prompts?: readonly { readonly name: string; readonly version: number }[];
  /** ISO dates of the first and the last call, where they are known. */
  readonly asked?: { readonly from: string; readonly to: string };
  /** In their order: what went in, and what was taken away for which reason. */
  readonly filters: readonly {
    readonly name: string;
    readonly rows: number;
    readonly rejected: Readonly<Record<string, number>>;
  }[];
  /** An id that the hub knows, such as `cc-by-nc-4.0`. */
  readonly license?: string;
  /** What holds for the rows these were made from, in sentences. */
  readonly licenseNotes?: readonly string[];
  /** ISO date, program and version. */
  readonly made: { readonly date: string; readonly by: string };
}

/** The counts of a card, gathered as the rows pass by. */
export class CardTally {
  rows = 0;
  readonly languages: Record<string, number> = {};
  readonly sources: Record<string, number> = {};
  readonly teachers: Record<string, number> = {};

  add({ language = 'unknown', provenance }: Pick<DataRecord, 'language' | 'provenance'>): void {
    this.rows += 1;
    count(this.languages, language);
    count(this.sources, provenance.source);
    count(this.teachers, provenance.teacher ?? 'not recorded');
  }
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

export function datasetCard(facts: CardFacts): string {
  return `${frontMatter(facts)}\n${[...body(facts)].join('\n\n')}\n`;
}

function frontMatter({ title, files, rows, languages, sources, license }: CardFacts): string {
  const known = Object.keys(languages).filter((language) => /^[a-z]{2,3}$/.test(language));
  const isMade = (sources['generated'] ?? 0) > 0;
  const lines = [
    '---',
    `pretty_name: ${JSON.stringify(title)}`,
    `license: ${license ?? 'unknown'}`,
    ...(known.length > 0 ? ['language:', ...known.map((language) => `- ${JSON.stringify(language)}`)] : []),
    'task_categories:',
    '- text-generation',
    'tags:',
    '- instruction-tuning',
    ...(isMade ? ['- synthetic'] : []),
    'size_categories:',
    `- ${sizeCategory(rows)}`,
    'configs:',
    '- config_name: default',
    '  data_files:',
    ...files.flatMap(({ path, split }) => [`  - split: ${split}`, `    path: ${JSON.stringify(path)}`]),
    '---',
    '',
  ];
  return lines.join('\n');
}

/** The hub's names for sizes. */
function sizeCategory(rows: number): string {
  const bounds = [1e3, 1e4, 1e5, 1e6, 1e7];
  const names = ['1K', '10K', '100K', '1M', '10M'];
  const at = bounds.findIndex((bound) => rows < bound);
  if (at === 0) return 'n<1K';
  return at < 0 ? '10M<n<100M' : `${names[at - 1]}<n<${names[at]}`;
}

function* body(facts: CardFacts): Generator<string> {
  const { title, files, rows, languages, sources, teachers, prompts, asked, filters, made } = facts;
  yield `# ${title}`;
  yield `${rows} rows, made on ${made.date} by ${made.by}.`;
  yield table(
    ['file', 'split', 'form'],
    files.map(({ path, split, form }) => [path, split, form]),
  );
  yield '## How the rows came to be';
  yield table(['source', 'rows'], entries(sources));
  yield table(['who wrote the answers', 'rows'], entries(teachers));
  yield prompts === undefined
    ? 'The prompts that the answers were asked for with are not recorded here.'
    : `Prompts: ${prompts.map(({ name, version }) => `${name} (version ${version})`).join(', ')}.`;
  yield asked === undefined
    ? 'When the answers were asked for is not recorded here.'
    : `The answers were asked for between ${asked.from} and ${asked.to}.`;
  yield '## What was taken away';
  const taken = filters.flatMap(({ name, rows: before, rejected }) => {
    const reasons = entries(rejected);
    const [first = ['nothing', '0'], ...others] = reasons;
    return [[name, `${before}`, ...first], ...others.map((reason) => ['', '', ...reason])];
  });
  yield filters.length === 0 ? 'Nothing that is recorded.' : table(['step', 'rows in', 'taken away', 'rows'], taken);
  yield '## Languages';
  yield table(['language', 'rows'], entries(languages));
  yield '## Licence and terms';
  yield [...terms(facts)].join('\n\n');
}

function* terms({ license, licenseNotes = [], teachers }: CardFacts): Generator<string> {
  yield license === undefined
    ? 'No licence was given when this card was written: whoever publishes the rows has to choose one that the rows they were made from allow.'
    : `Licence: ${license}.`;
  yield* licenseNotes;
  const known = Object.keys(teachers).filter((name) => name !== 'not recorded');
  const whose = known.length > 0 ? `the terms of ${known.join(', ')}` : "their provider's terms";
  yield `Where answers were written by a model behind a service, ${whose} hold for them: such terms may forbid training models on the output, or models that compete with the provider's. Read them before training on these rows or passing them on.`;
}

const entries = (counts: Readonly<Record<string, number>>): string[][] =>
  Object.entries(counts)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([name, rows]) => [name, `${rows}`]);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text) => text.replace(/\s+/g, ' ').replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
