/** Log-probabilities a model gives to answers that exist already: held-out loss, and the teacher's own judgement. */
import { setImmediate } from 'node:timers/promises';
import { ConfigError, throwIfAborted } from '../base/errors.ts';
import { PackedAttention, packedPositions } from '../model/attention.ts';
import type { Decoder } from '../model/decoder.ts';
import { labelPositions } from '../text/labels.ts';
import { fromIntegers, toFloat32 } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { gather, indexSelect, logsumexp, narrow, toDtype, view } from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';

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

/** One result per document, in order; independent of how documents are grouped, but for rounding. */
export async function answerLogprobs(
  decoder: Decoder,
  documents: readonly LabelledTokens[],
  options: { signal?: AbortSignal | undefined; onProgress?: (done: number) => void } = {},
): Promise<AnswerLogprob[]> {
  const results: AnswerLogprob[] = [];
  for (let from = 0; from < documents.length; ) {
    let to = from;
    for (let tokens = 0; to < documents.length; to++) {
      tokens += (documents[to] as LabelledTokens).ids.length;
      if (tokens > packLimit && to > from) break;
    }
    results.push(...packLogprobs(decoder, documents.slice(from, to)));
    from = to;
    options.onProgress?.(from);
    await setImmediate();
    throwIfAborted(options.signal);
  }
  return results;
}

function packLogprobs(decoder: Decoder, documents: readonly LabelledTokens[]): AnswerLogprob[] {
  const lengths = documents.map(({ ids }) => ids.length);
  const longest = Math.max(...lengths);
  if (longest > decoder.config.maxPositions) {
    throw new ConfigError(
      `a conversation of ${longest} tokens: the model has ${decoder.config.maxPositions} positions`,
    );
  }
  const { positions, targets } = labelPositions(documents);
  const logprobs = scope(() =>
    noGrad(() => {
      const places = packedPositions(lengths);
      const attention = new PackedAttention(lengths, decoder.rotation(places), decoder.dtype);
      const ids = fromIntegers(
        documents.flatMap((document) => document.ids),
        [places.length],
      );
      const hidden = indexSelect(decoder.hidden(ids, attention), 0, fromIntegers(positions, [positions.length]));
      return chosenLogprobs(decoder, hidden, targets);
    }),
  );
  let at = 0;
  return documents.map(({ labelMask }) => {
    let sum = 0;
    let tokens = 0;
    for (let i = 1; i < labelMask.length; i++) {
      if (labelMask[i] !== 1) continue;
      sum += logprobs[at++]!;
      tokens += 1;
    }
    return { sum, tokens };
  });
}

/** hidden [labels, hidden] → log p of each target. */
function chosenLogprobs(decoder: Decoder, hidden: Tensor, targets: readonly number[]): number[] {
  const logprobs: number[] = [];
  for (let start = 0; start < targets.length; start += chunk) {
    const part = targets.slice(start, start + chunk);
    scope(() => {
      const logits = toDtype(decoder.logits(narrow(hidden, 0, start, part.length)), 'float32'); // [chunk, vocab]
      const chosen = toFloat32(gather(logits, 1, view(fromIntegers(part, [part.length]), [part.length, 1])));
      const normalizers = toFloat32(logsumexp(logits, [1], false));
      for (let i = 0; i < part.length; i++) logprobs.push(chosen[i]! - normalizers[i]!);
    });
  }
  return logprobs;
}
