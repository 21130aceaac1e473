/** Rewards of a reward model: its scalar head at a conversation's last token. */
import { setImmediate } from 'node:timers/promises';
import { ConfigError, throwIfAborted } from '../base/errors.ts';
import { fillRuns } from '../base/runs.ts';
import { PackedAttention } from '../model/attention.ts';
import type { Decoder } from '../model/decoder.ts';
import { FamilyAttention, shortRows } from '../model/family-attention.ts';
import { lastPositions } from '../text/labels.ts';
import { fromIntegers, toFloat64 } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { indexSelect, linear, toDtype } from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';
import { type Document, documentsApart, familyPacks, type PackRows } from './pack-layout.ts';
import { groupsAlike } from './shared-prefix.ts';

/** Documents are computed packed, up to this many rows at a time. */
const packLimit = 2048;

/**
 * One reward per document, in order; independent of how documents are grouped, but for rounding. What several begin with
 * alike, answers to one prompt, is computed once. NaN for one that has no token, or more than the model has positions for.
 */
export async function rewardsOf(
  decoder: Decoder,
  documents: readonly Document[],
  options: { signal?: AbortSignal | undefined; onProgress?: (done: number) => void } = {},
): Promise<number[]> {
  const { maxPositions } = decoder.config;
  const { scalarHead } = decoder;
  if (!scalarHead) throw new ConfigError('the model has no scalar head: it is no reward model');
  const rewards = new Array<number>(documents.length).fill(Number.NaN);
  const fitting = documents.flatMap(({ ids }, index) =>
    0 < ids.length && ids.length <= maxPositions ? [{ ids, index }] : [],
  );
  let done = documents.length - fitting.length;
  for (const pack of packsOf(decoder, fitting)) {
    const own = noGrad(() => scope(() => packRewards(decoder, scalarHead.tensor, pack)));
    pack.members.forEach(({ index }, at) => {
      rewards[index] = own[at] as number;
    });
    done += pack.members.length;
    options.onProgress?.(done);
    await setImmediate();
    throwIfAborted(options.signal);
  }
  return rewards;
}

interface RewardPack<D extends Document> {
  readonly members: readonly D[];
  readonly layout: PackRows;
  /** Families that our kernel takes; else documents apart, of any length, on any device. */
  readonly isShort: boolean;
}

function packsOf<D extends Document>(decoder: Decoder, documents: readonly D[]): RewardPack<D>[] {
  const isShort = ({ ids }: Document) => decoder.ownKernels && ids.length <= shortRows;
  const short = documents.filter(isShort);
  const groups = groupsAlike(
    short.map(({ ids }) => ids),
    shortRows,
  );
  const packs = familyPacks(short, groups, packLimit).map(({ members, layout }) => {
    return { members: members.map((member) => short[member] as D), layout, isShort: true };
  });
  const long = documents.filter((one) => !isShort(one));
  const apart = fillRuns(long, ({ ids }) => ids.length, packLimit);
  return [...packs, ...apart.map((members) => ({ members, layout: documentsApart(members), isShort: false }))];
}

function packRewards(decoder: Decoder, head: Tensor, { members, layout, isShort }: RewardPack<Document>): number[] {
  const { ids, positions, families } = layout;
  const attention = isShort
    ? new FamilyAttention(decoder, positions, families)
    : new PackedAttention(
        decoder,
        families.map(({ trunk }) => trunk),
      );
  const lasts = layout.rowsOf(lastPositions(members));
  const hidden = decoder.hidden(fromIntegers(ids, [ids.length]), attention);
  const ofLasts = indexSelect(hidden, 0, fromIntegers(lasts, [lasts.length]));
  return [...toFloat64(linear(toDtype(ofLasts, 'float32'), toDtype(head, 'float32')))];
}
