/** Rewards of a reward model: its scalar head at a conversation's last token. */
import { setImmediate } from 'node:timers/promises';
import { ConfigError, throwIfAborted } from '../base/errors.ts';
import { PackedAttention } from '../model/attention.ts';
import type { Decoder } from '../model/decoder.ts';
import { lastPositions } from '../text/labels.ts';
import { fromIntegers, toFloat64 } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { indexSelect, linear, toDtype } from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';

/** Documents are computed packed, up to this many tokens at a time. */
const packLimit = 2048;

/** One reward per document, in order; independent of how documents are grouped, but for rounding. */
export async function rewardsOf(
  decoder: Decoder,
  documents: readonly { readonly ids: readonly number[] }[],
  options: { signal?: AbortSignal | undefined; onProgress?: (done: number) => void } = {},
): Promise<number[]> {
  const { maxPositions } = decoder.config;
  const { scalarHead } = decoder;
  if (!scalarHead) throw new ConfigError('the model has no scalar head: it is no reward model');
  const tooLong = documents.find(({ ids }) => ids.length > maxPositions || ids.length === 0);
  if (tooLong) {
    throw new ConfigError(`a conversation of ${tooLong.ids.length} tokens: the model has ${maxPositions} positions`);
  }
  const rewards: number[] = [];
  while (rewards.length < documents.length) {
    let end = rewards.length;
    for (let tokens = 0; end < documents.length; end++) {
      tokens += (documents[end] as (typeof documents)[number]).ids.length;
      if (tokens > packLimit && end > rewards.length) break;
    }
    const pack = documents.slice(rewards.length, end);
    rewards.push(...noGrad(() => scope(() => packRewards(decoder, scalarHead.tensor, pack))));
    options.onProgress?.(rewards.length);
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
