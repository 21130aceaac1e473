import { describe, expect, test } from 'vitest';
import type { Conversation } from '../../src/data/records.ts';
import { chooseCount, chooseFraction, drawOf } from '../../src/data/select.ts';

const conversation = (text: string, id = text): Conversation => ({
  id,
  messages: [
    { role: 'user', content: text },
    { role: 'assistant', content: 'yes' },
  ],
  provenance: { source: 'imported', file: id, row: 1 },
});
const places = (chosen: Uint8Array): number[] => [...chosen.keys()].filter((i) => chosen[i] === 1);

describe('drawOf', () => {
  test('depends on what is said, on the key, and on nothing else', () => {
    const draw = drawOf(conversation('a'), 'split', 1);
    expect(drawOf({ ...conversation('a', 'other'), language: 'fr', category: 'c' }, 'split', 1)).toBe(draw);
    const others = [
      drawOf(conversation('a'), 'split', 2),
      drawOf(conversation('a'), 'sample', 1),
      drawOf(conversation('b'), 'split', 1),
    ];
    expect(new Set([draw, ...others]).size).toBe(4);
  });

  test('of preferences the ranks count, and the places', () => {
    const answers = [
      { content: 'x', rank: 1 },
      { content: 'y', rank: 2 },
    ];
    const preference = { id: 'p', prompt: [], answers, provenance: { source: 'imported' } } as const;
    const swapped = { ...preference, answers: answers.map(({ content, rank }) => ({ content, rank: 3 - rank })) };
    expect(drawOf({ ...preference, id: 'q', margin: 3 })).toBe(drawOf(preference));
    expect(drawOf(swapped)).not.toBe(drawOf(preference));
  });

  test('draws are spread evenly over 0 to 1', () => {
    const draws = Array.from({ length: 2000 }, (_, i) => drawOf(conversation(`row ${i}`), 'split', 7));
    for (const draw of draws) expect(draw >= 0 && draw < 1).toBe(true);
    for (const tenth of [0.1, 0.5, 0.9]) {
      // Four standard deviations.
      const share = draws.filter((draw) => draw < tenth).length / draws.length;
      expect(Math.abs(share - tenth)).toBeLessThan(4 * Math.sqrt((tenth * (1 - tenth)) / draws.length));
    }
  });
});

describe('choices', () => {
  test('a fraction takes what is below it', () => {
    expect(places(chooseFraction([0.5, 0.05, 0.1, 0.09], 0.1))).toEqual([1, 3]);
  });

  test('a count takes the lowest', () => {
    expect(places(chooseCount([0.5, 0.05, 0.1, 0.9], 2))).toEqual([1, 2]);
    expect(places(chooseCount([0.5, 0.05], 5))).toEqual([0, 1]);
    expect(places(chooseCount([], 5))).toEqual([]);
  });

  test('copies go together, and are passed over where they do not fit', () => {
    expect(places(chooseCount([0.2, 0.1, 0.2, 0.3, 0.2], 2))).toEqual([1, 3]);
    expect(places(chooseCount([0.2, 0.2], 1))).toEqual([]);
  });

  test('one more row moves at most one other', () => {
    const draws = Array.from({ length: 200 }, (_, i) => drawOf(conversation(`row ${i}`)));
    const before = places(chooseCount(draws, 50));
    for (let i = 0; i < 20; i++) {
      const after = places(chooseCount([...draws, drawOf(conversation(`new ${i}`))], 50));
      expect(before.filter((place) => !after.includes(place)).length).toBeLessThanOrEqual(1);
    }
  });
});
