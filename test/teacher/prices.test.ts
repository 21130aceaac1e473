import { expect, test } from 'vitest';
import { costUsd, isFree, listedPrice, priceList, upperBoundUsd } from '../../src/teacher/prices.ts';

const price = { inputUsdPerMillion: 2, outputUsdPerMillion: 10 };

test('cost: 1,000 in at $2 and 500 out at $10 a million are 0.2 + 0.5 cents', () => {
  expect(costUsd(price, { inputTokens: 1000, outputTokens: 500 })).toBeCloseTo(0.007, 12);
});

test('upper bound counts bytes, not characters, 16 tokens a message, and the whole of maxTokens', () => {
  const request = {
    model: 'm',
    messages: [
      { role: 'system' as const, content: 'be kind' },
      { role: 'user' as const, content: '你好é' },
    ],
    parameters: { maxTokens: 100 },
    sample: 0,
  };
  // 7 bytes + 16, 3 + 3 + 2 bytes + 16: 47 tokens in; 100 out.
  expect(upperBoundUsd(price, request)).toBeCloseTo((47 * 2 + 100 * 10) / 1e6, 15);
});

test('a price is found by exact name only', () => {
  expect(listedPrice('gpt-4')).toEqual({ inputUsdPerMillion: 30, outputUsdPerMillion: 60 });
  expect(listedPrice('gpt-4-something-new')).toBeUndefined();
  expect(listedPrice('GPT-4')).toBeUndefined();
  expect(listedPrice('constructor')).toBeUndefined();
});

test('the list says when and where it was read, and no price in it is free or negative', () => {
  const { asOf, sources, models } = priceList();
  expect(asOf).toMatch(/^20\d\d-\d\d-\d\d$/);
  expect(Object.keys(models).length).toBeGreaterThan(5);
  for (const model of Object.values(models)) {
    expect(Object.keys(sources)).toContain(model.source);
    expect(isFree(model)).toBe(false);
    expect(model.inputUsdPerMillion).toBeGreaterThan(0);
    expect(model.outputUsdPerMillion).toBeGreaterThan(model.inputUsdPerMillion);
  }
});
