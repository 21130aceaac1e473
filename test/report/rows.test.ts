import { describe, expect, it } from 'vitest';
import { figureRecords, figuresCsv } from '../../src/report/figures.ts';
import type { Block, Part } from '../../src/report/part.ts';
import type { Report } from '../../src/report/report-input.ts';
import { headlineTable, reportParts, reportRows, runsOf } from '../../src/report/report-parts.ts';
import { packRows, scriptJson } from '../../src/report/row-files.ts';
import { type RowSet, type RowsLink, rowsAddress } from '../../src/report/rows.ts';
import { cellText, type FigureCell, type Table } from '../../src/report/table.ts';
import { chinese, english } from '../../src/report/words.ts';
import {
  automaticSource,
  judgeSource,
  peopleSource,
  rewardSource,
  rlSource,
  rougeSource,
} from './evaluations-fixture.ts';
import { makeInput } from './fixture.ts';

const dataRows = [
  { id: 'd1', language: 'en', category: 'code', teacher: 'builtin:smollm2-135m-instruct', prompt: 'p', answer: 'a' },
  { id: 'd2', language: 'zh', category: '问答', teacher: 'builtin:smollm2-135m-instruct', prompt: 'p', answer: 'a' },
];
const report: Report = {
  title: 'all',
  sources: [
    { kind: 'run', name: 'a', files: { questions: '../evaluate/rows.jsonl' }, input: { ...makeInput(), dataRows } },
    { kind: 'comparison', name: 'b', files: {}, input: makeInput({ english: 12, chinese: 5 }).evaluation },
    judgeSource('reference', 'vicuna-80'),
    judgeSource('single'),
    judgeSource('pair'),
    peopleSource('user-oriented-252'),
    automaticSource(),
    rougeSource('answers'),
    rlSource(),
    rewardSource(),
  ],
};
const parts = reportParts(report, english);
const sets = reportRows(report, english);
const byId = new Map(sets.map((set) => [set.id, set]));

const tablesOf = (blocks: readonly Block[]): Table[] =>
  blocks.flatMap((block) =>
    block.kind === 'table' ? [block.table] : block.kind === 'folded' ? tablesOf(block.blocks) : [],
  );
const tables = [...parts.flatMap(({ blocks }) => tablesOf(blocks)), headlineTable(runsOf(report), english)];

const chosen = (all: ReadonlyMap<string, RowSet>, { set, filter }: RowsLink) =>
  all
    .get(set)!
    .rows.filter(({ facets }) => Object.entries(filter).every(([name, value]) => facets[name]?.includes(value)));

const linked = tables.flatMap((table) =>
  table.rows.flatMap((row) =>
    row.flatMap((cell) => (typeof cell !== 'string' && cell.rows ? [{ table, row, cell, link: cell.rows }] : [])),
  ),
);

describe('the rows behind figures', () => {
  it('are there for every figure that is made of some', () => {
    expect(linked.length).toBeGreaterThan(250);
    for (const { table, row, cell, link } of linked) {
      const { value, n } = cell.figure!;
      const name = `${table.caption}: ${row.map(cellText).join(' | ')}: ${rowsAddress(link)}`;
      expect(byId.has(link.set), name).toBe(true);
      const isOfData = link.set.endsWith('-data');
      // A flip share or a count of 0 is made of no row; the two rows of the data are too few for its statistics.
      if (n !== 0 && value !== 0 && value !== null && !isOfData)
        expect(chosen(byId, link).length, name).toBeGreaterThan(0);
    }
  });

  it('are as many as a count says', () => {
    const matches = tables.filter(({ caption }) => caption.startsWith('Each two models'));
    expect(matches).toHaveLength(3);
    const counted = ['comparisons with all verdicts', 'wins', 'ties', 'losses'];
    for (const { rows } of matches) {
      for (const row of rows.filter(([name = '']) => counted.includes(cellText(name)))) {
        for (const cell of row.slice(1) as FigureCell[])
          expect(chosen(byId, cell.rows!)).toHaveLength(cell.figure!.value!);
      }
    }
    const own = (report.sources[0] as { input: ReturnType<typeof makeInput> }).input.evaluation.summary.languages[
      'en'
    ]!;
    const of = (filter: Record<string, string>) =>
      chosen(byId, { set: 'run-1-questions', filter: { language: 'en', ...filter } }).length;
    const { judge, teacherLogprob } = own;
    expect([of({}), of({ judged: 'both' }), of({ flags: 'flip' })]).toEqual([
      own.questions,
      judge!.compared,
      judge!.flips,
    ]);
    expect([of({ winner: 'after' }), of({ winner: 'before' }), of({ winner: 'tie' })]).toEqual([
      judge!.wins,
      judge!.losses,
      judge!.ties,
    ]);
    expect([of({ likelier: 'after' }), of({ likelier: 'equal' })]).toEqual([
      teacherLogprob!.wins,
      teacherLogprob!.ties,
    ]);
    const exact = tables.find(({ caption }) => caption === 'Short answers, exact')!;
    for (const row of exact.rows) {
      for (const at of [1, 5, 6]) {
        const cell = row[at] as FigureCell;
        expect(chosen(byId, cell.rows!), cellText(row[0]!)).toHaveLength(cell.figure!.value!);
      }
    }
  });

  it('are chosen by the same values in Chinese', () => {
    const translated = reportRows(report, chinese);
    expect(translated.map(({ id, rows }) => [id, rows.map(({ facets }) => facets)])).toEqual(
      sets.map(({ id, rows }) => [id, rows.map(({ facets }) => facets)]),
    );
    expect(translated.find(({ id }) => id === 'people-6-items')!.title).toBe('people：人工比较的条目');
  });
});

