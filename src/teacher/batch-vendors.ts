/** The batch interface of an endpoint: OpenAI's protocol or Anthropic's. Sends nothing yet. */
import { anthropicBatches, anthropicLimits } from './batch-anthropic.ts';
import { openAiBatches, openAiLimits } from './batch-openai.ts';
import type { BatchSettings, BatchVendor } from './batch-vendor.ts';
import type { Endpoint } from './endpoint.ts';

export interface BatchVendorOptions {
  /** For a call that is no upload and no download. */
  readonly timeoutSeconds: number;
  readonly batch?: boolean | BatchSettings | undefined;
}

export function openBatchVendor(endpoint: Endpoint, { timeoutSeconds, batch }: BatchVendorOptions): BatchVendor {
  const { provider, model, baseUrl } = endpoint;
  const settings = typeof batch === 'object' ? batch : {};
  const client = { endpoint, name: `${provider}:${model}`, timeoutMs: timeoutSeconds * 1000 };
  const [calls, limits] =
    provider === 'anthropic' ? [anthropicBatches(client), anthropicLimits] : [openAiBatches(client), openAiLimits];
  return {
    ...calls,
    provider,
    baseUrl,
    limits: {
      requests: Math.min(settings.maxRequests ?? limits.requests, limits.requests),
      bytes: limits.bytes,
      enqueuedTokens: settings.maxEnqueuedTokens,
    },
    forgotten: settings.forget ?? [],
  };
}
