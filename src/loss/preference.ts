/**
 * Losses on pairs of answers without a reward model. Of each answer the log-probability is a sum over its tokens or their
 * mean, as the settings say by name; h = (log π_w − log π_l) − (log ref_w − log ref_l).
 *   dpo    −(1 − s) log σ(βh) − s log σ(−βh)   Rafailov et al. 2023, arXiv 2305.18290; s: smoothing, Mitchell's cDPO
 *   ipo    (h − 1 / 2β)²                       Azar et al. 2023, arXiv 2310.12036
 *   simpo  −log σ(β (log π_w − log π_l) − γ)   Meng et al. 2024, arXiv 2405.14734: means, and no reference
 */
import { sigmoid, softplusOfMinus } from './ranking.ts';

export const preferenceLosses = ['dpo', 'ipo', 'simpo'] as const;

export interface PreferenceSettings {
  readonly loss: (typeof preferenceLosses)[number];
  readonly beta: number;
  /** How an answer's tokens are put together. */
  readonly logprobs: 'sum' | 'mean';
  /** Share of the pairs that are taken to be labelled the wrong way round; dpo alone. */
  readonly smoothing: number;
  /** γ; simpo alone. */
  readonly gamma: number;
}

/** Σ log p over an answer's tokens, in nats, and how many there are. */
export interface AnswerSum {
  readonly sum: number;
  readonly tokens: number;
}

export interface PolicyAndReference {
  readonly policy: AnswerSum;
  /** Without a reference (simpo) not looked at. */
  readonly reference: AnswerSum;
}

export interface PreferenceLoss {
  readonly loss: number;
  /** By the policy's Σ log p of the better and the worse answer: the same for each of its tokens. */
  readonly gradBetter: number;
  readonly gradWorse: number;
  /** β (log π − log ref) of each, as DPO reads rewards; without a reference β log π. */
  readonly rewards: readonly [number, number];
}

export function preferenceLoss(
  better: PolicyAndReference,
  worse: PolicyAndReference,
  settings: PreferenceSettings,
): PreferenceLoss {
  const { loss: kind, beta, logprobs, smoothing, gamma } = settings;
  const put = ({ sum, tokens }: AnswerSum) => (logprobs === 'mean' ? sum / tokens : sum);
  const per = ({ tokens }: AnswerSum) => (logprobs === 'mean' ? 1 / tokens : 1);
  const gain = ({ policy, reference }: PolicyAndReference) => put(policy) - (kind === 'simpo' ? 0 : put(reference));
  const gains = [gain(better), gain(worse)] as const;
  const h = gains[0] - gains[1];
  const { loss, slope } =
    kind === 'ipo'
      ? ipo(h, beta)
      : logistic(beta * h - (kind === 'simpo' ? gamma : 0), beta, kind === 'dpo' ? smoothing : 0);
  return {
    loss,
    gradBetter: slope * per(better.policy),
    gradWorse: -slope * per(worse.policy),
    rewards: [beta * gains[0], beta * gains[1]],
  };
}

function logistic(x: number, beta: number, smoothing: number): { loss: number; slope: number } {
  return {
    loss: (1 - smoothing) * softplusOfMinus(x) + smoothing * softplusOfMinus(-x),
    slope: beta * (smoothing * sigmoid(x) - (1 - smoothing) * sigmoid(-x)),
  };
}

function ipo(h: number, beta: number): { loss: number; slope: number } {
  const off = h - 1 / (2 * beta);
  return { loss: off ** 2, slope: 2 * off };
}
