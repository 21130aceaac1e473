/**
 * Whether stated probabilities come true: bins of equal width, in each the mean probability beside the share that came about
 * (a reliability table), and the expected error (Naeini, Cooper & Hauskrecht 2015): |predicted − observed| of the bins, weighted
 * by how many are in them. It says nothing about how far the probabilities tell cases apart.
 */

export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly items: number;
  /** Mean probability, and the share that came about; null where the bin is empty. */
  readonly predicted: number | null;
  readonly observed: number | null;
}

export interface Calibration {
  /** null without items. */
  readonly error: number | null;
  readonly bins: readonly CalibrationBin[];
}

export function calibrate(
  items: readonly { readonly predicted: number; readonly cameAbout: boolean }[],
  bins = 10,
): Calibration {
  const sums = Array.from({ length: bins }, () => ({ items: 0, predicted: 0, observed: 0 }));
  for (const { predicted, cameAbout } of items) {
    const bin = sums[Math.min(bins - 1, Math.floor(bins * predicted))]!;
    bin.items += 1;
    bin.predicted += predicted;
    bin.observed += cameAbout ? 1 : 0;
  }
  const off = sums.reduce((sum, { predicted, observed }) => sum + Math.abs(predicted - observed), 0);
  return {
    error: items.length === 0 ? null : off / items.length,
    bins: sums.map(({ items: count, predicted, observed }, i) => ({
      from: i / bins,
      to: (i + 1) / bins,
      items: count,
      predicted: count === 0 ? null : predicted / count,
      observed: count === 0 ? null : observed / count,
    })),
  };
}
