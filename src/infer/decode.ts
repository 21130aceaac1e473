/**
 * Answers to any number of prompts of unequal length: so many rows are decoded together, one token a row a step, and a row
 * that is done makes room for the next prompt. Prompts are computed packed, without padding; what many of them begin with
 * alike is computed once. A row's answer depends on its prompt, settings and key alone; which rows are computed together
 * changes logits by rounding only (fp32: below 1e-4).
 */
import { setImmediate } from 'node:timers/promises';
import { ConfigError, throwIfAborted } from '../base/errors.ts';
import { fillRuns } from '../base/runs.ts';
import type { Decoder } from '../model/decoder.ts';
import { FamilyAttention, shortRows } from '../model/family-attention.ts';
import { lastPositions } from '../text/labels.ts';
import { fromFloat32, fromIntegers } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { cat, div, indexSelect, toDtype } from '../torch/ops.ts';
import { bytesPerElement, keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';
import { KeyValueCache } from './kv-cache.ts';
import { chosenLogprobs } from './logprobs.ts';
import { type Document, familyPacks, type PackRows } from './pack-layout.ts';
import { rowRng, type SamplingSettings, sampleTokens } from './sample.ts';
import { type AlikeGroup, computePrefix, groupsAlike, type SharedPrefix } from './shared-prefix.ts';

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
  /** Where asked for: log p of each of them, and of the stop token after them, as they were sampled, in nats. */
  readonly logprobs?: readonly number[];
  /** The token that ended it, where one did. */
  readonly stopToken?: number;
}

export interface DecodeOptions {
  readonly stopTokens: readonly number[];
  /** How many are decoded together; the cache is as large as these need. Default: 32, fewer where they need over 1 GiB. */
  readonly rows?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether results have `logprobs`: at the row's temperature, over the whole vocabulary. */
  readonly logprobs?: boolean;
  /** Called with each new token that is not a stop token; returning true ends the row as `stop`. */
  readonly onToken?: (request: number, id: number) => boolean | undefined;
  /** Called as soon as a request has its result. */
  readonly onDone?: (request: number, result: DecodeResult) => void;
}

/** The weights are read once for all rows: on the CPU 32 take three times as long as one. */
const mostRows = 32;
const cacheBytes = 2 ** 30;
/** Prompts are computed this many tokens at a time: their activations are the peak of memory. */
const prefillTokens = 2048;

interface Row {
  readonly request: number;
  readonly ids: number[];
  readonly logprobs: number[];
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
  const { rows: width = rowsThatFit(decoder, requests), stopTokens, signal, onToken, onDone } = options;
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
  const beginnings = new Beginnings(decoder, waiting, promptOf);
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
        logits = await prefill(decoder, cache, arriving, promptOf, chosen, beginnings, signal);
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
      const said = options.logprobs ? logprobsOf(logits, next, sampling) : undefined;
      logits.release();
      chosen.forEach((place, i) => {
        const row = rows[place] as Row;
        if (said) row.logprobs.push(said[i] as number);
        const finishReason = advance(row, next[i] as number, stops, onToken);
        if (!finishReason) return;
        free.push(place);
        const id = next[i] as number;
        finish(row.request, {
          ids: row.ids,
          finishReason,
          ...(said && { logprobs: row.logprobs }),
          ...(stops.has(id) && { stopToken: id }),
        });
      });
      if (waiting.length === 0 && free.length === rows.length) return results;
      await setImmediate(); // messages and signals get their turn
      throwIfAborted(signal);
    }
  } finally {
    cache.release();
    beginnings.release();
  }
}

/** As many as `cacheBytes` hold the keys and values of, were they all as long as the longest. */
function rowsThatFit({ config, dtype, numLayers }: Decoder, requests: readonly DecodeRequest[]): number {
  const longest = requests.reduce(
    (most, { promptIds, maxNewTokens }) => Math.max(most, promptIds.length + maxNewTokens),
    1,
  );
  const bytesPerToken = 2 * numLayers * config.numKeyValueHeads * config.headDim * bytesPerElement[dtype];
  const fit = Math.floor(cacheBytes / (bytesPerToken * Math.min(longest, config.maxPositions)));
  return Math.max(1, Math.min(mostRows, fit));
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
    logprobs: [],
    limit: limitOf(decoder, asked),
    sampling: { settings: sampling, rng: rowRng(sampling.seed, key), seen: new Set(promptIds) },
  };
}

