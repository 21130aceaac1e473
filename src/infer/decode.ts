/**
 * Answers for a batch of prompts of unequal length: packed prefill, then one token a row a step; rows that are done
 * leave the batch. A row's answer depends on its prompt, settings and key alone; batching changes logits by rounding
 * only (fp32: below 1e-4).
 */
import { setImmediate } from 'node:timers/promises';
import { ConfigError, throwIfAborted } from '../base/errors.ts';
import type { Decoder } from '../model/decoder.ts';
import { fromIntegers } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { cat, indexSelect, toDtype } from '../torch/ops.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';
import { KeyValueCache } from './kv-cache.ts';
import { rowRng, type SamplingSettings, sampleTokens } from './sample.ts';
import { commonLength, computePrefix, type SharedPrefix } from './shared-prefix.ts';

export interface DecodeRequest {
  /** Names the row's random stream together with the seed. */
  readonly key: string;
  readonly promptIds: readonly number[];
  readonly maxNewTokens: number;
  readonly sampling: SamplingSettings;
}

export interface DecodeResult {
  /** Without the stop token. */
  readonly ids: readonly number[];
  /** `length`: cut at maxNewTokens or at the model's last position; at once where the prompt itself goes beyond it. */
  readonly finishReason: 'stop' | 'length';
}

export interface DecodeOptions {
  readonly stopTokens: readonly number[];
  readonly signal?: AbortSignal | undefined;
  /** Called with each new token that is not a stop token; returning true ends the row as `stop`. */
  readonly onToken?: (request: number, id: number) => boolean | undefined;
}

/** Prompts are computed this many tokens at a time: their activations are the peak of memory. */
const prefillTokens = 2048;

interface Row {
  readonly request: number;
  readonly ids: number[];
  readonly limit: number;
  readonly sampling: {
    readonly settings: SamplingSettings;
    readonly rng: ReturnType<typeof rowRng>;
    readonly seen: Set<number>;
  };
}

export async function decode(
  decoder: Decoder,
  requests: readonly DecodeRequest[],
  options: DecodeOptions,
): Promise<DecodeResult[]> {
  const results = requests.map((): DecodeResult => ({ ids: [], finishReason: 'length' }));
  const stops = new Set(options.stopTokens);
  let rows = requests.map((request, i) => startRow(decoder, request, i)).filter(({ limit }) => limit > 0);
  if (rows.length === 0) return results;
  const prompts = rows.map(({ request }) => (requests[request] as DecodeRequest).promptIds);
  const cache = new KeyValueCache(decoder, rows.length, Math.max(...prompts.map((ids) => ids.length)) + 1);
  try {
    let logits = await prefill(decoder, cache, prompts, options.signal); // [rows, vocab]
    while (true) {
      const next = noGrad(() =>
        sampleTokens(
          logits,
          rows.map((row) => row.sampling),
        ),
      );
      logits.release();
      const going = rows.flatMap((row, i) => {
        const finished = advance(row, next[i] as number, stops, options.onToken);
        if (finished) results[row.request] = { ids: row.ids, finishReason: finished };
        return finished ? [] : [i];
      });
      if (going.length === 0) return results;
      if (going.length < rows.length) {
        noGrad(() => cache.keepRows(going));
        rows = going.map((i) => rows[i] as Row);
      }
      await setImmediate(); // messages and signals get their turn
      throwIfAborted(options.signal);
      logits = step(
        decoder,
        cache,
        going.map((i) => next[i] as number),
      );
    }
  } finally {
    cache.release();
  }
}

function startRow(decoder: Decoder, { key, promptIds, maxNewTokens, sampling }: DecodeRequest, request: number): Row {
  if (promptIds.length === 0) throw new ConfigError(`prompt ${key} is empty`);
  const room = decoder.config.maxPositions - promptIds.length;
  const limit = Math.min(maxNewTokens, room);
  return {
    request,
    ids: [],
    limit,
    sampling: { settings: sampling, rng: rowRng(sampling.seed, key), seen: new Set(promptIds) },
  };
}

/** Takes the token in; says why the row is done, if it is. */
function advance(
  row: Row,
  id: number,
  stops: ReadonlySet<number>,
  onToken: DecodeOptions['onToken'],
): DecodeResult['finishReason'] | undefined {
  if (stops.has(id)) return 'stop';
  row.ids.push(id);
  row.sampling.seen.add(id);
  if (onToken?.(row.request, id) === true) return 'stop';
  return row.ids.length >= row.limit ? 'length' : undefined;
}

/** Logits after each prompt's last token, [rows, vocab] fp32. What all prompts begin with alike is computed once. */
async function prefill(
  decoder: Decoder,
  cache: KeyValueCache,
  prompts: readonly (readonly number[])[],
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  const shortest = Math.min(...prompts.map((ids) => ids.length));
  const shared = prompts.length > 1 ? Math.min(commonLength(prompts), shortest - 1) : 0;
  const prefix = computePrefix(decoder, prompts[0] ?? [], shared);
  const lasts: Tensor[] = [];
  try {
    const own = prompts.map((ids) => ids.slice(prefix?.length ?? 0));
    for (let from = 0; from < own.length; ) {
      let to = from + 1;
      let tokens = own[from]?.length ?? 0;
      for (; to < own.length; to++) {
        tokens += own[to]?.length ?? 0;
        if (tokens > prefillTokens) break;
      }
      const group = own.slice(from, to);
      const rows = group.map((_, i) => from + i);
      lasts.push(keep(scope(() => noGrad(() => prefillGroup(decoder, cache, group, rows, prefix)))));
      from = to;
      await setImmediate();
      throwIfAborted(signal);
    }
    return keep(scope(() => noGrad(() => headLogits(decoder, lasts))));
  } finally {
    releaseAll(lasts);
    prefix?.release();
  }
}

/** Fills the cache's `rows` with the prompts; their last hidden states, [group, hidden]. */
function prefillGroup(
  decoder: Decoder,
  cache: KeyValueCache,
  prompts: readonly (readonly number[])[],
  rows: readonly number[],
  prefix: SharedPrefix | undefined,
): Tensor {
  const lengths = prompts.map((ids) => ids.length);
  const attention = cache.prefill(rows, lengths, prefix);
  const ids = fromIntegers(prompts.flat(), [attention.positions.length]);
  let end = 0;
  const lasts = lengths.map((length) => {
    end += length;
    return end - 1;
  });
  return indexSelect(decoder.hidden(ids, attention), 0, fromIntegers(lasts, [lasts.length]));
}

function headLogits(decoder: Decoder, hidden: readonly Tensor[]): Tensor {
  return toDtype(decoder.logits(cat(hidden, 0)), 'float32');
}

function step(decoder: Decoder, cache: KeyValueCache, tokens: readonly number[]): Tensor {
  return keep(
    scope(() =>
      noGrad(() => {
        const hidden = decoder.hidden(fromIntegers(tokens, [tokens.length]), cache.step());
        return toDtype(decoder.logits(hidden), 'float32'); // [rows, vocab]
      }),
    ),
  );
}
