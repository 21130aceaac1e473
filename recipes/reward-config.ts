/** Settings of a reward model's training. */
import { z } from 'zod';
import { trainingSchema } from './training-config.ts';

export const rewardSchema = trainingSchema.extend({
  learningRate: z.number().positive().default(1e-5),
  epochs: z.number().int().positive().default(1),
  marginScale: z
    .number()
    .min(0)
    .default(0)
    .describe('rewards must differ by so much times the margin of the judge’s scores; 0: margins do not count'),
  centering: z.number().min(0).default(0).describe('weight of (r_better + r_worse)², which keeps rewards about 0'),
  evalShare: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.1)
    .describe('share of the prompts held out: what the model’s card is about'),
});

export type RewardConfig = z.infer<typeof rewardSchema>;
