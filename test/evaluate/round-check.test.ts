import { describe, expect, it } from 'vitest';
import { type CheckedPrompt, checkRound } from '../../src/evaluate/round-check.ts';

/** Rewards and scores of the answers before, and after. */
const prompt = (id: string, before: [number | null, number | null][], after: [number | null, number | null][]) => {
  const answers = (of: [number | null, number | null][]) => of.map(([reward, score]) => ({ reward, score }));
  return { id, before: answers(before), after: answers(after) } satisfies CheckedPrompt;
};

describe('checkRound', () => {
  it('counts means by prompt, and of every two answers whether reward and judge agree', () => {
    const check = checkRound([
      prompt(
        'a',
        [
          [0, 4],
          [2, 6],
        ],
        [
          [3, 7],
          [5, 9],
        ],
      ), // reward 1 → 4, judge 5 → 8; all six twos agree
      prompt('b', [[1, 5]], [[3, 4]]), // reward +2, judge −1; the one two disagrees
      prompt('c', [[1, 5]], [[1, 9]]), // rewards alike: no two that both tell apart
    ]);
    expect(check).toMatchObject({ prompts: 3, leftOut: 0, verdict: 'goes on' });
    expect(check.reward).toMatchObject({ before: { mean: 1 }, after: { mean: 8 / 3 }, gain: { mean: 5 / 3, n: 3 } });
    expect(check.judge?.before.mean).toBe(5);
    expect(check.judge?.after.mean).toBe(7);
    expect(check.judge?.gain.mean).toBe(2);
    expect(check.agreement).toMatchObject({ mean: 6 / 7, twos: 7 });
  });

  it('ends the rounds where the reward rises and the judge’s mean does not, or the reward does not', () => {
    expect(checkRound([prompt('a', [[0, 5]], [[3, 5]])]).verdict).toBe('judge disagrees');
    expect(checkRound([prompt('a', [[0, 5]], [[3, 4]])]).verdict).toBe('judge disagrees');
    expect(checkRound([prompt('a', [[0, 5]], [[0, 9]])]).verdict).toBe('no gain');
    expect(checkRound([]).verdict).toBe('no gain');
  });

  it('leaves out answers that either could not rate, and prompts without one on both sides', () => {
    const check = checkRound([
      prompt(
        'a',
        [
          [null, 1],
          [2, 5],
        ],
        [
          [3, 6],
          [4, null],
        ],
      ),
      prompt('b', [[null, 5]], [[1, 1]]),
    ]);
    expect(check).toMatchObject({ prompts: 1, leftOut: 1 });
    expect(check.reward).toMatchObject({ before: { mean: 2 }, after: { mean: 3 } });
    expect(check.agreement).toMatchObject({ mean: 1, twos: 1 });
  });
});
