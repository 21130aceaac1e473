/**
 * Teachers over HTTP: OpenAI and servers that speak its chat protocol, and Anthropic. One request a call, no retries here:
 * caller.ts knows budget and ledger. With `batch`, requests go by the provider's batch interface instead
 * (batch-vendors.ts), at its price.
 */
import { InterruptedError, type TeacherError } from '../base/errors.ts';
import { openBatchVendor } from './batch-vendors.ts';
import { withDeadline } from './deadline.ts';
import { resolveEndpoint, type VendorConfig } from './endpoint.ts';
import { httpFetch } from './http-fetch.ts';
import { rateHints } from './limits.ts';
import { probeEndpoint } from './probe.ts';
import type { AskOptions, Teacher, TeacherAnswer, TeacherRequest } from './teacher.ts';
import { timeoutError, toTeacherError } from './vendor-errors.ts';
import { generate, loadModel, type VendorModel, withoutKey } from './vendor-model.ts';

/** Throws ConfigError where the address is none or the key is missing. Sends nothing. */
export function openVendor(config: VendorConfig): Teacher {
  const endpoint = resolveEndpoint(config);
  const name = `${endpoint.provider}:${endpoint.model}`;
  const timeoutMs = config.timeoutSeconds * 1000;
  const http = httpFetch();
  let model: Promise<VendorModel> | undefined;

  async function askOne(
    request: TeacherRequest,
    idempotencyKey: string | undefined,
    { signal, onLimits }: AskOptions,
  ): Promise<TeacherAnswer | TeacherError> {
    model ??= loadModel(endpoint, http.fetch);
    const loaded = await model;
    const deadline = withDeadline(timeoutMs, signal);
    try {
      const { answer, headers } = await generate(loaded, request, { idempotencyKey, signal: deadline.signal });
      onLimits?.(rateHints(headers));
      return withoutKey(answer, endpoint.apiKey);
    } catch (error) {
      if (signal?.aborted) throw new InterruptedError();
      onLimits?.(rateHints((error as { responseHeaders?: Record<string, string> }).responseHeaders));
      return deadline.expired ? timeoutError(name, timeoutMs) : toTeacherError(error, name, endpoint);
    } finally {
      deadline.clear();
    }
  }

  return {
    name,
    model: endpoint.model,
    paid: endpoint.paid,
    price: endpoint.price,
    batchPrice: endpoint.batchPrice,
    batchSize: 1,
    concurrency: config.concurrency,
    rates: { requestsPerMinute: config.requestsPerMinute, tokensPerMinute: config.tokensPerMinute },
    batches: config.batch ? openBatchVendor(endpoint, config) : undefined,
    probe: (signal) => probeEndpoint(endpoint, signal),
    ask: (requests, options) =>
      Promise.all(requests.map((request, i) => askOne(request, options.idempotencyKeys[i], options))),
    close: async () => http.close(),
  };
}
