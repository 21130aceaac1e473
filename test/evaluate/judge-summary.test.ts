import { describe, expect, it } from 'vitest';
import { summarizeJudge } from '../../src/evaluate/judge-summary.ts';
import type { JudgeScores } from '../../src/evaluate/rows.ts';
import { row, verdicts } from './row.ts';

const without = (kind?: 'unreadable' | 'refused' | 'failed'): JudgeScores => ({
  before: undefined,
  after: undefined,
  ...(kind === undefined ? {} : { problem: { kind, reason: 'x' } }),
  raw: '',
  call: 'c',
});

describe('summarizeJudge', () => {
  it('is undefined where nothing was asked', () => {
    expect(summarizeJudge([])).toBeUndefined();
    expect(summarizeJudge([row(), row()])).toBeUndefined();
  });

  it('counts wins, losses, ties and flips, and means, as worked by hand', () => {
    const rows = [
      verdicts([5, 8], [6, 7]), // win: after is better in both orders
      verdicts([9, 4], [8, 6]), // loss
      verdicts([7, 7], [5, 5]), // tie
      verdicts([8, 6], [6, 8]), // flip: whichever came first won
      verdicts([7, 7], [6, 8]), // one order says equal: a tie, not a flip
    ].map((judge) => row({ judge }));
    const summary = summarizeJudge([...rows, row()])!;
    expect(summary).toMatchObject({
      ...{ asked: 10, parsed: 10, unreadable: 0, refused: 0, failed: 0 },
      ...{ questions: 5, compared: 5, wins: 1, losses: 1, ties: 3, flips: 1 },
    });
    // Scores of a question: (5+6)/2, (9+8)/2, 6, 7, 6.5 before; 7.5, 5, 6, 7, 7.5 after.
    expect(summary.meanBefore).toMatchObject({ mean: expect.closeTo((5.5 + 8.5 + 6 + 7 + 6.5) / 5, 12), n: 5 });
    expect(summary.meanAfter).toMatchObject({ mean: expect.closeTo((7.5 + 5 + 6 + 7 + 7.5) / 5, 12), n: 5 });
    expect(summary.difference?.mean).toBeCloseTo((2 - 3.5 + 0 + 0 + 1) / 5, 12);
    expect(summary.winRate?.mean).toBeCloseTo((1 + 0 + 0.5 + 0.5 + 0.5) / 5, 12);
    // First − second: (5−8 + 7−6)/2, (9−4 + 6−8)/2, 0, (8−6 + 8−6)/2, (0 + 8−6)/2.
    expect(summary.positionBias?.mean).toBeCloseTo((-1 + 1.5 + 0 + 2 + 1) / 5, 12);
  });

  it('finds a judge that adds a point to whatever comes first, and no win in it', () => {
    // True scores 6 and 6, one more for the first place: [7, 6], then [6, 7].
    const summary = summarizeJudge(Array.from({ length: 8 }, () => row({ judge: verdicts([7, 6], [6, 7]) })))!;
    expect(summary.positionBias).toEqual({ mean: 1, low: 1, high: 1, n: 8 });
    expect(summary).toMatchObject({ wins: 0, losses: 0, ties: 8, flips: 8 });
    expect(summary.difference?.mean).toBe(0);
  });

  it('has no position bias where one answer is simply better', () => {
    const summary = summarizeJudge([row({ judge: verdicts([3, 9], [3, 9]) })])!;
    expect(summary.positionBias?.mean).toBe(0);
    expect(summary.wins).toBe(1);
  });

  it('counts the calls without scores by kind and compares only questions with both', () => {
    const [read] = verdicts([2, 9]) as [JudgeScores];
    const rows = [
      [read, without('unreadable')],
      [without('refused'), read],
      [without('failed'), without('failed')],
      [without(), without('unreadable')],
      verdicts([4, 6], [4, 6]),
    ].map((judge) => row({ judge }));
    const summary = summarizeJudge(rows)!;
    expect(summary).toMatchObject({ asked: 10, parsed: 4, unreadable: 3, refused: 1, failed: 2 });
    expect(summary).toMatchObject({ questions: 5, compared: 1, wins: 1, losses: 0, ties: 0 });
    expect(summary.meanAfter).toEqual({ mean: 6, low: 6, high: 6, n: 1 });
  });

  it('has no means where no question could be compared', () => {
    const summary = summarizeJudge([row({ judge: [without('failed'), without('failed')] })])!;
    const { meanBefore, meanAfter, difference, winRate, positionBias } = summary;
    expect([meanBefore, meanAfter, difference, winRate, positionBias]).toEqual(Array(5).fill(undefined));
    expect(summary).toMatchObject({ asked: 2, failed: 2, questions: 1, compared: 0, ties: 0 });
  });

  it('refuses a row with one order only', () => {
    expect(() => summarizeJudge([row({ judge: verdicts([4, 6]) })])).toThrow(/both orders of q, got 1/);
  });
});
