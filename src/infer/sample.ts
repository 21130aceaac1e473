/**
 * Choosing the next token: greedy, temperature, top-k, top-p (Holtzman et al. 2019, arXiv 1904.09751), repetition
 * penalty (Keskar et al. 2019, arXiv 1909.05858). In the order transformers applies them: penalty, temperature, top-k,
 * top-p. Random numbers belong to the row, not to the batch it is decoded in.
 */
import { Rng } from '../base/rng.ts';
import { fromFloat32, fromFloat64, fromIntegers, toFloat32, toFloat64, toIntegers } from '../torch/convert.ts';
import {
  argmax,
  cumsum,
  div,
  fullLike,
  gather,
  greaterThan,
  indexSelect,
  logsumexp,
  mul,
  narrow,
  scatter,
  searchSorted,
  select,
  softmax,
  toDtype,
  topk,
  where,
} from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';

export interface SamplingSettings {
  /** 0 is greedy; then nothing else but the repetition penalty matters. */
  readonly temperature: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the fewest tokens whose probabilities reach p; 1 keeps all. */
  readonly topP: number;
  /** Divides the positive and multiplies the negative logits of tokens already seen; 1 changes nothing. */
  readonly repetitionPenalty: number;
  readonly seed: number;
}

export const greedy: SamplingSettings = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 };

/** What a row brings to the choice of its next token. */
export interface SamplingRow {
  readonly settings: SamplingSettings;
  readonly rng: Rng;
  /** Prompt and answer so far. */
  readonly seen: ReadonlySet<number>;
}

/** A row's random stream: the same for a seed and a key, in whatever batch. */
export const rowRng = (seed: number, key: string): Rng => new Rng('sample', seed, key);

/** Enough for nearly every nucleus; a flatter distribution is sorted whole. */
const nucleusCandidates = 1024;

/** logits [rows, vocab] fp32 → the next token of each row. */
export function sampleTokens(logits: Tensor, rows: readonly SamplingRow[]): number[] {
  return scope(() => {
    const penalized = penalizeRepetition(logits, rows);
    const best = toIntegers(argmax(penalized, 1));
    const drawing = rows.flatMap((row, i) => (row.settings.temperature > 0 ? [i] : []));
    if (drawing.length === 0) return best;
    const temperatures = rows.map(({ settings }) => (settings.temperature > 0 ? settings.temperature : 1));
    const scaled = div(penalized, fromFloat32(temperatures, [rows.length, 1]));
    const unlimited = drawing.filter((i) => isUnlimited((rows[i] as SamplingRow).settings));
    drawFromAll(scaled, unlimited, rows).forEach((id, i) => {
      best[unlimited[i] as number] = id;
    });
    const draw = drawFrom(scaled);
    for (const i of drawing) if (!unlimited.includes(i)) best[i] = draw(i, rows[i] as SamplingRow);
    return best;
  });
}

const isUnlimited = ({ topK, topP }: SamplingSettings): boolean => topK === 0 && topP === 1;

/** From whole distributions, as reinforcement learning needs it: the place where a uniform number falls among their sums. */
function drawFromAll(scaled: Tensor, chosen: readonly number[], rows: readonly SamplingRow[]): number[] {
  if (chosen.length === 0) return [];
  return scope(() => {
    const own = indexSelect(scaled, 0, fromIntegers(chosen, [chosen.length]));
    const sums = cumsum(softmax(toDtype(own, 'float64'), 1), 1, 'float64'); // [chosen, vocab]
    const vocab = sums.size(1);
    const totals = toFloat64(narrow(sums, 1, vocab - 1, 1));
    const falls = chosen.map((i, at) => (rows[i] as SamplingRow).rng.uniform() * totals[at]!);
    const found = toIntegers(searchSorted(sums, fromFloat64(falls, [chosen.length, 1])));
    return found.map((id) => Math.min(id, vocab - 1)); // rounding may leave a crumb
  });
}

