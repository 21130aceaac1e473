import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import {
  type PolicyAndReference,
  type PreferenceSettings,
  preferenceLoss,
  preferenceLosses,
} from '../../src/loss/preference.ts';
import { expectAllClose, expectClose, expectSlope, golden } from './golden.ts';

const answer = (policy: number, reference: number, tokens = 1): PolicyAndReference => ({
  policy: { sum: policy, tokens },
  reference: { sum: reference, tokens },
});
const dpo: PreferenceSettings = { loss: 'dpo', beta: 0.5, logprobs: 'sum', smoothing: 0, gamma: 0 };
const log3 = Math.log(3);

describe('dpo', () => {
  it('worked by hand', () => {
    // Gains 1 and 1 − 2 log 3: βh = ½ · 2 log 3, σ = 3/4; slope −β · 1/4.
    const found = preferenceLoss(answer(-4, -5), answer(-6 - 2 * log3, -7), dpo);
    expectClose(found.loss, Math.log(4 / 3));
    expectClose(found.gradBetter, -1 / 8);
    expectClose(found.gradWorse, 1 / 8);
    expectAllClose(found.rewards, [0.5, 0.5 - log3]);
  });
  it('at the reference: log 2, whatever the smoothing', () => {
    for (const smoothing of [0, 0.1, 0.5]) {
      const { loss, rewards } = preferenceLoss(answer(-3, -3), answer(-8, -8), { ...dpo, smoothing });
      expectClose(loss, Math.log(2));
      expect(rewards).toEqual([0, 0]);
    }
  });
  it('smoothing takes a share of the pairs the other way round', () => {
    // βh = log 3 again: 0.9 log 4/3 + 0.1 log 4; slope ½ (0.1 · 3/4 − 0.9 · 1/4).
    const pair = [answer(2 * log3, 0), answer(0, 0)] as const;
    const found = preferenceLoss(...pair, { ...dpo, smoothing: 0.1 });
    expectClose(found.loss, 0.9 * Math.log(4 / 3) + 0.1 * Math.log(4));
    expectClose(found.gradBetter, 0.5 * (0.1 * 0.75 - 0.9 * 0.25));
    // Smoothed by s, the least loss is where σ(βh) = 1 − s: there the derivative is 0.
    expectClose(preferenceLoss(...pair, { ...dpo, smoothing: 0.25 }).gradBetter, 0);
  });
  it('smoothed by a half, it does not matter which is better', () => {
    const [one, other] = [answer(-3, -5), answer(-9, -7.5)];
    const [forth, back] = [
      preferenceLoss(one, other, { ...dpo, smoothing: 0.5 }),
      preferenceLoss(other, one, { ...dpo, smoothing: 0.5 }),
    ];
    expectClose(forth.loss, back.loss);
    expectClose(forth.gradBetter, back.gradWorse);
  });
  it('smoothing and gamma are not for the losses that do not name them', () => {
    const pair = [answer(-3, -5), answer(-9, -7.5)] as const;
    const with_ = (settings: Partial<PreferenceSettings>) => preferenceLoss(...pair, { ...dpo, ...settings });
    expect(with_({ gamma: 3 })).toEqual(with_({}));
    for (const loss of ['ipo', 'simpo'] as const) expect(with_({ loss, smoothing: 0.5 })).toEqual(with_({ loss }));
    expect(with_({ loss: 'ipo', gamma: 3 })).toEqual(with_({ loss: 'ipo' }));
  });
  it('means divide by each answer’s own tokens, its derivative too', () => {
    const means = { ...dpo, beta: 1, logprobs: 'mean' } as const;
    // −2 log 3 / 2 tokens and −6 log 3 / 3 tokens: h = log 3.
    const found = preferenceLoss(answer(-2 * log3, 0, 2), answer(-6 * log3, 0, 3), means);
    expectClose(found.loss, Math.log(4 / 3));
    expectClose(found.gradBetter, -1 / 4 / 2);
    expectClose(found.gradWorse, 1 / 4 / 3);
    expectAllClose(found.rewards, [-log3, -2 * log3]);
  });
  it('of answers of one token, mean and sum are the same', () => {
    const pair = [answer(-0.5, -1.25), answer(-4, -2)] as const;
    for (const loss of preferenceLosses)
      expect(preferenceLoss(...pair, { ...dpo, loss, logprobs: 'mean' })).toEqual(
        preferenceLoss(...pair, { ...dpo, loss }),
      );
  });
});

