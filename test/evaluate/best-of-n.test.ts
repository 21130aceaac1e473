import { describe, expect, it } from 'vitest';
import { mean } from '../../src/base/intervals.ts';
import { Rng } from '../../src/base/rng.ts';
import {
  type AnswerPool,
  bestOfCurve,
  curveSizes,
  type PooledAnswer,
  pickChances,
} from '../../src/evaluate/best-of-n.ts';

/** All subsets of n places of `count`. */
function subsets(count: number, n: number): number[][] {
  if (n === 0) return [[]];
  return Array.from({ length: count }, (_, first) => first).flatMap((first) =>
    subsets(count - first - 1, n - 1).map((rest) => [first, ...rest.map((place) => place + first + 1)]),
  );
}

describe('pickChances', () => {
  it.each([1, 2, 3, 5, 7])('n = %i: as often as an answer is the best of all subsets, ties shared', (n) => {
    const rewards = [0.5, -1, 3, 0.5, 2, 3, 0.5];
    const counted = new Array<number>(rewards.length).fill(0);
    const all = subsets(rewards.length, n);
    for (const subset of all) {
      const most = Math.max(...subset.map((i) => rewards[i]!));
      const best = subset.filter((i) => rewards[i] === most);
      for (const i of best) counted[i]! += 1 / best.length / all.length;
    }
    const chances = [...pickChances(rewards, n)];
    for (const [i, chance] of chances.entries()) expect(chance).toBeCloseTo(counted[i]!, 12);
    expect(chances.reduce((sum, chance) => sum + chance, 0)).toBeCloseTo(1, 12);
  });

  it('stays exact in large pools', () => {
    // Best of 2 of 1..N: the mean is 2 (N + 1) / 3.
    const rewards = Array.from({ length: 500 }, (_, i) => i + 1);
    const chances = pickChances(rewards, 2);
    expect(rewards.reduce((sum, reward, i) => sum + chances[i]! * reward, 0)).toBeCloseTo((2 * 501) / 3, 9);
    expect(() => pickChances([1, 2], 3)).toThrow(/from 1 to 2, got 3/);
  });
});

it('curveSizes: dense at first, the whole pool last', () => {
  expect(curveSizes(5)).toEqual([1, 2, 3, 4, 5]);
  expect(curveSizes(20)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20]);
  expect(curveSizes(64).slice(-4)).toEqual([32, 40, 48, 64]);
});

const pool = (id: string, answers: readonly Partial<PooledAnswer>[]): AnswerPool => {
  const rewards = answers.map(({ reward = 0 }) => reward);
  const order = [...rewards.keys()].sort((a, b) => rewards[b]! - rewards[a]!);
  return {
    id,
    answers: answers.map((answer, i) => ({ reward: 0, length: 1, values: {}, ...answer, rank: order.indexOf(i) + 1 })),
  };
};

