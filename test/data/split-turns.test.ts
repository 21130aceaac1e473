import { describe, expect, test } from 'vitest';
import type { Message } from '../../src/base/message.ts';
import { splitByTokens } from '../../src/data/split-turns.ts';

/** A token a character. */
const count = (messages: readonly Message[]): number => messages.reduce((sum, { content }) => sum + content.length, 0);
const pairs = (...sizes: number[]): Message[] =>
  sizes.flatMap((size, i): Message[] => [
    { role: 'user', content: `${i}` },
    { role: 'assistant', content: 'x'.repeat(size - 1) },
  ]);
const places = (parts: readonly (readonly Message[])[]): string[] =>
  parts.map((part) =>
    part
      .filter(({ role }) => role === 'user')
      .map(({ content }) => content)
      .join(''),
  );

describe('splitByTokens', () => {
  test.each<[number[], number, string[]]>([
    [[5], 5, ['0']],
    [[3, 3, 4], 10, ['012']],
    [[3, 3, 4, 1], 10, ['012', '3']],
    [[9, 9, 9], 10, ['0', '1', '2']],
    [[2, 2, 2, 2, 2, 2, 2], 5, ['01', '23', '45', '6']],
    [[1, 1, 1, 1, 1, 1, 1, 1, 1], 7, ['0123456', '78']],
  ])('%j of %d tokens: %j', (sizes, limit, expected) => {
    const { parts, tooLong } = splitByTokens(pairs(...sizes), limit, count);
    expect(places(parts)).toEqual(expected);
    expect(tooLong).toEqual([]);
    for (const part of parts) expect([part[0]?.role, part.at(-1)?.role]).toEqual(['user', 'assistant']);
  });

  test('what is too long alone is left out and named, and nothing is joined across it', () => {
    const { parts, tooLong } = splitByTokens(pairs(2, 30, 3, 4, 40), 10, count);
    expect(places(parts)).toEqual(['0', '23']);
    expect(tooLong).toEqual([
      { place: 2, tokens: 30 },
      { place: 5, tokens: 40 },
    ]);
  });

  test('the system turn is in every part, and counts', () => {
    const system: Message = { role: 'system', content: 'sss' };
    const { parts } = splitByTokens([system, ...pairs(4, 4, 4)], 10, count);
    expect(parts.map((part) => part[0])).toEqual([system, system, system]);
    expect(parts.every((part) => count(part) <= 10)).toBe(true);
    expect(splitByTokens([system, ...pairs(4, 4, 4)], 12, count).parts).toHaveLength(2);
  });

  test('no token and no turn is lost, whatever the lengths', () => {
    for (let seed = 1; seed < 40; seed++) {
      const sizes = Array.from({ length: 1 + (seed % 9) }, (_, i) => 1 + ((seed * 31 + i * i * 17) % 12));
      const limit = 4 + (seed % 11);
      const { parts, tooLong } = splitByTokens(pairs(...sizes), limit, count);
      expect(tooLong).toEqual(sizes.flatMap((tokens, i) => (tokens > limit ? [{ place: i + 1, tokens }] : [])));
      const kept = pairs(...sizes).filter((_, i) => (sizes[i >> 1] as number) <= limit);
      expect(parts.flat()).toEqual(kept);
      // As long as they can be: with its successor a part would be too long, or something was left out between.
      for (const [i, part] of parts.entries()) {
        const next = parts[i + 1]?.slice(0, 2) ?? [];
        const isNext = Number(next[0]?.content) === Number(part.at(-2)?.content) + 1;
        if (isNext) expect(count([...part, ...next])).toBeGreaterThan(limit);
      }
    }
  });
});
