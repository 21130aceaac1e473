import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSource } from '../../recipes/report-sources.ts';
import { TeacherError } from '../../src/base/errors.ts';
import { toJsonl } from '../../src/base/jsonl.ts';
import { dataStatistics } from '../../src/data/statistics.ts';
import type { Block } from '../../src/report/part.ts';
import type { Source } from '../../src/report/report-input.ts';
import { reportParts, reportRows } from '../../src/report/report-parts.ts';
import type { BrowserRow, RowsLink } from '../../src/report/rows.ts';
import { cellText, type FigureCell, type Table } from '../../src/report/table.ts';
import { chinese, english } from '../../src/report/words.ts';
import { writeReport } from '../../src/report/write-report.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { answer, entry } from '../teacher/fixtures/make.ts';
import { makeInput } from './fixture.ts';

/** A run's folder as its stages leave it: two sets, what they lost, and a ledger. */
const scratch = mkdtempSync(join(tmpdir(), 'report-run-rows-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const folder = join(scratch, 'run');

function write(path: string, content: unknown): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, path.endsWith('.jsonl') ? toJsonl(content as unknown[]) : JSON.stringify(content));
}

const conversation = (id: string, language: string, question: string, reply: string, calls: string[] = []) => ({
  ...{ id, language, category: 'tasks' },
  messages: [{ role: 'user', content: question } as const, { role: 'assistant', content: reply } as const],
  provenance: { source: 'generated', teacher: 'the-teacher', calls } as const,
});
const answered = [
  conversation('a1', 'en', 'Write a story about a boat.', 'The boat needs water.', ['c'.repeat(64)]),
  conversation('a2', 'en', 'Write a poem about rain.', 'Rain, rain.'),
  conversation('a3', 'zh', '写一个故事。', '从前有一座山。'),
];
const generated = [
  conversation('g1', 'en', 'Write a short story.', 'A man walked.'),
  conversation('g2', 'en', 'Name the largest lake you know.', 'Lake Superior.'),
  conversation('g3', 'en', 'Name the days of the week in order, please.', 'Monday, …'),
];

const { title, finishedAt, provenance, versions, config, training, evaluation } = makeInput({ english: 6, chinese: 2 });
const { log, documents: _, cut: _cut, dropped: _dropped, ...sft } = training;

beforeAll(() => {
  const kept = generated.slice(0, 2);
  write('answer-1/data.jsonl', answered);
  write('answer-1/rejects.jsonl', []);
  write('generate-1/data.jsonl', generated);
  write('generate-1/rejects.jsonl', [
    { id: 'r1', text: 'Write a', call: 'd'.repeat(64), reason: 'cut' },
    {
      id: 'r2',
      text: 'Write a story.',
      call: 'e'.repeat(64),
      reason: 'too similar',
      detail: 'F 0.91 with: Write a story',
    },
    { id: 'r3', text: 'Name a', reason: 'cut' },
  ]);
  write('data-1/removed.jsonl', [
    { row: 2, id: 'g3', question: 'q1', reason: 'shared run', detail: 'the days of the week' },
    { row: 2, id: 'g3', question: 'q2', reason: 'similar', detail: 'ROUGE-L F 0.800' },
  ]);
  // As a run that stood elsewhere recorded them.
  const inputs = ['answer-1', 'generate-1'].map((stage) => ({ file: `elsewhere/run/${stage}/data.jsonl`, sha256: '' }));
  write('data-1/stage.json', { inputs: [...inputs, { file: 'assets/questions/en.jsonl', sha256: '' }] });
  const teacher = 'the-teacher';
  const rejected = { cut: 2, 'too similar': 1, 'overlaps with a test question': 1 };
  write('data-1/statistics.json', [
    dataStatistics('answered', answered, { teacher }),
    dataStatistics('generated', kept, { teacher, rejected }),
  ]);
  const trained = [
    ...answered.map((row) => ['answer-1', row] as const),
    ...kept.map((row) => ['generate-1', row] as const),
  ];
  write(
    'data-1/train-data.jsonl',
    trained.map(([stage, row]) => ({
      ...row,
      provenance: { ...row.provenance, file: `elsewhere/run/${stage}/data.jsonl`, row: 1 },
    })),
  );
  const receipt = {
    kept: 4,
    cut: [{ row: 2, message: 'a2: cut from 90 to 60 tokens at a turn’s end' }],
    dropped: [{ row: 5, message: 'g2: 2000 tokens, the limit is 1024' }],
  };
  write('sft-1/sft.json', { ...sft, receipt });
  write('sft-1/train.jsonl', log);
  write('evaluate-1/rows.jsonl', evaluation.rows);
  write('run.json', {
    ...{ config: { ...(config as object), name: title, about: provenance }, versions, finishedAt },
    stages: { data: 'data-1', sft: 'sft-1', evaluate: 'evaluate-1' },
    costs: [
      {
        ...{ stage: 'answers', calls: 3, inputTokens: 30, outputTokens: 15, usd: 0.2, unpricedCalls: 1 },
        ...{ inDoubtCalls: 1, inDoubtUsd: 1 },
      },
      {
        ...{ stage: 'judge', calls: 1, inputTokens: 10, outputTokens: 5, usd: 0.1, unpricedCalls: 0 },
        ...{ inDoubtCalls: 0, inDoubtUsd: 0 },
      },
    ],
  });
  fillLedger();
});

