/** Cells of tables that are figures: the text as it is read, the number behind it, and where its rows are. */
import type { Interval } from '../base/intervals.ts';
import type { Figure } from '../evaluate/judge-figures.ts';
import { count, fixed, signed } from './format.ts';
import type { RowsLink } from './rows.ts';
import type { FigureCell } from './table.ts';
import type { Words } from './words.ts';

export const countCell = (value: number, n: number | null, rows?: RowsLink): FigureCell => ({
  text: count(value),
  figure: { value, n },
  rows,
});

export const shareCell = (part: number, whole: number, words: Words, rows?: RowsLink): FigureCell => ({
  text: words.share(part, whole),
  figure: { value: part, n: whole },
  rows,
});

type Write = (value: number, places: number) => string;

/** The mean alone; its interval stands in a cell beside it. */
export function meanCell(value: Interval, places: number, rows?: RowsLink, write: Write = fixed): FigureCell {
  const { mean, low, high, n } = value;
  return { text: write(mean, places), figure: { value: mean, low, high, n }, rows };
}

/** `0.71 (0.65 to 0.78, n = 80)`. */
export function intervalCell(
  value: Interval | undefined,
  places: number,
  words: Words,
  rows?: RowsLink,
  write: Write = fixed,
): FigureCell {
  if (value === undefined) return { text: words.say('none (n = 0)'), figure: { value: null, n: 0 } };
  const { mean, low, high, n } = value;
  const ends = write === signed ? words.interval(value, places) : words.range(value, places);
  const text = words.say('{mean} ({ends}, n = {n})', { mean: write(mean, places), ends, n: count(n) });
  return { text, figure: { value: mean, low, high, n }, rows };
}

/** As `intervalCell` where n stands in a column of its own. */
export function rangeCell(
  value: Interval | undefined,
  places: number,
  words: Words,
  rows?: RowsLink,
  write: Write = fixed,
): FigureCell {
  const cell = intervalCell(value, places, words, rows, write);
  if (value === undefined) return cell;
  const ends = write === signed ? words.interval(value, places) : words.range(value, places);
  return { ...cell, text: words.say('{value} ({ends})', { value: write(value.mean, places), ends }) };
}

/** A judge's figure, times `factor`: 100 for percent. */
export function judgeCell(
  { value, low, high, n }: Figure,
  words: Words,
  rows?: RowsLink,
  {
    factor = 1,
    places = 2,
    unit = '',
    write = fixed,
  }: { factor?: number; places?: number; unit?: string; write?: Write } = {},
): FigureCell {
  const scaled = (one: number | null) => (one === null ? null : factor * one);
  const figure = { value: scaled(value), low: scaled(low), high: scaled(high), n };
  if (figure.value === null) return { text: words.say('none (n = {n})', { n: count(n) }), figure };
  const mean = `${write(figure.value, places)}${unit}`;
  if (figure.low === null || figure.high === null)
    return { text: words.say('{mean} (n = {n})', { mean, n: count(n) }), figure, rows };
  const both = { low: figure.low, high: figure.high };
  const ends = write === signed ? words.interval({ ...both, mean: 0, n }, places) : words.range(both, places);
  return { text: words.say('{mean} ({ends}, n = {n})', { mean, ends, n: count(n) }), figure, rows };
}
