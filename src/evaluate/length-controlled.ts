/**
 * A win rate with the judge's liking for length taken out: Length-Controlled AlpacaEval (Dubois, Galambosi, Liang,
 * Hashimoto 2024, arXiv 2404.04475). The preference y for a model against a baseline is fitted by
 *
 *   logit P(y) = θ + φ · tanh(d / s)     d: length of the model's answer − that of the baseline's, s: sd of all d
 *
 * and the length-controlled rate is the mean prediction with the length term set to zero. With one θ that is σ(θ).
 *
 * Departures:
 * 1. The paper's third term, how hard an instruction is, (ψ_model − ψ_baseline) · γ_x, is left out. Its γ_x are shared by all
 *    models of a leaderboard and fitted jointly; from one model's verdicts, one a question, they cannot be told from noise.
 * 2. Ridge on φ alone, minimising −log L + (λ / 2) φ²: θ is what is asked for, and is not drawn to ½. The paper
 *    regularises all weights and chooses how much by cross-validation; here λ is given (default 1: a prior on φ of
 *    standard deviation 1, which some hundred rows overrule).
 * 3. s stays that of all rows in the draws of the bootstrap: it is a unit, not an estimate.
 */
import { bootstrapFigure, bootstrapMean, type Interval } from '../base/intervals.ts';

export interface PreferenceRow {
  /** Rows of one question are drawn together. */
  readonly question: string;
  /** For the model, 0 to 1: 1 a win, ½ a tie, or a judge's probability. */
  readonly preference: number;
  /** The model's answer − the baseline's, in any unit that is the same in all rows. */
  readonly lengthDifference: number;
}

export interface LengthControlledOptions {
  /** λ, from 0. Default 1. */
  readonly ridge?: number;
  /** Of the bootstrap. Default 10,000, fewer (at least 1,000) where there are many rows. */
  readonly draws?: number;
  readonly seed?: number;
}

export interface Estimate {
  readonly value: number;
  /**
   * From the curvature of what is minimised. It takes every row for an independent win or loss: too small where a
   * question has several rows, too large for soft preferences. The interval does neither.
   */
  readonly standardError: number;
}

export interface LengthControlled {
  /** 0 to 1; `n` counts rows, questions are drawn. */
  readonly winRate: Interval;
  /** Mean preference, its interval clustered in the same way. */
  readonly rawWinRate: Interval;
  readonly fit: {
    /** θ. */
    readonly intercept: Estimate;
    /** φ: above 0, longer answers were preferred. */
    readonly length: Estimate;
    /** Of the data alone, without the ridge; its greatest value for soft preferences lies below 0. */
    readonly logLikelihood: number;
    readonly n: number;
    readonly questions: number;
    readonly iterations: number;
    readonly ridge: number;
    /** s, in the unit of the lengths. */
    readonly lengthScale: number;
  };
  /** Draws without a fit, left out of the interval. */
  readonly undefinedDraws: number;
}

export interface Unfit {
  readonly unfit: string;
}

/** Throws RangeError for a preference outside 0 to 1, a length that is no number, or a ridge below 0. */
export function lengthControlledWinRate(
  rows: readonly PreferenceRow[],
  { ridge = 1, draws, seed = 1 }: LengthControlledOptions = {},
): LengthControlled | Unfit {
  check(rows, ridge);
  const questions = rowsByQuestion(rows);
  if (rows.length < 3 || questions.length < 2)
    return { unfit: `${rows.length} rows on ${questions.length} questions: expected at least 3 rows on 2 questions` };
  const lengthScale = standardDeviation(rows.map(({ lengthDifference }) => lengthDifference));
  if (!(lengthScale > 0))
    return { unfit: 'all length differences are equal: what length does cannot be told from quality' };
  const data: Data = {
    y: Float64Array.from(rows, ({ preference }) => preference),
    x: Float64Array.from(rows, ({ lengthDifference }) => Math.tanh(lengthDifference / lengthScale)),
  };
  const every = new Float64Array(rows.length).fill(1);
  const fitted = fitLogistic(data, every, ridge);
  if ('unfit' in fitted) return fitted;
  const { theta, phi, iterations } = fitted;
  const { curvature, logLikelihood } = derivatives(data, every, theta, phi, ridge);
  const [thetaVariance, phiVariance] = inverseDiagonal(curvature);

  const numDraws = draws ?? Math.max(1000, Math.min(10_000, Math.floor(rowsDrawnInAll / rows.length)));
  const times = new Float64Array(rows.length);
  const bounds = bootstrapFigure(
    questions.length,
    (drawn) => {
      times.fill(0);
      for (const question of drawn) for (const row of questions[question]!) times[row]! += 1;
      const one = fitLogistic(data, times, ridge, { theta, phi, tolerance: drawTolerance });
      return 'unfit' in one ? Number.NaN : sigmoid(one.theta);
    },
    { draws: numDraws, seed },
  );
  const { low, high, undefinedDraws } = bounds;
  const n = rows.length;
  return {
    winRate: { mean: sigmoid(theta), low, high, n },
    rawWinRate: rawWinRate(data.y, questions, { draws: numDraws, seed }),
    fit: {
      intercept: { value: theta, standardError: Math.sqrt(thetaVariance) },
      length: { value: phi, standardError: Math.sqrt(phiVariance) },
      logLikelihood,
      n,
      questions: questions.length,
      iterations,
      ridge,
      lengthScale,
    },
    undefinedDraws,
  };
}

/** Rows drawn for an interval, so that many rows take no longer than few. */
const rowsDrawnInAll = 8e6;

/** Newton's method on a function as tame as this needs fewer than ten. */
const maxIterations = 100;

