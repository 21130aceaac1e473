/** Settings of the rounds after fine-tuning: sample, score, reward model, reinforcement learning, again. */
import { z } from 'zod';
import { teacherConfigSchema } from '../src/teacher/open-teacher.ts';
import { type FeedbackConfig, feedbackSchema } from './feedback-config.ts';
import { rewardSchema } from './reward-config.ts';
import { grpoSchema, ppoSchema } from './rl-config.ts';
import { positive } from './training-config.ts';

/** What the round itself decides. */
const ofRound = { model: true, data: true, output: true, device: true } as const;

const learning = {
  rewards: grpoSchema.shape.rewards.unwrap().array().default([]).describe('besides the reward model'),
};

export const loopSchema = z.strictObject({
  rounds: positive.default(1).describe('most rounds; they end sooner where the judge no longer agrees with the reward'),
  prompts: z.array(z.string()).min(1).describe('files of prompts: answered, compared, learned from; some are held out'),
  heldOut: positive.default(24).describe('prompts that rounds are checked on and never learn from'),
  samples: z.number().int().min(2).default(4).describe('answers to a prompt: to compare, and to pick the best from'),
  temperature: z.number().positive().max(2).default(1),
  maxTokens: positive.default(256).describe('longest answer'),
  scorer: z
    .enum(['judge', 'logprob'])
    .default('judge')
    .describe('judge: the teacher reads the answers; logprob: its mean log-probability of each'),
  teacher: teacherConfigSchema.describe('who scores'),
  examples: feedbackSchema.shape.examples,
  promptsPerRound: positive
    .optional()
    .describe('compared in a round, drawn anew for each; default: all but those held out'),
  ties: feedbackSchema.shape.ties,
  cut: feedbackSchema.shape.cut.unwrap().default('keep').describe('answers that end at maxTokens'),
  reward: rewardSchema.omit(ofRound).prefault({}),
  rl: z
    .discriminatedUnion('algorithm', [
      grpoSchema.omit(ofRound).extend({ ...learning, algorithm: z.literal('grpo') }),
      ppoSchema.omit(ofRound).extend({ ...learning, algorithm: z.literal('ppo') }),
    ])
    .prefault({ algorithm: 'grpo' }),
  seed: z.number().int().default(1),
});

export type LoopConfig = z.infer<typeof loopSchema>;

/** How a round's answers are scored; `seeds`: the run's, for examples. */
export const scoringOf = (
  { teacher, scorer, examples, ties, cut, seed }: LoopConfig,
  seeds: readonly string[],
): FeedbackConfig => feedbackSchema.parse({ teacher, scorer, examples, seeds, ties, cut, seed });
