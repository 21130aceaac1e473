import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { fairCoinAtMost, normalQuantile, normalTail } from '../../src/evaluate/distributions.ts';
import { benjaminiHochberg, holm } from '../../src/evaluate/multiplicity.ts';
import { mcnemar, signPermutation, wilcoxon } from '../../src/evaluate/paired-tests.ts';
import { detectableDifference, itemsNeeded, rateDeviation, sampleDeviation } from '../../src/evaluate/power.ts';
import { adjustForMany, comparePaired, inWords } from '../../src/evaluate/statistics.ts';

interface PairedCase {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly method?: 'exact' | 'normal';
  readonly p: number;
}
interface Golden {
  readonly distributions: {
    readonly tails: readonly (readonly [number, number])[];
    readonly quantiles: readonly (readonly [number, number])[];
    readonly coins: readonly (readonly [number, number, number])[];
  };
  readonly mcnemar: readonly PairedCase[];
  readonly wilcoxon: readonly PairedCase[];
  readonly permutation: readonly PairedCase[];
  readonly corrections: readonly { ps: number[]; holm: number[]; benjaminiHochberg: number[] }[];
  readonly power: readonly { effect: number; alpha: number; power: number; n: number }[];
}
const golden: Golden = JSON.parse(readFileSync(join(import.meta.dirname, '../golden/statistics.json'), 'utf8'));
const zeros = (count: number): number[] => new Array<number>(count).fill(0);
const expectRelative = (found: number, known: number, tolerance: number) =>
  expect(Math.abs(found / known - 1), `${found} for ${known}`).toBeLessThan(tolerance);

describe('distributions', () => {
  it.each(golden.distributions.tails)('P(Z ≥ %f)', (z, p) => expectRelative(normalTail(z), p, 1e-12));
  it.each(golden.distributions.quantiles)('the quantile at %f', (share, z) => {
    expect(normalQuantile(share)).toBeCloseTo(z, 9);
  });
  it.each(golden.distributions.coins)('at most %i heads of %i tosses', (heads, tosses, p) =>
    expectRelative(fairCoinAtMost(heads, tosses), p, 1e-9),
  );
  it('a share of 0 or 1 has no quantile', () => expect(() => normalQuantile(1)).toThrow(/between 0 and 1, got 1/));
});

describe('mcnemar', () => {
  it('tosses a coin for the items that only one got right', () => {
    // 3 gained, 0 lost: 2 · (1/2)³.
    expect(mcnemar([0, 0, 0, 1, 1], [1, 1, 1, 1, 1])).toEqual({ gained: 3, lost: 0, p: expect.closeTo(0.25, 12) });
    expect(mcnemar([1, 0, 1], [1, 0, 1])).toEqual({ gained: 0, lost: 0, p: 1 });
    expect(mcnemar([1, 0], [0, 1]).p).toBe(1);
  });
  it.each(golden.mcnemar)('is statsmodels’', ({ before, after, p }) => {
    expect(mcnemar(before, after).p).toBeCloseTo(p, 10);
  });
  it('refuses other values, and lists of two lengths', () => {
    expect(() => mcnemar([0.5], [1])).toThrow(/values of 0 and 1/);
    expect(() => mcnemar([0], [1, 1])).toThrow(/1 values before, 2 after/);
  });
});

describe('wilcoxon', () => {
  it('worked by hand, with a tie and a zero', () => {
    // Differences 1, 1, −3, 0: ranks 1½, 1½, 3. Sums of 3 signs: P(W⁻ ≤ 3) with W⁺ = W⁻ = 3 is over ½.
    expect(wilcoxon([0, 0, 3, 2], [1, 1, 0, 2])).toEqual({ n: 3, positive: 3, negative: 3, p: 1, method: 'exact' });
    // All of four up: 2 / 2⁴.
    expect(wilcoxon(zeros(4), [1, 2, 3, 4])).toMatchObject({ n: 4, positive: 10, negative: 0, p: 0.125 });
    expect(wilcoxon([1, 2], [1, 2])).toMatchObject({ n: 0, p: 1 });
  });
  it.each(golden.wilcoxon)('is scipy’s ($method, n $before.length)', ({ before, after, method, p }) => {
    const result = wilcoxon(before, after);
    expect(result.method).toBe(method);
    expect(result.p).toBeCloseTo(p, 10);
  });
  it('equal differences are equal, whatever rounding made of them', () => {
    // 0.3 − 0.1 and 0.4 − 0.2 differ in their last bit: ranks 1½ and 1½, not 1 and 2.
    expect(wilcoxon([0.1, 0.4], [0.3, 0.2])).toMatchObject({ positive: 1.5, negative: 1.5 });
    expect(wilcoxon([0.3], [0.1 + 0.2])).toMatchObject({ n: 0 });
  });
  it('sides swapped, gives the same p', () => {
    const rng = new Rng('wilcoxon test');
    for (const count of [7, 30, 90]) {
      const before = Array.from({ length: count }, () => rng.int(6));
      const after = Array.from({ length: count }, () => rng.int(7));
      expect(wilcoxon(after, before).p).toBeCloseTo(wilcoxon(before, after).p, 12);
    }
  });
});