describe('ipo', () => {
  it('worked by hand', () => {
    // 1 / 2β = 5; h = 2 − (−1) = 3: (3 − 5)² = 4, slope −4.
    const found = preferenceLoss(answer(-1, -3), answer(-3, -2), { ...dpo, loss: 'ipo', beta: 0.1 });
    expectClose(found.loss, 4);
    expectClose(found.gradBetter, -4);
    expectClose(found.gradWorse, 4);
    expectAllClose(found.rewards, [0.2, -0.1]);
  });
  it('is least at h = 1 / 2β, and past it pulls back', () => {
    const at = (h: number) => preferenceLoss(answer(h, 0), answer(0, 0), { ...dpo, loss: 'ipo', beta: 0.25 });
    expect([at(2).loss, at(2).gradBetter]).toEqual([0, 0]);
    expect([at(3).loss, at(3).gradBetter]).toEqual([1, 2]);
  });
});

describe('simpo', () => {
  const simpo: PreferenceSettings = { loss: 'simpo', beta: 2, logprobs: 'mean', smoothing: 0, gamma: 0.5 };
  it('worked by hand', () => {
    // Means −1 and −1.25 − ½ log 3: β · difference − γ = 0.5 + log 3 − 0.5.
    const found = preferenceLoss(answer(-2, 0, 2), answer(-5 - 2 * log3, 0, 4), simpo);
    expectClose(found.loss, Math.log(4 / 3));
    expectClose(found.gradBetter, (-2 * 1) / 4 / 2);
    expectClose(found.gradWorse, (2 * 1) / 4 / 4);
    expectAllClose(found.rewards, [-2, -2.5 - log3]);
  });
  it('does not look at the reference', () => {
    const none = { sum: Number.NaN, tokens: 0 };
    const pair = [answer(-2, -9, 2), answer(-3, 7, 4)] as const;
    const [bare, bareWorse] = pair.map(({ policy }) => ({ policy, reference: none })) as [
      PolicyAndReference,
      PolicyAndReference,
    ];
    expect(preferenceLoss(bare, bareWorse, simpo)).toEqual(preferenceLoss(...pair, simpo));
  });
});

describe('preferenceLoss', () => {
  const settings = preferenceLosses.flatMap((loss) =>
    (['sum', 'mean'] as const).flatMap((logprobs) =>
      [0.01, 0.1, 2].flatMap((beta) =>
        [0, 0.1, 0.5].map((smoothing): PreferenceSettings => ({ loss, beta, logprobs, smoothing, gamma: 1.5 })),
      ),
    ),
  );
  it.each(settings)('$loss of $logprobs, beta $beta, smoothing $smoothing: gradients are those of its loss', (one) => {
    const rng = new Rng('preference', JSON.stringify(one));
    for (const range of [1, 10, 50])
      for (let trial = 0; trial < 15; trial++) {
        const any = () => answer(-range * rng.uniform(), -range * rng.uniform(), 1 + rng.int(6));
        const [better, worse] = [any(), any()];
        const { gradBetter, gradWorse } = preferenceLoss(better, worse, one);
        const moved = (of: PolicyAndReference, sum: number) => ({ ...of, policy: { ...of.policy, sum } });
        expectSlope(gradBetter, (sum) => preferenceLoss(moved(better, sum), worse, one).loss, better.policy.sum);
        expectSlope(gradWorse, (sum) => preferenceLoss(better, moved(worse, sum), one).loss, worse.policy.sum);
      }
  });
  it('answers far apart: nothing overflows', () => {
    for (const one of settings)
      for (const sum of [-5000, -50, 50, 5000]) {
        const { loss, gradBetter, gradWorse } = preferenceLoss(answer(sum, 0), answer(-sum, 0), one);
        expect([loss, gradBetter, gradWorse].every(Number.isFinite)).toBe(true);
      }
    // βh = −½ · 1e4, all of it to be lost: slope −β.
    expect(preferenceLoss(answer(-5000, 0), answer(5000, 0), dpo)).toMatchObject({ loss: 5000, gradBetter: -0.5 });
    // e^−50 of the slope is left on the right side, with all its digits.
    const right = preferenceLoss(answer(50, 0), answer(-50, 0), dpo);
    expect(right.gradBetter / (-0.5 * Math.exp(-50))).toBeCloseTo(1, 12);
  });
  it.each(golden.preference)('is what $by gives: $settings.loss of $settings.logprobs', (known) => {
    const sumOf = (row: readonly number[] = []) => ({ sum: row.reduce((sum, x) => sum + x, 0), tokens: row.length });
    const [better, worse] = [0, 1].map((i) => ({
      policy: sumOf(known.policy[i]),
      reference: sumOf(known.reference[i]),
    })) as [PolicyAndReference, PolicyAndReference];
    const { loss, gradBetter, gradWorse, rewards } = preferenceLoss(better, worse, known.settings);
    expectClose(loss, known.loss);
    expectAllClose([gradBetter, gradWorse], known.gradients);
    if (known.rewards) expectAllClose(rewards, known.rewards);
  });
});
