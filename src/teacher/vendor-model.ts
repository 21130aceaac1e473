/**
 * Requests and answers in a vendor's own form, made and read by the providers of Vercel's AI SDK: the one place where
 * calls by themselves and rows of batches get their bodies, so that both ask the same. Used without the SDK's
 * `generateText`, which adds ten times their cost and, for plain text, nothing. Loaded at the first use, so that a program
 * that asks nobody does not pay for it.
 */
import type { OpenAIProvider } from '@ai-sdk/openai';
import type { TeacherError } from '../base/errors.ts';
import type { Endpoint } from './endpoint.ts';
import type { FinishReason, TeacherAnswer, TeacherRequest, TokenUsage } from './teacher.ts';
import { toTeacherError } from './vendor-errors.ts';

/** All providers' models are of this one type. */
export type VendorModel = ReturnType<OpenAIProvider['chat']>;

export interface CallSettings {
  readonly idempotencyKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Generated {
  readonly answer: TeacherAnswer;
  readonly headers: Record<string, string> | undefined;
}

/** A redirect to another host would take the key along: fetch drops only the Authorization header. */
export const withoutRedirects: typeof fetch = (input, init) => fetch(input, { ...init, redirect: 'error' });

/** `send` stands in for fetch. */
export async function loadModel(endpoint: Endpoint, send: typeof fetch): Promise<VendorModel> {
  const { provider, model, baseUrl: baseURL, headers, apiKey } = endpoint;
  if (provider === 'anthropic') {
    const { createAnthropic } = await import('@ai-sdk/anthropic');
    return createAnthropic({ baseURL, headers, apiKey: apiKey ?? '', fetch: send })(model);
  }
  if (provider === 'openai') {
    const { createOpenAI } = await import('@ai-sdk/openai');
    // .chat: the responses interface takes neither seed nor stop.
    return createOpenAI({ baseURL, headers, apiKey: apiKey ?? '', fetch: send }).chat(model);
  }
  const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
  const compatible = createOpenAICompatible({
    name: 'compatible',
    baseURL,
    headers,
    includeUsage: true,
    fetch: send,
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  return compatible.chatModel(model);
}

/** Asks once. Throws what the SDK or fetch throws. The answer may show the key: `withoutKey`. */
export async function generate(
  model: VendorModel,
  { messages, parameters }: TeacherRequest,
  { idempotencyKey, signal }: CallSettings,
): Promise<Generated> {
  const { maxTokens, temperature, topP, seed, stop } = parameters;
  const result = await model.doGenerate({
    prompt: messages.map(({ role, content }) =>
      role === 'system' ? { role, content } : { role, content: [{ type: 'text' as const, text: content }] },
    ),
    maxOutputTokens: maxTokens,
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
    ...(stop === undefined ? {} : { stopSequences: [...stop] }),
    ...(idempotencyKey === undefined ? {} : { headers: { 'Idempotency-Key': idempotencyKey } }),
    ...(signal === undefined ? {} : { abortSignal: signal }),
  });
  for (const warning of result.warnings) warnOnce(warning);
  const answer = {
    text: result.content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    finishReason: toFinishReason(result.finishReason.unified),
    usage: toUsage(result.usage.inputTokens.total, result.usage.outputTokens.total),
    raw: result.response?.body ?? null,
  };
  return { answer, headers: result.response?.headers };
}

/** The body that asking this by itself would send, JSON. Sends nothing. */
export async function requestBody(endpoint: Endpoint, request: TeacherRequest): Promise<string> {
  let body = '';
  const keep: typeof fetch = async (_, init) => {
    body = init?.body as string;
    return jsonResponse(200, endpoint.provider === 'anthropic' ? emptyMessage : emptyCompletion);
  };
  await generate(await loadModel(endpoint, keep), request, {});
  return body;
}

/** What asking would have come to, had the server answered with this status and body. */
export async function readAnswer(
  endpoint: Endpoint,
  name: string,
  { status, body }: { readonly status: number; readonly body: unknown },
): Promise<TeacherAnswer | TeacherError> {
  try {
    const model = await loadModel(endpoint, async () => jsonResponse(status, body));
    const { answer } = await generate(model, anyRequest(endpoint.model), {});
    return withoutKey(answer, endpoint.apiKey);
  } catch (error) {
    return toTeacherError(error, name, endpoint);
  }
}

const jsonResponse = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });

/** How an answer is read does not depend on what was asked. */
const anyRequest = (model: string): TeacherRequest => ({
  model,
  messages: [{ role: 'user', content: '-' }],
  parameters: { maxTokens: 1 },
  sample: 0,
});

const emptyCompletion = {
  choices: [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'stop' }],
};
const emptyMessage = {
  type: 'message',
  id: '-',
  role: 'assistant',
  model: '-',
  content: [],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 0, output_tokens: 0 },
};

function toFinishReason(reason: string): FinishReason {
  return reason === 'stop' || reason === 'length' || reason === 'content-filter' ? reason : 'other';
}

/** A prompt of no tokens is a server that does not count. */
function toUsage(inputTokens: number | undefined, outputTokens: number | undefined): TokenUsage | undefined {
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
export function withoutKey(answer: TeacherAnswer, apiKey: string | undefined): TeacherAnswer {
  if (apiKey === undefined || apiKey.length < shortestKey || !JSON.stringify(answer).includes(apiKey)) return answer;
  const clean = (value: unknown): unknown => {
    if (typeof value === 'string') return value.replaceAll(apiKey, '[redacted]');
    if (Array.isArray(value)) return value.map(clean);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [clean(name), clean(member)]));
  };
  return clean(answer) as TeacherAnswer;
}
