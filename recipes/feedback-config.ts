/** Settings of comparison data: whose answers are compared, who scores them, what becomes of ties. */
import { z } from 'zod';
import { teacherConfigSchema } from '../src/teacher/open-teacher.ts';

const positive = z.number().int().positive();
const temperature = z.number().min(0).max(2);

export const answererSchema = z
  .strictObject({
    name: z.string().min(1),
    teacher: teacherConfigSchema,
    samples: positive.default(1).describe('answers to each prompt'),
    temperature: temperature.optional().describe('default: 0, or 1 with several samples'),
    topP: z.number().positive().max(1).optional(),
    maxTokens: positive.default(1024).describe('longest answer'),
  })
  .check(({ value, issues }) => {
    if (value.samples === 1 || value.temperature !== 0) return;
    const message = `expected a temperature above 0 with ${value.samples} samples: at 0 they are all the same`;
    issues.push({ code: 'custom', path: ['temperature'], message, input: value });
  });

export type AnswererConfig = z.infer<typeof answererSchema>;

export const tiePolicies = ['drop', 'expected', 'head-to-head'] as const;
export const feedbackForms = ['ranked', 'preference', 'comparison-v1', 'comparison-v2'] as const;

export const feedbackSchema = z
  .strictObject({
    teacher: teacherConfigSchema.describe('who scores'),
    scorer: z
      .enum(['judge', 'logprob'])
      .default('judge')
      .describe(
        'judge: the teacher reads the answers; logprob: its mean log-probability of each, of a model on this machine',
      ),
    seeds: z.array(z.string()).default([]).describe('files of seed tasks, for examples'),
    examples: z
      .number()
      .int()
      .min(0)
      .default(0)
      .describe(
        'seed tasks with their answers that the scorer logprob is shown before each prompt: the manner it likes',
      ),
    answerers: z.array(answererSchema).default([]).describe('models that answer the prompts'),
    cut: z
      .enum(['drop', 'longer', 'keep'])
      .default('drop')
      .describe('an answer that ends at its limit: left out, asked for with more tokens, or compared as it is'),
    ties: z
      .enum(tiePolicies)
      .default('drop')
      .describe(
        'answers of one score: drop, no pair; expected, the mean of several verdicts; head-to-head, compared in both orders',
      ),
    verdicts: positive.optional().describe('on the same answers, averaged; default: 1, or 4 with ties: expected'),
    atOnce: positive.optional().describe('most answers shown in one request; default: all of a prompt'),
    partial: z
      .enum(['keep', 'drop'])
      .default('keep')
      .describe('a verdict that lacks the score of some answers: what it has is kept, or none of it'),
    verdictTokens: positive.default(160).describe('longest verdict, for each answer shown'),
    duelTokens: positive.default(256).describe('longest verdict head to head'),
    temperature: temperature.optional().describe('of the verdicts; default: 0, or 1 with several'),
    seed: z.number().int().default(1).describe('of the order the answers are shown in'),
    form: z.enum(feedbackForms).default('ranked').describe('of the rows that are written'),
  })
  .check(({ value, issues }) => {
    const wrong = (path: string, message: string) =>
      issues.push({ code: 'custom', path: [path], message, input: value });
    const { scorer, teacher, ties, verdicts, answerers, form, seeds, examples } = value;
    if (scorer === 'judge' && examples > 0) wrong('examples', 'expected with the scorer logprob alone');
    if (examples > 0 && seeds.length === 0) wrong('seeds', 'expected files of seed tasks that the examples come from');
    if (scorer === 'logprob') {
      if (teacher.provider !== 'local') {
        const here =
          'expected a model on this machine (provider local): a service tells no log-probability of given answers';
        wrong('teacher', here);
      }
      for (const name of ['verdicts', 'atOnce', 'temperature'] as const)
        if (value[name] !== undefined) wrong(name, 'expected with the scorer judge alone');
      if (ties !== 'drop') wrong('ties', `expected drop: with the scorer logprob there is no judge for ${ties}`);
    }
    if (ties === 'expected' && verdicts === 1)
      wrong('verdicts', 'expected two or more to average, with ties: expected');
    if (ties === 'drop' && (verdicts ?? 1) > 1)
      wrong('verdicts', 'expected with ties: expected, which averages them, or head-to-head');
    if (ties === 'head-to-head' && form === 'comparison-v2')
      wrong('form', 'expected one that can say who won head to head: comparison-v2 has scores alone');
    const names = answerers.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) wrong('answerers', `expected each name once, got ${twice} again`);
  });

export type FeedbackConfig = z.infer<typeof feedbackSchema>;

export const defaultVerdicts = ({ verdicts, ties }: Pick<FeedbackConfig, 'verdicts' | 'ties'>): number =>
  verdicts ?? (ties === 'expected' ? 4 : 1);
