/**
 * Ranking of rewards (Bradley and Terry 1952; Ouyang et al. 2022, arXiv 2203.02155, eq. 1): −log σ(r_w − r_l), averaged over
 * a prompt's pairs, then over prompts, so that a prompt with many answers counts no more than one with two.
 */

export interface RankedPair {
  /** Places in `rewards`. */
  readonly better: number;
  readonly worse: number;
  /** How much better it is, in the judge's units; where margins count. */
  readonly margin?: number | undefined;
}

export interface RankingSettings {
  /** r_w − r_l must pass margin · marginScale (Touvron et al. 2023, arXiv 2307.09288); 0: margins do not count. */
  readonly marginScale: number;
  /** Of (r_w + r_l)², which keeps rewards about 0 (Eisenstein et al. 2023, arXiv 2312.09244); 0: none. */
  readonly centering: number;
}

export interface RankingLoss {
  /** Weighted as `weight` says. */
  readonly loss: number;
  /** By each reward. */
  readonly gradient: Float64Array;
  /** Of each pair, r_w − r_l. */
  readonly margins: readonly number[];
}

/** −log σ(x), without overflow. */
export const softplusOfMinus = (x: number): number => Math.max(0, -x) + Math.log1p(Math.exp(-Math.abs(x)));
export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** One prompt's pairs; `weight`: 1 / prompts of the whole step. */
export function rankingLoss(
  rewards: ArrayLike<number>,
  pairs: readonly RankedPair[],
  { marginScale, centering }: RankingSettings,
  weight: number,
  gradient: Float64Array = new Float64Array(rewards.length),
): RankingLoss {
  let loss = 0;
  const margins = pairs.map(({ better, worse, margin = 0 }) => {
    const [won, lost] = [rewards[better] as number, rewards[worse] as number];
    const share = weight / pairs.length;
    const beyond = won - lost - marginScale * margin;
    loss += share * (softplusOfMinus(beyond) + centering * (won + lost) ** 2);
    const pull = -sigmoid(-beyond) * share;
    const centre = 2 * centering * (won + lost) * share;
    gradient[better]! += pull + centre;
    gradient[worse]! += -pull + centre;
    return won - lost;
  });
  return { loss, gradient, margins };
}
