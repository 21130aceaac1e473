/** Settings of a judge's verdicts on models' answers. */
import { z } from 'zod';
import { judgeModes } from '../src/evaluate/judge-rows.ts';
import { teacherConfigSchema } from '../src/teacher/open-teacher.ts';

const positive = z.number().int().positive();

export const judgeSchema = z.strictObject({
  teacher: teacherConfigSchema.describe('the judge'),
  mode: z
    .enum(judgeModes)
    .describe('single: a score 1–10 for each answer; pair: which of two is better; reference: a score for each of two'),
  baseline: z.string().min(1).optional().describe('the model the others are compared with; default: each with each'),
  samples: positive.default(1).describe('verdicts on the same thing'),
  temperature: z.number().min(0).max(2).optional().describe('default: 0, or 1 with several samples'),
  maxTokens: positive
    .default(768)
    .describe('longest verdict; what is cut before its verdict is asked for again, longer'),
  judgeFamily: z
    .string()
    .min(1)
    .optional()
    .describe(
      'judged models whose names begin so count as the judge’s own; default: the one named as the judge’s model',
    ),
  seed: z.number().int().default(1).describe('of the intervals’ draws'),
});

export type JudgeConfig = z.infer<typeof judgeSchema>;
