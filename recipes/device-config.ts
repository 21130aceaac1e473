/** Where the engine computes: a setting of its own in files and flags, checked here and by the engine when it starts. */
import { z } from 'zod';

export const deviceSchema = z
  .string()
  .regex(/^(auto|cpu|cuda(:\d+)?)$/, 'expected auto, cpu, cuda or cuda:N')
  .default('auto')
  .describe('auto: a CUDA device where libtorch has one that answers, else the CPU; or cpu, cuda, cuda:N');
