/** Settings of reinforcement learning: PPO, GRPO, RLOO. */
import { z } from 'zod';
import { teacherConfigSchema } from '../src/teacher/open-teacher.ts';
import { positive, type TrainingConfig, trainingSchema } from './training-config.ts';

const weight = z.number().default(1).describe('in the sum of the rewards');

/** What an answer earns: each by itself, their weighted sum together. */
const rewardSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('model'), model: z.string().describe('folder of a reward model'), weight }),
  z.strictObject({
    kind: z.literal('teacher').describe('1 to 10, by a teacher that reads a prompt’s answers side by side'),
    teacher: teacherConfigSchema,
    atOnce: positive.optional().describe('most answers shown in one request; default: all of a prompt'),
    verdictTokens: positive.default(160).describe('longest verdict, for each answer shown'),
    weight,
  }),
  z.strictObject({
    kind: z.literal('words'),
    atMost: positive.optional(),
    atLeast: positive.optional(),
    slack: positive
      .optional()
      .describe('words beyond the bounds at which nothing is left of the reward; default: at once'),
    weight,
  }),
  z.strictObject({ kind: z.literal('regex'), pattern: z.string(), flags: z.string().default('u'), weight }),
  z.strictObject({
    kind: z.literal('exact').describe('equal to the row’s own answer, but for case and spaces'),
    weight,
  }),
  z.strictObject({ kind: z.literal('json').describe('a whole JSON document'), weight }),
]);
export type RewardSource = z.infer<typeof rewardSchema>;

const shared = trainingSchema.omit({
  epochs: true,
  stepInBackward: true,
  clip: true,
  evalShare: true,
  evalEverySteps: true,
  earlyStoppingPatience: true,
  onNonFinite: true,
  checkpointEverySteps: true,
});

const rlShared = shared.extend({
  data: z.array(z.string()).min(1).describe('files whose prompts are answered: Alpaca, ShareGPT or messages'),
  lora: trainingSchema.shape.lora.unwrap().prefault({ rank: 16, alpha: 32 }),
  learningRate: z.number().positive().default(1e-4),
  schedule: trainingSchema.shape.schedule.default('constant'),
  warmupRatio: z.number().min(0).max(1).default(0),
  rewards: z.array(rewardSchema).min(1),
  iterations: positive.default(50).describe('of sampling, scoring and learning'),
  promptsPerIteration: positive.default(16),
  maxNewTokens: positive.default(128),
  temperature: z.number().positive().default(1),
  updateEpochs: positive.default(1).describe('passes over what an iteration sampled'),
  minibatches: positive.default(1).describe('optimizer steps a pass'),
  clipLow: z.number().positive().default(0.2),
  clipHigh: z.number().positive().default(0.2),
  truncated: z
    .enum(['keep', 'mask', 'penalty'])
    .default('keep')
    .describe('answers cut at maxNewTokens: rewarded as they are, left out of the loss, or given truncatedReward'),
  truncatedReward: z.number().default(0),
  lossAverage: z.enum(['token', 'sequence']).default('token').describe('what counts alike: tokens, or answers'),
  checkpointEveryIterations: positive.default(10),
});

export const grpoSchema = rlShared.extend({
  algorithm: z.literal('grpo').default('grpo'),
  samples: z.number().int().min(2, 'a group of one has nothing to be compared with').default(8),
  baseline: z.enum(['grpo', 'rloo']).default('grpo').describe('an answer against the mean of all, or of the others'),
  divideByDeviation: z.boolean().default(true).describe('advantages by the deviation of the group’s rewards'),
  klBeta: z.number().min(0).default(0).describe('weight of the divergence from the reference in the loss (k3)'),
});

export const ppoSchema = rlShared.extend({
  algorithm: z.literal('ppo').default('ppo'),
  samples: positive.default(1),
  updateEpochs: positive.default(2),
  klBeta: z
    .number()
    .min(0)
    .default(0.05)
    .describe('of the divergence from the reference, taken off every token’s reward'),
  klTarget: z.number().positive().optional().describe('nats an answer: klBeta follows it'),
  klHorizon: z.number().positive().default(10_000).describe('answers over which klBeta follows'),
  gamma: z.number().min(0).max(1).default(1),
  lambda: z.number().min(0).max(1).default(0.95),
  valueWeight: z.number().min(0).default(0.1).describe('of the values’ loss'),
  valueClip: z.number().positive().default(0.2),
  whitenRewards: z.boolean().default(false),
});

export type GrpoConfig = z.infer<typeof grpoSchema>;
export type PpoConfig = z.infer<typeof ppoSchema>;
export type RlConfig = GrpoConfig | PpoConfig;

/** As the student and the folder want them; who rewards is told by content there, and not by name. */
export const trainingConfigOf = ({
  rewards: _rewards,
  checkpointEveryIterations: checkpointEverySteps,
  ...config
}: RlConfig): TrainingConfig => ({
  ...config,
  epochs: 1,
  stepInBackward: false,
  clip: 'global',
  evalShare: 0,
  onNonFinite: 'stop',
  checkpointEverySteps,
});