/** logits [rows, vocab] → log p of each row's token at its temperature. */
function logprobsOf(logits: Tensor, tokens: readonly number[], rows: readonly Row['sampling'][]): number[] {
  return noGrad(() =>
    scope(() => {
      const temperatures = rows.map(({ settings: { temperature } }) => (temperature > 0 ? temperature : 1));
      const scaled = div(logits, fromFloat32(temperatures, [rows.length, 1]));
      return chosenLogprobs(scaled, tokens);
    }),
  );
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

interface Beginning {
  /** Tokens that its requests share. */
  readonly length: number;
  /** Requests that have not come yet. */
  waiting: number;
  prefix: SharedPrefix | undefined;
}

/** Requests, by index, and what they share with others. */
interface Behind {
  readonly indices: readonly number[];
  readonly prefix: SharedPrefix | undefined;
  readonly done: () => void;
}

/** What requests begin with alike: computed when the first of them comes, released when the last has come. */
class Beginnings {
  readonly #decoder: Decoder;
  readonly #promptOf: (request: number) => readonly number[];
  readonly #byRequest = new Map<number, Beginning>();

  constructor(decoder: Decoder, requests: readonly number[], promptOf: (request: number) => readonly number[]) {
    this.#decoder = decoder;
    this.#promptOf = promptOf;
    for (const { members, length } of groupsAlike(requests.map(promptOf))) {
      const beginning: Beginning = { length, waiting: members.length, prefix: undefined };
      for (const member of members) this.#byRequest.set(requests[member] as number, beginning);
    }
  }

  /**
   * The arriving requests, by index. `together`: in groups that nothing else shares with, for one forward in families, where
   * our kernel takes them. `behind`: behind a beginning that others will come to share; `done` tells that these have come.
   */
  split(arriving: readonly number[]): { together: readonly AlikeGroup[]; behind: readonly Behind[] } {
    const groups = new Map<Beginning, number[]>();
    arriving.forEach((request, i) => {
      const beginning = this.#byRequest.get(request) as Beginning;
      groups.set(beginning, [...(groups.get(beginning) ?? []), i]);
    });
    const together: AlikeGroup[] = [];
    const behind: Behind[] = [];
    for (const [beginning, all] of groups) {
      const isShort = (i: number) => this.#promptOf(arriving[i] as number).length <= shortRows;
      const isLast = beginning.length === 0 || (!beginning.prefix && beginning.waiting === all.length);
      const short = this.#decoder.ownKernels && isLast ? all.filter(isShort) : [];
      if (short.length > 0) together.push({ members: short, length: short.length > 1 ? beginning.length : 0 });
      const indices = all.filter((i) => !short.includes(i));
      beginning.waiting -= short.length;
      if (indices.length === 0) continue;
      const tokens = this.#promptOf(arriving[indices[0] as number] as number);
      if (beginning.length > 0) beginning.prefix ??= computePrefix(this.#decoder, tokens, beginning.length);
      const done = () => {
        beginning.waiting -= indices.length;
        if (beginning.waiting === 0) beginning.prefix?.release();
      };
      behind.push({ indices, prefix: beginning.prefix, done });
    }
    return { together, behind };
  }

  release(): void {
    for (const { prefix } of this.#byRequest.values()) prefix?.release();
  }
}

/** Computes the requests' prompts into these places of the cache; logits after each one's last token, [prompts, vocab] fp32. */
async function prefill(
  decoder: Decoder,
  cache: KeyValueCache,
  requests: readonly number[],
  promptOf: (request: number) => readonly number[],
  places: readonly number[],
  beginnings: Beginnings,
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  const lasts: Tensor[] = [];
  const order: number[] = [];
  const compute = async (members: readonly number[], forward: (into: readonly number[]) => Tensor) => {
    const into = members.map((i) => places[i] as number);
    lasts.push(keep(scope(() => noGrad(() => forward(into)))));
    order.push(...members);
    await setImmediate();
    throwIfAborted(signal);
  };
  try {
    const documents = requests.map((request) => ({ ids: promptOf(request) }));
    const { together, behind } = beginnings.split(requests);
    for (const { members, layout } of familyPacks(documents, together, prefillTokens)) {
      const own = members.map((i) => documents[i] as Document);
      await compute(members, (into) => prefillFamilies(decoder, cache, own, layout, into));
    }
    for (const { indices, prefix, done } of behind) {
      const shared = prefix?.length ?? 0;
      const rests = indices.map((i) => ({ i, ids: promptOf(requests[i] as number).slice(shared) }));
      for (const pack of fillRuns(rests, ({ ids }) => ids.length, prefillTokens)) {
        const members = pack.map(({ i }) => i);
        await compute(members, (into) => prefillBehind(decoder, cache, pack, into, prefix));
      }
      done();
    }
    const rows = requests.map((_, i) => order.indexOf(i));
    return keep(
      scope(() =>
        noGrad(() => {
          const hidden = indexSelect(cat(lasts, 0), 0, fromIntegers(rows, [rows.length]));
          return toDtype(decoder.logits(hidden), 'float32');
        }),
      ),
    );
  } finally {
    releaseAll(lasts);
  }
}

/** The last hidden states of prompts behind the prefix, if any, [prompts, hidden]. */
function prefillBehind(
  decoder: Decoder,
  cache: KeyValueCache,
  prompts: readonly Document[],
  places: readonly number[],
  prefix: SharedPrefix | undefined,
): Tensor {
  const lengths = prompts.map(({ ids }) => ids.length);
  const attention = cache.prefill(places, lengths, prefix);
  const ids = fromIntegers(
    prompts.flatMap((prompt) => prompt.ids),
    [attention.positions.length],
  );
  const lasts = lastPositions(prompts);
  return indexSelect(decoder.hidden(ids, attention), 0, fromIntegers(lasts, [lasts.length]));
}

/** The last hidden states of prompts that are computed in families, [prompts, hidden]. */
function prefillFamilies(
  decoder: Decoder,
  cache: KeyValueCache,
  prompts: readonly Document[],
  { ids, positions, families, rowsOf }: PackRows,
  places: readonly number[],
): Tensor {
  let start = 0;
  const rows = prompts.map(({ ids: own }) => {
    start += own.length;
    return rowsOf(Array.from(own, (_, i) => start - own.length + i));
  });
  const attention = cache.prefillFamilies(places, rows, new FamilyAttention(decoder, positions, families));
  const lasts = rowsOf(lastPositions(prompts));
  return indexSelect(
    decoder.hidden(fromIntegers(ids, [ids.length]), attention),
    0,
    fromIntegers(lasts, [lasts.length]),
  );
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
