import { describe, expect, it } from 'vitest';
import { pairedDifference } from '../../src/base/intervals.ts';
import { alignRuns, alignTables } from '../../src/report/align.ts';
import { heading, note, type Part, table, text } from '../../src/report/part.ts';
import { runsAgainstPart } from '../../src/report/runs-against.ts';
import { cellText, type Table } from '../../src/report/table.ts';
import { chinese, english } from '../../src/report/words.ts';
import { makeInput } from './fixture.ts';

const numeric = (label: string) => ({ label, numeric: true });
const texts = ({ rows }: Table) => rows.map((row) => row.map(cellText));

describe('alignTables', () => {
  const one = (rows: Table['rows'], isSettings = false): Table => ({
    caption: 'c',
    columns: [{ label: '' }, numeric('value')],
    rows,
    isSettings,
  });

  it('gives each run a column where it has one value, and marks settings that differ', () => {
    const aligned = alignTables(
      [
        {
          name: 'a',
          table: one(
            [
              ['seed', '1'],
              ['rate', '2e-5'],
            ],
            true,
          ),
        },
        {
          name: 'b',
          table: one(
            [
              ['seed', '1'],
              ['rate', '1e-4'],
              ['steps', '9'],
            ],
            true,
          ),
        },
      ],
      english,
    );
    expect(aligned.columns.map(({ label }) => label)).toEqual(['', 'a', 'b']);
    expect(texts(aligned)).toEqual([
      ['seed', '1', '1'],
      ['rate', '2e-5', '1e-4'],
      ['steps', 'none', '9'],
    ]);
    expect(aligned.rows.map(([name]) => typeof name !== 'string' && name?.differs === true)).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('puts the runs of a row under one another where they have several values, each under its own column', () => {
    const wide = (labels: string[], rows: Table['rows']): Table => ({
      caption: 'c',
      columns: [{ label: '' }, ...labels.map(numeric)],
      rows,
    });
    const aligned = alignTables(
      [
        {
          name: 'a',
          table: wide(
            ['English', 'Chinese'],
            [
              ['wins', '3', '4'],
              ['ties', '1', '2'],
            ],
          ),
        },
        { name: 'b', table: wide(['English'], [['wins', '5']]) },
      ],
      chinese,
    );
    expect(aligned.columns.map(({ label }) => label)).toEqual(['', '运行', 'English', 'Chinese']);
    expect(texts(aligned)).toEqual([
      ['wins', 'a', '3', '4'],
      ['wins', 'b', '5', ''],
      ['ties', 'a', '1', '2'],
    ]);
    expect(aligned.rows.map(([name]) => typeof name !== 'string' && name?.isRepeated === true)).toEqual([
      false,
      true,
      false,
    ]);
  });
});

describe('alignRuns', () => {
  const part = (sentence: string, value: string): Part => ({
    id: 'p',
    title: 'P',
    blocks: [
      text(sentence),
      text('Said by all.'),
      heading('h'),
      table({ caption: `of ${value}`, key: 'k', columns: [{ label: '' }, numeric('')], rows: [['x', value]] }),
    ],
  });

  it('says once what all say, under the run’s name what one says, and lays tables of one key together', () => {
    const extra = { ...part('B.', '2'), blocks: [...part('B.', '2').blocks, note('Only b.')] };
    const [aligned] = alignRuns(
      [
        { name: 'a', parts: [part('A.', '1')] },
        { name: 'b', parts: [extra] },
      ],
      english,
    );
    const said = aligned!.blocks.map((block) =>
      block.kind === 'table' ? texts(block.table) : 'text' in block ? block.text : '',
    );
    expect(said).toEqual(['a: A.', 'b: B.', 'Said by all.', 'h', [['x', '1', '2']], 'b: Only b.']);
  });

  it('leaves one run as it is', () => {
    const parts = [part('A.', '1')];
    expect(alignRuns([{ name: 'a', parts }], english)).toEqual(parts);
  });
});

describe('runs against each other', () => {
  const input = makeInput({ english: 12, chinese: 0 });
  const { rows } = input.evaluation;
  const better = rows.slice(2).map((row) => ({ ...row, rougeAfter: Math.min(1, row.rougeAfter + 0.25) }));
  const run = (id: string, own: typeof rows, config: unknown) => ({ id, name: id, rows: own, config });
  const blocks = (second: ReturnType<typeof run>) =>
    runsAgainstPart([run('run-1', rows, { a: { b: 1 }, c: 2 }), second], english).blocks;
  const against = (second: ReturnType<typeof run>) =>
    blocks(second).flatMap((block) => (block.kind === 'table' ? [texts(block.table)] : []));

  it('are compared question by question, on the questions that both have', () => {
    const [figures, settings] = against(run('run-2', better, { a: { b: 7 }, c: 2 })) as [string[][], string[][]];
    const rouge = figures.find(([name]) => name === 'ROUGE-L')!;
    const expected = pairedDifference(
      rows.slice(2).map(({ rougeAfter }) => rougeAfter),
      better.map(({ rougeAfter }) => rougeAfter),
    )!;
    expect(rouge.slice(0, 5)).toEqual(['ROUGE-L', 'run-2', 'English', '10', `+${expected.mean.toFixed(3)}`]);
    expect(rouge.at(-1)).toBe('better');
    expect(figures.find(([name]) => name === 'Held-out loss')!.slice(3)).toEqual([
      '10',
      '0.000',
      '0.000 to 0.000',
      'no clear difference',
    ]);
    expect(settings).toEqual([['a.b', '1', '7']]);
  });

  it('are not compared on questions that only share an id', () => {
    const others = rows.map((row) => ({ ...row, reference: `${row.reference}!` }));
    const said = blocks(run('run-2', others, { a: { b: 1 }, c: 2 })).map((block) =>
      'text' in block ? block.text : '',
    );
    expect(said).toContain('The runs have no question in common: nothing can be compared.');
    expect(said).toContain('All runs have the same configuration.');
  });
});
