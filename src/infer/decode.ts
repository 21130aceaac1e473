/**
 * Answers to any number of prompts of unequal length: so many rows are decoded together, one token a row a step, and a row
 * that is done makes room for the next prompt. Prompts are computed packed, without padding; what all of them begin with
 * alike is computed once. A row's answer depends on its prompt, settings and key alone; which rows are computed together
 * changes logits by rounding only (fp32: below 1e-4).
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
  /** How many are decoded together; the cache is as large as these need. Default 8. */
  readonly rows?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with each new token that is not a stop token; returning true ends the row as `stop`. */
  readonly onToken?: (request: number, id: number) => boolean | undefined;
  /** Called as soon as a request has its result. */
  readonly onDone?: (request: number, result: DecodeResult) => void;
}

/** On CPU the weights are read once for all rows: eight cost little more than one. */
const defaultRows = 8;
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

/** Results in the order of the requests, which are begun in that order too. */
export async function decode(
  decoder: Decoder,
  requests: readonly DecodeRequest[],
  options: DecodeOptions,
): Promise<DecodeResult[]> {
  const { rows: width = defaultRows, stopTokens, signal, onToken, onDone } = options;
  if (!Number.isSafeInteger(width) || width < 1) throw new ConfigError(`rows: expected 1 or more, got ${width}`);
  const stops = new Set(stopTokens);
  const results: DecodeResult[] = [];
  const finish = (request: number, result: DecodeResult) => {
    results[request] = result;
    onDone?.(request, result);
  };
  const fits = requests.map((request) => limitOf(decoder, request) > 0);
  requests.forEach((_, request) => {
    if (!fits[request]) finish(request, { ids: [], finishReason: 'length' });
  });
  const waiting = [...requests.keys()].filter((request) => fits[request]);
  if (waiting.length === 0) return results;

  const promptOf = (request: number) => (requests[request] as DecodeRequest).promptIds;
  const prefix = sharedBeginning(decoder, waiting.map(promptOf));
  const first = waiting.slice(0, width).map((request) => promptOf(request).length);
  const cache = new KeyValueCache(decoder, first.length, Math.max(...first) + 1);
  /** By their places in the cache. */
  let rows: Row[] = [];
  let free = [...first.keys()];
  try {
    while (true) {
      let chosen: readonly number[]; // the places whose next token this round is about
      let logits: Tensor; // [chosen, vocab]
      if (free.length > 0 && waiting.length > 0) {
        const arriving = waiting.splice(0, free.length);
        chosen = free.splice(0, arriving.length);
        chosen.forEach((place, i) => {
          rows[place] = startRow(decoder, requests, arriving[i] as number);
        });
        logits = await prefill(decoder, cache, arriving.map(promptOf), chosen, prefix, signal);
        if (waiting.length === 0) prefix?.release();
      } else {
        // Nothing waits: the cache shrinks to the rows that go on.
        const going = [...rows.keys()].filter((place) => !free.includes(place));
        if (free.length > 0) noGrad(() => cache.keepRows(going));
        rows = going.map((place) => rows[place] as Row);
        free = [];
        chosen = [...rows.keys()];
        const tokens = rows.map(({ ids }) => ids.at(-1) as number);
        logits = step(decoder, cache, tokens);
      }
      const sampling = chosen.map((place) => (rows[place] as Row).sampling);
      const next = noGrad(() => sampleTokens(logits, sampling));
      logits.release();
      chosen.forEach((place, i) => {
        const row = rows[place] as Row;
        const finishReason = advance(row, next[i] as number, stops, onToken);
        if (!finishReason) return;
        free.push(place);
        finish(row.request, { ids: row.ids, finishReason });
      });
      if (waiting.length === 0 && free.length === rows.length) return results;
      await setImmediate(); // messages and signals get their turn
      throwIfAborted(signal);
    }
  } finally {
    cache.release();
    prefix?.release();
  }
}

function limitOf({ config }: Decoder, { key, promptIds, maxNewTokens }: DecodeRequest): number {
  if (promptIds.length === 0) throw new ConfigError(`prompt ${key} is empty`);
  return Math.min(maxNewTokens, config.maxPositions - promptIds.length);
}

function startRow(decoder: Decoder, requests: readonly DecodeRequest[], request: number): Row {
  const asked = requests[request] as DecodeRequest;
  const { key, promptIds, sampling } = asked;
  return {
    request,
    ids: [],
    limit: limitOf(decoder, asked),
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

/** What all prompts begin with alike, but for the last token of each: its logits are wanted. */
function sharedBeginning(decoder: Decoder, prompts: readonly (readonly number[])[]): SharedPrefix | undefined {
  if (prompts.length < 2) return undefined;
  const shortest = prompts.reduce((least, ids) => Math.min(least, ids.length), Number.POSITIVE_INFINITY);
  return computePrefix(decoder, prompts[0] ?? [], Math.min(commonLength(prompts), shortest - 1));
}

/** Computes the prompts into these places of the cache; logits after each one's last token, [prompts, vocab] fp32. */
async function prefill(
  decoder: Decoder,
  cache: KeyValueCache,
  prompts: readonly (readonly number[])[],
  places: readonly number[],
  prefix: SharedPrefix | undefined,
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  const own = prompts.map((ids) => ids.slice(prefix?.length ?? 0));
  const lasts: Tensor[] = [];
  try {
    for (let from = 0; from < own.length; ) {
      let to = from + 1;
      let tokens = own[from]?.length ?? 0;
      for (; to < own.length; to++) {
        tokens += own[to]?.length ?? 0;
        if (tokens > prefillTokens) break;
      }
      const [group, into] = [own.slice(from, to), places.slice(from, to)];
      lasts.push(keep(scope(() => noGrad(() => prefillGroup(decoder, cache, group, into, prefix)))));
      from = to;
      await setImmediate();
      throwIfAborted(signal);
    }
    return keep(scope(() => noGrad(() => toDtype(decoder.logits(cat(lasts, 0)), 'float32'))));
  } finally {
    releaseAll(lasts);
  }
}

/** The prompts' last hidden states, [group, hidden]. */
function prefillGroup(
  decoder: Decoder,
  cache: KeyValueCache,
  prompts: readonly (readonly number[])[],
  places: readonly number[],
  prefix: SharedPrefix | undefined,
): Tensor {
  const lengths = prompts.map((ids) => ids.length);
  const attention = cache.prefill(places, lengths, prefix);
  const ids = fromIntegers(prompts.flat(), [attention.positions.length]);
  let end = 0;
  const lasts = lengths.map((length) => {
    end += length;
    return end - 1;
  });
  return indexSelect(decoder.hidden(ids, attention), 0, fromIntegers(lasts, [lasts.length]));
}

/** Appends a token to every row of the cache; logits after it, [rows, vocab] fp32. */
function step(decoder: Decoder, cache: KeyValueCache, tokens: readonly number[]): Tensor {
  return keep(
    scope(() =>
      noGrad(() => {
        const hidden = decoder.hidden(fromIntegers(tokens, [tokens.length]), cache.step());
        return toDtype(decoder.logits(hidden), 'float32');
      }),
    ),
  );
}
