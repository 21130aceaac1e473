/** Learning rate by step: linear warm-up to the peak, then on by one of three ways. */
export const schedules = ['cosine', 'linear', 'constant'] as const;

export interface ScheduleSettings {
  /** cosine: half a cosine down to `minRatio` of the peak; linear: a straight line; constant: stays at the peak. */
  readonly schedule: (typeof schedules)[number];
  readonly learningRate: number;
  /** Share of all steps spent warming up. */
  readonly warmupRatio: number;
  /** Last learning rate as a share of the peak. */
  readonly minRatio: number;
}

/** `step` counts from 1 to `steps`. The first step already moves; the last is just above the minimum. */
export function learningRateAt(step: number, steps: number, settings: ScheduleSettings): number {
  const { schedule, learningRate: peak, warmupRatio, minRatio } = settings;
  const warmup = Math.ceil(steps * warmupRatio);
  if (step <= warmup) return (peak * step) / warmup;
  const progress = (step - warmup) / Math.max(1, steps - warmup + 1);
  const left = { cosine: 0.5 * (1 + Math.cos(Math.PI * progress)), linear: 1 - progress, constant: 1 }[schedule];
  return peak * (minRatio + (1 - minRatio) * left);
}
