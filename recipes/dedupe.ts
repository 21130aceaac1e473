/**
 * Duplicates taken out of data files: the same row twice, instructions too similar to one that stays (the novelty filter
 * of Self-Instruct and Alpaca), near copies of a whole row. Filters run in this order, each on what passed those before,
 * in the order of the files; of duplicates the first stays. The files are read twice: to judge, then to write. In memory
 * are hashes, codes of instructions, and some numbers a row; never the rows.
 * ./understudy data dedupe --input alpaca.json --exact --novelty 0.7 --near 0.8 --out kept.json
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { addFilesAtomic, removeLeftoversOf, temporaryName } from '../src/base/atomic.ts';
import { throwIfAborted, WorkError } from '../src/base/errors.ts';
import {
  type Duplicate,
  type DuplicateFilter,
  exactFilter,
  nearFilter,
  noveltyFilter,
} from '../src/data/duplicate-filters.ts';
import { eachObject } from '../src/data/object-rows.ts';
import { lostNumber } from '../src/data/rewritable.ts';
import { withSinks } from '../src/data/row-sink.ts';
import type { Progress, StartProgress } from '../src/run/progress.ts';
import { checkDedupe, type DedupeConfig, rejectsName, sinkName } from './dedupe-input.ts';

export interface DedupeResult {
  /** Rows of the inputs. */
  readonly asked: number;
  readonly kept: number;
  readonly dropped: number;
  /** Of each filter that ran, in order. */
  readonly filters: readonly FilterCount[];
  /** The file of the rows that went: why, and for the sake of which. */
  readonly rejects: string;
}

export interface FilterCount {
  readonly reason: DuplicateFilter['reason'];
  readonly asked: number;
  readonly dropped: number;
}

interface Context {
  readonly signal: AbortSignal;
  readonly progress: StartProgress;
}

/** Place of a row among all → why it goes. */
type Verdicts = Map<number, Duplicate & Pick<DuplicateFilter, 'reason'>>;

/** Writes all or nothing. Throws ConfigError or DataError for what cannot be read or compared. */
export async function run(config: DedupeConfig, context: Context): Promise<DedupeResult> {
  const { inputs, out } = config;
  const container = await checkDedupe(config);
  const { asked, verdicts, filters } = await judge(config, context);
  const rejects = rejectsName(out);
  await addFilesAtomic(dirname(out), basename(out), async (folder) => {
    const kept = join(folder, sinkName(out, container));
    const written = await writeRows(inputs, verdicts, kept, join(folder, basename(rejects)), context);
    if (written !== asked) throw new WorkError(`the files have changed meanwhile: ${asked} rows, then ${written}`);
    renameSync(kept, join(folder, basename(out)));
  });
  return { asked, kept: asked - verdicts.size, dropped: verdicts.size, filters, rejects };
}

/** Tables that may outgrow memory lie beside `out` meanwhile. */
async function judge(
  { inputs, out, exact, novelty, near }: DedupeConfig,
  { signal, progress }: Context,
): Promise<{ asked: number; verdicts: Verdicts; filters: FilterCount[] }> {
  const tables = join(dirname(out), 'dedupe');
  removeLeftoversOf(tables);
  const scratch = temporaryName(tables);
  mkdirSync(scratch, { recursive: true });
  const filters: DuplicateFilter[] = [];
  try {
    if (exact) filters.push(exactFilter());
    if (novelty !== undefined) filters.push(noveltyFilter(novelty));
    if (near !== undefined) filters.push(nearFilter(near, scratch));
    const verdicts: Verdicts = new Map();
    let asked = 0;
    const bar = progress('looking for duplicates (MB)');
    await eachObject(inputs, { signal, onBytes: showBytes(bar, () => asked) }, ({ members }) => {
      const row = asked++;
      const lost = lostNumber(members);
      if (lost !== undefined) return { problem: `expected numbers that JavaScript can hold, got ${lost}` };
      for (const { reason, offer } of filters) {
        const duplicate = offer(row, members);
        if (!duplicate) continue;
        if ('problem' in duplicate) return duplicate;
        verdicts.set(row, { ...duplicate, reason });
        break;
      }
      return undefined;
    });
    bar.finish(`${asked} rows`);
    const comparing = near === undefined ? undefined : progress('comparing near duplicates');
    for (const { reason, rest } of filters) {
      const duplicates = rest((done, total) => {
        throwIfAborted(signal);
        comparing?.update(done, total);
      });
      for await (const duplicate of duplicates) verdicts.set(duplicate.row, { ...duplicate, reason });
    }
    comparing?.finish();
    return { asked, verdicts, filters: countByFilter(filters, asked, verdicts) };
  } finally {
    for (const filter of filters) filter.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

function countByFilter(filters: readonly DuplicateFilter[], asked: number, verdicts: Verdicts): FilterCount[] {
  let left = asked;
  return filters.map(({ reason }) => {
    const dropped = [...verdicts.values()].filter((verdict) => verdict.reason === reason).length;
    left -= dropped;
    return { reason, asked: left + dropped, dropped };
  });
}

/** Returns how many rows there were. */
async function writeRows(
  inputs: readonly string[],
  verdicts: Verdicts,
  kept: string,
  rejects: string,
  { signal, progress }: Context,
): Promise<number> {
  const places: { readonly file: string; readonly row: number }[] = [];
  const bar = progress('writing (MB)');
  const onBytes = showBytes(bar, () => places.length);
  const targets = [[kept, 'lines'] as const, [rejects, 'lines'] as const];
  await withSinks(targets, async ([keep, reject]) =>
    eachObject(inputs, { signal, onBytes }, async ({ file, row, members }) => {
      const verdict = verdicts.get(places.length);
      places.push({ file, row });
      if (!verdict) return keep?.write(members);
      const { of, row: _place, reason, ...measure } = verdict;
      return reject?.write({ file, row, reason, duplicateOf: places[of], ...measure, value: members });
    }),
  );
  bar.finish(`${places.length - verdicts.size} rows`);
  return places.length;
}

function showBytes(bar: Progress, rows: () => number): (read: number, total: number) => void {
  const sinceMs = performance.now();
  const megabytes = (bytes: number): number => Number((bytes / 1e6).toFixed(1));
  return (read, total) => {
    const rate = (1000 * rows()) / (performance.now() - sinceMs);
    bar.update(megabytes(read), megabytes(total), `${rows()} rows, ${rate.toFixed(0)} rows/s`);
  };
}
