/**
 * What reinforcement learning makes of its answers, in plain numbers: advantages from rewards, and a pack's loss with its
 * derivatives by log-probabilities and values. The weights are rl-session.ts's.
 */
import type { TokenDocument } from '../src/data/pack.ts';
import { gae, groupAdvantages, whiten } from '../src/loss/advantages.ts';
import type { Outputs } from '../src/loss/objective.ts';
import { clippedTerm, klEstimators, valueTerm } from '../src/loss/policy.ts';
import type { GrpoConfig, PpoConfig, RlConfig } from './rl-config.ts';
import type { RlMeter } from './rl-figures.ts';

/** An answer on its way: what was sampled, and what the policy that sampled it and the reference say of its tokens. */
export interface Rollout {
  readonly prompt: string;
  readonly document: TokenDocument;
  readonly truncated: boolean;
  readonly sampled: Float64Array;
  old: Float64Array;
  oldValues: Float64Array;
  reference: Float64Array;
  advantages: Float64Array;
  /** What the values are to become; PPO alone. */
  returns: Float64Array;
}

/** PPO: a token's reward is −β (log π − log ref), the last one's the answer's besides; GAE, whitened over all tokens. */
export function setTokenAdvantages(
  rollouts: readonly Rollout[],
  rewards: readonly number[],
  beta: number,
  settings: PpoConfig,
): void {
  if (rollouts.length === 0) return;
  const raw = rollouts.map(({ old, reference }, i) => {
    const each = old.map((logprob, t) => -beta * (logprob - reference[t]!));
    each[each.length - 1]! += rewards[i] as number;
    return each;
  });
  const earned = settings.whitenRewards ? whiten(raw, { keepMean: true }) : raw;
  const estimated = rollouts.map(({ oldValues }, i) => gae(earned[i] as Float64Array, oldValues, settings));
  const whitened = whiten(estimated.map(({ advantages }) => advantages));
  rollouts.forEach((rollout, i) => {
    rollout.advantages = whitened[i] as Float64Array;
    rollout.returns = (estimated[i] as (typeof estimated)[number]).returns;
  });
}

/** GRPO, RLOO: an answer's reward against those of the other answers to its prompt, the same for all its tokens. */
export function setGroupAdvantages(
  rollouts: readonly Rollout[],
  rewards: readonly number[],
  settings: GrpoConfig,
  meter: RlMeter,
): void {
  const groups = new Map<string, number[]>();
  rollouts.forEach(({ prompt }, i) => {
    groups.set(prompt, [...(groups.get(prompt) ?? []), i]);
  });
  for (const members of groups.values()) {
    const own = members.map((i) => rewards[i] as number);
    // One answer alone, its fellows left out, has nothing to be compared with.
    const advantages = members.length < 2 ? [0] : groupAdvantages(own, settings);
    meter.group(own);
    members.forEach((i, place) => {
      const rollout = rollouts[i] as Rollout;
      rollout.advantages = new Float64Array(rollout.document.labelTokens).fill(advantages[place] as number);
    });
  }
}

const divergenceInLoss = (config: RlConfig): number => (config.algorithm === 'grpo' ? config.klBeta : 0);

/** An answer whose advantages are all 0 does not, unless its divergence or its values count. */
export const moves = ({ advantages }: Rollout, config: RlConfig): boolean =>
  divergenceInLoss(config) > 0 || config.algorithm === 'ppo' || advantages.some((one) => one !== 0);

/**
 * The loss of a pack's tokens, told to `meter`, and its derivatives. A rollout of which nobody has read what the policy
 * that sampled it says is told so here: this policy is that one.
 */
export function policyDerivatives(
  pack: readonly { readonly rollout: Rollout; readonly weight: number }[],
  { logprobs, values }: Outputs,
  config: RlConfig,
  meter: RlMeter,
): Outputs {
  const slopes = new Float64Array(logprobs.length);
  const valueSlopes = new Float64Array(values.length);
  const beta = divergenceInLoss(config);
  let at = 0;
  for (const { rollout, weight } of pack) {
    if (rollout.old.length === 0) rollout.old = logprobs.slice(at, at + rollout.document.labelTokens);
    for (let t = 0; t < rollout.document.labelTokens; t++, at++) {
      const [logprob, old] = [logprobs[at] as number, rollout.old[t] as number];
      const {
        loss: clippedLoss,
        slope,
        ratio,
        clipped,
      } = clippedTerm(logprob, old, rollout.advantages[t] as number, config);
      slopes[at] = weight * slope;
      let loss = clippedLoss;
      if (beta > 0) {
        const divergence = klEstimators.k3(logprob, rollout.reference[t] as number);
        slopes[at]! += weight * beta * divergence.slope;
        loss += beta * divergence.loss;
      }
      meter.token({ weight, loss, ratio, clipped, gap: logprob - old });
      if (config.algorithm !== 'ppo') continue;
      const [before, target] = [rollout.oldValues[t] as number, rollout.returns[t] as number];
      const value = valueTerm(values[at] as number, before, target, config.valueClip);
      valueSlopes[at] = weight * config.valueWeight * value.slope;
      meter.value({ weight, loss: value.loss, clipped: value.clipped });
    }
  }
  return { logprobs: slopes, values: valueSlopes };
}
