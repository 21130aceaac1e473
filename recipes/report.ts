/**
 * A report of runs and evaluations, side by side on one page, made from their files alone: it can be made again at any time, and
 * asks nobody. What a folder holds is seen from its files (recipes/report-sources.ts).
 * ./understudy report runs/a runs/b judged people --out report --language zh
 */
import { basename, join, resolve } from 'node:path';
import { ConfigError } from '../src/base/errors.ts';
import { type ReportLanguage, wordsOf } from '../src/report/words.ts';
import { runReportFolder, writeReport } from '../src/report/write-report.ts';
import { type PeopleReader, readSource, withJudge } from './report-sources.ts';

export interface ReportOptions {
  /** The report's folder. Default: `report` in the folder that is reported on, where it is one alone. */
  readonly out?: string | undefined;
  /** Default `en`. */
  readonly language?: ReportLanguage | undefined;
  /** Reads a study of `evaluate human`; without it such a folder is refused. */
  readonly people?: PeopleReader | undefined;
}

/** Returns the page's path. */
export function run(paths: string | readonly string[], { out, language = 'en', people }: ReportOptions = {}): string {
  const all = typeof paths === 'string' ? [paths] : paths;
  const [first] = all;
  if (first === undefined) throw new ConfigError('expected the folder of a run or an evaluation, got none');
  const twice = all.find((path, i) => all.findIndex((other) => resolve(other) === resolve(path)) !== i);
  if (twice !== undefined) throw new ConfigError(`expected each folder once, got ${twice} again`);
  if (all.length > 1 && out === undefined) {
    throw new ConfigError('expected --out, the folder of a report of several runs and evaluations', {
      hint: 'a report of one alone goes into its own folder',
    });
  }
  const folder = out ?? join(first, runReportFolder);
  const sources = all.map((path, i) => readSource(path, nameOf(all, i), { out: folder, people }));
  const [only] = sources;
  const title =
    sources.length === 1 && only?.kind === 'run' ? only.input.title : sources.map(({ name }) => name).join(' · ');
  const named = sources.length === 1 && only?.kind === 'run' ? [{ ...only, name: title }] : withJudge(sources, all);
  return writeReport(folder, { title, sources: named }, wordsOf(language));
}

/** The folder's own name; with the path before it where two are called the same. */
function nameOf(paths: readonly string[], at: number): string {
  const names = paths.map((path) => basename(resolve(path)));
  const isUnique = names.filter((name) => name === names[at]).length === 1;
  return isUnique ? names[at]!.replace(/\.json$/, '') : paths[at]!;
}
