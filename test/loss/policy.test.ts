import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { adaptedBeta, clippedTerm, klEstimators, tokenWeights, valueTerm } from '../../src/loss/policy.ts';
import { expectClose, expectSlope, golden } from './golden.ts';

const clip = { clipLow: 0.2, clipHigh: 0.3 };
const between = (rng: Rng, range: number): number => (2 * rng.uniform() - 1) * range;

describe('clippedTerm', () => {
  it.each([
    // ratio, A, loss, slope, clipped: the bound decides only where it makes the objective smaller.
    { ratio: 1, advantage: 2, loss: -2, slope: -2, clipped: false },
    { ratio: 1.25, advantage: 2, loss: -2.5, slope: -2.5, clipped: false },
    { ratio: 1.5, advantage: 2, loss: -2.6, slope: 0, clipped: true },
    { ratio: 1.5, advantage: -2, loss: 3, slope: 3, clipped: false },
    { ratio: 0.5, advantage: 2, loss: -1, slope: -1, clipped: false },
    { ratio: 0.5, advantage: -2, loss: 1.6, slope: 0, clipped: true },
    { ratio: 0.9, advantage: -2, loss: 1.8, slope: 1.8, clipped: false },
  ])('ratio $ratio, advantage $advantage', ({ ratio, advantage, loss, slope, clipped }) => {
    const found = clippedTerm(Math.log(ratio) - 3, -3, advantage, clip);
    expect(found.clipped).toBe(clipped);
    expectClose(found.ratio, ratio);
    expectClose(found.loss, loss);
    expectClose(found.slope, slope);
  });
  it('exactly at a bound it is not clipped: the token still learns', () => {
    // e^¼ − 1 and 1 − e^−¼ are exact, so the bounds are the ratios themselves.
    const [high, low] = [Math.exp(0.25), Math.exp(-0.25)];
    const exact = { clipLow: 1 - low, clipHigh: high - 1 };
    expect([1 + exact.clipHigh, 1 - exact.clipLow]).toEqual([high, low]);
    expect(clippedTerm(0.25, 0, 1, exact)).toEqual({ loss: -high, slope: -high, ratio: high, clipped: false });
    expect(clippedTerm(-0.25, 0, -1, exact)).toEqual({ loss: low, slope: low, ratio: low, clipped: false });
    expect(clippedTerm(-1, -1, 3, { clipLow: 0, clipHigh: 0 })).toMatchObject({ loss: -3, slope: -3, clipped: false });
  });
  it('without advantage there is nothing to learn, and nothing clipped', () => {
    for (const logprob of [-50, 0, 50]) {
      const { loss, slope, clipped } = clippedTerm(logprob, 0, 0, clip);
      expect([Math.abs(loss), Math.abs(slope), clipped]).toEqual([0, 0, false]);
    }
  });
  it.each([0.3, 5, 50])('its slope is that of its loss, log-probabilities up to ±%f', (range) => {
    const rng = new Rng('clip', range);
    let clipped = 0;
    for (let trial = 0; trial < 300; trial++) {
      const [old, advantage] = [between(rng, range), between(rng, 5)];
      const logprob = range === 0.3 ? old + between(rng, 0.6) : between(rng, range);
      const found = clippedTerm(logprob, old, advantage, clip);
      clipped += Number(found.clipped);
      expectSlope(found.slope, (x) => clippedTerm(x, old, advantage, clip).loss, logprob);
    }
    // Both branches were taken.
    expect(clipped).toBeGreaterThan(50);
    expect(clipped).toBeLessThan(250);
  });
});