function drawFrom(scaled: Tensor): (row: number, sampling: SamplingRow) => number {
  const vocab = scaled.size(1);
  const count = Math.min(vocab, nucleusCandidates);
  // Computed at the first row that needs it, for all rows at once.
  let candidates: { logits: Float32Array; ids: number[]; normalizers: Float32Array } | undefined;
  return (row, { settings, rng }) => {
    const { topK, topP } = settings;
    const few = topK > 0 ? topK <= count : topP < 1;
    if (few) {
      if (!candidates) {
        const [values, indices] = topk(scaled, count, 1) as [Tensor, Tensor];
        const normalizers = toFloat32(logsumexp(scaled, [1], false));
        candidates = { logits: toFloat32(values), ids: toIntegers(indices), normalizers };
      }
      const logits = candidates.logits.subarray(row * count, (row + 1) * count);
      const chosen = drawSorted(logits, candidates.normalizers[row] as number, count === vocab, settings, rng);
      if (chosen !== undefined) return candidates.ids[row * count + chosen] as number;
    }
    const all = toFloat32(select(scaled, 0, row));
    const order = Array.from(all.keys()).sort((a, b) => all[b]! - all[a]! || a - b);
    const sorted = Float32Array.from(order, (id) => all[id]!);
    return order[drawSorted(sorted, Number.NaN, true, settings, rng) as number] as number;
  };
}

/**
 * Draws an index from logits sorted downwards. `normalizer` is the log of the whole vocabulary's sum of exponentials,
 * needed where `logits` is not all of it. undefined: the nucleus reaches beyond what was given; nothing was drawn.
 */
export function drawSorted(
  logits: Float32Array,
  normalizer: number,
  whole: boolean,
  settings: Pick<SamplingSettings, 'topK' | 'topP'>,
  rng: Rng,
): number | undefined {
  const top = logits[0] as number;
  const limited = settings.topK > 0 && settings.topK <= logits.length;
  const kept = limited ? settings.topK : logits.length;
  const weights = weightsOf(logits.subarray(0, kept), top);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const total = limited || whole ? sum : Math.exp(normalizer - top);
  let nucleus = kept;
  if (settings.topP < 1) {
    let reached = 0;
    nucleus = 0;
    while (nucleus < kept && reached < settings.topP * total) reached += weights[nucleus++]!;
    if (reached < settings.topP * total && nucleus === kept && !limited && !whole) return undefined;
    nucleus = Math.max(1, nucleus);
  }
  return drawWeighted(weights.subarray(0, nucleus), rng);
}

const weightsOf = (logits: Float32Array, top: number): Float64Array =>
  Float64Array.from(logits, (logit) => Math.exp(logit - top));

/** An index with probability in proportion to its weight. */
function drawWeighted(weights: Float64Array, rng: Rng): number {
  let left = rng.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return weights.length - 1; // rounding left a crumb
}

function penalizeRepetition(logits: Tensor, rows: readonly SamplingRow[]): Tensor {
  if (rows.every(({ settings }) => settings.repetitionPenalty === 1)) return logits;
  const longest = Math.max(...rows.map(({ seen }) => seen.size));
  // Short rows repeat their last token: scattering the same value twice changes nothing.
  const ids = rows.flatMap(({ seen }) => {
    const own = [...seen];
    return [...own, ...new Array<number>(longest - own.length).fill(own.at(-1) ?? 0)];
  });
  const index = fromIntegers(ids, [rows.length, longest]);
  const penalties = fromFloat32(
    rows.map(({ settings }) => settings.repetitionPenalty),
    [rows.length, 1],
  );
  const seen = gather(logits, 1, index); // [rows, longest]
  const penalized = where(greaterThan(seen, fullLike(seen, 0)), div(seen, penalties), mul(seen, penalties));
  return scatter(logits, 1, index, penalized);
}
