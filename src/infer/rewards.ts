/** Rewards of a reward model: its scalar head at a conversation's last token. */
import { setImmediate } from 'node:timers/promises';
import { ConfigError, throwIfAborted } from '../base/errors.ts';
import { fillRuns } from '../base/runs.ts';
import { PackedAttention } from '../model/attention.ts';
import type { Decoder } from '../model/decoder.ts';
import { lastPositions } from '../text/labels.ts';
import { fromIntegers, toFloat64 } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { indexSelect, linear, toDtype } from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';

/** Documents are computed packed, up to this many tokens at a time. */
const packLimit = 2048;

/**
 * One reward per document, in order; independent of how documents are grouped, but for rounding. NaN for one that has no
 * token, or more than the model has positions for.
 */
export async function rewardsOf(
  decoder: Decoder,
  documents: readonly { readonly ids: readonly number[] }[],
  options: { signal?: AbortSignal | undefined; onProgress?: (done: number) => void } = {},
): Promise<number[]> {
  const { maxPositions } = decoder.config;
  const { scalarHead } = decoder;
  if (!scalarHead) throw new ConfigError('the model has no scalar head: it is no reward model');
  const rewards = new Array<number>(documents.length).fill(Number.NaN);
  const fitting = [...documents.keys()].filter((i) => {
    const { length } = (documents[i] as (typeof documents)[number]).ids;
    return 0 < length && length <= maxPositions;
  });
  let done = documents.length - fitting.length;
  for (const run of fillRuns(fitting, (i) => documents[i]?.ids.length ?? 0, packLimit)) {
    const pack = run.map((i) => documents[i] as (typeof documents)[number]);
    const own = noGrad(() => scope(() => packRewards(decoder, scalarHead.tensor, pack)));
    run.forEach((i, at) => {
      rewards[i] = own[at] as number;
    });
    done += run.length;
    options.onProgress?.(done);
    await setImmediate();
    throwIfAborted(options.signal);
  }
  return rewards;
}

function packRewards(
  decoder: Decoder,
  head: Tensor,
  documents: readonly { readonly ids: readonly number[] }[],
): number[] {
  const lengths = documents.map(({ ids }) => ids.length);
  const attention = new PackedAttention(decoder, lengths);
  const ids = fromIntegers(
    documents.flatMap((document) => document.ids),
    [attention.positions.length],
  );
  const lasts = lastPositions(documents);
  const hidden = indexSelect(decoder.hidden(ids, attention), 0, fromIntegers(lasts, [lasts.length]));
  return [...toFloat64(linear(toDtype(hidden, 'float32'), toDtype(head, 'float32')))];
}