/** Steps below which coefficients count as found: of the rows themselves, and of a draw, which is only ranked. */
const tolerance = 1e-9;
const drawTolerance = 1e-5;

/** A rate of σ(±25) differs from 0 or 1 by 1e-11: such coefficients are on their way to infinity. */
const largest = 25;

interface Data {
  /** [rows] Preferences. */
  readonly y: Float64Array;
  /** [rows] tanh of the scaled length differences. */
  readonly x: Float64Array;
}

interface Start {
  readonly theta: number;
  readonly phi: number;
  readonly tolerance: number;
}

/** `times`: [rows] how often each row counts. */
function fitLogistic(
  data: Data,
  times: Float64Array,
  ridge: number,
  start: Start = { theta: 0, phi: 0, tolerance },
): { theta: number; phi: number; iterations: number } | Unfit {
  const count = times.reduce((sum, one) => sum + one, 0);
  const total = times.reduce((sum, one, row) => sum + one * data.y[row]!, 0);
  if (total === 0 || total === count) {
    return { unfit: `every preference is ${total === 0 ? 0 : 1}: the rate is at its end, whatever the lengths` };
  }
  let { theta, phi } = start;
  let here = derivatives(data, times, theta, phi, ridge);
  for (let iterations = 1; iterations <= maxIterations; iterations++) {
    const step = solve(here.curvature, here.gradient);
    if (!step) break;
    // A step too long is halved until the objective does not grow: Newton's method alone may jump over the minimum.
    let scale = 1;
    let next = derivatives(data, times, theta - step[0], phi - step[1], ridge);
    while (!(next.objective <= here.objective + 1e-12 * Math.abs(here.objective)) && scale > 1e-6) {
      scale /= 2;
      next = derivatives(data, times, theta - scale * step[0], phi - scale * step[1], ridge);
    }
    theta -= scale * step[0];
    phi -= scale * step[1];
    here = next;
    if (Math.max(Math.abs(theta), Math.abs(phi)) > largest) break;
    if (Math.max(Math.abs(step[0]), Math.abs(step[1])) < start.tolerance) return { theta, phi, iterations };
  }
  return { unfit: 'length alone tells wins from losses, so that the coefficients have no finite value: set a ridge' };
}

/** a b; b c */
type Symmetric = readonly [a: number, b: number, c: number];

function derivatives({ x, y }: Data, times: Float64Array, theta: number, phi: number, ridge: number) {
  let logLikelihood = 0;
  let gradientTheta = 0;
  let gradientPhi = ridge * phi;
  let [a, b, c] = [0, 0, ridge];
  for (let row = 0; row < times.length; row++) {
    const count = times[row]!;
    if (count === 0) continue;
    const xi = x[row]!;
    const z = theta + phi * xi;
    const small = Math.exp(-Math.abs(z)); // never overflows
    const p = (z < 0 ? small : 1) / (1 + small);
    // y log p + (1 − y) log(1 − p) = y z − log(1 + e^z)
    logLikelihood += count * (y[row]! * z - (Math.max(z, 0) + Math.log1p(small)));
    const residual = count * (p - y[row]!);
    gradientTheta += residual;
    gradientPhi += residual * xi;
    const weight = count * p * (1 - p);
    a += weight;
    b += weight * xi;
    c += weight * xi * xi;
  }
  return {
    logLikelihood,
    objective: (ridge / 2) * phi * phi - logLikelihood,
    gradient: [gradientTheta, gradientPhi] as const,
    curvature: [a, b, c] as Symmetric,
  };
}

const sigmoid = (z: number): number => (z < 0 ? Math.exp(z) / (1 + Math.exp(z)) : 1 / (1 + Math.exp(-z)));

/** undefined where the curvature is none: to rounding, a direction in which nothing changes. */
function solve([a, b, c]: Symmetric, [g, h]: readonly [number, number]): readonly [number, number] | undefined {
  const determinant = a * c - b * b;
  if (!(determinant > 1e-13 * a * c)) return undefined;
  return [(c * g - b * h) / determinant, (a * h - b * g) / determinant];
}

function inverseDiagonal([a, b, c]: Symmetric): readonly [number, number] {
  const determinant = a * c - b * b;
  return [c / determinant, a / determinant];
}

function rowsByQuestion(rows: readonly PreferenceRow[]): number[][] {
  const byQuestion = new Map<string, number[]>();
  for (const [row, { question }] of rows.entries()) {
    const own = byQuestion.get(question);
    if (own) own.push(row);
    else byQuestion.set(question, [row]);
  }
  return [...byQuestion.values()];
}

function rawWinRate(
  y: Float64Array,
  questions: readonly (readonly number[])[],
  options: { draws: number; seed: number },
): Interval {
  const means = questions.map((own) => own.reduce((sum, row) => sum + y[row]!, 0) / own.length);
  const rate = bootstrapMean(means, { ...options, weights: questions.map(({ length }) => length) })!;
  return { ...rate, n: y.length };
}

function standardDeviation(values: readonly number[]): number {
  // Equal values have a mean that rounding may put beside them.
  if (values.every((value) => value === values[0])) return 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

function check(rows: readonly PreferenceRow[], ridge: number): void {
  if (!(ridge >= 0 && Number.isFinite(ridge))) throw new RangeError(`ridge: expected a number from 0, got ${ridge}`);
  for (const { question, preference, lengthDifference } of rows) {
    if (!(preference >= 0 && preference <= 1))
      throw new RangeError(`question ${question}: expected a preference from 0 to 1, got ${preference}`);
    if (!Number.isFinite(lengthDifference))
      throw new RangeError(`question ${question}: expected a length difference, got ${lengthDifference}`);
  }
}
