/** Lengths as counts of each length: memory grows with how many different ones there are, not with the rows. */
import { invariant } from '../base/errors.ts';

export interface LengthSummary {
  /** To two decimals. */
  readonly mean: number;
  /** Nearest-rank quantiles: the smallest length with at least that share of all at or below it. 0 where there are none. */
  readonly median: number;
  readonly p95: number;
  readonly max: number;
}

/** `from` ≤ length ≤ `to`; the last bin of a chart has no `to`. */
export interface LengthBin {
  readonly from: number;
  readonly to?: number | undefined;
  readonly count: number;
}

export class LengthCounts {
  count = 0;
  total = 0;
  readonly #counts = new Map<number, number>();

  /** A whole number from 0. */
  add(length: number): void {
    this.count += 1;
    this.total += length;
    this.#counts.set(length, (this.#counts.get(length) ?? 0) + 1);
  }

  summary(): LengthSummary {
    const mean = this.count === 0 ? 0 : Math.round((100 * this.total) / this.count) / 100;
    return { mean, median: this.quantile(0.5), p95: this.quantile(0.95), max: this.quantile(1) };
  }

  quantile(share: number): number {
    if (this.count === 0) return 0;
    const rank = Math.max(1, Math.ceil(share * this.count));
    const sorted = [...this.#counts].sort(([a], [b]) => a - b);
    let below = 0;
    const found = sorted.find(([, count]) => {
      below += count;
      return below >= rank;
    });
    invariant(found !== undefined, 'a share is at most 1');
    return found[0];
  }

  /** Bins of `width` from 0; what is longer than `numBins` of them is in one more, if there is any. */
  bins(width: number, numBins: number): LengthBin[] {
    invariant(width >= 1 && numBins >= 1, 'bins have a width and a number from 1');
    const counts = new Array<number>(numBins + 1).fill(0);
    for (const [length, count] of this.#counts) {
      const bin = Math.min(numBins, Math.floor(length / width));
      counts[bin] = counts[bin]! + count;
    }
    const longer = counts.pop()!;
    const bins: LengthBin[] = counts.map((count, i) => ({ from: i * width, to: (i + 1) * width - 1, count }));
    if (longer > 0) bins.push({ from: numBins * width, count: longer });
    return bins;
  }
}

/** The round width (1, 2, 5, 10, …) with which at most `numBins` bins reach `longest`. */
export function roundWidth(longest: number, numBins: number): number {
  for (let power = 1; ; power *= 10) {
    for (const digit of [1, 2, 5]) if (digit * power * numBins > longest) return digit * power;
  }
}
