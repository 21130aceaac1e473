import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import {
  costUsd,
  isFree,
  listedPrice,
  priceList,
  priceTimes,
  readPriceList,
  upperBoundUsd,
} from '../../src/teacher/prices.ts';
import { temporaryFolder } from './fixtures/make.ts';

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
  expect(listedPrice('gpt-4')?.price).toEqual({ inputUsdPerMillion: 30, outputUsdPerMillion: 60 });
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

test('a call in a batch costs half, of both providers', () => {
  expect(listedPrice('gpt-4o-mini')?.batchShare).toBe(0.5);
  expect(listedPrice('claude-haiku-4-5')?.batchShare).toBe(0.5);
  expect(priceTimes(price, 0.5)).toEqual({ inputUsdPerMillion: 1, outputUsdPerMillion: 5 });
});

function listOf(content: unknown): string {
  const file = join(temporaryFolder(), 'prices.json');
  writeFileSync(file, JSON.stringify(content));
  return file;
}

test('a list of the user’s: our own form, sources or none, a share of its own or that of its source', () => {
  expect(readPriceList('assets/prices.json')).toEqual(priceList());
  const models = {
    plain: price,
    shared: { ...price, source: 'us' },
    own: { ...price, source: 'us', batch: 0.25 },
  };
  const list = readPriceList(listOf({ models, batch: { us: 0.75 } }));
  expect(['plain', 'shared', 'own'].map((name) => listedPrice(name, list))).toEqual([
    { price, batchShare: undefined },
    { price, batchShare: 0.75 },
    { price, batchShare: 0.25 },
  ]);
  expect(listedPrice('gpt-4', list)).toBeUndefined();
});

test('everything that is wrong in a list is said, with its place', () => {
  const file = listOf({ models: { a: { inputUsdPerMillion: -1 }, b: { ...price, batch: 2 } }, batches: {} });
  const read = () => readPriceList(file);
  expect(read).toThrow(DataError);
  for (const place of ['models.a.inputUsdPerMillion', 'models.a.outputUsdPerMillion', 'models.b.batch'])
    expect(read).toThrow(place);
  expect(read).toThrow('batches');
  expect(() => readPriceList('no/such/file.json')).toThrow(ConfigError);
});
