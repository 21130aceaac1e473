import { describe, expect, it } from 'vitest';
import { WorkError } from '../../src/base/errors.ts';
import type { Conversation } from '../../src/data/records.ts';
import {
  bitsPerByte,
  learnedTurns,
  lossDifference,
  lossFigures,
  type TextLoss,
  textLoss,
} from '../../src/evaluate/perplexity.ts';

const conversation: Conversation = {
  id: 'a',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello', weight: 0 },
    { role: 'user', content: 'And?' },
    { role: 'assistant', content: 'Grüße' },
    { role: 'user', content: '你好' },
    { role: 'assistant', content: '好' },
  ],
  provenance: { source: 'imported' },
};

describe('learnedTurns', () => {
  it('gives each learned answer with all before it, without weights', () => {
    const turns = learnedTurns(conversation);
    expect(turns.map((turn) => [turn.length, turn.at(-1)?.content])).toEqual([
      [5, 'Grüße'],
      [7, '好'],
    ]);
    expect(turns[0]![2]).toEqual({ role: 'assistant', content: 'Hello' });
  });
});

describe('textLoss', () => {
  it('adds up an answer’s nats, tokens and UTF-8 bytes', () => {
    const scores = [
      { sum: -7, tokens: 8 },
      { sum: -4, tokens: 4 },
    ];
    const loss = textLoss('a', learnedTurns(conversation), scores);
    expect(loss).toEqual({ id: 'a', nats: 11, tokens: 12, bytes: 10 }); // Gr ü ß e: 7 bytes; 好: 3
    expect(bitsPerByte(loss)).toBeCloseTo(11 / Math.LN2 / 10, 12);
  });
  it('makes no figure from a broken model', () => {
    const turns = learnedTurns(conversation).slice(0, 1);
    expect(() => textLoss('a', turns, [{ sum: Number.NaN, tokens: 8 }])).toThrow(WorkError);
    expect(() => textLoss('a', turns, [])).toThrow('1 turns, 0 scores');
  });
});

const text = (id: string, nats: number, tokens: number, bytes: number): TextLoss => ({ id, nats, tokens, bytes });
const before = [text('a', 10, 10, 20), text('b', 90, 30, 60)];

describe('lossFigures', () => {
  it('weighs texts by their tokens and bytes: Σ nats / Σ tokens', () => {
    const figures = lossFigures(before)!;
    expect(figures).toMatchObject({ tokens: 40, bytes: 80 });
    expect(figures.loss).toEqual({ mean: 2.5, low: 1, high: 3, n: 2 }); // not (1 + 3) / 2
    expect(figures.perplexity.mean).toBeCloseTo(Math.exp(2.5), 12);
    expect(figures.perplexity.high).toBeCloseTo(Math.exp(3), 12);
    expect(figures.bitsPerByte.mean).toBeCloseTo(100 / 80 / Math.LN2, 12);
    expect(lossFigures([])).toBeUndefined();
    expect(lossFigures([text('a', 1, 1, 0)])).toBeUndefined();
  });
  it('a byte guessed blindly costs 8 bits', () => {
    expect(lossFigures([text('a', 5 * Math.log(256), 5, 5)])?.bitsPerByte.mean).toBeCloseTo(8, 12);
  });
});

describe('lossDifference', () => {
  it('pairs texts, and compares nats per token only where tokens are the same', () => {
    const after = [text('a', 8, 10, 20), text('b', 84, 30, 60)];
    const { bitsPerByte: bits, loss } = lossDifference(before, after)!;
    expect(bits.mean).toBeCloseTo(-8 / 80 / Math.LN2, 12);
    // Both texts fell by 0.1 nats a byte: the interval is a point, where each loss alone has a wide one.
    expect([bits.low, bits.high]).toEqual([bits.mean, bits.mean].map((one) => expect.closeTo(one, 12)));
    expect(loss?.mean).toBeCloseTo(-0.2, 12);
    const otherTokens = after.map((one) => ({ ...one, tokens: one.tokens * 2 }));
    expect(lossDifference(before, otherTokens)).toMatchObject({ bitsPerByte: { mean: bits.mean }, loss: undefined });
    expect(() => lossDifference(before, [...after].reverse())).toThrow('not over the same texts');
  });
});
