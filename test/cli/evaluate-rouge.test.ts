import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { FigureRecord } from '../../src/report/figures.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-rouge-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const at = (...names: string[]): string => join(scratch, ...names);
function write(name: string, rows: readonly unknown[]): string {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
}

const references = write('references.jsonl', [
  { id: 'b', output: 'the cat sat' },
  { id: 'a', output: '我爱北京' },
  { id: 7, output: 'yes' },
]);
const answers = write('answers.jsonl', [
  { id: 7, output: 'no' },
  { id: 'a', output: '我爱上海' },
  { id: 'b', output: 'the cat ran' },
]);
const rouge = (...more: string[]) =>
  understudy(['evaluate', 'rouge', '--answers', answers, '--references', references, ...more]);
const rowsOf = (folder: string): unknown[] =>
  readFileSync(join(folder, 'rows.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

describe('evaluate rouge --out', () => {
  it('keeps the figures as --json prints them, and every pair behind them', async () => {
    const { code, stdout, stderr } = await rouge('--out', at('kept'), '--json');
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(readFileSync(at('kept', 'summary.json'), 'utf8'))).toEqual(JSON.parse(stdout));
    expect(stdout).toBe((await rouge('--json')).stdout);
    const third = expect.closeTo(2 / 3, 12);
    const pair = (id: string, bucket: string, reference: string, candidate: string, figures: unknown[]) => ({
      ...{ id, bucket, reference, candidate },
      rouge: { rouge1: figures[0], rouge2: figures[1], rougeL: figures[2] },
    });
    expect(rowsOf(at('kept'))).toEqual([
      pair('b', '3-5', 'the cat sat', 'the cat ran', [third, 0.5, third]),
      pair('a', 'cjk', '我爱北京', '我爱上海', [0.5, expect.closeTo(1 / 3, 12), 0.5]),
      pair('7', '0-2', 'yes', 'no', [0, 0, 0]),
    ]);
    expect(readdirSync(at('kept')).sort()).toEqual(['rows.jsonl', 'summary.json']);
  });

  it('names pairs without ids by their place, and takes the place of earlier results', async () => {
    const file = write('plain.jsonl', [{ output: 'one two' }, { output: 'three' }]);
    const args = ['evaluate', 'rouge', '--answers', file, '--references', file, '--out', at('kept')];
    const { code, stdout, stderr } = await understudy(args);
    expect([code, stdout.split('\n')[1]]).toEqual([0, expect.stringMatching(/^all +2 +1\.0000/)]);
    expect(stderr).toContain('the pairs in rows.jsonl');
    expect(rowsOf(at('kept'))).toMatchObject([{ id: '1' }, { id: '2' }]);
  });

  it('refuses a folder that is in use for something else, and leaves it as it was', async () => {
    mkdirSync(at('other'));
    writeFileSync(at('other', 'summary.json'), '{"questions":3}');
    writeFileSync(at('other', 'rows.jsonl'), 'mine');
    const { code, stderr } = await rouge('--out', at('other'));
    expect([code, stderr]).toEqual([2, expect.stringContaining('holds something else than results')]);
    expect(stderr).toContain('rows.jsonl, summary.json');
    expect(readFileSync(at('other', 'rows.jsonl'), 'utf8')).toBe('mine');
    const file = await rouge('--out', answers);
    expect([file.code, file.stderr]).toEqual([2, expect.stringContaining('expected a folder, got the file')]);
  });

  it('is reported on, its rows behind its figures', async () => {
    await rouge('--out', at('mine'));
    const { code, stdout } = await understudy(['report', at('mine')]);
    expect([code, stdout.trim()]).toEqual([0, `report: ${at('mine', 'report', 'index.html')}`]);
    const { figures } = JSON.parse(readFileSync(at('mine', 'report', 'report.json'), 'utf8')) as {
      figures: FigureRecord[];
    };
    const figure = figures.find(
      ({ row, column, table }) => row.startsWith('3') && column === 'mine' && /L/.test(table),
    );
    expect(figure).toMatchObject({ n: 1, rows: expect.stringContaining('#rows=rouge-1-pairs'), file: '../rows.jsonl' });
    expect(readFileSync(at('mine', 'report', 'index.html'), 'utf8')).toContain('the cat ran');
    // The report stands in the folder; the results may be made again all the same.
    expect((await rouge('--out', at('mine'))).code).toBe(0);
    expect(existsSync(at('mine', 'report', 'index.html'))).toBe(true);
  });
});
