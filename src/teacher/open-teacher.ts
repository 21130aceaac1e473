/**
 * From a configuration to a teacher. A teacher on this machine is opened by a function the caller gives: nothing in this
 * folder reaches a decoder, so that generation and judging work where no libtorch is.
 */
import { z } from 'zod';
import { priceSchema } from './prices.ts';
import { openRecorded } from './recorded.ts';
import type { Teacher } from './teacher.ts';
import { openVendor } from './vendors.ts';

const vendorFields = {
  model: z.string().trim().min(1),
  /** Name of the variable, never the key. */
  apiKeyEnv: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of an environment variable, not the key itself')
    .optional(),
  /** Most calls at once; the server's refusals may make it fewer. */
  concurrency: z.int().min(1).max(1024).default(8),
  /** The account's limits, where they are known: calls are spaced so that they are kept. */
  requestsPerMinute: z.number().positive().optional(),
  tokensPerMinute: z.number().positive().optional(),
  /** For one call. Node's fetch, by which calls go through proxies, waits no longer than 300 s for an answer to begin. */
  timeoutSeconds: z.number().positive().max(300).default(120),
  /** Overrides the list price; both 0: this server costs nothing. */
  price: priceSchema.optional(),
  /** A file of prices, in the form of assets/prices.json, that goes before the listed ones. Default: $UNDERSTUDY_PRICES. */
  prices: z.string().min(1).optional(),
  /** Requests go by the provider's batch interface: at half the price, answered within a day. */
  batch: z
    .union([
      z.boolean(),
      z.strictObject({
        /** Most requests in one batch. Default: what the provider takes. */
        maxRequests: z.int().min(1).optional(),
        /** The account's limit of prompt tokens in all its batches; what is refused for it waits in any case. */
        maxEnqueuedTokens: z.int().min(1).optional(),
        /** Batches, as the provider names them, that it no longer has: their rows are asked again. */
        forget: z.array(z.string().min(1)).optional(),
      }),
    ])
    .optional(),
};

/** So that whoever asks for batches where there are none is told where there are some. */
const noBatch = z
  .literal(false, 'a teacher of this kind has no batch interface; openai, anthropic and openai-compatible have one')
  .optional();

const baseUrl = z.url({ protocol: /^https?$/, error: 'expected an address such as http://localhost:8000/v1' });

export const teacherConfigSchema = z.discriminatedUnion('provider', [
  z.strictObject({ provider: z.literal('openai'), ...vendorFields, baseUrl: baseUrl.optional() }),
  z.strictObject({ provider: z.literal('anthropic'), ...vendorFields, baseUrl: baseUrl.optional() }),
  z.strictObject({ provider: z.literal('openai-compatible'), ...vendorFields, baseUrl }),
  z.strictObject({ provider: z.literal('recorded'), files: z.array(z.string().min(1)).min(1), batch: noBatch }),
  z.strictObject({
    provider: z.literal('local'),
    /** A model directory, or the embedded model. */
    model: z.string().min(1).default('builtin'),
    batch: noBatch,
  }),
  z.strictObject({
    provider: z.literal('gguf'),
    /** A GGUF file, or the first of its parts; llama.cpp answers, through node-llama-cpp. */
    model: z.string().min(1),
    /** Tokens a prompt and its answer may have together. Default: 4096, or what the model was trained for if that is less. */
    contextSize: z.int().min(1).optional(),
    /** Answers decoded together; each has memory for a whole context. */
    concurrency: z.int().min(1).max(256).default(4),
    /** A built-in chat template or a Jinja file, in place of the file's own. */
    template: z.string().min(1).optional(),
    batch: noBatch,
  }),
]);

export type TeacherConfig = z.output<typeof teacherConfigSchema>;
/** Teachers on this machine. */
export type LocalTeacherConfig = Extract<TeacherConfig, { provider: 'local' | 'gguf' }>;

/** Sends nothing yet (`Teacher.probe` does). The caller closes the teacher. */
export async function openTeacher(
  config: TeacherConfig,
  openLocal: (config: LocalTeacherConfig) => Promise<Teacher>,
): Promise<Teacher> {
  switch (config.provider) {
    case 'recorded':
      return openRecorded(...config.files);
    case 'local':
    case 'gguf':
      return openLocal(config);
    default:
      return openVendor(config);
  }
}
