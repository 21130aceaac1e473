import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import {
  type LengthControlled,
  type LengthControlledOptions,
  lengthControlledWinRate,
  type PreferenceRow,
} from '../../src/evaluate/length-controlled.ts';

const few = { draws: 200 };
function fitted(rows: readonly PreferenceRow[], options: LengthControlledOptions = few): LengthControlled {
  const result = lengthControlledWinRate(rows, options);
  if ('unfit' in result) throw new Error(result.unfit);
  return result;
}
function unfit(rows: readonly PreferenceRow[], options: LengthControlledOptions = few): string {
  const result = lengthControlledWinRate(rows, options);
  return 'unfit' in result ? result.unfit : 'fits';
}
const row = (question: number | string, preference: number, lengthDifference: number): PreferenceRow => {
  return { question: String(question), preference, lengthDifference };
};
/** Ten answers longer by 100 of which `longer` win, ten shorter by 100 of which `shorter` win. */
const balanced = (longer: number, shorter: number): PreferenceRow[] =>
  Array.from({ length: 20 }, (_, i) => row(i, i % 10 < (i < 10 ? longer : shorter) ? 1 : 0, i < 10 ? 100 : -100));

const rng = new Rng('length-controlled test');
const noise = () => rng.uniform() + rng.uniform() + rng.uniform() - 1.5;
const random = (count: number, preferenceOf: (length: number) => number): PreferenceRow[] =>
  Array.from({ length: count }, (_, i) => {
    const length = Math.round(500 * noise());
    return row(i, preferenceOf(length), length);
  });

