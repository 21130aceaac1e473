import { describe, expect, it } from 'vitest';
import type { Interval } from '../../src/base/intervals.ts';
import { hasJudge, headlineRows, headlineText, verdictOf } from '../../src/report/headline.ts';
import { makeInput } from './fixture.ts';

const difference = (low: number, high: number, n = 60): Interval => ({ mean: (low + high) / 2, low, high, n });

describe('verdictOf', () => {
  it('reads the word off the interval', () => {
    expect(verdictOf(difference(-0.3, -0.1), 'lower')).toBe('better');
    expect(verdictOf(difference(-0.3, -0.1), 'higher')).toBe('worse');
    expect(verdictOf(difference(0.1, 0.3), 'higher')).toBe('better');
    expect(verdictOf(difference(0.1, 0.3), 'lower')).toBe('worse');
  });

  it('says nothing where 0 is in the interval or on its edge', () => {
    expect(verdictOf(difference(-0.1, 0.3), 'higher')).toBe('no clear difference');
    expect(verdictOf(difference(0, 0.3), 'higher')).toBe('no clear difference');
    expect(verdictOf(difference(-0.3, 0), 'lower')).toBe('no clear difference');
    expect(verdictOf(difference(0, 0), 'lower')).toBe('no clear difference');
  });

  it('says nothing on fewer than six pairs, and that nothing was measured where there are none', () => {
    expect(verdictOf(difference(-0.3, -0.1, 5), 'lower')).toBe('too few to say');
    expect(verdictOf(difference(-0.3, -0.1, 6), 'lower')).toBe('better');
    expect(verdictOf(undefined, 'lower')).toBe('not measured');
  });
});

describe('headlineRows', () => {
  const { summary } = makeInput().evaluation;
  const rows = headlineRows(summary);

  it('has each measure of each language, English first, with the figures of the summary', () => {
    expect(rows.map(({ language, measure }) => `${language} ${measure}`)).toEqual([
      'en heldOutLoss',
      'en teacherLogprob',
      'en teacherScore',
      'en rougeL',
      'zh heldOutLoss',
      'zh teacherLogprob',
      'zh teacherScore',
      'zh rougeLCharacters',
    ]);
    expect(rows[0]!.before).toBe(summary.languages['en']!.heldOutLoss.before.mean);
    expect(rows[0]!.difference).toBe(summary.languages['en']!.heldOutLoss.difference);
    expect(rows[7]!.after).toBe(summary.languages['zh']!.rougeL.characters!.after.mean);
    expect(rows[2]!.n).toBe(summary.languages['en']!.judge!.compared);
  });

  it('names every denominator of the judge', () => {
    const judge = summary.languages['en']!.judge!;
    expect(rows[2]!.denominators).toBe(
      `${judge.compared} of 60 questions read in both orders; 120 calls asked: ${judge.parsed} parsed, ` +
        `${judge.unreadable} unreadable, 0 refused, 0 failed`,
    );
    expect(judge.unreadable).toBeGreaterThan(0);
  });

  it('keeps a row for what was not measured', () => {
    const without = headlineRows(makeInput({ judged: false, chinese: 0 }).evaluation.summary);
    expect(without.map(({ verdict, n }) => [verdict === 'not measured', n])).toEqual([
      [false, 60],
      [true, 0],
      [true, 0],
      [false, 60],
    ]);
    expect([hasJudge(rows), hasJudge(without)]).toEqual([true, false]);
  });
});

describe('headlineText', () => {
  it('is aligned, ASCII, and no wider than 100 columns even for thousands of questions', () => {
    const rows = headlineRows(makeInput().evaluation.summary).map((row) => ({ ...row, n: 10_000, questions: 10_000 }));
    const lines = headlineText([...rows, { ...rows[2]!, verdict: 'no clear difference' }])
      .trimEnd()
      .split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is meant
    expect(lines.join('\n')).toMatch(/^[\x00-\x7F]*$/);
    const ends = lines.filter((line) => line.includes('10000/')).map((line) => line.indexOf('10000/10000') + 11);
    expect(new Set(ends).size).toBe(1);
  });

  it('shows figures, words and what is missing', () => {
    const text = headlineText(headlineRows(makeInput({ judged: false, chinese: 0 }).evaluation.summary));
    expect(text).toMatch(/^English, 60 questions$/m);
    expect(text).toMatch(/^ {2}Held-out loss +60\/60 +2\.\d{3} +2\.\d{3} +-0\.\d{3} +-0\.\d{3} to -0\.\d{3} +better$/m);
    expect(text).toMatch(/^ {2}Teacher's score +0\/60 +- +- +- +- +not measured$/m);
    expect(headlineText([])).toBe('No questions were evaluated.\n');
  });
});