describe('signPermutation', () => {
  it('worked by hand: as large a sum in 2 of 8', () => {
    expect(signPermutation([0, 0, 0], [1, 2, 3])).toEqual({ p: 0.25, method: 'exact', permutations: 8 });
    // 1 + 2 − 3: every sum of signs is at least as far from 0.
    expect(signPermutation([0, 0, 3], [1, 2, 0]).p).toBe(1);
    expect(signPermutation([5], [5]).p).toBe(1);
  });
  it.each(golden.permutation)('is scipy’s (n $before.length)', ({ before, after, p }) => {
    expect(signPermutation(before, after).p).toBeCloseTo(p, 10);
  });
  it('drawn, is near what counting all gives, and the same with the same seed', () => {
    // 17 equal differences and 3 the other way: P(at most 3 of 20 heads), twice.
    const after = [...zeros(17).fill(1), ...zeros(3).fill(-1)];
    const { p, method, permutations } = signPermutation(zeros(20), after);
    expect([method, permutations]).toEqual(['drawn', 10_000]);
    expect(Math.abs(p - 2 * fairCoinAtMost(3, 20))).toBeLessThan(0.002);
    expect(signPermutation(zeros(20), after).p).toBe(p);
    expect(signPermutation(zeros(40), zeros(40).fill(1)).p).toBe(1 / 10_001);
  });
  it('rejects a true hypothesis as often as it says', () => {
    const rng = new Rng('level test');
    const ps = Array.from({ length: 400 }, () => {
      const before = Array.from({ length: 24 }, () => rng.uniform());
      const after = Array.from({ length: 24 }, () => rng.uniform());
      return signPermutation(before, after, { draws: 400 }).p;
    });
    const rejected = ps.filter((p) => p <= 0.1).length;
    expect(rejected).toBeGreaterThan(20);
    expect(rejected).toBeLessThan(62);
  });
});

describe('corrections', () => {
  it('worked by hand', () => {
    // Sorted .005 .01 .03 .04, times 4 3 2 1, never falling.
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
    // Times 4/2, 4/4, 4/3, 4/1, from the largest down never rising.
    expect(benjaminiHochberg([0.01, 0.04, 0.03, 0.005])).toEqual([0.02, 0.04, 0.04, 0.02]);
    expect([holm([]), benjaminiHochberg([])]).toEqual([[], []]);
  });
  it.each(golden.corrections)('are statsmodels’ ($ps.length)', ({ ps, holm: byHolm, benjaminiHochberg: byRate }) => {
    expect(holm(ps)).toEqual(byHolm.map((p) => expect.closeTo(p, 12)));
    expect(benjaminiHochberg(ps)).toEqual(byRate.map((p) => expect.closeTo(p, 12)));
    expect(adjustForMany(ps)[0]).toEqual({ holm: holm(ps)[0], benjaminiHochberg: benjaminiHochberg(ps)[0] });
  });
});

