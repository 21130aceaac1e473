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
  let used = 0;
  for (const item of items) {
    const last = groups.at(-1);
    const behind = last?.at(-1);
    if (!last || used + size(item, behind) > limit) {
      groups.push([item]);
      used = size(item, undefined);
    } else {
      last.push(item);
      used += size(item, behind);
    }
  }
  return groups;
}
