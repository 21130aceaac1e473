/** evaluate test, power and diversity, through the program. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-statistics-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const file = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};
const scores = (name: string, values: readonly number[], first = 0) =>
  file(
    name,
    values.map((score, i) => ({ question_id: first + i, score })),
  );
const evaluate = (...args: string[]) => understudy(['evaluate', ...args]);
async function json(...args: string[]) {
  const { code, stdout, stderr } = await evaluate(...args, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}
async function refused(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await evaluate(...args);
  expect([code, stdout]).toEqual([2, '']);
  return stderr;
}

const base = scores('base.jsonl', [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
const better = scores('better.jsonl', [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
const graded = scores('graded.jsonl', [0.5, 0, 0, 1, 0, 0, 0, 0, 0.5, 1], 2);

describe('evaluate test', () => {
  it('compares each with the first, corrected for their number', async () => {
    const { comparisons } = await json('test', base, better, graded);
    expect(comparisons).toMatchObject([
      {
        first: 'base.jsonl',
        second: 'better.jsonl',
        n: 10,
        meanFirst: { mean: 0.2 },
        meanSecond: { mean: 1 },
        difference: { mean: 0.8 },
        test: 'mcnemar',
        mcnemar: { gained: 8, lost: 0 },
        onlyFirst: [],
      },
      {
        second: 'graded.jsonl',
        n: 8,
        test: 'permutation',
        // 2 to 9 of the one against the first eight of the other: +½, +1, −1, −1.
        difference: { mean: -0.5 / 8 },
        onlyFirst: ['0', '1'],
        onlySecond: ['10', '11'],
      },
    ]);
    const [first, second] = comparisons;
    expect(first.p).toBeCloseTo(2 / 256, 12);
    expect(first.adjusted.holm).toBeCloseTo(4 / 256, 12);
    expect(second.adjusted).toEqual({ holm: second.p, benjaminiHochberg: second.p });
  });

  it('says it in words', async () => {
    const { code, stdout } = await evaluate('test', base, better, graded);
    expect(code).toBe(0);
    expect(stdout).toMatch(/better\.jsonl against base\.jsonl\nitems +10\n/);
    expect(stdout).toMatch(/means +1 against 0\.2; 8 higher, 0 lower, 2 equal/);
    expect(stdout).toMatch(/difference +0\.8 \(95 % interval 0\.\d+ to 1\)/);
    expect(stdout).toMatch(/McNemar, exact +p = 0\.0078, which decides/);
    expect(stdout).toMatch(/of 2 comparisons p = 0\.0156 by Holm, 0\.0156 by Benjamini and Hochberg/);
    expect(stdout).toMatch(/On 10 items better\.jsonl is 0\.8 higher than base\.jsonl; .* in 1\.6 % of such/);
    expect(stdout).toMatch(/items +8; left out 4, which only one of the two has a value of/);
    expect(stdout).toMatch(/On 8 items graded\.jsonl is 0\.0625 lower than base\.jsonl, which chance alone explains/);
  });

  it('takes two fields of one file', async () => {
    const rows = file(
      'rows.jsonl',
      [1, 2, 3].map((id) => ({ id, before: { rouge: id }, after: { rouge: 2 * id } })),
    );
    const { comparisons } = await json('test', rows, rows, '--field', 'before.rouge', 'after.rouge');
    expect(comparisons).toMatchObject([{ first: 'before.rouge', second: 'after.rouge', difference: { mean: 2 } }]);
  });

  it('refuses what cannot be compared', async () => {
    expect(await refused('test', base)).toContain('expected two files or more, got one');
    expect(await refused('test', base, join(scratch, 'absent.jsonl'))).toContain('no such file');
    expect(await refused('test', base, better, '--field', 'rouge')).toMatch(/no number in rouge|has a number in rouge/);
    expect(await refused('test', base, better, '--field', 'a', 'b', 'c')).toContain('one a file (2), got 3');
    expect(await refused('test', base, scores('far.jsonl', [1], 99))).toContain('have no item in common');
  });
});

describe('evaluate power', () => {
  it('of a rate, in points', async () => {
    const options = ['power', '--difference', '5', '--rate', '50', '--ties', '20'];
    expect(await json(...options)).toMatchObject({ items: 630, difference: 5, unit: ' points', alpha: 0.05 });
    const { stdout } = await evaluate(...options);
    expect(stdout).toMatch(/To see a difference of 5 points you need 630 items \(in 80 of 100 such evaluations/);
    expect(stdout).toMatch(/rate 50 %, ties 20 %; standard deviation 44\.72 points/);
    // Four comparisons at an eightieth each: (2.497705 + 0.841621)² 0.2 / 0.0025 + 3.12 = 895.2.
    expect(await json(...options, '--comparisons', '4')).toMatchObject({ items: 896, alpha: 0.0125 });
  });

  it('what so many items show', async () => {
    const { difference } = await json('power', '--items', '80');
    expect(difference).toBeCloseTo((280.1585 * 0.5) / Math.sqrt(80 - 1.9207), 3);
    const { stdout } = await evaluate('power', '--items', '80');
    expect(stdout).toMatch(/80 items show a difference of 15\.85 points or more/);
  });

  it('from a standard deviation, or pilot rows', async () => {
    expect(await json('power', '--difference', '0.5', '--sd', '1')).toMatchObject({ items: 34, unit: '' });
    // Differences 1 eight times and 0 twice: variance 10 · 0.16 / 9.
    const { sd, pilotItems } = await json('power', '--difference', '0.5', '--pilot', base, better);
    expect([sd, pilotItems]).toEqual([expect.closeTo(Math.sqrt(1.6 / 9), 12), 10]);
    const one = await json('power', '--difference', '0.5', '--pilot', base);
    expect(one.sd).toBeCloseTo(Math.sqrt(1.6 / 9), 12);
  });

  it('refuses what says too little, too much, or nothing', async () => {
    expect(await refused('power')).toContain('expected --difference or --items, one of them');
    expect(await refused('power', '--difference', '5', '--items', '5')).toContain('one of them');
    expect(await refused('power', '--difference', '0')).toContain('expected more than 0');
    expect(await refused('power', '--difference', '5', '--sd', '1', '--rate', '50')).toContain(
      'expected one of --rate',
    );
    expect(await refused('power', '--difference', '5', '--rate', '10', '--ties', '40')).toContain(
      'leave wins and losses',
    );
    expect(await refused('power', '--difference', '5', '--rate', '100')).toContain('leave wins and losses');
    expect(await refused('power', '--difference', '5', '--power', '2')).toContain('between 0.5 and 1');
    expect(await refused('power', '--difference', '5', '--alpha', '0')).toContain('between 0 and 1');
    expect(await refused('power', '--items', '2')).toContain('so few show nothing');
    expect(await refused('power', '--difference', '1', '--pilot', better)).toContain('10 items that do not vary');
    expect(await refused('power', '--difference', '1', '--field', 'x')).toContain('--field names a number of --pilot');
  });
});

describe('evaluate diversity', () => {
  const answers = file('answers.jsonl', [{ output: 'Yes, yes.' }, { output: 'Yes, yes.' }, { output: '好好' }]);
  it('prints both languages', async () => {
    expect(await json('diversity', answers)).toEqual({
      files: [
        {
          file: answers,
          languages: [
            { language: 'en', answers: 2, unique: 1, uniqueShare: 0.5, units: 4, distinct: [0.25, 0.5, null] },
            { language: 'zh', answers: 1, unique: 1, uniqueShare: 1, units: 2, distinct: [0.5, 1, null] },
          ],
        },
      ],
    });
    const { stdout } = await evaluate('diversity', answers);
    expect(stdout).toContain('English: 1 of 2 (50.0 %) answers differ; distinct-1, -2, -3 0.250, 0.500, – of 4 words');
  });
  it('refuses rows without answers', async () => {
    expect(await refused('diversity', base)).toContain('expected one of "output"');
  });
});