describe('bestOfCurve', () => {
  it('is the mean over prompts of the mean over subsets', () => {
    const curve = bestOfCurve([
      pool('a', [
        { reward: 1, length: 10, values: { score: 5 } },
        { reward: 3, length: 40, values: { score: 2 } },
        { reward: 2, length: 30, values: { score: 9 } },
      ]),
      pool('b', [
        { reward: 0, length: 2, values: {} },
        { reward: 0, length: 4, values: { score: 1 } },
        { reward: 6, length: 6, values: { score: 1 } },
      ]),
    ])!;
    expect(curve).toMatchObject({ prompts: 2, leftOut: 0, poolSize: 3 });
    const rewards = curve.points.map(({ n, reward, length }) => [n, reward.mean, length.mean]);
    // n = 2: a has {1,3}, {1,2}, {3,2} → 3, 2, 3; b has {0,0}, {0,6}, {0,6} → 0, 6, 6; lengths 40, 30, 40 and 3, 6, 6.
    expect(rewards).toEqual([
      [1, expect.closeTo((2 + 2) / 2, 12), expect.closeTo((80 / 3 + 4) / 2, 12)],
      [2, expect.closeTo((8 / 3 + 4) / 2, 12), expect.closeTo((110 / 3 + 5) / 2, 12)],
      [3, expect.closeTo((3 + 6) / 2, 12), expect.closeTo((40 + 6) / 2, 12)],
    ]);
    // Only all of a's answers have the measure.
    expect(curve.points.map(({ values }) => [values['score']?.mean, values['score']?.n])).toEqual([
      [expect.closeTo(16 / 3, 12), 1],
      [expect.closeTo((2 + 9 + 2) / 3, 12), 1],
      [2, 1],
    ]);
    expect(curve.gain?.reward.mean).toBeCloseTo(2.5, 12);
    expect(curve.groups.map(({ rank, reward }) => [rank, reward.mean])).toEqual([
      [1, 4.5],
      [2, 1],
      [3, 0.5],
    ]);
  });

  it('leaves prompts out that have too few answers to go far', () => {
    const sized = (id: string, size: number) =>
      pool(
        id,
        Array.from({ length: size }, (_, i) => ({ reward: i })),
      );
    expect(bestOfCurve([sized('a', 8), sized('b', 6), sized('c', 3), sized('d', 1)])).toMatchObject({
      prompts: 2,
      leftOut: 2,
      poolSize: 6,
    });
    expect(bestOfCurve([sized('a', 1)])).toBeUndefined();
    expect(bestOfCurve([])).toBeUndefined();
  });

  it('holds what picking the best of n fresh answers brings, for every n and many seeds', () => {
    let inside = 0;
    let looked = 0;
    for (let seed = 0; seed < 3; seed++) {
      const rng = new Rng('best of n', seed);
      const prompts = Array.from({ length: 40 }, () => ({ mean: rng.normal(), spread: 0.5 + rng.uniform() }));
      const draw = (of: (typeof prompts)[number]) => of.mean + of.spread * rng.normal();
      const curve = bestOfCurve(
        prompts.map((of, i) =>
          pool(
            `${i}`,
            Array.from({ length: 16 }, () => ({ reward: draw(of) })),
          ),
        ),
        { seed },
      )!;
      for (const { n, reward } of curve.points) {
        const actual = mean(prompts.map((of) => Math.max(...Array.from({ length: n }, () => draw(of)))));
        looked += 1;
        if (reward.low <= actual && actual <= reward.high) inside += 1;
      }
    }
    expect(looked).toBe(3 * 11);
    expect(inside / looked).toBeGreaterThan(0.95);
  });
});

describe('warnings', () => {
  /** 30 prompts of 8 answers of reward 1…8; `score` says what the other measure is. */
  const curve = (score: (reward: number, prompt: number) => number) =>
    bestOfCurve(
      Array.from({ length: 30 }, (_, p) =>
        pool(
          `${p}`,
          Array.from({ length: 8 }, (_, i) => ({ reward: i + 1, values: { judge: score(i + 1, p) } })),
        ),
      ),
    )!.warnings.map(({ measure, kind, from, to }) => ({ measure, kind, from, to }));

  it('none where the measure rises with the reward', () => {
    expect(curve((reward) => 2 * reward)).toEqual([]);
  });
  it('where it does not, or falls, or falls past some n', () => {
    expect(curve((reward, p) => (p % 2 === 0 ? reward : -reward))).toEqual([
      { measure: 'judge', kind: 'flat', from: 1, to: 8 },
    ]);
    expect(curve((reward) => -reward)).toEqual([{ measure: 'judge', kind: 'falls', from: 1, to: 8 }]);
    // 1, 2, 3, 4, 5, 6, 9, 6: the best of few is often 9, that of eight always 6.
    const bent = curve((reward) => (reward === 7 ? 9 : reward === 8 ? 6 : reward));
    expect(bent).toEqual([{ measure: 'judge', kind: 'past its best', from: 5, to: 8 }]);
  });
  it('none where the reward does not rise either', () => {
    const flat = Array.from({ length: 10 }, (_, p) =>
      pool(`${p}`, [
        { reward: 1, values: { judge: 1 } },
        { reward: 1, values: { judge: 5 } },
      ]),
    );
    expect(bestOfCurve(flat)!.warnings).toEqual([]);
  });
});
