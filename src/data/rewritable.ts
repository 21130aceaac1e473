/**
 * Whether a row that was read from JSON can be written again as it was. JavaScript rounds whole numbers beyond 2⁵³, which
 * are ids more often than quantities, and takes 1e400 for infinite; where numbers have an exponent when written, they are
 * quantities, and their nearest double is what they mean.
 */
export function lostNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return isLost(value) ? value : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const member of Object.values(value)) {
    const lost = lostNumber(member);
    if (lost !== undefined) return lost;
  }
  return undefined;
}

/** From here on JavaScript writes an exponent. */
const exponentFrom = 1e21;

const isLost = (value: number): boolean =>
  !Number.isFinite(value) ||
  (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < exponentFrom);
