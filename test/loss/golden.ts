/** test/golden/losses.json (scripts/golden/losses.py), and how derivatives are held against the losses they are of. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { GroupSettings } from '../../src/loss/advantages.ts';
import type { ClipSettings, klEstimators, LossAverage } from '../../src/loss/policy.ts';
import type { PreferenceSettings } from '../../src/loss/preference.ts';
import type { RankedPair, RankingSettings } from '../../src/loss/ranking.ts';

type Rows = readonly (readonly number[])[];
interface Golden {
  readonly ranking: readonly {
    readonly rewards: readonly number[];
    readonly pairs: readonly RankedPair[];
    readonly settings: RankingSettings;
    readonly loss: number;
    readonly gradient: readonly number[];
  }[];
  readonly preference: readonly {
    readonly by: string;
    readonly settings: PreferenceSettings;
    readonly policy: Rows;
    readonly reference: Rows;
    readonly loss: number;
    readonly gradients: readonly [number, number];
    readonly rewards?: readonly [number, number];
  }[];
  readonly groups: readonly {
    readonly rewards: readonly number[];
    readonly settings: GroupSettings;
    readonly advantages: readonly number[];
  }[];
  readonly episodes: readonly ({
    readonly settings: { readonly gamma: number; readonly lambda: number };
  } & Record<'rewards' | 'values' | 'advantages' | 'returns' | 'whitened' | 'keptMean', Rows>)[];
  readonly policies: readonly ({
    readonly average: LossAverage;
    readonly clip: ClipSettings;
    readonly beta: number;
    readonly advantages: readonly number[];
    readonly loss: number;
  } & Record<'logprobs' | 'old' | 'reference' | 'gradients', Rows>)[];
  readonly ppo: readonly (Record<
    'clip' | 'valueClip' | 'policyLoss' | 'valueLoss' | 'clipped' | 'valuesClipped',
    number
  > &
    Record<'logprobs' | 'old' | 'advantages' | 'policyGradients', Rows> &
    Record<'values' | 'oldValues' | 'returns' | 'valueGradients', Rows>)[];
  readonly divergences: readonly (readonly [
    kind: keyof typeof klEstimators,
    logprob: number,
    reference: number,
    loss: number,
    slope: number,
  ])[];
  readonly betas: readonly {
    readonly beta: number;
    readonly kl: number;
    readonly settings: { readonly target: number; readonly horizon: number; readonly steps: number };
    readonly next: number;
  }[];
}
export const golden: Golden = JSON.parse(readFileSync(join(import.meta.dirname, '../golden/losses.json'), 'utf8'));

/** Within `relative` of the known number, or of 1e-12 where that is about 0 by cancellation. */
export function expectClose(found: number, known: number, relative = 1e-9): void {
  const off = Math.abs(found - known);
  expect(off <= Math.max(relative * Math.abs(known), 1e-12), `${found} for ${known}`).toBe(true);
}

export function expectAllClose(found: ArrayLike<number>, known: ArrayLike<number>, relative?: number): void {
  expect(found.length).toBe(known.length);
  for (let i = 0; i < known.length; i++) expectClose(found[i] as number, known[i] as number, relative);
}

/** The slope of `loss` at `at`, held against its central difference; both finite. */
export function expectSlope(slope: number, loss: (x: number) => number, at: number): void {
  const step = 1e-5;
  const difference = (loss(at + step) - loss(at - step)) / (2 * step);
  expect(Number.isFinite(slope) && Number.isFinite(loss(at)), `slope ${slope}, loss ${loss(at)} at ${at}`).toBe(true);
  const off = Math.abs(slope - difference);
  expect(off <= 1e-6 * Math.max(1, Math.abs(slope)), `slope ${slope}, difference ${difference} at ${at}`).toBe(true);
}