describe('valueTerm', () => {
  it.each([
    // value, old, target, loss, slope, clipped; range ½.
    { value: 1.25, old: 1, target: 3, loss: 1.75 ** 2 / 2, slope: -1.75, clipped: false },
    // Moved 2 towards the target: held at 1.5, which is further from it.
    { value: 3, old: 1, target: 3.5, loss: 2, slope: 0, clipped: true },
    // Moved past the bound and away from the target: free is further from it.
    { value: -2, old: 1, target: 3, loss: 12.5, slope: -5, clipped: false },
    // From the other side.
    { value: -1, old: 1, target: -1, loss: 1.5 ** 2 / 2, slope: 0, clipped: true },
  ])('value $value from $old to $target', ({ value, old, target, ...known }) => {
    expect(valueTerm(value, old, target, 0.5)).toEqual(known);
  });
  it('at the bound, and where both are as far, it still learns', () => {
    expect(valueTerm(1.5, 1, 3, 0.5)).toEqual({ loss: 1.125, slope: -1.5, clipped: false });
    // Held at 1.5, free at 2.5, target 2.
    expect(valueTerm(2.5, 1, 2, 0.5)).toEqual({ loss: 0.125, slope: 0.5, clipped: false });
  });
  it('range 0: nothing is gained by moving', () => {
    expect(valueTerm(2, 1, 3, 0)).toEqual({ loss: 2, slope: 0, clipped: true });
    expect(valueTerm(1, 1, 3, 0)).toEqual({ loss: 2, slope: -2, clipped: false });
  });
  it.each([1, 50])('its slope is that of its loss, values up to ±%i', (range) => {
    const rng = new Rng('values', range);
    let clipped = 0;
    for (let trial = 0; trial < 300; trial++) {
      const [value, old, target] = [between(rng, range), between(rng, range), between(rng, range)];
      const found = valueTerm(value, old, target, 0.2);
      clipped += Number(found.clipped);
      expectSlope(found.slope, (x) => valueTerm(x, old, target, 0.2).loss, value);
    }
    expect(clipped).toBeGreaterThan(50);
    expect(clipped).toBeLessThan(250);
  });
});

describe('klEstimators', () => {
  const { k1, k2, k3 } = klEstimators;
  it('worked by hand', () => {
    // log π − log ref = log 2: log 2; (log 2)² / 2; ½ − 1 + log 2, its slope 1 − ½.
    const [logprob, reference] = [-1, -1 - Math.log(2)];
    expectClose(k1(logprob, reference).loss, Math.log(2));
    expect(k1(logprob, reference).slope).toBe(1);
    expectClose(k2(logprob, reference).loss, Math.log(2) ** 2 / 2);
    expectClose(k2(logprob, reference).slope, Math.log(2));
    expectClose(k3(logprob, reference).loss, Math.log(2) - 1 / 2);
    expectClose(k3(logprob, reference).slope, 1 / 2);
    // The other way, 2 − 1 − log 2, slope 1 − 2.
    expectClose(k3(reference, logprob).loss, 1 - Math.log(2));
    expectClose(k3(reference, logprob).slope, -1);
  });
  it('of equal probabilities is 0', () => {
    for (const kind of [k1, k2, k3]) expect(Math.abs(kind(-2.5, -2.5).loss)).toBe(0);
    for (const kind of [k2, k3]) expect(Math.abs(kind(-2.5, -2.5).slope)).toBe(0);
  });
  it('k3 is never negative, and about k2 where both agree', () => {
    for (let exponent = -320; exponent <= 1; exponent += 0.25)
      for (const gap of [10 ** exponent, -(10 ** exponent)]) {
        expect(k3(0, gap).loss).toBeGreaterThanOrEqual(0);
        if (exponent > -6 && exponent < -3) expect(k3(0, gap).loss / k2(0, gap).loss).toBeCloseTo(1, 2);
      }
  });
  it('k1 and k3 are the divergence on average', () => {
    const [policy, reference] = [
      [0.5, 0.3, 0.2],
      [0.2, 0.2, 0.6],
    ] as const;
    const average = (of: (logprob: number, ref: number) => number) =>
      policy.reduce((sum, p, i) => sum + p * of(Math.log(p), Math.log(reference[i] as number)), 0);
    const divergence = 0.5 * Math.log(0.5 / 0.2) + 0.3 * Math.log(0.3 / 0.2) + 0.2 * Math.log(0.2 / 0.6);
    expectClose(
      average((p, ref) => k1(p, ref).loss),
      divergence,
    );
    expectClose(
      average((p, ref) => k3(p, ref).loss),
      divergence,
    );
  });
  it.each(['k1', 'k2', 'k3'] as const)('%s: its slope is that of its loss', (kind) => {
    const rng = new Rng('kl', kind);
    for (const range of [0.01, 1, 10, 50])
      for (let trial = 0; trial < 100; trial++) {
        const [logprob, reference] = [between(rng, range), between(rng, range)];
        expectSlope(
          klEstimators[kind](logprob, reference).slope,
          (x) => klEstimators[kind](x, reference).loss,
          logprob,
        );
      }
  });
  it.each(golden.divergences)(
    '%s of %f and %f is OpenRLHF’s, which is fp32',
    (kind, logprob, reference, loss, slope) => {
      const found = klEstimators[kind](logprob, reference);
      expectClose(found.loss, loss, 1e-5);
      expectClose(found.slope, slope, 1e-5);
    },
  );
});

