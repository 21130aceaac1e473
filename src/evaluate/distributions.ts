/** The two distributions that tests and powers need, to double precision: the normal one, and coin tosses. */

/** P(Z ≥ z) of the standard normal distribution, exact in relative terms far out as well. */
export function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z > 3) {
    // Laplace's continued fraction, from its far end: 1 / (z + 1 / (z + 2 / (z + 3 / …))).
    let rest = z;
    for (let k = 200; k >= 1; k--) rest = z + k / rest;
    return density / rest;
  }
  // ½ − φ(z) (z + z³/3 + z⁵/(3·5) + …)
  let term = z;
  let sum = z;
  for (let k = 3; term > 1e-18 * sum; k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return 0.5 - density * sum;
}

/** The z with P(Z ≤ z) = `share`, 0 < share < 1. */
export function normalQuantile(share: number): number {
  if (!(share > 0 && share < 1)) throw new RangeError(`normalQuantile: expected a share between 0 and 1, got ${share}`);
  if (share < 0.5) return -normalQuantile(1 - share);
  let [low, high] = [0, 40];
  while (true) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) return middle;
    if (normalTail(middle) > 1 - share) low = middle;
    else high = middle;
  }
}

/** P(at most `heads` of `tosses` of a fair coin). */
export function fairCoinAtMost(heads: number, tosses: number): number {
  // In logarithms: 2^−tosses alone is below the smallest number from 1,075 tosses on.
  let logTerm = -tosses * Math.LN2;
  let sum = 0;
  for (let k = 0; k <= Math.min(heads, tosses); k++) {
    if (k > 0) logTerm += Math.log((tosses - k + 1) / k);
    sum += Math.exp(logTerm);
  }
  return Math.min(1, sum);
}
