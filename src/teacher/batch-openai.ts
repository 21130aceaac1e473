/**
 * OpenAI's batches, and those of servers that speak its protocol: a file of requests is uploaded, a batch is made of it,
 * and answers and failures come back in two files. A batch takes 50,000 requests and 200 MB, and metadata of up to 16
 * pairs. Source: https://platform.openai.com/docs/guides/batch and …/docs/api-reference/batch, read in November 2026.
 */
import { randomUUID } from 'node:crypto';
import { isObject } from '../base/rows.ts';
import {
  type BatchClient,
  callJson,
  type FileBody,
  getLines,
  parseAnswer,
  postFile,
  unexpected,
  unserved,
} from './batch-http.ts';
import { spooled } from './batch-spool.ts';
import type { BatchCalls, BatchResult, ProviderBatch } from './batch-vendor.ts';
import { readAnswer, requestBody } from './vendor-model.ts';

/** Whatever the address of the server: its batches name its interfaces so. */
const endpointPath = '/v1/chat/completions';
const pageSize = 100;

export const openAiLimits = { requests: 50_000, bytes: 200_000_000 };

export function openAiBatches(client: BatchClient): BatchCalls {
  const path = (id: string): string => `/batches/${encodeURIComponent(id)}`;

  async function fetchBatch(id: string, signal: AbortSignal | undefined): Promise<OpenAiBatch> {
    return toRaw(client, await callJson(client, path(id), { signal }));
  }

  async function* resultsIn(file: string | null | undefined, signal: AbortSignal | undefined) {
    if (!file) return;
    for await (const line of getLines(client, `/files/${encodeURIComponent(file)}/content`, signal)) {
      yield await toResult(client, parseAnswer(client, 200, line));
    }
  }

  return {
    async submit(rows, metadata, { spoolFile, onSending, signal }) {
      async function* lines(): AsyncGenerator<string> {
        for await (const { customId, request } of rows) {
          // Spliced in as text: the very bytes that the request by itself would have.
          const body = await requestBody(client.endpoint, request);
          const head = JSON.stringify({ custom_id: customId, method: 'POST', url: endpointPath });
          yield `${head.slice(0, -1)},"body":${body}}`;
        }
      }
      const uploaded = await spooled(spoolFile, lines(), '\n', () =>
        postFile(client, '/files', multipart(spoolFile, `${metadata.submission}.jsonl`), signal),
      );
      const upload = isObject(uploaded) ? uploaded['id'] : undefined;
      if (typeof upload !== 'string') throw unexpected(client, 'the name of a file', uploaded);
      onSending(upload);
      const body = {
        input_file_id: upload,
        endpoint: endpointPath,
        completion_window: '24h',
        metadata: { program: 'understudy', ...metadata },
      };
      return toBatch(toRaw(client, await callJson(client, '/batches', { method: 'POST', body, signal })));
    },

    async *list(run, sinceMs, signal) {
      let after = '';
      while (true) {
        const page = await callJson(client, `/batches?limit=${pageSize}${after}`, { signal });
        if (!isObject(page) || !Array.isArray(page['data'])) throw unexpected(client, 'a list of batches', page);
        const batches = page['data'].map((one) => toBatch(toRaw(client, one)));
        // NaN, where a server tells times otherwise, is not old.
        const isOld = ({ createdAtMs }: ProviderBatch): boolean => createdAtMs < sinceMs;
        // A server may keep no metadata: its batches are known by the file they are made of.
        yield* batches.filter((batch) => !isOld(batch) && (batch.metadata?.run ?? run) === run);
        const [first, last] = [batches[0], batches.at(-1)];
        // Newest first, as far as is seen: then nothing that follows is new enough.
        const isOver = first && last && isOld(last) && first.createdAtMs >= last.createdAtMs;
        if (page['has_more'] !== true || !last || isOver) return;
        after = `&after=${encodeURIComponent(last.id)}`;
      }
    },

    status: async (id, signal) => toBatch(await fetchBatch(id, signal)),

    async *results(id, signal) {
      const { output_file_id: output, error_file_id: errors } = await fetchBatch(id, signal);
      // Answers first: should a row stand in both, it is answered.
      yield* resultsIn(output, signal);
      yield* resultsIn(errors, signal);
    },

    async cancel(id, signal) {
      await callJson(client, `${path(id)}/cancel`, { method: 'POST', signal });
    },
  };
}

async function toResult(client: BatchClient, line: unknown): Promise<BatchResult> {
  const { endpoint, name } = client;
  const { custom_id: customId, response, error } = (isObject(line) ? line : {}) as OpenAiResult;
  if (typeof customId !== 'string') throw unexpected(client, 'a row with a custom_id', line);
  if (response && typeof response.status_code === 'number') {
    const { status_code: status, body } = response;
    return { customId, result: await readAnswer(endpoint, name, { status, body }), mayHaveCharged: status < 400 };
  }
  return unserved(client, customId, error?.message ?? error?.code ?? 'neither an answer nor an error');
}

/** One part is the file itself, which goes between the two texts. */
function multipart(file: string, filename: string): FileBody {
  const boundary = `understudy-${randomUUID()}`;
  const part = (disposition: string): string => `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n`;
  return {
    before:
      `${part('name="purpose"')}\r\nbatch\r\n` +
      `${part(`name="file"; filename="${filename}"`)}Content-Type: application/jsonl\r\n\r\n`,
    file,
    after: `\r\n--${boundary}--\r\n`,
    contentType: `multipart/form-data; boundary=${boundary}`,
  };
}

interface OpenAiBatch {
  readonly id: string;
  readonly status: string;
  readonly created_at: number;
  readonly input_file_id?: string | null;
  readonly output_file_id?: string | null;
  readonly error_file_id?: string | null;
  readonly request_counts?: { readonly total?: number; readonly completed?: number } | null;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly errors?: { readonly data?: readonly { readonly code?: string; readonly message?: string }[] | null } | null;
}

interface OpenAiResult {
  readonly custom_id?: unknown;
  readonly response?: { readonly status_code?: unknown; readonly body?: unknown } | null;
  readonly error?: { readonly code?: string; readonly message?: string } | null;
}

function toRaw(client: BatchClient, value: unknown): OpenAiBatch {
  if (isObject(value) && typeof value['id'] === 'string' && typeof value['status'] === 'string')
    return value as unknown as OpenAiBatch;
  throw unexpected(client, 'a batch', value);
}

function toBatch(batch: OpenAiBatch): ProviderBatch {
  const { id, status, created_at: createdAt, request_counts: counts, metadata, errors } = batch;
  const [problem] = errors?.data ?? [];
  const isFull = problem?.code === 'token_limit_exceeded';
  return {
    id,
    status: status === 'failed' ? 'refused' : endStates.has(status) ? 'ended' : 'running',
    refusal: status === 'failed' ? { message: problem?.message ?? 'it failed', isFull } : undefined,
    createdAtMs: Number(createdAt) * 1000,
    total: counts?.total ?? 0,
    served: counts?.completed ?? 0,
    metadata: metadata ?? undefined,
    upload: batch.input_file_id ?? undefined,
  };
}

const endStates = new Set(['completed', 'expired', 'cancelled']);
