/**
 * One data file in numbers, or two side by side: lengths, languages, turns, tokens, verbs and nouns. Rows stream by; what
 * training would refuse is counted too. No libtorch.
 */
import { basename } from 'node:path';
import { writeFileAtomic } from '../src/base/atomic.ts';
import { eachObject } from '../src/data/object-rows.ts';
import { type Comparison, compareSets } from '../src/data/statistics-compare.ts';
import { dataFigures } from '../src/data/statistics-figures.ts';
import {
  type SetStatistics,
  SetTally,
  type StatisticsOptions,
  type VerbNounTexts,
} from '../src/data/statistics-set.ts';
import { statisticsPage } from '../src/report/statistics-page.ts';
import { type StatisticsRow, statisticsRows } from '../src/report/statistics-table.ts';
import type { StartProgress } from '../src/run/progress.ts';
import { loadTokenizer } from '../src/text/tokenizer.ts';

export interface DataStatsConfig {
  /** One or two. */
  readonly files: readonly string[];
  /** All rows are in it; without it each row says its own, or its letters do. */
  readonly language?: 'en' | 'zh' | undefined;
  readonly verbNouns: readonly VerbNounTexts[];
  /** Folder of a model whose tokenizer counts tokens. */
  readonly model?: string | undefined;
  /** A page to write. */
  readonly out?: string | undefined;
}

export interface DataStatsResult {
  readonly sets: readonly SetStatistics[];
  /** Of two sets. */
  readonly comparison?: Comparison | undefined;
  /** For a terminal. */
  readonly rows: readonly StatisticsRow[];
}

/** Throws ConfigError or DataError for what cannot be read; every row of no known form is named. */
export async function run(
  { files, language, verbNouns, model, out }: DataStatsConfig,
  { signal, progress }: { readonly signal: AbortSignal; readonly progress: StartProgress },
): Promise<DataStatsResult> {
  const tokenizer = model === undefined ? undefined : loadTokenizer(model);
  const encode = tokenizer && ((text: string) => tokenizer.encode(text));
  const tallies: SetTally[] = [];
  for (const file of files) tallies.push(await tally(file, { language, verbNouns, encode }, signal, progress));
  const [first, second] = tallies;
  const comparison = first && second && compareSets(first, second);
  const sets = comparison ? [comparison.a, comparison.b] : tallies.map((one) => one.result());
  if (out !== undefined) {
    const names = basename(files[0] ?? '') === basename(files[1] ?? '') ? files : files.map((file) => basename(file));
    const figures = dataFigures(tallies);
    const named = sets.map((statistics, i) => ({ name: names[i]!, statistics, figures: figures[i]! }));
    writeFileAtomic(out, statisticsPage({ sets: named, pairs: comparison?.pairs, model }));
  }
  return { sets, comparison, rows: statisticsRows(sets) };
}

async function tally(
  file: string,
  options: StatisticsOptions,
  signal: AbortSignal,
  progress: StartProgress,
): Promise<SetTally> {
  const set = new SetTally(options);
  const bar = progress(`counting ${basename(file)} (MB)`);
  const megabytes = (bytes: number): number => Number((bytes / 1e6).toFixed(1));
  let rows = 0;
  const onBytes = (read: number, total: number) => bar.update(megabytes(read), megabytes(total), `${rows} rows`);
  await eachObject([file], { signal, onBytes }, ({ members }) => {
    rows += 1;
    return set.add(members);
  });
  bar.finish(`${rows} rows`);
  return set;
}
