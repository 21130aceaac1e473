import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { commonLength, cutToRoom, groupsAlike, worthSharing } from '../../src/infer/shared-prefix.ts';

/** Every letter 20 tokens: two are worth sharing, one is not. */
const spelt = (word: string): number[] =>
  [...word].flatMap((letter) => new Array<number>(20).fill(letter.charCodeAt(0)));

/** Tokens that sharing saves: the last token of a sequence is never shared. */
function saving(group: readonly (readonly number[])[]): number {
  const length = Math.min(commonLength(group), ...group.map((tokens) => tokens.length - 1));
  return worthSharing(length) ? length * (group.length - 1) : 0;
}

/** All ways to put these into groups. */
function partitions<T>([first, ...rest]: readonly T[]): T[][][] {
  if (first === undefined) return [[]];
  return partitions(rest).flatMap((parts) => [
    [[first], ...parts],
    ...parts.map((_, i) => parts.map((part, j) => (i === j ? [first, ...part] : part))),
  ]);
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('groups that begin alike', () => {
  it('keeps two languages apart, and what begins like nothing by itself', () => {
    const sequences = ['enen', 'zhzha', 'enenb', 'q', 'zhzh', 'enenc', 'zhq'].map(spelt);
    const groups = groupsAlike(sequences).map(({ members, length }) => [length, [...members].sort()]);
    expect(groups).toEqual([
      [79, [0, 2, 5]], // all but the last token of the shortest
      [40, [1, 4, 6]], // better than 79 for two of them: 2 · 40
      [0, [3]],
    ]);
  });

  it('computes a prompt that is asked several times once, but for its last token', () => {
    expect(groupsAlike(['abc', 'abc', 'abc'].map(spelt))).toEqual([{ members: [0, 1, 2], length: 59 }]);
  });

  it('shares what is common to fewer where the room is too small for what is common to all', () => {
    const tokens = (seed: number, length: number) => Array.from({ length }, (_, i) => 1000 * seed + i);
    const system = tokens(1, 100);
    const sequences = Array.from({ length: 40 }, (_, i) => [
      ...system,
      ...tokens(2 + (i >> 1), 60), // of two answers each
      ...tokens(100 + i, 150),
    ]);
    const saved = (room?: number) =>
      sum(
        groupsAlike(sequences, room).map((group) => {
          const parts =
            group.length === 0 ? group.members.length : cutToRoom(group, sequences, room ?? Infinity).length;
          return (group.members.length - parts) * group.length;
        }),
      );
    expect(saved()).toBe(39 * 100);
    // One of 512 holds a single answer behind 100 tokens and 210 of its own, or two behind 160 and 150.
    expect(saved(512)).toBe(20 * 160);
    expect(saved(250)).toBe(0);
  });

  it('takes lists as long as a data set', () => {
    const sequences = Array.from({ length: 150_000 }, (_, i) => [...new Array<number>(40).fill(7), i, 1]);
    expect(groupsAlike(sequences)).toMatchObject([{ length: 40 }]);
  });

  it('has nothing to share among none, one, short ones and empty ones', () => {
    expect(groupsAlike([])).toEqual([]);
    expect(groupsAlike([[1, 2]])).toEqual([{ members: [0], length: 0 }]);
    expect(groupsAlike([[1, 2], [], [1, 2]])).toEqual([{ members: [1, 0, 2], length: 0 }]);
  });

  it('saves as much as any way to group them', () => {
    for (let seed = 0; seed < 60; seed++) {
      const rng = new Rng('alike', seed);
      const sequences = Array.from({ length: 6 }, () =>
        spelt(Array.from({ length: 1 + rng.int(5) }, () => 'ab'[rng.int(2)]).join('')),
      );
      const groups = groupsAlike(sequences);
      expect(groups.flatMap(({ members }) => members).sort()).toEqual([0, 1, 2, 3, 4, 5]);
      for (const { members, length } of groups.filter((group) => group.length > 0)) {
        expect(length * (members.length - 1)).toBe(saving(members.map((index) => sequences[index]!)));
      }
      const saved = sum(groups.map(({ members, length }) => length * (members.length - 1)));
      const best = Math.max(...partitions(sequences).map((parts) => sum(parts.map(saving))));
      expect(saved).toBeLessThanOrEqual(best);
      expect(saved).toBeGreaterThanOrEqual(best - sequences.length); // last tokens are not shared
    }
  });
});
