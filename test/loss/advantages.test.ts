import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { gae, groupAdvantages, whiten } from '../../src/loss/advantages.ts';
import { expectAllClose, expectClose, golden } from './golden.ts';

const draw = (rng: Rng, length: number, range: number): number[] =>
  Array.from({ length }, () => (2 * rng.uniform() - 1) * range);

describe('gae', () => {
  it('worked by hand', () => {
    // γ = ½, λ = ½. Surprises: 1 + ½ · 4 − 2 = 1; 0 + ½ · 6 − 4 = −1; 8 − 6 = 2, with nothing after it.
    // Backwards, each γλ = ¼ of the next: 2; −1 + ¼ · 2 = −½; 1 + ¼ · −½ = ⅞.
    const { advantages, returns } = gae([1, 0, 8], [2, 4, 6], { gamma: 0.5, lambda: 0.5 });
    expect([...advantages]).toEqual([0.875, -0.5, 2]);
    expect([...returns]).toEqual([2.875, 3.5, 8]);
  });
  it('one token: its reward less its value', () => {
    const { advantages, returns } = gae([3], [1], { gamma: 0.9, lambda: 0.9 });
    expect([...advantages, ...returns]).toEqual([2, 3]);
  });
  it('no tokens', () => expect(gae([], [], { gamma: 1, lambda: 1 }).advantages).toHaveLength(0));
  it('λ = 1: returns are the discounted rewards, whatever the critic says; λ = 0: the critic’s surprise of one token', () => {
    const rng = new Rng('gae');
    for (let trial = 0; trial < 20; trial++) {
      const [rewards, values] = [draw(rng, 6, 50), draw(rng, 6, 50)];
      const discounted = rewards.map((_, t) => rewards.slice(t).reduce((sum, reward, k) => sum + 0.9 ** k * reward, 0));
      const whole = gae(rewards, values, { gamma: 0.9, lambda: 1 });
      expectAllClose(whole.returns, discounted, 1e-11);
      const short = gae(rewards, values, { gamma: 0.9, lambda: 0 });
      const surprises = rewards.map((reward, t) => reward + 0.9 * (values[t + 1] ?? 0) - (values[t] as number));
      expectAllClose(short.advantages, surprises);
    }
  });
  it('is the sum of (γλ)^k · surprise it is defined as', () => {
    const rng = new Rng('gae sum');
    for (let trial = 0; trial < 20; trial++) {
      const [rewards, values] = [draw(rng, 7, 50), draw(rng, 7, 50)];
      const [gamma, lambda] = [rng.uniform(), rng.uniform()];
      const surprises = rewards.map((reward, t) => reward + gamma * (values[t + 1] ?? 0) - (values[t] as number));
      const { advantages, returns } = gae(rewards, values, { gamma, lambda });
      const sums = surprises.map((_, t) =>
        surprises.slice(t).reduce((sum, x, k) => sum + (gamma * lambda) ** k * x, 0),
      );
      expectAllClose(advantages, sums);
      expectAllClose(
        returns,
        sums.map((sum, t) => sum + (values[t] as number)),
      );
    }
  });
  it.each(golden.episodes)('is TRL’s and OpenRLHF’s ($settings)', (known) => {
    known.rewards.forEach((rewards, i) => {
      const { advantages, returns } = gae(rewards, known.values[i] ?? [], known.settings);
      expectAllClose(advantages, known.advantages[i] ?? []);
      expectAllClose(returns, known.returns[i] ?? []);
    });
  });
});

describe('whiten', () => {
  it('worked by hand, over all answers as one', () => {
    // 1, 2, 3, 6: mean 3, variance (4 + 1 + 0 + 9) / 3.
    const scale = Math.sqrt(3 / 14);
    const [one, other] = whiten([Float64Array.of(1, 2), Float64Array.of(3, 6)]) as [Float64Array, Float64Array];
    expectAllClose([...one, ...other], [-2 * scale, -scale, 0, 3 * scale], 1e-8);
    const kept = whiten([Float64Array.of(1, 2), Float64Array.of(3, 6)], { keepMean: true });
    expectAllClose(
      kept.flatMap((row) => [...row]),
      [3 - 2 * scale, 3 - scale, 3, 3 + 3 * scale],
      1e-8,
    );
  });
  it('makes mean 0 and variance 1, at any scale', () => {
    const rng = new Rng('whiten');
    for (const range of [0.1, 1, 50, 1e6]) {
      const rows = [3, 1, 8].map((length) => Float64Array.from(draw(rng, length, range), (x) => x + range));
      const all = whiten(rows).flatMap((row) => [...row]);
      expectClose(
        all.reduce((sum, x) => sum + x, 0),
        0,
      );
      const squares = all.reduce((sum, x) => sum + x ** 2, 0);
      expect(squares / (all.length - 1)).toBeCloseTo(1, 4);
    }
  });
  it('values without deviation become 0, or stay what they are; so does a single one, or none', () => {
    for (const values of [[5, 5, 5], [5]]) {
      expect(whiten([Float64Array.from(values)])).toEqual([Float64Array.from(values, () => 0)]);
      expect(whiten([Float64Array.from(values)], { keepMean: true })).toEqual([Float64Array.from(values)]);
    }
    expect(whiten([])).toEqual([]);
    expect(whiten([new Float64Array(0)])).toEqual([new Float64Array(0)]);
  });
  it('leaves what it is given as it is', () => {
    const row = Float64Array.of(1, 2);
    whiten([row]);
    expect([...row]).toEqual([1, 2]);
  });
  it.each(golden.episodes)('is TRL’s masked_whiten ($settings)', (known) => {
    const rows = known.advantages.map((row) => Float64Array.from(row));
    const flat = (all: readonly ArrayLike<number>[]) => all.flatMap((row) => Array.from(row));
    expectAllClose(flat(whiten(rows)), flat(known.whitened));
    expectAllClose(flat(whiten(rows, { keepMean: true })), flat(known.keptMean));
  });
});

