/** How a model is computed with and sampled from: checked before anything is loaded. */
import { z } from 'zod';
import type { WeightFormat } from '../src/model/quantize.ts';
import { deviceSchema } from './device-config.ts';

export const answerSchema = z.object({
  dtype: z.enum(['auto', 'float32', 'bfloat16']),
  device: deviceSchema,
  weights: z.enum(['full', 'bf16', 'int8', 'int4'] satisfies WeightFormat[]).default('full'),
  temperature: z.number().min(0),
  topK: z.number().int().min(0).default(0),
  topP: z.number().gt(0).max(1),
  repetitionPenalty: z.number().positive(),
  seed: z.number().int(),
});
