import { describe, expect, it } from 'vitest';
import { RlMeter } from '../../recipes/rl-figures.ts';

const floats = (...values: number[]) => Float64Array.from(values);
const answer = (labelTokens: number, truncated = false) => ({ truncated, document: { labelTokens } });

describe('RlMeter', () => {
  it('adds up an iteration, worked by hand', () => {
    const meter = new RlMeter();
    // Four answers, of two prompts; the last could not be scored.
    meter.sampled([answer(2), answer(4), answer(3, true), answer(7, true)], [1, 0, 0.5, Number.NaN], 3);
    meter.policy(
      [
        { old: floats(-1, -2), reference: floats(-1.5, -2.5), sampled: floats(-1, -2.2) },
        { old: floats(-3), reference: floats(-2.5), sampled: floats(-3.1) },
      ],
      0.1,
    );
    meter.group([1, 0]);
    meter.group([0.5]);
    meter.token({ weight: 0.25, loss: -2, ratio: 1.5, clipped: true, gap: 0.4 });
    meter.token({ weight: 0.75, loss: 2, ratio: 0.9, clipped: false, gap: -0.2 });
    meter.value({ weight: 0.5, loss: 3, clipped: true });
    meter.value({ weight: 1.5, loss: 1, clipped: false });
    meter.step(2);
    meter.step(4);
    const { metrics, ...figures } = meter.figures();
    const near = (expected: Record<string, number>, found: Readonly<Record<string, number>>) => {
      for (const [name, value] of Object.entries(expected))
        expect([name, found[name]]).toEqual([name, expect.closeTo(value, 12)]);
    };
    // (0.5 + 0.5 − 0.5) nats in two answers; −log p is 6 in three tokens; the decoder said 0.2 + 0.1 else.
    near({ kl: 0.25, entropy: 2, length: 4, reward: 0.5, flat: 0.5 }, { ...figures });
    near(
      {
        reward: 0.5,
        reward_std: Math.SQRT1_2 / 2, // of (1, 0) √½, of one answer 0
        frac_reward_zero_std: 0.5,
        'objective/kl': 0.25,
        'objective/entropy': 2,
        'objective/non_score_reward': -0.025,
        'objective/rlhf_reward': 0.475,
        beta: 0.1,
        'policy/approxkl_avg': (0.25 * 0.16 + 0.75 * 0.04) / 2,
        'policy/clipfrac_avg': 0.25,
        'loss/policy_avg': 1,
        'val/ratio': 0.25 * 1.5 + 0.75 * 0.9,
        'loss/value_avg': 1.5,
        'val/clipfrac_avg': 0.25,
        'completions/mean_length': 4,
        'completions/clipped_ratio': 0.5,
        'sampling/logp_gap': 0.1,
        'answers/learned': 3,
        'answers/unscored': 1,
        grad_norm: 3,
      },
      metrics,
    );
    expect(meter.worstRatio).toBeCloseTo(0.5, 12);
  });

  it('has figures where there are no groups, and none of values where there is no critic', () => {
    const meter = new RlMeter();
    meter.sampled([answer(1), answer(1)], [1, 3], 2);
    const { metrics, flat } = meter.figures();
    expect(metrics['reward_std']).toBeCloseTo(Math.SQRT2, 12);
    expect(flat).toBe(0);
    expect(metrics).not.toHaveProperty('loss/value_avg');
  });

  it('is all numbers where nothing could be learned from', () => {
    const meter = new RlMeter();
    meter.sampled([answer(3, true)], [Number.NaN], 0);
    meter.policy([], 0.1);
    const { metrics, flat } = meter.figures();
    expect(flat).toBe(1);
    expect(Object.entries(metrics).filter(([, value]) => !Number.isFinite(value))).toEqual([]);
    expect(metrics).toMatchObject({ 'answers/learned': 0, 'answers/unscored': 1, grad_norm: 0, 'val/ratio': 0 });
  });
});