/** Stored, stored at an unknown price, failed with a key in what the provider said, in doubt. */
function fillLedger(): void {
  const ledger = new Ledger(join(folder, 'ledger.sqlite'));
  const [one, two, three, lost, unsure] = ['1', '2', '3', '4', '5'].map((text) => entry(`secret prompt ${text}`));
  const judged = { ...entry('secret verdict'), stage: 'judge' };
  ledger.markSent([one!, two!, three!, lost!, unsure!, judged]);
  const said = answer('secret answer');
  ledger.store([
    { ...one!, answer: said, costUsd: 0.1 },
    { ...two!, answer: said, costUsd: 0.1 },
    { ...three!, answer: said, costUsd: undefined },
    { ...judged, answer: said, costUsd: 0.1 },
  ]);
  const error = new TeacherError('refused the key sk-abcdefghijklmnop', { status: 400, retryable: false });
  ledger.fail([{ ...lost!, error, mayHaveCharged: true }]);
  ledger.close();
}

const read = (): Source => readSource(folder, 'run', { out: join(scratch, 'out') });
const tablesOf = (blocks: readonly Block[]): Table[] =>
  blocks.flatMap((block) =>
    block.kind === 'table' ? [block.table] : block.kind === 'folded' ? tablesOf(block.blocks) : [],
  );

