/** A list cut into runs of limited size. */

/**
 * Cuts a list into runs whose sizes add up to at most `limit`; an item larger than that stands alone. An item may be
 * smaller behind the one before it in its run.
 */
export function fillRuns<T>(
  items: readonly T[],
  size: (item: T, before: T | undefined) => number,
  limit: number,
): T[][] {
  const groups: T[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const behind = groups.at(-1)?.at(-1);
    if (used + size(item, behind) > limit) {
      groups.push([item]);
      used = size(item, undefined);
    } else {
      groups.at(-1)?.push(item);
      used += size(item, behind);
    }
  }
  return groups;
}
