/** `evaluate judge --batch`: verdicts at half the price, gone on with after a kill, and counted where there are none. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { batchServer, ledgerTotal, type Step, usdAlone, usdInBatch } from './batch-server.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-judge-batch-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string): string => join(scratch, name);
const write = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
};

/** Prefers what is worth more. Of nonsense it says nothing of use, until it is told so. */
const server = batchServer({
  reply: ({ body }) => {
    const [{ content }, ...told] = body['messages'] as [{ content: string }];
    if (content.includes('nonsense') && told.length === 0) return 'A clear case.';
    const [first = 0, second = 0] = [...content.matchAll(/worth (\d+)/g)].map(([, worth]) => Number(worth));
    return `Reasons.\n[[${first >= second ? 'A' : 'B'}]]`;
  },
  end: ({ text }) => (text.includes('unanswerable') ? 'invalid' : 'served'),
});

const questions = write('questions.jsonl', [
  { question_id: 1, turns: ['Write.'] },
  { question_id: 2, turns: ['Write nonsense.'] },
  { question_id: 3, turns: ['Count.'] },
]);
const answersOf = (name: string, worths: readonly string[]): string =>
  write(
    name,
    worths.map((text, i) => ({ question_id: i + 1, text })),
  );
const base = answersOf('base.jsonl', ['worth 4', 'worth 5', 'worth 6']);
const mine = answersOf('mine.jsonl', ['worth 8', 'worth 3', 'worth 9']);
const half = answersOf('half.jsonl', ['worth 8', 'worth 3', 'unanswerable, worth 9']);
const judge = (file: string, out: string, ...more: string[]): string[] => [
  ...['evaluate', 'judge', questions, '--answers', `mine=${file}`, `base=${base}`, '--mode', 'pair'],
  ...[...server.flags(), '--out', at(out), '--json', ...more],
];

describe('evaluate judge --batch', () => {
  it('buys verdicts at half the price, asks again for unreadable ones, counts failed rows and asks for those again', async () => {
    const before = server.batches.length;
    const { code, stdout, stderr } = await understudy(judge(half, 'half', '--batch'));
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      calls: { asked: 6, answered: 4, parsed: 4, unreadable: 0, refused: 0, failed: 2 },
      matches: [
        { asked: 3, compared: 2, wins: 1, ties: 0, losses: 1, bounds: { winRate: { worst: 1 / 3, best: 2 / 3 } } },
      ],
    });
    expect(stderr).toMatch(/batch batch_\d+: 4 answers, 2 failed/);
    expect(stderr).toMatch(/2 calls brought no answer: run the same command again/);
    // All six, and the two of nonsense once more.
    expect(server.batches.slice(before).map((rows) => rows.length)).toEqual([6, 2]);
    expect(server.numOnline).toBe(0);
    const bought = await ledgerTotal(at('half'));
    expect(bought.calls).toEqual({ stored: 6, failed: 2, inDoubt: 0, awaited: 0 });
    expect(bought.usd).toEqual({
      stored: expect.closeTo(6 * usdInBatch, 12),
      unpriced: 0,
      inDoubt: 0,
      awaited: 0,
      lost: 0,
    });

    // By themselves: what was bought in a batch is not bought again, and only the failed ones have the full price.
    const alone = await understudy(judge(half, 'half'));
    expect(alone.code, alone.stderr).toBe(0);
    expect(JSON.parse(alone.stdout)).toMatchObject({ calls: { asked: 6, parsed: 6, failed: 0 } });
    expect([server.numOnline, server.batches.length - before]).toEqual([2, 2]);
    expect((await ledgerTotal(at('half'))).usd.stored).toBeCloseTo(6 * usdInBatch + 2 * usdAlone, 12);
  });

  it('killed at every step it goes on: as if never stopped, and nothing is bought twice', async () => {
    const before = server.batches.length;
    const steps: Step[] = ['POST /files', 'made', 'GET /batches/*', 'GET /files/*/content'];
    for (const step of steps) {
      await server.killedAt(step, judge(mine, 'killed', '--batch'));
      expect(existsSync(at('killed/summary.json')), step).toBe(false);
    }
    const done = await understudy(judge(mine, 'killed', '--batch'));
    expect(done.code, done.stderr).toBe(0);
    const bought = server.batches.slice(before);
    expect(bought.map((rows) => rows.length)).toEqual([6, 2]);
    const total = await ledgerTotal(at('killed'));
    expect(total.calls).toEqual({ stored: 8, failed: 0, inDoubt: 0, awaited: 0 });
    expect(total.usd).toMatchObject({ stored: expect.closeTo(8 * usdInBatch, 12), lost: 0 });

    const whole = await understudy(judge(mine, 'whole', '--batch'));
    expect(JSON.parse(whole.stdout)).toEqual(JSON.parse(done.stdout));
    expect(readFileSync(at('killed/rows.jsonl'), 'utf8')).toBe(readFileSync(at('whole/rows.jsonl'), 'utf8'));
    expect(server.batches.slice(before + bought.length)).toEqual(bought);
  });
});
