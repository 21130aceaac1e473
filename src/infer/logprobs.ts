/** Log-probabilities a model gives to answers that exist already: held-out loss, and the teacher's own judgement. */
import { setImmediate } from 'node:timers/promises';
import { ConfigError, throwIfAborted } from '../base/errors.ts';
import { fillRuns } from '../base/runs.ts';
import type { Decoder } from '../model/decoder.ts';
import { attentionApart } from '../model/family-attention.ts';
import { labelPositions, splitByDocument } from '../text/labels.ts';
import { fromIntegers, toFloat32 } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { gather, indexSelect, logsumexp, narrow, toDtype } from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';
import { commonLength, computePrefix, type SharedPrefix, worthSharing } from './shared-prefix.ts';

/** Documents are computed packed, up to this many tokens at a time. */
const packLimit = 1024;
/** Logits in fp32 take 4 · vocab bytes a row. */
const chunk = 512;

export interface LabelledTokens {
  readonly ids: readonly number[];
  /** 1 where a token's probability is asked for. */
  readonly labelMask: Uint8Array;
}

export interface AnswerLogprob {
  /** Σ log p over the labelled tokens, in nats. */
  readonly sum: number;
  readonly tokens: number;
}

export interface LogprobOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number) => void;
}

/** One result per document, in order; independent of how documents are grouped, but for rounding. */
export async function answerLogprobs(
  decoder: Decoder,
  documents: readonly LabelledTokens[],
  { signal, onProgress }: LogprobOptions = {},
): Promise<AnswerLogprob[]> {
  const { maxPositions } = decoder.config;
  const longest = documents.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  if (longest > maxPositions) {
    throw new ConfigError(`a conversation of ${longest} tokens: the model has ${maxPositions} positions`);
  }
  const results: AnswerLogprob[] = [];
  while (results.length < documents.length) {
    const { run, shared } = nextRun(documents, results.length);
    const prefix = computePrefix(decoder, run[0]?.ids ?? [], shared);
    try {
      const own = run.map((document) => withoutPrefix(document, prefix?.length ?? 0));
      for (const pack of fillRuns(own, ({ ids }) => ids.length, packLimit)) {
        const logprobs = packLogprobs(decoder, pack, prefix);
        results.push(
          ...logprobs.map((each) => ({ sum: each.reduce((sum, one) => sum + one, 0), tokens: each.length })),
        );
        onProgress?.(results.length);
        await setImmediate();
        throwIfAborted(signal);
      }
    } finally {
      prefix?.release();
    }
  }
  return results;
}

/** Neighbours from `start` on that begin alike, with how many tokens they share; or that have nothing in common. */
function nextRun(
  documents: readonly LabelledTokens[],
  start: number,
): { run: readonly LabelledTokens[]; shared: number } {
  let shared: number | undefined;
  let end = start + 1;
  for (; end < documents.length; end++) {
    const pair = documents.slice(end - 1, end + 1);
    const common = Math.min(commonLength(pair.map(({ ids }) => ids)), ...pair.map(unlabelledLength));
    // A much shorter beginning would make the run lose more than the new document gains.
    if (shared !== undefined && (worthSharing(shared) ? common < shared / 2 : worthSharing(common))) break;
    shared = Math.min(shared ?? common, common);
  }
  return { run: documents.slice(start, end), shared: shared ?? 0 };
}

/** Tokens before the one that predicts the first label. */
function unlabelledLength({ ids, labelMask }: LabelledTokens): number {
  const first = labelMask.indexOf(1, 1);
  return first === -1 ? ids.length - 1 : first - 1;
}

const withoutPrefix = ({ ids, labelMask }: LabelledTokens, length: number): LabelledTokens => ({
  ids: ids.slice(length),
  labelMask: labelMask.slice(length),
});

function packLogprobs(
  decoder: Decoder,
  documents: readonly LabelledTokens[],
  prefix: SharedPrefix | undefined,
): Float64Array[] {
  const lengths = documents.map(({ ids }) => ids.length);
  const { positions, targets } = labelPositions(documents);
  const logprobs = scope(() =>
    noGrad(() => {
      const attention = attentionApart(decoder, lengths, prefix);
      const ids = fromIntegers(
        documents.flatMap((document) => document.ids),
        [attention.positions.length],
      );
      const hidden = indexSelect(decoder.hidden(ids, attention), 0, fromIntegers(positions, [positions.length]));
      return targetLogprobs(decoder, hidden, targets);
    }),
  );
  const counts = documents.map(({ labelMask }) => labelMask.subarray(1).reduce((sum, flag) => sum + flag, 0));
  return splitByDocument(Float64Array.from(logprobs), counts);
}

/** hidden [labels, hidden] → log p of each target. */
function targetLogprobs(decoder: Decoder, hidden: Tensor, targets: readonly number[]): number[] {
  const logprobs: number[] = [];
  for (let start = 0; start < targets.length; start += chunk) {
    const part = targets.slice(start, start + chunk);
    scope(() => {
      const logits = toDtype(decoder.logits(narrow(hidden, 0, start, part.length)), 'float32'); // [chunk, vocab]
      logprobs.push(...chosenLogprobs(logits, part));
    });
  }
  return logprobs;
}

/** logits [rows, vocab] fp32 → log p of one token a row, in nats. */
export function chosenLogprobs(logits: Tensor, tokens: readonly number[]): number[] {
  return scope(() => {
    const chosen = toFloat32(gather(logits, 1, fromIntegers(tokens, [tokens.length, 1])));
    const normalizers = toFloat32(logsumexp(logits, [1], false));
    return Array.from(chosen, (logit, i) => logit - normalizers[i]!);
  });
}
