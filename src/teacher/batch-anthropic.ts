/**
 * Anthropic's message batches: all requests in one body of up to 100,000 and 256 MB, results in one stream once every
 * request has ended. A batch carries no metadata: which one is ours is seen in the custom_ids of its results. Results can
 * be had for 29 days. Source: https://platform.claude.com/docs/en/build-with-claude/batch-processing and
 * …/docs/en/api/messages/batches, read in November 2026.
 */
import { isObject } from '../base/rows.ts';
import { type BatchClient, callJson, getLines, parseAnswer, postFile, unexpected, unserved } from './batch-http.ts';
import { spooled } from './batch-spool.ts';
import type { BatchCalls, BatchResult, ProviderBatch } from './batch-vendor.ts';
import { readAnswer, requestBody } from './vendor-model.ts';

const batchesPath = '/messages/batches';
const pageSize = 100;

/** Less what stands around the requests. */
export const anthropicLimits = { requests: 100_000, bytes: 256_000_000 - 1_000 };

export function anthropicBatches(client: BatchClient): BatchCalls {
  const path = (id: string): string => `${batchesPath}/${encodeURIComponent(id)}`;
  return {
    async submit(rows, _, { spoolFile, onSending, signal }) {
      async function* requests(): AsyncGenerator<string> {
        for await (const { customId, request } of rows) {
          // Spliced in as text: the very bytes that the request by itself would have.
          yield `{"custom_id":${JSON.stringify(customId)},"params":${await requestBody(client.endpoint, request)}}`;
        }
      }
      const body = { before: '{"requests":[', file: spoolFile, after: ']}', contentType: 'application/json' };
      return spooled(spoolFile, requests(), ',', async () => {
        onSending(undefined);
        return toBatch(client, await postFile(client, batchesPath, body, signal));
      });
    },

    async *list(_, sinceMs, signal) {
      let after = '';
      while (true) {
        const page = await callJson(client, `${batchesPath}?limit=${pageSize}${after}`, { signal });
        if (!isObject(page) || !Array.isArray(page['data'])) throw unexpected(client, 'a list of batches', page);
        const batches = page['data'].map((one) => toBatch(client, one));
        yield* batches.filter(({ createdAtMs }) => createdAtMs >= sinceMs);
        const last = batches.at(-1);
        // Most recently created first.
        if (page['has_more'] !== true || !last || last.createdAtMs < sinceMs) return;
        after = `&after_id=${encodeURIComponent(last.id)}`;
      }
    },

    status: async (id, signal) => toBatch(client, await callJson(client, path(id), { signal })),

    async *results(id, signal) {
      for await (const line of getLines(client, `${path(id)}/results`, signal)) {
        yield await toResult(client, parseAnswer(client, 200, line));
      }
    },

    async cancel(id, signal) {
      await callJson(client, `${path(id)}/cancel`, { method: 'POST', signal });
    },
  };
}

interface AnthropicBatch {
  readonly id: string;
  readonly processing_status: string;
  readonly created_at: string;
  /** Each request counts under one name. */
  readonly request_counts?: Readonly<Record<string, number>>;
}

function toBatch(client: BatchClient, value: unknown): ProviderBatch {
  const batch = (isObject(value) ? value : {}) as Partial<AnthropicBatch>;
  const { id, processing_status: status, created_at: createdAt, request_counts: counts = {} } = batch;
  if (typeof id !== 'string' || typeof status !== 'string') throw unexpected(client, 'a batch', value);
  return {
    id,
    status: status === 'ended' ? 'ended' : 'running',
    createdAtMs: Date.parse(createdAt ?? ''),
    total: Object.values(counts).reduce((sum, count) => sum + count, 0),
    served: counts['succeeded'] ?? 0,
    metadata: undefined,
    upload: undefined,
  };
}

interface AnthropicResult {
  readonly custom_id?: unknown;
  readonly result?: {
    readonly type?: string;
    readonly message?: unknown;
    readonly error?: { readonly error?: { readonly type?: string; readonly message?: string } };
  };
}

async function toResult(client: BatchClient, line: unknown): Promise<BatchResult> {
  const { endpoint, name } = client;
  const { custom_id: customId, result } = (isObject(line) ? line : {}) as AnthropicResult;
  if (typeof customId !== 'string' || !isObject(result)) throw unexpected(client, 'a row with a result', line);
  const { type, message, error } = result as NonNullable<AnthropicResult['result']>;
  if (type === 'succeeded') {
    const answer = await readAnswer(endpoint, name, { status: 200, body: message });
    return { customId, result: answer, mayHaveCharged: true };
  }
  if (type === 'errored') {
    const status = errorStatus[error?.error?.type ?? ''] ?? 500;
    return { customId, result: await readAnswer(endpoint, name, { status, body: error }), mayHaveCharged: false };
  }
  return unserved(client, customId, type ?? 'no reason given');
}

/** The status that a call by itself is answered with: https://platform.claude.com/docs/en/api/errors. */
const errorStatus: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
};
