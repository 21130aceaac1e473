import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-evaluate-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string): string => join(scratch, name);
const write = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};
const jsonl = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const evaluate = (...args: string[]) => understudy(['evaluate', ...args]);
async function json(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await evaluate(...args, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

const reviews = write(
  'reviews.jsonl',
  jsonl([
    { review_id: 'a', question_id: 1, text: '9 8.5\nThe first is fuller.', score: [1, 1], reviewer_id: 'x' },
    { review_id: 'b', question_id: 2, text: 'f(2) = 39.\n\nScores:\nAssistant 1: 0\nAssistant 2: 10', score: [5, 5] },
    { review_id: 'c', question_id: 3, text: 'I would give Assistant 1 a 7 and Assistant 2 a 7.', score: [-1, -1] },
    { review_id: 'd', question_id: 4, text: 'Roses are red.', score: [9, 9] },
  ]),
);
const annotations = write(
  'annotations.json',
  JSON.stringify(
    [1, 2, 0, 1.5, null, 1.25].map((preference, i) => ({
      instruction: `Task ${i}`,
      output_1: 'a',
      output_2: 'b',
      preference,
    })),
  ),
);

describe('evaluate judge --import', () => {
  it('reads a review file’s scores from its texts, with all denominators', async () => {
    expect(await json('judge', '--import', reviews)).toMatchObject({
      asked: 4,
      parsed: 3,
      sum1: 16,
      sum2: 25.5,
      ratio: 16 / 25.5,
      wins1: 1,
      wins2: 1,
      ties: 1,
      failed: 1,
      form: 'vicuna-reviews',
      bounds: { ratio: { worst: 16 / 35.5, best: 26 / 25.5 } },
      failures: [{ row: 4, question: '4', reason: 'no scores in a known form' }],
    });
    const { code, stdout } = await evaluate('judge', '--import', reviews);
    expect(code).toBe(0);
    expect(stdout).toMatch(/4 reviews .*scores read in 3 of 4 \(75\.0 %\), not readable in 1/);
    expect(stdout).toMatch(/sum of scores +16\.00 +25\.50/);
    expect(stdout).toMatch(/first \/ second +0\.6275 \(95 % interval [\d.]+ to [\d.]+\)/);
    expect(stdout).toMatch(/whatever the 1 had said: ratio 0\.4507 to 1\.0196, wins of the first 1 to 2/);
    expect(stdout).toContain(`not readable: ${reviews}:4, question 4: no scores in a known form`);
  });

  it('reads AlpacaEval’s annotations', async () => {
    const summary = await json('judge', '--import', annotations);
    expect(summary).toMatchObject({
      asked: 6,
      judged: 5,
      nulls: 1,
      wins: 1,
      losses: 2,
      draws: 2,
      winRate: 45,
      standardError: expect.closeTo(16.583123951777, 10) as number,
      form: 'alpaca-eval',
      bounds: { winRate: { worst: 37.5, best: 325 / 6 } },
    });
    const { stdout } = await evaluate('judge', '--import', annotations);
    expect(stdout).toMatch(/6 annotations; judged 5 of 6 \(83\.3 %\), not judged 1/);
    expect(stdout).toMatch(/output_2: 1 win, 2 lost, 2 draws/);
    expect(stdout).toMatch(/win rate +45\.00 % \(95 % interval [\d.]+ % to [\d.]+ %\)/);
    expect(stdout).toMatch(/whatever the 1 had been: win rate 37\.50 % to 54\.17 %/);
  });

  it('names broken rows and files that are neither, before anything else', async () => {
    const broken = write('broken.jsonl', jsonl([{ question_id: 1, text: '8 7' }, { question_id: 2 }]));
    const { code, stderr, stdout } = await evaluate('judge', '--import', broken, '--json');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`${broken}:2: text: expected a string, got nothing`);
    const votes = await evaluate('judge', '--import', write('other.jsonl', jsonl([{ item: 1, rater: 2 }])));
    expect([votes.code, votes.stderr]).toEqual([2, expect.stringMatching(/found item, rater[\s\S]*AlpacaEval/)]);
    const absent = await evaluate('judge', '--import', at('absent.jsonl'));
    expect([absent.code, absent.stderr]).toEqual([2, expect.stringContaining('no such file')]);
  });
});

describe('evaluate agreement', () => {
  // Krippendorff 2011, section C: four observers, with votes missing; α = 0.743.
  const observers = ['123321412...', '1233224125.3', '.3332342251.', '12332441251.'];
  const votes = observers.flatMap((choices, rater) =>
    [...choices].flatMap((choice, item) => (choice === '.' ? [] : [{ item: `u${item}`, rater: `o${rater}`, choice }])),
  );
  const honest = ['a', 'b'].flatMap((item) =>
    ['x', 'y', 'z'].map((rater) => ({ item, rater, criterion: 'honest', choice: rater === 'z' ? 'tie' : item })),
  );
  const file = write('votes.jsonl', jsonl([...votes, ...honest]));

  it('prints both coefficients by criterion, null with a reason where one is not defined', async () => {
    expect(await json('agreement', file)).toEqual({
      criteria: [
        expect.objectContaining({
          criterion: null,
          items: 12,
          raters: 4,
          votes: 41,
          choices: { 1: 9, 2: 13, 3: 11, 4: 5, 5: 3 },
          fleissKappa: { value: null, low: null, high: null, reason: expect.stringMatching(/same number/) },
          krippendorffAlpha: {
            value: expect.closeTo(0.7434210526315789, 12),
            low: expect.any(Number),
            high: expect.any(Number),
          },
        }),
        // Po = 2 / 6; 2 a, 2 b, 2 tie: Pe = ⅓ for κ, 1/5 for α.
        expect.objectContaining({
          criterion: 'honest',
          items: 2,
          choices: { a: 2, b: 2, tie: 2 },
          fleissKappa: expect.objectContaining({ value: 0 }),
          krippendorffAlpha: expect.objectContaining({ value: expect.closeTo(1 / 6, 12) }),
        }),
      ],
    });
  });

  it('shows a table to people', async () => {
    const { code, stdout } = await evaluate('agreement', file);
    expect(code).toBe(0);
    expect(stdout).toMatch(/all votes\n {2}41 votes of 4 raters on 12 items, 1 to 4 an item; 11 with two or more/);
    expect(stdout).toMatch(/Fleiss’ κ +– \(items have 1 to 4 votes/);
    expect(stdout).toMatch(/Krippendorff’s α +0\.743 \(95 % interval 0\.\d{3} to \d\.\d{3}\)/);
    expect(stdout).toMatch(/honest\n[\s\S]*tie +2 of 6 \(33\.3 %\)/);
  });

  it('names a rater who votes twice', async () => {
    const twice = write('twice.jsonl', jsonl([...honest, honest[0]]));
    const { code, stderr } = await evaluate('agreement', twice);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(
        `${twice}:7: expected one vote of rater x on item a, criterion honest, found another in row 1`,
      ),
    ]);
  });
});