describe('lengthControlledWinRate', () => {
  it('worked by hand: two lengths, no ridge', () => {
    // Two rates, two coefficients: θ + φ t = logit 0.9, θ − φ t = logit 0.5, so θ = ½ ln 9 = ln 3 and σ(θ) = 3/4, where
    // the plain rate is 0.7. s of ±100 is 100 √(20/19).
    const { winRate, rawWinRate, fit } = fitted(balanced(9, 5), { ridge: 0, ...few });
    expect(winRate.mean).toBeCloseTo(0.75, 10);
    expect(winRate.n).toBe(20);
    expect(rawWinRate.mean).toBeCloseTo(0.7, 12);
    expect(fit.lengthScale).toBeCloseTo(100 * Math.sqrt(20 / 19), 10);
    expect(fit.length.value).toBeCloseTo(Math.log(3) / Math.tanh(Math.sqrt(19 / 20)), 9);
    expect(fit.logLikelihood).toBeCloseTo(9 * Math.log(0.9) + Math.log(0.1) + 10 * Math.log(0.5), 10);
    // logit of a share p of 10 has variance 1 / (10 p (1 − p)); θ is the mean of two of them.
    expect(fit.intercept.standardError).toBeCloseTo(Math.sqrt(1 / 0.9 + 1 / 2.5) / 2, 8);
    expect(fit).toMatchObject({ n: 20, questions: 20, ridge: 0 });
    expect(winRate.low).toBeLessThan(0.75);
    expect(winRate.high).toBeGreaterThan(0.75);
  });

  it('takes away what length alone explains', () => {
    // Longer answers win 8 of 10, shorter 2 of 10: with equal lengths nobody is ahead. The longer side is that of the
    // model in three of four rows, so the plain rate is 0.65.
    const wins = [...balanced(8, 2), ...balanced(8, 2).filter(({ lengthDifference }) => lengthDifference > 0)];
    const twice = [...wins, ...wins.filter(({ lengthDifference }) => lengthDifference > 0).slice(0, 10)];
    const { winRate, rawWinRate } = fitted(
      twice.map((one, i) => ({ ...one, question: String(i) })),
      { ridge: 0, ...few },
    );
    expect(rawWinRate.mean).toBeCloseTo(0.65, 12);
    expect(winRate.mean).toBeCloseTo(0.5, 9);
  });

  it.each(golden().logistic)(
    'fits as scikit-learn and statsmodels do: ridge $ridge, n $preferences.length',
    (known) => {
      const rows = known.lengths.map((length, i) => row(i, known.preferences[i]!, length));
      const { fit, winRate } = fitted(rows, { ridge: known.ridge, ...few });
      // scikit-learn stops at a gradient of 1e-12 at best.
      const places = known.ridge === 0 ? 8 : 5;
      expect(fit.intercept.value).toBeCloseTo(known.theta, places);
      expect(fit.length.value).toBeCloseTo(known.phi, places);
      expect(fit.logLikelihood).toBeCloseTo(known.logLikelihood, 6);
      expect(winRate.mean).toBeCloseTo(1 / (1 + Math.exp(-known.theta)), places);
      if (known.standardErrors) {
        expect(fit.intercept.standardError).toBeCloseTo(known.standardErrors[0]!, 6);
        expect(fit.length.standardError).toBeCloseTo(known.standardErrors[1]!, 6);
      }
      expect(fit.iterations).toBeLessThan(20);
    },
  );

  it('without an effect of length, is the plain rate', () => {
    const rows = random(2000, () => (rng.uniform() < 0.6 ? 1 : 0));
    const { winRate, rawWinRate, fit } = fitted(rows);
    expect(Math.abs(winRate.mean - rawWinRate.mean)).toBeLessThan(0.005);
    expect(Math.abs(fit.length.value)).toBeLessThan(3 * fit.length.standardError);
  });

  it('sides swapped, is 1 − the rate; rescaled lengths and other orders of rows change nothing', () => {
    const rows = random(150, (length) => 1 / (1 + Math.exp(-0.4 - length / 300 - noise())));
    const { winRate, fit } = fitted(rows);
    const swapped = fitted(rows.map((one) => row(one.question, 1 - one.preference, -one.lengthDifference)));
    expect(swapped.winRate.mean).toBeCloseTo(1 - winRate.mean, 9);
    expect(swapped.fit.length.value).toBeCloseTo(fit.length.value, 8);
    expect(swapped.winRate.low).toBeLessThan(1 - winRate.mean);
    const rescaled = fitted(rows.map((one) => ({ ...one, lengthDifference: one.lengthDifference * 7 })));
    expect(rescaled.winRate.mean).toBeCloseTo(winRate.mean, 9);
    expect(rescaled.winRate.low).toBeCloseTo(winRate.low, 8);
    expect(fitted([...rows].reverse()).winRate.mean).toBeCloseTo(winRate.mean, 9);
    expect(fitted(rows)).toEqual(fitted(rows));
  });

  it('draws questions, not rows: four copies of a question say no more than one', () => {
    const rows = random(60, (length) => (rng.uniform() < 0.5 + length / 2000 ? 1 : 0));
    const copied = rows.flatMap((one) => [one, one, one, one]);
    const width = ({ winRate }: LengthControlled) => winRate.high - winRate.low;
    const own = width(fitted(rows, { ridge: 0.25, draws: 2000 }));
    expect(width(fitted(copied, { ridge: 1, draws: 2000 })) / own).toBeCloseTo(1, 1);
    const apart = copied.map((one, i) => ({ ...one, question: String(i) }));
    expect(width(fitted(apart, { ridge: 1, draws: 2000 })) / own).toBeCloseTo(0.5, 1);
  });

  it('counts draws that have no fit', () => {
    const { undefinedDraws, winRate } = fitted([row(1, 1, 5), row(2, 1, -3), row(3, 0, 1)], { draws: 1000 });
    // All three drawn from the two wins, 8/27, or from the loss, 1/27.
    expect(undefinedDraws / 1000).toBeCloseTo(1 / 3, 1);
    expect(winRate.low).toBeGreaterThanOrEqual(0);
  });

  it('says why it does not fit', () => {
    expect(unfit([row(1, 1, 3), row(1, 0, 2), row(1, 1, 1)])).toMatch(/3 rows on 1 questions/);
    expect(unfit([row(1, 1, 3), row(2, 0, 2)])).toMatch(/expected at least 3 rows/);
    expect(unfit([row(1, 1, 3), row(2, 1, 2), row(3, 1, -1)])).toMatch(/every preference is 1/);
    expect(unfit([row(1, 0, 3), row(2, 0, 2), row(3, 0, -1)])).toMatch(/every preference is 0/);
    expect(unfit([row(1, 1, 0.1), row(2, 0, 0.1), row(3, 1, 0.1)])).toMatch(/all length differences are equal/);
    const separated = [row(1, 1, 3), row(2, 1, 2), row(3, 0, -1), row(4, 0, -2)];
    expect(unfit(separated, { ridge: 0, ...few })).toMatch(/length alone tells wins from losses.*set a ridge/);
    expect(unfit(separated)).toBe('fits');
  });

  it('refuses what is no preference, length or ridge', () => {
    const rows = [row(1, 1, 3), row(2, 0, 2)];
    expect(() => lengthControlledWinRate([...rows, row('q3', 1.5, 1)])).toThrow(/q3.*preference from 0 to 1, got 1.5/);
    expect(() => lengthControlledWinRate([...rows, row('q3', 1, Number.NaN)])).toThrow(/length difference, got NaN/);
    expect(() => lengthControlledWinRate(rows, { ridge: -1 })).toThrow(/ridge.*from 0, got -1/);
  });
});

interface LogisticCase {
  readonly lengths: readonly number[];
  readonly preferences: readonly number[];
  readonly ridge: number;
  readonly theta: number;
  readonly phi: number;
  readonly standardErrors: readonly number[] | null;
  readonly logLikelihood: number;
}

function golden(): { readonly logistic: readonly LogisticCase[] } {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../golden/statistics.json'), 'utf8'));
}