describe('power', () => {
  it.each(golden.power)(
    'effect $effect, alpha $alpha, power $power: within one item of statsmodels’ t-test',
    (known) => {
      const { effect, alpha, power, n } = known;
      expect(Math.abs(itemsNeeded(effect, 1, { alpha, power }) - Math.ceil(n))).toBeLessThanOrEqual(1);
    },
  );
  it('worked by hand: 5 points of a win rate of 50 % with 20 % ties', () => {
    // Variance ¼ − 0.2/4 = 0.2; (1.959964 + 0.841621)² = 7.84888; 7.84888 · 0.2 / 0.0025 + 1.92 = 629.8.
    expect(rateDeviation(0.5, 0.2)).toBeCloseTo(Math.sqrt(0.2), 12);
    expect(itemsNeeded(0.05, Math.sqrt(0.2))).toBe(630);
  });
  it('a difference that n items can show needs n items', () => {
    for (const items of [10, 80, 805]) {
      const difference = detectableDifference(items, 1.7)!;
      expect(Math.abs(itemsNeeded(difference, 1.7) - items)).toBeLessThanOrEqual(1);
    }
    expect(detectableDifference(2, 1)).toBeUndefined();
  });
  it('a simulation sees the difference as often as said', () => {
    const rng = new Rng('power test');
    const items = itemsNeeded(0.4, 1);
    const normal = () => Math.sqrt(-2 * Math.log(1 - rng.uniform())) * Math.cos(2 * Math.PI * rng.uniform());
    let seen = 0;
    for (let study = 0; study < 300; study++) {
      const values = Array.from({ length: items }, () => 0.4 + normal());
      if (signPermutation(zeros(items), values, { draws: 400, seed: study }).p <= 0.05) seen += 1;
    }
    // 0.8 ± 3 standard errors.
    expect(seen / 300).toBeGreaterThan(0.73);
    expect(seen / 300).toBeLessThan(0.87);
  });
  it('refuses shares that there cannot be', () => {
    expect(rateDeviation(0.1, 0.4)).toBeUndefined();
    expect(rateDeviation(0.9, 0.4)).toBeUndefined();
    expect(rateDeviation(0.5, 1)).toBe(0);
    expect(rateDeviation(1)).toBe(0);
    expect([sampleDeviation([3]), sampleDeviation([1, 3])]).toEqual([undefined, Math.SQRT2]);
  });
});

describe('comparePaired', () => {
  it('decides by McNemar’s test for 0/1 values, by random signs for others', () => {
    const binary = comparePaired([0, 0, 0, 1], [1, 1, 1, 1])!;
    expect(binary).toMatchObject({ n: 4, higher: 3, lower: 0, equal: 1, test: 'mcnemar' });
    expect(binary.p).toBeCloseTo(0.25, 12);
    expect(binary.difference.mean).toBe(0.75);
    const graded = comparePaired([0, 0, 0], [1, 2, 3])!;
    expect(graded).toMatchObject({ test: 'permutation', p: 0.25, mcnemar: undefined, wilcoxon: { p: 0.25 } });
    expect([graded.first.mean, graded.second.mean]).toEqual([0, 2]);
    // sd 1: (1.96 + 0.84) / √(3 − 1.92).
    expect(graded.detectable).toBeCloseTo(2.80158 / Math.sqrt(3 - 1.92073), 3);
    expect(comparePaired([], [])).toBeUndefined();
    expect(comparePaired([1], [2])!.detectable).toBeUndefined();
  });

  it('says in words what came out, and no more', () => {
    const write = (value: number) => value.toFixed(2);
    const names = { first: 'A', second: 'B', write };
    const clear = comparePaired(zeros(12), [2, 1, 2, 3, 1, 2, 2, 1, 3, 2, 1, 2])!;
    expect(inWords(clear, { ...names, p: clear.p })).toMatch(
      /^On 12 items B is 1\.83 higher than A; .* between 1\.\d\d and 2\.\d\d\. .* fewer than 0\.1 % of such/,
    );
    const lower = comparePaired([2, 1, 2, 3, 1, 2, 2, 1, 3, 2, 1, 2], zeros(12))!;
    expect(inWords(lower, { ...names, p: lower.p })).toMatch(
      /B is 1\.83 lower than A; .* between 1\.\d\d and 2\.\d\d\./,
    );
    const unclear = comparePaired([0, 0, 0], [1, 2, 3])!;
    expect(inWords(unclear, { ...names, p: unclear.p })).toMatch(
      /^On 3 items B is 2\.00 higher than A, which chance alone explains: .* in 25 % .*no proof that they are alike: .*from about 2\.70 on\.$/,
    );
    // The same figures, but one of many comparisons.
    expect(inWords(clear, { ...names, p: 0.3 })).toMatch(
      /chance alone explains: .* in 30 % of such comparisons, corrected for their number\./,
    );
    const same = comparePaired([1, 1], [1, 1])!;
    expect(inWords(same, { ...names, p: same.p })).toMatch(/^On 2 items the two do not differ once/);
    const even = comparePaired([0, 1], [1, 0])!;
    expect(inWords(even, { ...names, p: even.p })).toMatch(
      /B is no higher or lower than A.*in 100 %.*so few could not/,
    );
    const one = comparePaired([0], [1])!;
    expect(inWords(one, { ...names, p: one.p })).toMatch(/^One item says nothing/);
  });
});
