/**
 * Who compares what next, and which answer stands left. Decided one comparison at a time, so that raters may come, go and
 * be added at any moment: an item goes to raters until it has enough, fewest first.
 *
 * Balance: an item's two orders never differ by more than one in number; of the items that are equally far, a rater gets
 * one whose wanted order mends his own balance. Attention checks stand one in each block of 1 / share comparisons, at a
 * place that is the rater's own, and never first of all.
 */
import { invariant } from '../../src/base/errors.ts';
import { Rng } from '../../src/base/rng.ts';

/** Which model's answer stands left, then right. */
export type Order = 'AB' | 'BA';

/** An item that this rater may get. */
export interface Candidate {
  readonly item: string;
  /** Raters that have it, by the order in which they see it. */
  readonly ab: number;
  readonly ba: number;
}

/** `lead`: how many more comparisons the rater has seen in order AB than in BA. undefined where there is no candidate. */
export function chooseItem(
  candidates: readonly Candidate[],
  lead: number,
  rng: Rng,
): { readonly item: string; readonly order: Order } | undefined {
  const least = candidates.reduce((fewest, { ab, ba }) => Math.min(fewest, ab + ba), Number.POSITIVE_INFINITY);
  const fewest = candidates.filter(({ ab, ba }) => ab + ba === least);
  const mends = fewest.filter(({ ab, ba }) => (ab - ba) * lead >= 0);
  const pool = mends.length > 0 ? mends : fewest;
  if (pool.length === 0) return undefined;
  const chosen = pool[rng.int(pool.length)]!;
  return { item: chosen.item, order: chooseOrder(chosen.ab - chosen.ba, lead, rng) };
}

/** The item's balance first, then the rater's, then chance. */
export function chooseOrder(itemLead: number, raterLead: number, rng: Rng): Order {
  const lead = itemLead === 0 ? raterLead : itemLead;
  if (lead !== 0) return lead > 0 ? 'BA' : 'AB';
  return rng.int(2) === 0 ? 'AB' : 'BA';
}

export interface CheckPlan {
  /** Part of a study's identity: other seeds give other places. */
  readonly seed: number;
  /** Of a rater's comparisons, checks included; 0 to ½. */
  readonly share: number;
}

/** Whether the comparison at this place of a rater's row, counted from 1, is an attention check. */
export const isCheckPosition = (plan: CheckPlan, rater: string, position: number): boolean =>
  plan.share > 0 && position === checkPosition(plan, rater, position);

const blockLength = ({ share }: CheckPlan): number => Math.round(1 / share);

/** Where the check stands in the block that `position` is in. */
function checkPosition(plan: CheckPlan, rater: string, position: number): number {
  invariant(plan.share > 0 && plan.share <= 0.5, `checkPosition: share ${plan.share}`);
  const length = blockLength(plan);
  const block = Math.floor((position - 1) / length);
  const rng = new Rng('attention check', plan.seed, rater, block);
  return block * length + 1 + (block === 0 ? 1 + rng.int(length - 1) : rng.int(length));
}

/** How many comparisons, checks included, a rater sees from `position` on until `real` that are none have been shown. */
export function comparisonsLeft(
  plan: CheckPlan,
  rater: string,
  options: { readonly position: number; readonly real: number; readonly checks: number },
): number {
  let { position, real, checks } = options;
  let shown = 0;
  while (plan.share > 0 && real > 0 && checks > 0) {
    const length = blockLength(plan);
    const left = length - ((position - 1) % length);
    // Where a block is used up from end to end, it does not matter where in it the check stands.
    const isUsedUp = left === length && real >= length;
    const before = isUsedUp ? 0 : checkPosition(plan, rater, position) - position;
    const checksHere = before >= 0 ? 1 : 0;
    const realHere = left - checksHere;
    if (real <= realHere) return shown + real + (checksHere === 1 && before < real ? 1 : 0);
    real -= realHere;
    checks -= checksHere;
    shown += left;
    position += left;
  }
  return shown + real;
}
