/**
 * Losses of reinforcement learning, a token at a time. PPO's clipped objective (Schulman et al. 2017, arXiv 1707.06347),
 * the clipped loss of the values, and estimators of the divergence from a reference (Schulman 2020, "Approximating KL
 * divergence"). Ratios are of the policy as it is to the policy that sampled.
 */

/** Loss and its derivative by the first argument. */
export interface Term {
  readonly loss: number;
  readonly slope: number;
}

export interface ClipSettings {
  /** The ratio counts only between 1 − low and 1 + high. */
  readonly clipLow: number;
  readonly clipHigh: number;
}

/** −min(ratio · A, clipped ratio · A) of one token; `clipped`: whether the bound decided. */
export function clippedTerm(
  logprob: number,
  old: number,
  advantage: number,
  { clipLow, clipHigh }: ClipSettings,
): Term & { readonly ratio: number; readonly clipped: boolean } {
  const ratio = Math.exp(logprob - old);
  const bounded = Math.min(1 + clipHigh, Math.max(1 - clipLow, ratio));
  const clipped = bounded * advantage < ratio * advantage;
  return clipped
    ? { loss: -bounded * advantage, slope: 0, ratio, clipped }
    : { loss: -ratio * advantage, slope: -ratio * advantage, ratio, clipped };
}

/** ½ max((v − R)², (v clipped to old ± range − R)²) of one token. */
export function valueTerm(
  value: number,
  old: number,
  target: number,
  range: number,
): Term & { readonly clipped: boolean } {
  const bounded = Math.min(old + range, Math.max(old - range, value));
  const [free, held] = [(value - target) ** 2, (bounded - target) ** 2];
  return held > free
    ? { loss: held / 2, slope: 0, clipped: true }
    : { loss: free / 2, slope: value - target, clipped: false };
}

export const klEstimators = {
  /** Unbiased, of high variance. */
  k1: (logprob: number, reference: number): Term => ({ loss: logprob - reference, slope: 1 }),
  /** Biased, of low variance. */
  k2: (logprob: number, reference: number): Term => ({
    loss: (logprob - reference) ** 2 / 2,
    slope: logprob - reference,
  }),
  /** Unbiased and never negative: what GRPO takes. */
  k3(logprob: number, reference: number): Term {
    const gap = reference - logprob;
    return { loss: Math.expm1(gap) - gap, slope: -Math.expm1(gap) };
  },
} as const;

/** How tokens of several answers are put together: every token alike, or every answer alike. */
export type LossAverage = 'token' | 'sequence';

/** The weight of each token of answers of these lengths, in order of the answers; they add up to 1. Without tokens 0. */
export function tokenWeights(lengths: readonly number[], average: LossAverage): number[] {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const answers = lengths.filter((length) => length > 0).length;
  const weight = (length: number) => (average === 'token' ? 1 / tokens : 1 / (answers * length));
  return lengths.map((length) => (length > 0 ? weight(length) : 0));
}

/** β that follows the divergence it is to hold (Ziegler et al. 2019, arXiv 1909.08593, section 2.2). */
export function adaptedBeta(
  beta: number,
  kl: number,
  { target, horizon, steps }: { readonly target: number; readonly horizon: number; readonly steps: number },
): number {
  const error = Math.min(0.2, Math.max(-0.2, kl / target - 1));
  return beta * (1 + (error * steps) / horizon);
}
