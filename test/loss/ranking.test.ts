import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { rankingLoss, sigmoid, softplusOfMinus } from '../../src/loss/ranking.ts';
import { expectAllClose, expectClose, expectSlope, golden } from './golden.ts';

const plain = { marginScale: 0, centering: 0 };

describe('sigmoid and −log sigmoid', () => {
  it('worked by hand', () => {
    expect(sigmoid(0)).toBe(0.5);
    expectClose(sigmoid(Math.log(3)), 3 / 4);
    expectClose(sigmoid(-Math.log(3)), 1 / 4);
    expectClose(softplusOfMinus(0), Math.log(2));
    expectClose(softplusOfMinus(Math.log(3)), Math.log(4 / 3));
    expectClose(softplusOfMinus(-Math.log(3)), Math.log(4));
  });
  it('keeps its digits in the tails, and does not overflow', () => {
    // There both are e^−|x|; 1 − σ, or log(1 + …), would have none of its digits left.
    for (const x of [40, 50, 700]) {
      expect(sigmoid(-x) / Math.exp(-x)).toBeCloseTo(1, 12);
      expect(softplusOfMinus(x) / Math.exp(-x)).toBeCloseTo(1, 12);
      expect(softplusOfMinus(-x)).toBe(x);
    }
    expect([sigmoid(-1e6), sigmoid(1e6), softplusOfMinus(-1e6), softplusOfMinus(1e6)]).toEqual([0, 1, 1e6, 0]);
  });
  it('is the derivative of the other', () => {
    for (let x = -50; x <= 50; x += 0.7) expectSlope(-sigmoid(-x), softplusOfMinus, x);
  });
});

describe('rankingLoss', () => {
  it('one pair, worked by hand', () => {
    // r_w − r_l = log 3: σ = 3/4.
    const { loss, gradient, margins } = rankingLoss([0, Math.log(3)], [{ better: 1, worse: 0 }], plain, 1);
    expectClose(loss, Math.log(4 / 3));
    expectAllClose(gradient, [1 / 4, -1 / 4]);
    expectAllClose(margins, [Math.log(3)]);
  });
  it('equal rewards: log 2, and a half each way', () => {
    const { loss, gradient, margins } = rankingLoss([7, 7], [{ better: 0, worse: 1 }], plain, 1);
    expectClose(loss, Math.log(2));
    expect([...gradient]).toEqual([-0.5, 0.5]);
    expect(margins).toEqual([0]);
  });
  it('averages over the pairs, each weighing weight / pairs', () => {
    // Pairs with differences 0 and log 3, worse rewards shared: ½ · ½ of (log 2 + log 4/3).
    const pairs = [
      { better: 1, worse: 0 },
      { better: 2, worse: 0 },
    ];
    const { loss, gradient } = rankingLoss([0, 0, Math.log(3)], pairs, plain, 1 / 2);
    expectClose(loss, (Math.log(2) + Math.log(4 / 3)) / 4);
    expectAllClose(gradient, [(1 / 2 + 1 / 4) / 4, -1 / 2 / 4, -1 / 4 / 4]);
  });
  it('a margin is to be passed, times its scale; without one there is none', () => {
    const rewards = [2 * Math.log(3), 0];
    // 2 log 3 − ½ · 2 log 3 = log 3.
    const scaled = rankingLoss(
      rewards,
      [{ better: 0, worse: 1, margin: 2 * Math.log(3) }],
      { ...plain, marginScale: 0.5 },
      1,
    );
    expectClose(scaled.loss, Math.log(4 / 3));
    expectAllClose(scaled.gradient, [-1 / 4, 1 / 4]);
    // σ(2 log 3) = 9/10.
    const wide = { better: 0, worse: 1, margin: 5 };
    for (const [pair, marginScale] of [[{ better: 0, worse: 1 }, 1] as const, [wide, 0] as const]) {
      const { loss, gradient } = rankingLoss(rewards, [pair], { ...plain, marginScale }, 1);
      expectClose(loss, Math.log(10 / 9));
      expectAllClose(gradient, [-1 / 10, 1 / 10]);
    }
    // What is reported is the rewards' own.
    expectAllClose(scaled.margins, [2 * Math.log(3)]);
  });
  it('centering draws the sum of both to 0', () => {
    // Rewards 3 and 1: difference 2, (3 + 1)² · 0.1 = 1.6, and its derivative 2 · 0.1 · 4 = 0.8 for both.
    const { loss, gradient } = rankingLoss([3, 1], [{ better: 0, worse: 1 }], { ...plain, centering: 0.1 }, 1);
    expectClose(loss, softplusOfMinus(2) + 1.6);
    expectAllClose(gradient, [0.8 - sigmoid(-2), 0.8 + sigmoid(-2)]);
    // Rewards on both sides of 0 are in their place.
    const centred = rankingLoss([1, -1], [{ better: 0, worse: 1 }], { ...plain, centering: 0.1 }, 1);
    expectClose(centred.loss, softplusOfMinus(2));
    expectAllClose(centred.gradient, [-sigmoid(-2), sigmoid(-2)]);
  });
  it('no pairs: no loss, and no gradient', () => {
    const { loss, gradient, margins } = rankingLoss([1, 2], [], { marginScale: 1, centering: 1 }, 1);
    expect({ loss, gradient: [...gradient], margins }).toEqual({ loss: 0, gradient: [0, 0], margins: [] });
  });
  it('adds to a gradient it is given', () => {
    const sum = Float64Array.of(10, 20);
    const { gradient } = rankingLoss([0, 0], [{ better: 0, worse: 1 }], plain, 1, sum);
    expect(gradient).toBe(sum);
    expect([...sum]).toEqual([9.5, 20.5]);
  });
  it('rewards far apart: the loss is their distance, and nothing overflows', () => {
    const wrong = rankingLoss([-5000, 5000], [{ better: 0, worse: 1 }], plain, 1);
    expect([wrong.loss, ...wrong.gradient]).toEqual([10_000, -1, 1]);
    const right = rankingLoss([5000, -5000], [{ better: 0, worse: 1 }], plain, 1);
    expect([right.loss, ...right.gradient.map(Math.abs)]).toEqual([0, 0, 0]);
  });
  it.each([1, 10, 50])('its gradient is that of its loss, rewards up to ±%i', (range) => {
    const rng = new Rng('ranking', range);
    for (let trial = 0; trial < 40; trial++) {
      const rewards = Array.from({ length: 4 }, () => (2 * rng.uniform() - 1) * range);
      const pairs = Array.from({ length: 1 + rng.int(6) }, () => {
        const [better, worse] = rng.sample([0, 1, 2, 3], 2) as [number, number];
        return { better, worse, margin: 3 * rng.uniform() };
      });
      const settings = { marginScale: rng.int(2) * rng.uniform(), centering: rng.int(2) * 0.1 * rng.uniform() };
      const weight = 1 / (1 + rng.int(4));
      const { gradient } = rankingLoss(rewards, pairs, settings, weight);
      gradient.forEach((slope, i) => {
        const loss = (x: number) => rankingLoss(rewards.with(i, x), pairs, settings, weight).loss;
        expectSlope(slope, loss, rewards[i] as number);
      });
    }
  });
  it.each(golden.ranking)('is TRL’s ($rewards.length rewards, $pairs.length pairs)', (known) => {
    const { loss, gradient } = rankingLoss(known.rewards, known.pairs, known.settings, 1);
    expectClose(loss, known.loss);
    expectAllClose(gradient, known.gradient);
  });
});
