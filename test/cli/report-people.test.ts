import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FigureRecord } from '../../src/report/figures.ts';
import { makeStudy } from './people-study.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-report-people-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const folder = join(scratch, 'people');
const hostile = '<script>window.hacked = 1</script>';
const items = Array.from({ length: 6 }, (_, i) => ({
  id: `q${i + 1}`,
  question: `Question ${i + 1}: why?`,
  answers: { one: `${hostile} Because of ${i}.`, two: `It is so, and it was so ${'for long '.repeat(2 * i)}.` },
}));

interface Choices {
  readonly percent: number;
  readonly count: number;
}
interface Results {
  readonly votes: number;
  readonly left: Choices & { readonly decided: number };
  readonly pairs: readonly {
    readonly criteria: readonly { readonly criterion: string; readonly win: Choices; readonly tie: Choices }[];
  }[];
  readonly raterQuality: readonly { readonly rater: string; readonly checks: number; readonly checksPassed: number }[];
}
interface Row {
  readonly facets: Readonly<Record<string, readonly string[]>>;
  readonly texts: readonly (readonly [string, string])[];
}

let results: Results;
let figures: readonly FigureRecord[];
let sets: readonly { readonly id: string; readonly rows: readonly Row[] }[];
let acknowledged: number;

beforeAll(async () => {
  acknowledged = await makeStudy(folder, items, { raters: 3, flags: ['--raters-per-item', '3', '--attention', '0.2'] });
  results = JSON.parse((await understudy(['evaluate', 'human', 'results', folder, '--json'])).stdout) as Results;
  const { code, stdout, stderr } = await understudy(['report', folder]);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout.trim()).toBe(`report: ${join(folder, 'report', 'index.html')}`);
  const report = readFileSync(join(folder, 'report', 'report.json'), 'utf8');
  ({ figures } = JSON.parse(report) as { figures: FigureRecord[] });
  const page = readFileSync(join(folder, 'report', 'index.html'), 'utf8');
  const inline = page.matchAll(/<script type="application\/json" id="rows-([^"]+)">([\s\S]*?)<\/script>/g);
  sets = [...inline].map(([, id, rows]) => ({ id: id!, rows: JSON.parse(rows!) as Row[] }));
}, 120_000);

/** The rows that a figure's address opens. */
function behind({ rows }: FigureRecord): Row[] {
  const asked = new URLSearchParams(rows?.split('#')[1] ?? '');
  const set = sets.find(({ id }) => id === asked.get('rows'));
  const chosen = [...asked].filter(([name]) => name !== 'rows');
  return set!.rows.filter(({ facets }) => chosen.every(([name, value]) => facets[name]?.includes(value)));
}

it('has the figures that `evaluate human results` has, and behind each as many votes as it counts', () => {
  // Three raters on six items; checks are votes too, but no figure's.
  expect(acknowledged).toBeGreaterThan(18);
  expect(results.votes).toBe(3 * 18);
  for (const { criterion, win, tie } of results.pairs[0]!.criteria) {
    const find = (column: string) => figures.find((one) => one.row === criterion && one.column === column)!;
    expect([find('one wins').value, find('tie').value]).toEqual([win.percent, tie.percent]);
    expect(find('one wins').n).toBe(18);
    expect([behind(find('one wins')).length, behind(find('tie')).length]).toEqual([win.count, tie.count]);
  }
  const left = figures.find(({ table }) => table.startsWith('Whether the place'))!;
  expect([left.value, left.n]).toEqual([results.left.percent, results.left.decided]);
  for (const { rater, checks, checksPassed } of results.raterQuality) {
    const passed = figures.find(({ row, column }) => row === rater && column === 'checks passed')!;
    const votes = behind(passed);
    expect([votes.length, passed.value]).toEqual([checks, checksPassed]);
    expect(votes.filter(({ facets }) => facets['check']?.includes('passed'))).toHaveLength(checksPassed);
  }
});

it('shows each vote as it stood before its rater, and no answer as markup', () => {
  const votes = sets
    .find(({ id }) => id === 'people-1-votes')!
    .rows.filter(({ facets }) => facets['kind']![0] === 'item');
  const firstLeft = votes.map(({ texts }) => texts[0]![0]);
  expect(new Set(firstLeft)).toEqual(new Set(['one (on the left)', 'two (on the left)']));
  expect(votes[0]!.texts.some(([, text]) => text.startsWith(hostile))).toBe(true);
  expect(readFileSync(join(folder, 'report', 'index.html'), 'utf8')).not.toContain(hostile);
});