describe('groupAdvantages', () => {
  const grpo = { baseline: 'grpo', divideByDeviation: true } as const;
  const mean = { baseline: 'grpo', divideByDeviation: false } as const;
  const rloo = { baseline: 'rloo', divideByDeviation: false } as const;
  it('worked by hand', () => {
    // Mean 3; variance (4 + 1 + 0 + 9) / 3. Means of the others: 11/3, 10/3, 3, 2.
    const rewards = [1, 2, 3, 6];
    const deviation = Math.sqrt(14 / 3) + 1e-4;
    expectAllClose(groupAdvantages(rewards, mean), [-2, -1, 0, 3]);
    expectAllClose(groupAdvantages(rewards, grpo), [-2 / deviation, -1 / deviation, 0, 3 / deviation]);
    expectAllClose(groupAdvantages(rewards, rloo), [1 - 11 / 3, 2 - 10 / 3, 0, 4]);
    const both = groupAdvantages(rewards, { ...rloo, divideByDeviation: true });
    expectAllClose(both, [-8 / 3 / deviation, -4 / 3 / deviation, 0, 4 / deviation]);
  });
  it('two answers: rloo gives their difference, grpo half of it, divided 1/√2 whatever it is', () => {
    expectAllClose(groupAdvantages([5, 1], rloo), [4, -4]);
    expectAllClose(groupAdvantages([5, 1], mean), [2, -2]);
    // Deviation √((4 + 4) / 1) = √8.
    expectAllClose(groupAdvantages([5, 1], grpo), [2 / (Math.sqrt(8) + 1e-4), -2 / (Math.sqrt(8) + 1e-4)]);
    expect(groupAdvantages([5000, 1000], grpo)[0]).toBeCloseTo(Math.SQRT1_2, 6);
  });
  it('equal rewards, one answer, none: exactly 0', () => {
    // The mean of three 0.1 is not 0.1 in binary.
    for (const rewards of [[0.1, 0.1, 0.1], [-50, -50], [7], []])
      for (const baseline of ['grpo', 'rloo'] as const)
        for (const divideByDeviation of [true, false])
          expect(groupAdvantages(rewards, { baseline, divideByDeviation })).toEqual(rewards.map(() => 0));
  });
  it('add up to 0, and do not change with a constant on all rewards', () => {
    const rng = new Rng('groups');
    for (const settings of [grpo, mean, rloo, { ...rloo, divideByDeviation: true }])
      for (let trial = 0; trial < 20; trial++) {
        const rewards = draw(rng, 2 + rng.int(7), 50);
        const advantages = groupAdvantages(rewards, settings);
        expect(advantages.reduce((sum, x) => sum + x, 0)).toBeCloseTo(0, 9);
        expectAllClose(
          groupAdvantages(
            rewards.map((x) => x + 32),
            settings,
          ),
          advantages,
          1e-7,
        );
      }
  });
  it('rloo is each less the mean of the others', () => {
    const rng = new Rng('rloo');
    for (let trial = 0; trial < 20; trial++) {
      const rewards = draw(rng, 2 + rng.int(7), 50);
      const known = rewards.map((reward, i) => {
        const others = rewards.filter((_, j) => j !== i);
        return reward - others.reduce((sum, x) => sum + x, 0) / others.length;
      });
      expectAllClose(groupAdvantages(rewards, rloo), known);
    }
  });
  it.each(golden.groups)('is TRL’s ($settings.baseline, divided $settings.divideByDeviation, $rewards)', (known) => {
    expectAllClose(groupAdvantages(known.rewards, known.settings), known.advantages);
  });
});
