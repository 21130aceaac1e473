/**
 * Teachers over HTTP: OpenAI and servers that speak its chat protocol, and Anthropic, through Vercel's AI SDK. One request
 * a call, no retries here (the SDK's are switched off: caller.ts knows budget and ledger). The SDK and the providers are
 * loaded at the first call, so that a program that asks nobody does not pay for them.
 */
import type { LanguageModel } from 'ai';
import { InterruptedError, type TeacherError } from '../base/errors.ts';
import { withDeadline } from './deadline.ts';
import { type Endpoint, resolveEndpoint, type VendorConfig } from './endpoint.ts';
import { rateHints } from './limits.ts';
import { probeEndpoint } from './probe.ts';
import type { AskOptions, FinishReason, Teacher, TeacherAnswer, TeacherRequest, TokenUsage } from './teacher.ts';
import { timeoutError, toTeacherError } from './vendor-errors.ts';

/** Throws ConfigError where the address is none or the key is missing. Sends nothing. */
export function openVendor(config: VendorConfig): Teacher {
  const endpoint = resolveEndpoint(config);
  const name = `${endpoint.provider}:${endpoint.model}`;
  const timeoutMs = config.timeoutSeconds * 1000;
  let model: Promise<LanguageModel> | undefined;

  async function askOne(
    request: TeacherRequest,
    idempotencyKey: string | undefined,
    { signal, onLimits }: AskOptions,
  ): Promise<TeacherAnswer | TeacherError> {
    model ??= loadModel(endpoint);
    const loaded = await model;
    const deadline = withDeadline(timeoutMs, signal);
    try {
      const { answer, headers } = await generate(loaded, request, idempotencyKey, deadline.signal);
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
    batchSize: 1,
    concurrency: config.concurrency,
    rates: { requestsPerMinute: config.requestsPerMinute, tokensPerMinute: config.tokensPerMinute },
    probe: (signal) => probeEndpoint(endpoint, signal),
    ask: (requests, options) =>
      Promise.all(requests.map((request, i) => askOne(request, options.idempotencyKeys[i], options))),
    close: async () => {},
  };
}

/** A redirect to another host would take the key along: fetch drops only the Authorization header. */
const withoutRedirects: typeof fetch = (input, init) => fetch(input, { ...init, redirect: 'error' });

async function loadModel(endpoint: Endpoint): Promise<LanguageModel> {
  const { provider, model, baseUrl: baseURL, headers, apiKey } = endpoint;
  // The SDK prints its warnings for each call; `warnOnce` says each of them once.
  globalThis.AI_SDK_LOG_WARNINGS = false;
  if (provider === 'anthropic') {
    const { createAnthropic } = await import('@ai-sdk/anthropic');
    return createAnthropic({ baseURL, headers, apiKey: apiKey ?? '', fetch: withoutRedirects })(model);
  }
  if (provider === 'openai') {
    const { createOpenAI } = await import('@ai-sdk/openai');
    // .chat: the responses interface takes neither seed nor stop.
    return createOpenAI({ baseURL, headers, apiKey: apiKey ?? '', fetch: withoutRedirects }).chat(model);
  }
  const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
  const compatible = createOpenAICompatible({
    name: 'compatible',
    baseURL,
    headers,
    includeUsage: true,
    fetch: withoutRedirects,
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  return compatible.chatModel(model);
}

async function generate(
  model: LanguageModel,
  { messages, parameters }: TeacherRequest,
  idempotencyKey: string | undefined,
  abortSignal: AbortSignal,
): Promise<{ answer: TeacherAnswer; headers: Record<string, string> | undefined }> {
  const { generateText } = await import('ai');
  const { maxTokens, temperature, topP, seed, stop } = parameters;
  const result = await generateText({
    model,
    messages: [...messages],
    allowSystemInMessages: true,
    maxOutputTokens: maxTokens,
    maxRetries: 0,
    abortSignal,
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
    ...(stop === undefined ? {} : { stopSequences: [...stop] }),
    ...(idempotencyKey === undefined ? {} : { headers: { 'Idempotency-Key': idempotencyKey } }),
  });
  for (const warning of result.warnings ?? []) warnOnce(warning);
  const answer = {
    text: result.text,
    finishReason: toFinishReason(result.finishReason),
    usage: toUsage(result.usage),
    raw: result.response.body ?? null,
  };
  return { answer, headers: result.response.headers };
}

function toFinishReason(reason: string): FinishReason {
  return reason === 'stop' || reason === 'length' || reason === 'content-filter' ? reason : 'other';
}

/** A prompt of no tokens is a server that does not count. */
function toUsage(usage: { inputTokens: number | undefined; outputTokens: number | undefined }): TokenUsage | undefined {
  const { inputTokens, outputTokens } = usage;
  return inputTokens && outputTokens !== undefined ? { inputTokens, outputTokens } : undefined;
}

const warned = new Set<string>();

/** A parameter that the model does not take is left out by the SDK: the user is told, once. */
function warnOnce(warning: object): void {
  const { feature, details, message } = warning as { feature?: string; details?: string; message?: string };
  const text = `teacher: ${details ?? message ?? `${feature} is not supported`}`;
  if (warned.has(text)) return;
  warned.add(text);
  process.emitWarning(text);
}

/** Servers' placeholder keys ("ollama", "EMPTY") are words that answers may hold; keys proper are longer. */
const shortestKey = 12;

/** An answer as the server gave it, but for the key, should a server repeat it. */
function withoutKey(answer: TeacherAnswer, apiKey: string | undefined): TeacherAnswer {
  if (apiKey === undefined || apiKey.length < shortestKey || !JSON.stringify(answer).includes(apiKey)) return answer;
  const clean = (value: unknown): unknown => {
    if (typeof value === 'string') return value.replaceAll(apiKey, '[redacted]');
    if (Array.isArray(value)) return value.map(clean);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [clean(name), clean(member)]));
  };
  return clean(answer) as TeacherAnswer;
}
