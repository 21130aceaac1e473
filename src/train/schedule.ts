/** Learning rate by step: linear warm-up to the peak, then half a cosine down to `minRatio` of it. */
export interface ScheduleSettings {
  readonly learningRate: number;
  /** Share of all steps spent warming up. */
  readonly warmupRatio: number;
  /** Last learning rate as a share of the peak. */
  readonly minRatio: number;
}

/** `step` counts from 1 to `steps`. The first step already moves; the last is just above the minimum. */
export function cosineLearningRate(step: number, steps: number, settings: ScheduleSettings): number {
  const warmup = Math.ceil(steps * settings.warmupRatio);
  if (step <= warmup) return (settings.learningRate * step) / warmup;
  const progress = (step - warmup) / Math.max(1, steps - warmup + 1);
  const cosine = 0.5 * (1 + Math.cos(Math.PI * progress));
  return settings.learningRate * (settings.minRatio + (1 - settings.minRatio) * cosine);
}
