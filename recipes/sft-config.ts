/** Settings of supervised fine-tuning. */
import { z } from 'zod';
import { positive, trainingSchema } from './training-config.ts';

/** Written as one text, with commas between; in a list a token may have commas itself. */
export const tokensOf = (text: string): string[] => text.split(',').map((token) => token.trim());

const tokensError = 'expected tokens, in a list such as ["<|im_start|>", "<|im_end|>"], or with commas between';

export const sftSchema = trainingSchema.extend({
  addTokens: z
    .union([z.array(z.string()), z.string().transform(tokensOf)], tokensError)
    .optional()
    .describe('tokens of the template that the model lacks: special ones, whose embeddings begin as the mean'),
  maxTrainTokens: positive.optional().describe('end after so many tokens'),
});

export type SftConfig = z.infer<typeof sftSchema>;
