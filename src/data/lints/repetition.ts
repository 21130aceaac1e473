/**
 * Finds texts that run in circles, as small models do: a block said again and again without a pause, or a few words
 * that make up much of the text. Refrains, lists, tables and code repeat too and shall pass.
 * Source of the second measure: Rae et al. 2021 (Gopher, arXiv 2112.11446, table A1), who let the most frequent 4-gram
 * have 16 % of a web page's characters.
 */

import { characters, hasCjk } from '../../text/words.ts';
import { unicodeWords } from '../novelty.ts';

/** A block is a loop when it follows itself this often … */
const leastTimes = 4;
/** … and all its copies together have at least so many units: “very, very, very, very good” is style. */
const leastLoopUnits = { words: 12, characters: 24 };
/** Blocks longer than this are found by their n-grams. */
const longestBlock = 64;
/** An n-gram must occur more often than this to count at all. */
const patience = 3;
const gram = { words: 4, characters: 8 };
const largestShare = 0.25;

/** What is repeated and how; undefined where nothing is. */
export function findRepetition(text: string): string | undefined {
  const kind = hasCjk(text) ? 'characters' : 'words';
  const units =
    kind === 'words' ? unicodeWords(text) : characters(text.toLowerCase()).filter((c) => /[\p{L}\p{N}]/u.test(c));
  const show = (run: readonly string[]): string => JSON.stringify(run.join(kind === 'words' ? ' ' : ''));
  const loop = findLoop(units, leastLoopUnits[kind]);
  if (loop) return `${show(loop.block)} ${loop.times} times in a row`;
  const frequent = mostFrequent(units, gram[kind]);
  const share = (frequent.times * gram[kind]) / units.length;
  if (frequent.times > patience && share > largestShare) {
    return `${show(frequent.run)} ${frequent.times} times, ${Math.round(100 * share)} % of the text`;
  }
  return undefined;
}

/** The first block that follows itself `leastTimes` or more. Blocks without a letter, columns of numbers, pass. */
function findLoop(
  units: readonly string[],
  leastUnits: number,
): { block: readonly string[]; times: number } | undefined {
  for (let period = 1; period <= longestBlock && period * leastTimes <= units.length; period++) {
    let same = 0;
    for (let i = period; i < units.length; i++) {
      same = units[i] === units[i - period] ? same + 1 : 0;
      if (same < period * (leastTimes - 1) || same + period < leastUnits) continue;
      const start = i - same - period + 1;
      const block = units.slice(start, start + period);
      if (!block.some((unit) => /\p{L}/u.test(unit))) continue;
      let end = i + 1;
      while (end < units.length && units[end] === units[end - period]) end++;
      return { block, times: Math.floor((end - start) / period) };
    }
  }
  return undefined;
}

/** Occurrences that overlap an earlier one of the same run do not count. */
function mostFrequent(units: readonly string[], length: number): { run: readonly string[]; times: number } {
  const seen = new Map<string, { times: number; end: number; start: number }>();
  let best = { times: 0, start: 0 };
  for (let start = 0; start + length <= units.length; start++) {
    const run = units.slice(start, start + length);
    if (!run.some((unit) => /\p{L}/u.test(unit))) continue;
    const key = run.join(' ');
    const before = seen.get(key);
    if (before && before.end > start) continue;
    const now = { times: (before?.times ?? 0) + 1, end: start + length, start: before?.start ?? start };
    seen.set(key, now);
    if (now.times > best.times) best = now;
  }
  return { run: units.slice(best.start, best.start + length), times: best.times };
}
