/**
 * ROUGE of files of answers by the length of the reference, several models beside each other as in the paper. The paper's bars
 * stand beside where the pairs in each bucket are as many as on its 9,000 of Unnatural Instructions.
 */
import type { RougeKind, RougeMean } from '../evaluate/rouge.ts';
import { type GroupedBar, groupedBars, seriesClass } from './comparison-charts.ts';
import { bucketName, rougeText } from './evaluation-parts.ts';
import { countCell } from './figure-cells.ts';
import { count, fixed } from './format.ts';
import { publishedRouge } from './paper-figures.ts';
import { type Block, charts, folded, type Part, table, text } from './part.ts';
import type { RougeInput } from './report-input.ts';
import type { RowsLink } from './rows.ts';
import type { Cell } from './table.ts';
import type { Words } from './words.ts';

/** A file of answers; `id` is undefined where its rows were not kept. */
export interface NamedRouge {
  readonly id: string | undefined;
  readonly name: string;
  readonly input: RougeInput;
}

const numeric = (label: string) => ({ label, numeric: true });
const kindNames = { rouge1: 'ROUGE-1', rouge2: 'ROUGE-2', rougeL: 'ROUGE-L' } as const;

/** All files in one part: they are there to be compared. */
export function rougeFilesPart(files: readonly NamedRouge[], words: Words): Part {
  const { say } = words;
  const published = files.every(({ input }) => isPaperSet(input)) ? publishedRouge : undefined;
  const rowsOf = (file: NamedRouge, filter: Readonly<Record<string, string>>): RowsLink | undefined =>
    file.id === undefined || file.input.rows === undefined ? undefined : { set: `${file.id}-pairs`, filter };
  const blocks: Block[] = [
    text(say(rougeText)),
    ...(files.some(({ input }) => input.result.all.n > 0) ? [bucketChart(files, published, words)] : []),
    ...(published === undefined
      ? []
      : [
          text(
            say(
              'The references fall into the buckets as the paper’s 9,000 of Unnatural Instructions do; its figures stand beside, pale: {source}.',
              {
                source: published.source,
              },
            ),
          ),
        ]),
    kindTable('rougeL', files, words, rowsOf, published),
    folded(
      'ROUGE-1, ROUGE-2',
      (['rouge1', 'rouge2'] as const).map((kind) => kindTable(kind, files, words, rowsOf, undefined)),
    ),
  ];
  return { id: 'rouge-files', title: say('ROUGE by length of the reference'), blocks };
}

const isPaperSet = ({ result }: RougeInput): boolean =>
  result.cjk.n === 0 && result.buckets.every(({ n }, i) => n === publishedRouge.n[i]);

function bucketChart(files: readonly NamedRouge[], published: typeof publishedRouge | undefined, words: Words): Block {
  const { say } = words;
  const buckets = files[0]!.input.result.buckets.map(({ bucket }) => bucket);
  const groupOf = (bucket: string): string => {
    const counts = [
      ...new Set(files.map(({ input }) => input.result.buckets.find((one) => one.bucket === bucket)?.n ?? 0)),
    ];
    return `${bucketName(bucket, words)}\nn = ${counts.map(count).join(', ')}`;
  };
  const ours = files.flatMap(({ input }, series) =>
    input.result.buckets.flatMap(({ bucket, rougeL, intervals }): GroupedBar[] =>
      rougeL === null
        ? []
        : [
            {
              group: groupOf(bucket),
              series,
              value: rougeL,
              low: intervals.rougeL?.low ?? null,
              high: intervals.rougeL?.high ?? null,
            },
          ],
    ),
  );
  const paper = (published?.models ?? []).flatMap(({ values }, i) =>
    values.map(
      (value, at): GroupedBar => ({
        group: groupOf(buckets[at] ?? ''),
        series: files.length + i,
        value,
        isPublished: true,
      }),
    ),
  );
  const title = say('Mean ROUGE-L by words in the reference');
  const names = [
    ...files.map(({ name }) => name),
    ...(published?.models ?? []).map(({ model }) => say('{model}, paper', { model })),
  ];
  return charts({
    title,
    svg: groupedBars(title, say('mean, 95 % interval'), buckets.map(groupOf), [...ours, ...paper]),
    caption: say('Mean F-measure and 95 % interval; n pairs under each group.'),
    legend: names.map((name, i) => [`${seriesClass(i)}${i >= files.length ? ' pale' : ''}`, name] as const),
  });
}

function kindTable(
  kind: RougeKind,
  files: readonly NamedRouge[],
  words: Words,
  rowsOf: (file: NamedRouge, filter: Readonly<Record<string, string>>) => RowsLink | undefined,
  published: typeof publishedRouge | undefined,
): Block {
  const { say } = words;
  const groups: [
    string,
    Readonly<Record<string, string>>,
    (input: RougeInput) => RougeMean | undefined,
    readonly number[],
  ][] = [
    ...publishedRouge.buckets.map((bucket, i): (typeof groups)[number] => [
      bucketName(bucket, words),
      { length: bucket },
      ({ result }) => result.buckets.find((one) => one.bucket === bucket),
      publishedRouge.models.map(({ values }) => values[i] ?? Number.NaN),
    ]),
    [say('all, by words'), { units: 'words' }, ({ result }) => result.all, publishedRouge.models.map(({ all }) => all)],
    [say('Chinese, by its own units'), { units: 'characters' }, ({ result }) => result.cjk, []],
  ];
  const shown = groups.filter(([, , of]) => files.some(({ input }) => (of(input)?.n ?? 0) > 0));
  return table({
    caption: say('{kind}: mean F-measure', { kind: kindNames[kind] }),
    columns: [
      { label: say('reference') },
      ...files.flatMap(({ name }) => [numeric(say('n')), numeric(name)]),
      ...(published?.models ?? []).map(({ model }) => numeric(say('{model}, paper', { model }))),
    ],
    rows: shown.map(([name, filter, of, paper]): Cell[] => [
      name,
      ...files.flatMap((file): Cell[] => {
        const mean = of(file.input);
        const value = mean?.[kind] ?? null;
        const rows = rowsOf(file, filter);
        if (mean === undefined || value === null) return ['0', say('none')];
        const ends = mean.intervals[kind];
        const cell = ends
          ? say('{value} ({ends})', { value: fixed(value, 4), ends: words.range(ends, 4) })
          : fixed(value, 4);
        return [
          countCell(mean.n, null, rows),
          { text: cell, figure: { value, low: ends?.low ?? null, high: ends?.high ?? null, n: mean.n }, rows },
        ];
      }),
      ...(published
        ? paper.map((value): Cell => ({ text: fixed(value, 4), figure: { value, n: paperN(name, words) } }))
        : []),
      ...(published && paper.length === 0 ? publishedRouge.models.map(() => '') : []),
    ]),
  });
}

/** Pairs behind a published figure. */
function paperN(name: string, words: Words): number {
  const at = publishedRouge.buckets.findIndex((bucket) => bucketName(bucket, words) === name);
  return at < 0 ? publishedRouge.n.reduce((sum, n) => sum + n, 0) : publishedRouge.n[at]!;
}
