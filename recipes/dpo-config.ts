/** Settings of training on preferences without a reward model. */
import { z } from 'zod';
import { ConfigError } from '../src/base/errors.ts';
import { type PreferenceSettings, preferenceLosses } from '../src/loss/preference.ts';
import { trainingSchema } from './training-config.ts';

export const dpoSchema = trainingSchema.extend({
  learningRate: z.number().positive().default(1e-6),
  epochs: z.number().int().positive().default(1),
  loss: z.enum(preferenceLosses).default('dpo').describe('dpo, ipo, or simpo, which needs no reference'),
  beta: z.number().positive().default(0.1).describe('how close to stay to the reference; simpo: 2 to 2.5'),
  logprobs: z
    .enum(['sum', 'mean'])
    .optional()
    .describe('an answer’s log-probability: over its tokens the sum (default of dpo) or the mean (ipo, simpo)'),
  smoothing: z
    .number()
    .min(0)
    .lt(0.5)
    .default(0)
    .describe('share of the pairs taken to be labelled the wrong way round (cDPO); dpo alone'),
  gamma: z.number().min(0).default(0).describe('by how much the better must win; simpo alone'),
});

export type DpoConfig = z.infer<typeof dpoSchema>;

/** What the settings leave open, and what contradicts itself. */
export function preferenceSettings({ loss, beta, logprobs, smoothing, gamma }: DpoConfig): PreferenceSettings {
  if (smoothing > 0 && loss !== 'dpo') throw new ConfigError(`smoothing: is for loss dpo, not ${loss}`);
  if (gamma > 0 && loss !== 'simpo') throw new ConfigError(`gamma: is for loss simpo, not ${loss}`);
  return { loss, beta, smoothing, gamma, logprobs: logprobs ?? (loss === 'dpo' ? 'sum' : 'mean') };
}
