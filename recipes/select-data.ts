/**
 * A part of a data file, or two: `split` puts some rows aside, `sample` takes some. Which they are is drawn by what they
 * say (src/data/select.ts): the same for the same seed whatever the file's order and form. Rows are written as they
 * stand in the file, in its order. The file is read twice; in memory is a number a row, and the ids.
 */
import { ConfigError } from '../src/base/errors.ts';
import { eachRow, type RowCounts } from '../src/data/each-row.ts';
import type { DataRecord } from '../src/data/formats/read-row.ts';
import { lostNumber } from '../src/data/rewritable.ts';
import { withSinks } from '../src/data/row-sink.ts';
import { chooseCount, chooseFraction, drawOf } from '../src/data/select.ts';

interface SelectConfig {
  readonly file: string;
  readonly seed: number;
  /** Where broken rows go; without it they stop the work. */
  readonly rejects?: string | undefined;
}

export interface SplitConfig extends SelectConfig {
  /** Where the rows go that are not held out. */
  readonly out: string;
  readonly heldOut: string;
  /** The share of rows to hold out, or how many. */
  readonly hold: { readonly fraction: number } | { readonly count: number };
}

export interface SplitResult extends RowCounts {
  readonly kept: number;
  readonly heldOut: number;
}

/** Copies of a row are on one side: where a count falls between them, fewer are held out. */
export async function split(config: SplitConfig, signal: AbortSignal): Promise<SplitResult> {
  const { out, heldOut, hold, seed } = config;
  const draws = await drawRows(config, signal, (record) => drawOf(record, 'split', seed));
  const chosen = 'fraction' in hold ? chooseFraction(draws, hold.fraction) : chooseCount(draws, hold.count);
  const counts = await writeParts(config, [out, heldOut], signal, (place) => chosen[place]);
  const held = chosen.reduce((sum, one) => sum + one, 0);
  return { ...counts, kept: draws.length - held, heldOut: held };
}

export interface SampleConfig extends SelectConfig {
  readonly out: string;
  readonly count: number;
}

export interface SampleResult extends RowCounts {
  readonly taken: number;
}

/** Copies of a row are drawn apart. Throws ConfigError where the file has fewer sound rows than are wanted. */
export async function sample(config: SampleConfig, signal: AbortSignal): Promise<SampleResult> {
  const { file, out, count, seed } = config;
  const copies = new Map<number, number>();
  const draws = await drawRows(config, signal, (record) => {
    const text = drawOf(record, 'copy');
    const copy = copies.get(text) ?? 0;
    copies.set(text, copy + 1);
    return drawOf(record, 'sample', seed, copy);
  });
  if (draws.length < count)
    throw new ConfigError(`${file} has ${draws.length} sound rows, fewer than the ${count} wanted`);
  const chosen = chooseCount(draws, count);
  const counts = await writeParts(config, [out], signal, (place) => (chosen[place] === 1 ? 0 : undefined));
  return { ...counts, taken: count };
}

/** A number for each sound row, in order. */
async function drawRows(
  { file, rejects }: SelectConfig,
  signal: AbortSignal,
  draw: (record: DataRecord) => number,
): Promise<number[]> {
  const draws: number[] = [];
  // Rejects are written when the rows are.
  const reject = rejects === undefined ? undefined : async () => {};
  await eachRow([file], { reject, signal }, async ({ record, value }) => {
    const refused = unwritable(value);
    if (!refused) draws.push(draw(record));
    return refused;
  });
  return draws;
}

function unwritable(value: object): { problem: string } | undefined {
  const lost = lostNumber(value);
  return lost === undefined ? undefined : { problem: `a number near ${lost} would be written as another` };
}

/** `target`: which of the files a row goes to, by its place among the sound ones. */
function writeParts(
  { file, rejects }: SelectConfig,
  files: readonly string[],
  signal: AbortSignal,
  target: (place: number) => number | undefined,
): Promise<RowCounts> {
  const targets = [...files, ...(rejects === undefined ? [] : [rejects])].map((name) => [name, 'lines'] as const);
  return withSinks(targets, (sinks) => {
    const reject = rejects === undefined ? undefined : sinks.at(-1)?.write;
    let place = 0;
    return eachRow([file], { reject, signal }, async ({ value }) => {
      const refused = unwritable(value);
      if (refused) return refused;
      const at = target(place++);
      if (at !== undefined) await sinks[at]?.write(value);
      return undefined;
    });
  });
}
