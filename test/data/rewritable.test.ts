import { expect, test } from 'vitest';
import { lostNumber } from '../../src/data/rewritable.ts';

test.each([
  ['9007199254740993', 9007199254740992],
  ['{"a":[{"id":-12345678901234567890}]}', -12345678901234567000],
  ['[1,[2,1e400]]', Number.POSITIVE_INFINITY],
  ['{"id":9007199254740991,"score":0.1,"least":-3.4028235e38,"text":"9007199254740993","none":null}', undefined],
  ['[1e20]', 1e20],
  ['[1e21]', undefined],
])('%s', (json, expected) => {
  expect(lostNumber(JSON.parse(json))).toBe(expected);
});
