import { describe, expect, it } from 'vitest';
import { type HealthFigures, healthWarnings } from '../../src/train/rl-health.ts';

const well: HealthFigures = { kl: 1, entropy: 2, length: 20, reward: 0.5, flat: 0 };
const later = (...figures: readonly Partial<HealthFigures>[]) => [
  well,
  ...figures.map((more) => ({ ...well, ...more })),
];

describe('healthWarnings', () => {
  it('has nothing to say of a run that is well, nor of its first iteration', () => {
    expect(healthWarnings([])).toEqual([]);
    expect(healthWarnings([{ ...well, kl: 1000 }])).toEqual([]);
    expect(healthWarnings(later({ reward: 0 }, { reward: 1, entropy: 0.21, length: 40, kl: 50 }))).toEqual([]);
  });

  it.each([
    [{ kl: 50.1 }, 'the policy has run off: 50.10 nats an answer from the reference; raise klBeta or lower the rate'],
    [{ entropy: 0.19 }, 'entropy has collapsed: 0.19 nats a token, 2.00 at first; answers repeat'],
    [{ length: 41 }, 'answers have become long: 41 tokens, 20 at first'],
  ])('says what %j means', (now, said) => {
    expect(healthWarnings(later({}, now))).toEqual([said]);
    expect(healthWarnings(later(now, {}))).toEqual([]); // over
  });

  it('takes another bound for the divergence', () => {
    expect(healthWarnings(later({ kl: 30 }), { klLimit: 20 })).toEqual([expect.stringContaining('30.00 nats')]);
  });

  it('wants ten flat iterations in a row', () => {
    const flat = Array.from({ length: 10 }, () => ({ flat: 1 }));
    expect(healthWarnings(later(...flat))).toEqual([expect.stringContaining('equal for 10 iterations')]);
    expect(healthWarnings(later(...flat.slice(1)))).toEqual([]);
    expect(healthWarnings(later(...flat.slice(1), { flat: 0.9 }))).toEqual([]);
  });
});
