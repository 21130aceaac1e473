/** What an iteration of reinforcement learning comes to, by TRL's names where it has one. */
import type { HealthFigures } from '../src/train/rl-health.ts';

export interface RlFigures extends HealthFigures {
  /** As logged: TRL's names. */
  readonly metrics: Readonly<Record<string, number>>;
}

interface Sampled {
  readonly truncated: boolean;
  readonly document: { readonly labelTokens: number };
}

interface Said {
  readonly old: Float64Array;
  readonly reference: Float64Array;
  readonly sampled: Float64Array;
}

/** Adds up; `token` and `value` are told every token's share of a step's mean. */
export class RlMeter {
  #answers = 0;
  #kept = 0;
  #unscored = 0;
  #truncated = 0;
  #rewards: number[] = [];
  #lengths: number[] = [];
  #deviations: number[] = [];
  #flat = 0;
  #kl = 0;
  #entropy = 0;
  #gap = 0;
  #beta = 0;
  #steps = 0;
  #normSum = 0;
  #weight = 0;
  #loss = 0;
  #clipped = 0;
  #ratio = 0;
  #approxKl = 0;
  #valueLoss = 0;
  #valueClipped = 0;
  #valueWeight = 0;
  /** The largest distance of a token's ratio from 1. */
  worstRatio = 0;

  sampled(rollouts: readonly Sampled[], rewards: readonly number[], kept: number): void {
    this.#answers = rollouts.length;
    this.#kept = kept;
    this.#rewards = rewards.filter((reward) => Number.isFinite(reward));
    this.#unscored = rewards.length - this.#rewards.length;
    this.#truncated = rollouts.filter(({ truncated }) => truncated).length;
    this.#lengths = rollouts.map(({ document }) => document.labelTokens);
  }

  /** Of the policy that sampled. */
  policy(rollouts: readonly Said[], beta: number): void {
    this.#beta = beta;
    let tokens = 0;
    for (const { old, reference, sampled } of rollouts) {
      old.forEach((logprob, t) => {
        this.#kl += logprob - reference[t]!;
        this.#entropy -= logprob;
        this.#gap += Math.abs(logprob - sampled[t]!);
        tokens += 1;
      });
    }
    this.#kl /= Math.max(1, rollouts.length);
    this.#entropy /= Math.max(1, tokens);
    this.#gap /= Math.max(1, tokens);
  }

  group(rewards: readonly number[]): void {
    const mean = meanOf(rewards);
    const variance =
      rewards.length > 1 ? rewards.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (rewards.length - 1) : 0;
    this.#deviations.push(Math.sqrt(variance));
    if (rewards.every((reward) => reward === rewards[0])) this.#flat += 1;
  }

  token(of: { weight: number; loss: number; ratio: number; clipped: boolean; gap: number }): void {
    this.#weight += of.weight;
    this.#loss += of.weight * of.loss;
    if (of.clipped) this.#clipped += of.weight;
    this.#ratio += of.weight * of.ratio;
    this.#approxKl += (of.weight * of.gap ** 2) / 2;
    this.worstRatio = Math.max(this.worstRatio, Math.abs(of.ratio - 1));
  }

  value(of: { weight: number; loss: number; clipped: boolean }): void {
    this.#valueWeight += of.weight;
    this.#valueLoss += of.weight * of.loss;
    if (of.clipped) this.#valueClipped += of.weight;
  }

  step(gradNorm: number): void {
    this.#steps += 1;
    this.#normSum += gradNorm;
  }

  figures(): RlFigures {
    const reward = meanOf(this.#rewards);
    const length = meanOf(this.#lengths);
    const groups = this.#deviations.length;
    const flat = groups > 0 ? this.#flat / groups : Number(this.#rewards.every((one) => one === this.#rewards[0]));
    const per = (sum: number, weight: number) => (weight > 0 ? sum / weight : 0);
    const metrics: Record<string, number> = {
      reward,
      reward_std: groups > 0 ? meanOf(this.#deviations) : deviationOf(this.#rewards),
      frac_reward_zero_std: flat,
      'objective/kl': this.#kl,
      'objective/entropy': this.#entropy,
      'objective/scores': reward,
      'objective/non_score_reward': -this.#beta * this.#kl,
      'objective/rlhf_reward': reward - this.#beta * this.#kl,
      beta: this.#beta,
      'policy/approxkl_avg': per(this.#approxKl, this.#weight),
      'policy/clipfrac_avg': per(this.#clipped, this.#weight),
      'loss/policy_avg': per(this.#loss, this.#weight),
      'val/ratio': per(this.#ratio, this.#weight),
      'completions/mean_length': length,
      'completions/clipped_ratio': this.#truncated / Math.max(1, this.#answers),
      'sampling/logp_gap': this.#gap,
      'answers/learned': this.#kept,
      'answers/unscored': this.#unscored,
      grad_norm: this.#steps > 0 ? this.#normSum / this.#steps : 0,
      ...(this.#valueWeight > 0 && {
        'loss/value_avg': this.#valueLoss / this.#valueWeight,
        'val/clipfrac_avg': this.#valueClipped / this.#valueWeight,
      }),
    };
    return { kl: this.#kl, entropy: this.#entropy, length, reward, flat, metrics };
  }
}

const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

function deviationOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
