/** Settings of supervised fine-tuning: checked here, once, whether they come from YAML or from flags. */
import { z } from 'zod';

const ratio = z.number().min(0).max(1);
const positive = z.number().int().positive();

export const sftSchema = z.strictObject({
  model: z.string().describe('folder of the model to train, or `builtin`'),
  data: z.array(z.string()).min(1).describe('Alpaca, ShareGPT or messages files'),
  output: z.string().describe('folder of the trained model, its log and its checkpoints'),
  template: z.string().optional().describe('chat template: alpaca, chatml or a Jinja file; default: the model’s own'),
  dtype: z
    .enum(['auto', 'float32', 'bfloat16'])
    .default('auto')
    .describe('compute type; master weights are always fp32'),
  epochs: positive.default(3),
  learningRate: z.number().positive().default(2e-5),
  warmupRatio: ratio.default(0.03).describe('share of the steps spent warming up'),
  minLearningRateRatio: ratio.default(0).describe('last learning rate as a share of the peak'),
  batchTokens: positive.default(4096).describe('tokens of one optimizer step'),
  packTokens: positive.default(1024).describe('tokens computed at once: decides the memory'),
  maxTokens: positive.default(1024).describe('longer conversations lose whole turns, or are left out'),
  maxTrainTokens: positive.optional().describe('end after so many tokens'),
  weightDecay: z.number().min(0).default(0),
  beta1: ratio.default(0.9),
  beta2: ratio.default(0.999),
  epsilon: z.number().positive().default(1e-8),
  maxGradNorm: z.number().min(0).default(1).describe('largest global gradient norm; 0 does not clip'),
  checkpointEverySteps: positive.default(50),
  seed: z.number().int().default(1),
});

export type SftConfig = z.infer<typeof sftSchema>;