describe('the rows of a run', () => {
  const open = () => {
    const report = { title, sources: [read()] };
    const sets = new Map(reportRows(report, english).map((set) => [set.id, set.rows]));
    const behind = ({ set, filter }: RowsLink): BrowserRow[] =>
      (sets.get(set) ?? []).filter(({ facets }) =>
        Object.entries(filter).every(([name, value]) => facets[name]?.includes(value)),
      );
    const tables = reportParts(report, english).flatMap(({ id, blocks }) =>
      tablesOf(blocks).map((table) => ({ id, table })),
    );
    const cells = tables.flatMap(({ id, table }) =>
      table.rows.flatMap((row) =>
        row.slice(1).map((cell, i) => ({
          ...{ part: id, table: table.caption, row: cellText(row[0]!), column: table.columns[i + 1]!.label },
          cell: cell as FigureCell,
        })),
      ),
    );
    return { sets, behind, cells };
  };

  it('are as many as each figure on data says', () => {
    const { behind, cells } = open();
    const counted = cells.filter(
      ({ part, table, cell }) => part === 'data' && typeof cell !== 'string' && cell.figure && !/^Length/.test(table),
    );
    // Languages, what was taken away, verbs, pairs.
    expect(counted.length).toBeGreaterThan(12);
    for (const { table, row, cell } of counted)
      expect(behind(cell.rows!).length, `${table}: ${row}`).toBe(cell.figure!.value);
    const write = counted.filter(
      ({ table, row }) => /most frequent root verbs of instructions/.test(table) && row === 'write',
    );
    expect(write.map(({ cell }) => behind(cell.rows!).map(({ id }) => id))).toEqual([['a1', 'a2'], ['g1']]);
    const pairs = counted.filter(({ row }) => row === 'write story');
    expect(pairs.map(({ cell }) => behind(cell.rows!).map(({ id }) => id))).toEqual([['a1'], ['g1']]);
  });

  it('say why each was taken away, and by which questions of the test', () => {
    const { sets } = open();
    const removed = sets.get('run-1-removed')!;
    expect(removed.map(({ id, facets }) => [id, facets['reason']![0]])).toEqual([
      ['r1', 'cut'],
      ['r2', 'too similar'],
      ['r3', 'cut'],
      ['g3', 'overlaps with a test question'],
    ]);
    const overlap = removed[3]!;
    expect(overlap.prompt).toBe('Name the days of the week in order, please.');
    expect(Object.fromEntries(overlap.values)).toMatchObject({
      'in detail': 'q1: the days of the week\nq2: ROUGE-L F 0.800',
      file: 'generate-1/data.jsonl:3',
    });
    expect(Object.fromEntries(removed[1]!.values)).toMatchObject({
      calls: 'e'.repeat(12),
      file: 'generate-1/rejects.jsonl:2',
    });
    const translated = reportRows({ title, sources: [read()] }, chinese).find(({ id }) => id === 'run-1-removed')!;
    expect(Object.fromEntries(translated.rows[1]!.values)['原因']).toBe('与已有的过于相似');
  });

  it('show what training cut or left out', () => {
    const { behind, cells } = open();
    const find = (name: string) => cells.find(({ part, row }) => part === 'training' && row === name)!.cell;
    expect(behind(find('conversations trained on').rows!)).toHaveLength(4);
    expect(behind(find('cut at the end of a turn').rows!).map(({ id }) => id)).toEqual(['a2']);
    const [left] = behind(find('left out (too long, or no answer in them)').rows!);
    expect([left!.id, Object.fromEntries(left!.values)['in training']]).toEqual([
      'g2',
      'g2: 2000 tokens, the limit is 1024',
    ]);
    expect(behind(find('time').rows!)).toHaveLength(log.length);
  });

  it('are the calls of a stage, in numbers alone', () => {
    const { behind, cells, sets } = open();
    const find = (row: string, column: string) =>
      cells.find((one) => one.part === 'costs' && one.row === row && one.column === column)!;
    expect(behind(find('answers', 'calls').cell.rows!)).toHaveLength(3);
    expect(behind(find('all stages', 'cost').cell.rows!)).toHaveLength(4);
    // One in doubt, one given up that may have been charged.
    expect(behind(find('answers', 'calls in doubt').cell.rows!)).toHaveLength(2);
    const calls = sets.get('run-1-calls')!;
    expect(calls.map(({ facets }) => facets['state']![0])).toEqual([
      'stored',
      'stored',
      'stored',
      'failed',
      'in doubt',
      'stored',
    ]);
    expect(calls[2]!.facets['flags']).toEqual(['unpriced']);
    const all = JSON.stringify(calls);
    expect(all).not.toMatch(/secret/);
    expect(all).toContain('refused the key sk-[redacted]');
    const page = writeReport(join(scratch, 'out'), { title, sources: [read()] });
    expect(readFileSync(page, 'utf8')).not.toMatch(/secret (prompt|answer|verdict)/);
  });
});

describe('a run with less in it', () => {
  it('is told which file it lacks, and what to do', () => {
    const file = join(folder, 'sft-1', 'sft.json');
    renameSync(file, `${file}.away`);
    try {
      expect(read).toThrow(/run lacks sft-1\/sft\.json$/);
      expect(() => read()).toThrow(expect.objectContaining({ hint: expect.stringContaining('command again') }));
    } finally {
      renameSync(`${file}.away`, file);
    }
  });

  it('has no rows of calls and of what went where those are not, and says so', () => {
    const away = ['ledger.sqlite', 'generate-1'];
    for (const name of away) renameSync(join(folder, name), join(scratch, name));
    try {
      const report = { title, sources: [read()] };
      expect(reportRows(report, english).map(({ id }) => id)).toEqual(['run-1-questions', 'run-1-steps', 'run-1-data']);
      const costs = reportParts(report, english).find(({ id }) => id === 'costs')!;
      expect(JSON.stringify(costs)).toContain('does not stand in the run’s folder');
    } finally {
      for (const name of away) renameSync(join(scratch, name), join(folder, name));
    }
  });
});
