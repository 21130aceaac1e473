/**
 * Which records go where, drawn by what they say and not by where they stand: the same record is drawn the same in every
 * file, form and order, so that a file that grows keeps its split, and copies never end up on both sides.
 */
import { sha256 } from '../base/hash.ts';
import { type DataRecord, isPreference } from './formats/read-row.ts';

/** A number in [0, 1): by the turns, or the prompt and the ranked answers, and by `key`. Ids do not count. */
export function drawOf(record: DataRecord, ...key: readonly (string | number)[]): number {
  const said = isPreference(record)
    ? [record.prompt, record.answers.map(({ content, rank }) => [content, rank])]
    : record.messages.map(({ role, content }) => [role, content]);
  const digest = sha256([...key, said]);
  // 52 bits, which a double holds.
  return Number.parseInt(digest.slice(0, 13), 16) / 2 ** 52;
}

/** 1 for every row that is drawn below `fraction`. Rows that are added move no other. */
export const chooseFraction = (draws: readonly number[], fraction: number): Uint8Array =>
  Uint8Array.from(draws, (draw) => Number(draw < fraction));

/**
 * 1 for the `count` rows of the lowest draws. Rows of equal draws are chosen together or not at all, so that it may be
 * some fewer. A row that is added takes the place of one other at most.
 */
export function chooseCount(draws: readonly number[], count: number): Uint8Array {
  const chosen = new Uint8Array(draws.length);
  const order = draws.map((_, i) => i).sort((a, b) => (draws[a] as number) - (draws[b] as number));
  let left = count;
  for (let from = 0; from < order.length && left > 0; ) {
    let to = from + 1;
    while (to < order.length && draws[order[to] as number] === draws[order[from] as number]) to++;
    if (to - from <= left) {
      for (const row of order.slice(from, to)) chosen[row] = 1;
      left -= to - from;
    }
    from = to;
  }
  return chosen;
}
