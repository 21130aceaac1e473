/** Settings of Self-Instruct. */
import { join } from 'node:path';
import { z } from 'zod';
import { assetsFolder } from '../src/base/paths.ts';
import type { GenerationStyle } from '../src/generate/instructions.ts';
import { teacherConfigSchema } from '../src/teacher/open-teacher.ts';

const positive = z.number().int().positive();
const share = z.number().min(0).max(2);

const styles = ['alpaca', 'self-instruct'] as const satisfies readonly GenerationStyle[];

export const generateSchema = z
  .strictObject({
    teacher: teacherConfigSchema,
    count: positive.describe('instructions asked for; filters take some away'),
    languages: z
      .array(z.enum(['en', 'zh']))
      .min(1)
      .default(['en']),
    examplesPerPrompt: positive.default(6).describe('seed tasks shown when a new instruction is asked for'),
    answerExamples: z
      .number()
      .int()
      .min(0)
      .default(0)
      .describe('seed tasks shown, answered, before a new one is answered'),
    instructionTokens: positive.default(128).describe('longest new instruction'),
    answerTokens: positive
      .default(512)
      .describe('longest answer, in the style self-instruct with its input; a cut one is rejected'),
    temperature: share
      .default(1)
      .describe('of the instructions, and of instances where there are several; answers are greedy'),
    topP: z.number().positive().max(1).default(0.95),
    seed: z.number().int().default(1),
    // Without defaults: a run from before there were these is the same run.
    style: z
      .enum(styles)
      .optional()
      .describe(
        'alpaca (the default): tasks with their inputs in one, then answered; self-instruct: tasks, then instances of ' +
          'them, input first, or label first where the task is classification',
      ),
    classification: z
      .boolean()
      .optional()
      .describe('style self-instruct: whether classification is treated apart (the default)'),
    instances: positive.optional().describe('style self-instruct: instances of each task (default 1)'),
  })
  .check(({ value, issues }) => {
    const { style, answerExamples } = value;
    const wrong = (path: string, message: string) =>
      issues.push({ code: 'custom', path: [path], message, input: value });
    if (style === 'self-instruct') {
      if (answerExamples > 0)
        wrong('answerExamples', 'the style self-instruct has examples of its own: leave this out');
      return;
    }
    for (const name of ['classification', 'instances'] as const) {
      if (value[name] !== undefined) wrong(name, 'expected with the style self-instruct alone');
    }
  });

export const answerSchema = z.strictObject({
  teacher: teacherConfigSchema,
  maxTokens: positive.default(1024).describe('longest answer'),
  cut: z
    .enum(['drop', 'longer', 'keep'])
    .default('drop')
    .describe(
      'an answer that ends at maxTokens: left out, asked for with up to four times as many, or kept and marked',
    ),
});

export type AnswerConfig = z.infer<typeof answerSchema>;

export const translateSchema = answerSchema.extend({
  to: z.string().regex(/^[a-z]{2,3}$/, 'expected the code of a language, such as zh or de'),
  translationTokens: positive.default(1024).describe('longest translated task'),
});

export type GenerateConfig = z.infer<typeof generateSchema>;

/** The project's own English seed tasks. */
export const defaultSeeds: readonly string[] = ['en-a', 'en-b'].map((name) =>
  join(assetsFolder, 'seeds', `${name}.jsonl`),
);
