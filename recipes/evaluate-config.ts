/** Settings of an evaluation before against after training. */
import { z } from 'zod';
import { teacherConfigSchema } from '../src/teacher/open-teacher.ts';

const positive = z.number().int().positive();

const none = z.number().int().min(0);

/** A number for every language, or one for each: {en: 24, zh: 12}; a language left out is asked whole. */
const perLanguage = z
  .union([positive, z.strictObject({ en: none.optional(), zh: none.optional() })], {
    error: 'expected a whole number from 1, or {en: 24, zh: 12}',
  })
  .optional();

export const evaluateSchema = z.strictObject({
  questions: z.array(z.string()).min(1).describe('held-out questions with references'),
  perLanguage: perLanguage.describe(
    'ask so many questions a language, or {en: 24, zh: 12}, drawn over the categories; default: all',
  ),
  maxTokens: positive.default(256).describe('longest answer; answers are greedy'),
  judge: teacherConfigSchema.optional().describe('the teacher that scores both answers 1–10, in both orders'),
  requireLowerLoss: z
    .boolean()
    .default(false)
    .describe('fail unless the English held-out loss fell: its whole 95 % interval below 0'),
  judgeTokens: positive.default(256).describe('longest verdict'),
  judgeExamples: z.number().int().min(0).default(0).describe('worked verdicts a very small judge is shown first'),
  judgePerLanguage: perLanguage.describe('judge only so many of the questions; default: all'),
  scorer: z
    .strictObject({
      model: z.string().default('builtin').describe('model whose log-probabilities of the answers are taken'),
      examples: z.number().int().min(0).default(0).describe('seed tasks it is shown first'),
    })
    .optional(),
});

export type EvaluateConfig = z.infer<typeof evaluateSchema>;
