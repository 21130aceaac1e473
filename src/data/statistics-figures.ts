/** What is drawn of data sets: how long their answers are, in the same bins for all of them, and their verbs and nouns. */
import { type LengthBin, roundWidth } from './statistics-lengths.ts';
import { type LengthUnit, lengthUnits, type SetStatistics, type SetTally } from './statistics-set.ts';

export interface LengthFigure {
  /** Characters are those of answers in Chinese, words those of the others. */
  readonly unit: LengthUnit;
  readonly answers: number;
  /** The last one has no end where answers are longer than what is drawn. */
  readonly bins: readonly LengthBin[];
}

export interface DataFigures {
  readonly lengths: readonly LengthFigure[];
  readonly verbNouns: SetStatistics['verbNouns'];
}

const numBins = 25;
/** Bins reach as far as this share of the answers: a single long one would press the others into a corner. */
const shareDrawn = 0.98;

export function dataFigures(sets: readonly SetTally[]): DataFigures[] {
  const lengths = sets.map((): LengthFigure[] => []);
  for (const unit of lengthUnits) {
    const counts = sets.map((set) => set.outputLengths(unit));
    const width = roundWidth(Math.max(...counts.map((set) => set.quantile(shareDrawn))), numBins);
    for (const [i, set] of counts.entries()) {
      if (set.count > 0) lengths[i]!.push({ unit, answers: set.count, bins: set.bins(width, numBins) });
    }
  }
  return sets.map((set, i) => ({ lengths: lengths[i]!, verbNouns: set.result().verbNouns }));
}