describe('figures as data', () => {
  const headline: Part = {
    id: 'headline',
    title: '',
    blocks: [{ kind: 'table', table: headlineTable(runsOf(report), english) }],
  };
  const figures = figureRecords([headline, ...parts], sets);

  it('have value, interval, denominator and rows', () => {
    const loss = figures.find(
      ({ part, row, column }) =>
        part === 'headline' &&
        row.startsWith('Held-out loss, English') &&
        row.endsWith('· a') &&
        column === 'difference',
    )!;
    const { difference } = (report.sources[0] as { input: ReturnType<typeof makeInput> }).input.evaluation.summary
      .languages['en']!.heldOutLoss;
    expect(loss).toMatchObject({
      value: difference.mean,
      low: difference.low,
      high: difference.high,
      n: difference.n,
      rows: 'index.html#rows=run-1-questions&language=en',
      file: '../evaluate/rows.jsonl',
    });
    for (const { low, high, value, table, row } of figures) {
      if (low !== null && high !== null && value !== null) {
        expect(low, `${table}: ${row}`).toBeLessThanOrEqual(value + 1e-9);
        expect(high, `${table}: ${row}`).toBeGreaterThanOrEqual(value - 1e-9);
      }
    }
  });

  it('go into CSV: one line each, quoted where they must be, and no formula', () => {
    const one = { ...figures[0]!, row: '=HYPERLINK("x"), "y"', text: '−1' };
    const lines = figuresCsv([one]).split('\r\n');
    expect(lines[0]).toBe('part,table,row,column,value,low,high,n,text,rows,file');
    expect(lines[1]).toContain(`"'=HYPERLINK(""x""), ""y"""`);
    expect(lines).toHaveLength(3);
  });
});

describe('packRows', () => {
  it('puts few rows into the page and many into scripts beside it, which give the same rows', () => {
    const inside = packRows(sets);
    expect(inside.files).toEqual([]);
    expect(inside.sets.every(({ scripts }) => scripts.length === 0)).toBe(true);
    const beside = packRows(sets, 1000);
    expect(beside.inline).toEqual([]);
    const given = new Map<string, unknown[][]>();
    const understudyRows = (set: string, part: number, rows: unknown[]) => {
      const own = given.get(set) ?? [];
      own[part] = rows;
      given.set(set, own);
    };
    for (const { content } of beside.files) new Function('understudyRows', content)(understudyRows);
    for (const { id, rows } of sets) expect((given.get(id) ?? []).flat()).toEqual(JSON.parse(JSON.stringify(rows)));
  });

  it('cuts long sets into scripts of about a megabyte', () => {
    const [set] = sets as [RowSet];
    const row = { ...set.rows[0]!, prompt: 'x'.repeat(99_000) };
    const { files } = packRows([{ ...set, rows: Array(60).fill(row) }]);
    expect(files.length).toBe(6);
    for (const { content } of files) expect(content.length).toBeLessThan(1_010_000);
  });

  it('lets no markup into a script', () => {
    expect(scriptJson(JSON.stringify('</script><script>'))).not.toContain('<');
    expect(JSON.parse(scriptJson(JSON.stringify('</script>')))).toBe('</script>');
  });
});
