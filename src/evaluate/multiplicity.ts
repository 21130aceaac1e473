/**
 * p-values of several comparisons made at once, adjusted: what is below the level after it may be called a finding.
 * Holm (1979) bounds the probability of even one false finding; Benjamini and Hochberg (1995) the expected share of false
 * ones among the findings, where the comparisons are independent or go together. Both return one value each, in order.
 */

export function holm(ps: readonly number[]): number[] {
  let before = 0;
  return adjusted(ps, ascending(ps), (p, rank) => {
    before = Math.max(before, Math.min(1, p * (ps.length - rank)));
    return before;
  });
}

export function benjaminiHochberg(ps: readonly number[]): number[] {
  let after = 1;
  return adjusted(ps, ascending(ps).reverse(), (p, place) => {
    after = Math.min(after, (p * ps.length) / (ps.length - place));
    return after;
  });
}

const ascending = (ps: readonly number[]): number[] => [...ps.keys()].sort((a, b) => ps[a]! - ps[b]!);

function adjusted(
  ps: readonly number[],
  order: readonly number[],
  adjust: (p: number, place: number) => number,
): number[] {
  const values = new Array<number>(ps.length);
  for (const [place, at] of order.entries()) values[at] = adjust(ps[at]!, place);
  return values;
}
