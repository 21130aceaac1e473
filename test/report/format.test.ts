import { describe, expect, it } from 'vitest';
import { count, dollars, duration, fixed, interval, plural, share, signed } from '../../src/report/format.ts';

describe('numbers as text', () => {
  it('writes a real minus, and no sign before what rounds to zero', () => {
    expect([fixed(-1.23456, 3), fixed(-0.0001, 3), fixed(-0, 2), fixed(2, 1)]).toEqual([
      '−1.235',
      '0.000',
      '0.00',
      '2.0',
    ]);
    expect([signed(0.12, 2), signed(-0.12, 2), signed(0.001, 2)]).toEqual(['+0.12', '−0.12', '0.00']);
    expect(interval({ mean: 0, low: -0.5, high: 0.25, n: 9 }, 2)).toBe('−0.50 to +0.25');
  });

  it('calls a number that is none by its name', () => {
    expect([fixed(Number.NaN, 2), signed(Number.POSITIVE_INFINITY, 2), count(Number.NEGATIVE_INFINITY)]).toEqual([
      'not a number',
      '+∞',
      '−∞',
    ]);
  });

  it('keeps the denominator of a share, 0 included', () => {
    expect([share(3, 40), share(0, 0), share(1500, 3000)]).toEqual([
      '3 of 40 (7.5 %)',
      '0 of 0',
      '1,500 of 3,000 (50.0 %)',
    ]);
  });

  it('writes money, time and plurals', () => {
    expect([dollars(0.00412), plural(1, 'step'), plural(1200, 'step')]).toEqual(['$0.0041', '1 step', '1,200 steps']);
    expect([duration(59.94), duration(61), duration(3661), duration(119.7)]).toEqual([
      '59.9 s',
      '1 min 1 s',
      '1 h 1 min',
      '2 min 0 s',
    ]);
  });
});
