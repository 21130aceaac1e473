/** understudy.yaml: the whole chain in one file. `init` writes a commented example; the JSON schema is made from this. */
import { z } from 'zod';
import { deviceSchema } from './device-config.ts';
import { evaluateSchema } from './evaluate-config.ts';
import { answerSchema, generateSchema, translateSchema } from './generate-config.ts';
import { loopSchema } from './loop-config.ts';
import { sftSchema } from './sft-config.ts';

const files = z.array(z.string()).min(1);

const tasks = files.describe('tasks: rows of any known form, of which what the user asked is taken');

export const runSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().min(1).describe('title of the report'),
  output: z.string().min(1).describe('folder of everything the run makes'),
  ledger: z
    .string()
    .optional()
    .describe('file of paid calls; default: ledger.sqlite in the output folder. May be shared'),
  budgetUsd: z.number().positive().optional().describe('most that the ledger may have spent; a paid teacher needs it'),
  threads: z.number().int().positive().optional().describe('threads of the engine; default: all'),
  device: deviceSchema,
  seeds: files.describe('seed tasks: examples shown to teachers'),
  answer: z
    .strictObject({
      instructions: tasks,
      ...answerSchema.shape,
    })
    .optional()
    .describe('a teacher answers a given set of instructions'),
  translate: z
    .strictObject({ instructions: tasks, ...translateSchema.shape })
    .optional()
    .describe('a teacher translates given instructions, then answers them in their new language'),
  generate: generateSchema.optional().describe('a teacher writes new instructions and answers them (Self-Instruct)'),
  sft: sftSchema.omit({ data: true, output: true, device: true }),
  evaluate: evaluateSchema,
  loop: loopSchema
    .optional()
    .describe('after fine-tuning: answers compared by a teacher, a reward model, reinforcement learning, in rounds'),
  about: z.array(z.string()).default([]).describe('sentences for the top of the report: who taught whom'),
});

export type RunConfig = z.infer<typeof runSchema>;

/** For editors: completion and checks in understudy.yaml. */
export const runJsonSchema = (): unknown => z.toJSONSchema(runSchema, { io: 'input' });
