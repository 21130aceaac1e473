/**
 * How much better an answer, or a token of it, was than expected: generalized advantage estimation (Schulman et al. 2016,
 * arXiv 1506.02438) where there is a critic, the other answers of the same prompt where there is none (GRPO: Shao et al.
 * 2024, arXiv 2402.03300; RLOO: Ahmadian et al. 2024, arXiv 2402.14740).
 */

/**
 * Of one answer's tokens. `values` as long as `rewards`; after its last token the episode is over, and nothing more is
 * expected. Returns are advantages + values: what the critic learns.
 */
export function gae(
  rewards: ArrayLike<number>,
  values: ArrayLike<number>,
  { gamma, lambda }: { readonly gamma: number; readonly lambda: number },
): { advantages: Float64Array; returns: Float64Array } {
  const length = rewards.length;
  const advantages = new Float64Array(length);
  const returns = new Float64Array(length);
  let later = 0;
  for (let t = length - 1; t >= 0; t--) {
    const next = t + 1 < length ? (values[t + 1] as number) : 0;
    const surprise = (rewards[t] as number) + gamma * next - (values[t] as number);
    later = surprise + gamma * lambda * later;
    advantages[t] = later;
    returns[t] = later + (values[t] as number);
  }
  return { advantages, returns };
}

/** Mean 0 and deviation 1 over all tokens of all answers; `keepMean`: the deviation alone. The variance is the unbiased one. */
export function whiten(all: readonly Float64Array[], { keepMean = false } = {}): Float64Array[] {
  const count = all.reduce((sum, { length }) => sum + length, 0);
  const sumOf = (of: (value: number) => number) =>
    all.reduce((sum, one) => one.reduce((part, x) => part + of(x), sum), 0);
  const mean = sumOf((x) => x) / count;
  const variance = count > 1 ? sumOf((x) => (x - mean) ** 2) / (count - 1) : 0;
  const scale = 1 / Math.sqrt(variance + 1e-8);
  return all.map((one) => one.map((x) => (x - mean) * scale + (keepMean ? mean : 0)));
}

export interface GroupSettings {
  readonly baseline: 'grpo' | 'rloo';
  /** GRPO's division by the group's deviation, which makes easy and hard prompts weigh alike (and Dr. GRPO leaves out). */
  readonly divideByDeviation: boolean;
}

/** Of the answers to one prompt. Where all rewards are equal, nothing is to be learned: all 0. */
export function groupAdvantages(rewards: readonly number[], { baseline, divideByDeviation }: GroupSettings): number[] {
  const n = rewards.length;
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / n;
  if (rewards.every((reward) => reward === rewards[0])) return rewards.map(() => 0);
  // Against the mean of the others: n / (n − 1) times that against the mean of all.
  const own = rewards.map((reward) => (reward - mean) * (baseline === 'rloo' ? n / (n - 1) : 1));
  if (!divideByDeviation) return own;
  const deviation = Math.sqrt(rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0) / (n - 1));
  return own.map((advantage) => advantage / (deviation + 1e-4));
}
