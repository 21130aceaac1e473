/** Settings that every training has: checked once, whether they come from YAML or from flags. */
import { z } from 'zod';
import { deviceSchema } from './device-config.ts';

export const ratio = z.number().min(0).max(1);
export const positive = z.number().int().positive();

const loraSchema = z.strictObject({
  rank: positive.default(8),
  alpha: z.number().positive().default(16).describe('the adapters count alpha / rank'),
  targets: z
    .union([z.literal('all'), z.array(z.string()).min(1)])
    .default('all')
    .describe('linear layers by the last part of their names (q_proj, down_proj, …), or all of the blocks'),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('share of its input that an adapter does not see, drawn anew for every pack; in training alone'),
});

export const trainingSchema = z.strictObject({
  model: z.string().describe('folder of the model to train, or `builtin`'),
  data: z.array(z.string()).min(1).describe('files to learn from'),
  output: z.string().describe('folder of the trained model, its log and its checkpoints'),
  template: z.string().optional().describe('chat template: alpaca, chatml or a Jinja file; default: the model’s own'),
  dtype: z
    .enum(['auto', 'float32', 'bfloat16'])
    .default('auto')
    .describe('compute type; master weights are always fp32'),
  device: deviceSchema,
  lora: loraSchema.optional().describe('train low-rank adapters instead of all weights'),
  recompute: z
    .enum(['never', 'always'])
    .default('never')
    .describe('compute blocks again in the backward: a third more work, a fraction of the memory'),
  epochs: positive.default(3),
  learningRate: z.number().positive().default(2e-5),
  schedule: z
    .enum(['cosine', 'linear', 'constant'])
    .default('cosine')
    .describe('of the learning rate, after warming up'),
  warmupRatio: ratio.default(0.03).describe('share of the steps spent warming up'),
  minLearningRateRatio: ratio.default(0).describe('last learning rate as a share of the peak'),
  batchTokens: positive.default(4096).describe('tokens of one optimizer step'),
  packTokens: positive.default(1024).describe('tokens computed at once: decides the memory'),
  maxTokens: positive.default(1024).describe('longer conversations lose whole turns, or are left out'),
  weightDecay: z.number().min(0).default(0),
  beta1: ratio.default(0.9),
  beta2: ratio.default(0.999),
  epsilon: z.number().positive().default(1e-8),
  maxGradNorm: z.number().min(0).default(1).describe('largest global gradient norm; 0 does not clip'),
  clip: z
    .enum(['global', 'block'])
    .default('global')
    .describe('which norm maxGradNorm limits: of all gradients together, or of each block by itself'),
  stepInBackward: z
    .boolean()
    .default(false)
    .describe('step weights as soon as their gradient is there: no memory for all gradients; one pack a step'),
  checkpointEverySteps: positive.default(50),
  keepCheckpoints: positive.default(1).describe('how many of the newest to keep while training, besides the best'),
  evalShare: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe('share of the rows held out; the model with the lowest loss on them is the result'),
  evalEverySteps: positive.optional().describe('default: after every epoch'),
  earlyStoppingPatience: positive.optional().describe('stop after so many evaluations in a row without a new best'),
  onNonFinite: z
    .enum(['stop', 'skip'])
    .default('stop')
    .describe('what to do with a batch whose loss or gradient is not finite'),
  tensorboard: z.string().optional().describe('folder of TensorBoard event files; default: tensorboard in the output'),
  seed: z.number().int().default(1),
});

export type TrainingConfig = z.infer<typeof trainingSchema>;

/** In the output folder once a training is done, by what was trained. */
export const resultFiles = { sft: 'sft.json', reward: 'reward.json', dpo: 'dpo.json' } as const;