describe('tokenWeights', () => {
  it('every token alike, or every answer', () => {
    expect(tokenWeights([1, 3], 'token')).toEqual([1 / 4, 1 / 4]);
    expect(tokenWeights([1, 3], 'sequence')).toEqual([1 / 2, 1 / 6]);
    for (const average of ['token', 'sequence'] as const) {
      expect(tokenWeights([5], average)).toEqual([1 / 5]);
      expect(tokenWeights([2, 2], average)).toEqual([1 / 4, 1 / 4]);
      expect(tokenWeights([], average)).toEqual([]);
      const lengths = [7, 1, 30, 2];
      const total = tokenWeights(lengths, average).reduce((sum, weight, i) => sum + weight * (lengths[i] as number), 0);
      expectClose(total, 1);
    }
  });
  it('an answer without tokens weighs nothing and does not count', () => {
    expect(tokenWeights([2, 0], 'token')).toEqual([1 / 2, 0]);
    expect(tokenWeights([2, 0], 'sequence')).toEqual([1 / 2, 0]);
    for (const average of ['token', 'sequence'] as const) expect(tokenWeights([0, 0], average)).toEqual([0, 0]);
  });
});

describe('whole losses', () => {
  it.each(golden.policies)('clip, k3 and $average average are TRL’s GRPO (beta $beta)', (known) => {
    const weights = tokenWeights(
      known.logprobs.map(({ length }) => length),
      known.average,
    );
    let loss = 0;
    known.logprobs.forEach((row, i) => {
      const weight = weights[i] as number;
      row.forEach((logprob, t) => {
        const policy = clippedTerm(logprob, known.old[i]![t]!, known.advantages[i] as number, known.clip);
        const kl = klEstimators.k3(logprob, known.reference[i]![t]!);
        loss += weight * (policy.loss + known.beta * kl.loss);
        expectClose(weight * (policy.slope + known.beta * kl.slope), known.gradients[i]![t]!);
      });
    });
    expectClose(loss, known.loss);
  });
  it.each(golden.ppo)(
    'clip of policy and values are TRL’s and OpenRLHF’s PPO (clip $clip, values $valueClip)',
    (known) => {
      const tokens = known.logprobs.flat().length;
      const settings = { clipLow: known.clip, clipHigh: known.clip };
      const sums = { policyLoss: 0, valueLoss: 0, clipped: 0, valuesClipped: 0 };
      known.logprobs.forEach((row, i) => {
        row.forEach((logprob, t) => {
          const policy = clippedTerm(logprob, known.old[i]![t]!, known.advantages[i]![t]!, settings);
          const value = valueTerm(
            known.values[i]![t]!,
            known.oldValues[i]![t]!,
            known.returns[i]![t]!,
            known.valueClip,
          );
          expectClose(policy.slope / tokens, known.policyGradients[i]![t]!);
          expectClose(value.slope / tokens, known.valueGradients[i]![t]!);
          sums.policyLoss += policy.loss / tokens;
          sums.valueLoss += value.loss / tokens;
          sums.clipped += Number(policy.clipped) / tokens;
          sums.valuesClipped += Number(value.clipped) / tokens;
        });
      });
      expectClose(sums.policyLoss, known.policyLoss);
      expectClose(sums.valueLoss, known.valueLoss);
      // Shares are fp32 there.
      expectClose(sums.clipped, known.clipped, 1e-6);
      expectClose(sums.valuesClipped, known.valuesClipped, 1e-6);
    },
  );
});

describe('adaptedBeta', () => {
  const settings = { target: 6, horizon: 100, steps: 10 };
  it('worked by hand', () => {
    // 6.6 / 6 − 1 = 0.1, · 10 / 100: one hundredth more.
    expectClose(adaptedBeta(0.2, 6.6, settings), 0.2 * 1.01);
    expectClose(adaptedBeta(0.2, 5.4, settings), 0.2 * 0.99);
    expectClose(adaptedBeta(0.2, 6, settings), 0.2);
  });
  it('no step is larger than a fifth of steps / horizon', () => {
    for (const kl of [7.2, 60, 1e9]) expectClose(adaptedBeta(0.2, kl, settings), 0.2 * 1.02);
    for (const kl of [4.8, 0, -50]) expectClose(adaptedBeta(0.2, kl, settings), 0.2 * 0.98);
  });
  it.each(golden.betas)('is TRL’s controller ($beta, $kl)', ({ beta, kl, settings: own, next }) => {
    expectClose(adaptedBeta(beta, kl, own), next);
  });
});
