/**
 * Sequences that begin alike (shown examples, a judge's instructions) have their common beginning computed once: its
 * keys and values in every block, which the rest of each sequence then attends to.
 */
import { fillRuns } from '../base/runs.ts';
import type { AttentionPrefix } from '../model/attention.ts';
import type { Decoder } from '../model/decoder.ts';
import { attentionApart } from '../model/family-attention.ts';
import { fromIntegers } from '../torch/convert.ts';
import { noGrad } from '../torch/grad.ts';
import { clone } from '../torch/ops.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';

export interface SharedPrefix extends AttentionPrefix {
  release(): void;
}

/** A few tokens (a template's fixed beginning) cost less than handling them apart. */
export const worthSharing = (length: number): boolean => length >= 32;

/** How many tokens all the sequences begin with alike. */
export function commonLength(sequences: readonly (readonly number[])[]): number {
  const [first = [], ...others] = sequences;
  return others.reduce((length, other) => {
    const different = first.findIndex((id, i) => i >= length || id !== other[i]);
    return different === -1 ? Math.min(length, other.length) : Math.min(length, different);
  }, first.length);
}

/** Sequences, by index, and how many tokens they all begin with alike: 0 where sharing gains nothing. */
export interface AlikeGroup {
  readonly members: readonly number[];
  readonly length: number;
}

/**
 * All sequences in groups that save the most tokens (but for one a sequence) when each computes its common beginning once;
 * or, where a beginning and what follows it must fit into `room` tokens, once for as many as fit (`cutToRoom`). The last token
 * of a sequence is never shared: what follows it is wanted. What is in no group of two or more is in one group of length 0.
 */
export function groupsAlike(
  sequences: readonly (readonly number[])[],
  room: number = Number.POSITIVE_INFINITY,
): AlikeGroup[] {
  const order = [...sequences.keys()].sort((a, b) => compare(sequences[a] as number[], sequences[b] as number[]));
  const common = order.map((index, i) => {
    const [own, next] = [sequences[index] as number[], sequences[order[i + 1] ?? -1]];
    return next ? Math.max(0, Math.min(commonLength([own, next]), own.length - 1, next.length - 1)) : -1;
  });
  // Sorted, the sequences that share n tokens stand side by side: a tree of intervals (Abouelhoda et al. 2004, lcp-intervals).
  // From the leaves up, an interval is one group if that saves more than the groups inside it.
  const open: { length: number; members: number[]; saved: number; groups: AlikeGroup[] }[] = [];
  order.forEach((index, i) => {
    let closed = { length: 0, members: [index], saved: 0, groups: [] as AlikeGroup[] };
    const length = common[i] as number;
    const join = (into: (typeof open)[number]) => {
      for (const member of closed.members) into.members.push(member);
      for (const group of closed.groups) into.groups.push(group);
      into.saved += closed.saved;
    };
    while ((open.at(-1)?.length ?? -1) > length) {
      const interval = open.pop() as (typeof open)[number];
      join(interval);
      const { members } = interval;
      const times = worthSharing(interval.length) ? cutToRoom(interval, sequences, room).length : members.length;
      const whole = (members.length - times) * interval.length;
      closed =
        whole > interval.saved
          ? { length: 0, members, saved: whole, groups: [{ members, length: interval.length }] }
          : interval;
    }
    if (length < 0) open.push(closed);
    else if (open.at(-1)?.length === length) join(open.at(-1) as (typeof open)[number]);
    else open.push({ ...closed, members: [...closed.members], groups: [...closed.groups], length });
  });
  const groups = open[0]?.groups ?? [];
  const grouped = new Set(groups.flatMap(({ members }) => members));
  const alone = order.filter((index) => !grouped.has(index));
  return alone.length > 0 ? [...groups, { members: alone, length: 0 }] : groups;
}

/** A group in parts of which each, with the beginning once, has at most `room` tokens; a sequence that has more stands alone. */
export function cutToRoom(
  { members, length }: AlikeGroup,
  sequences: readonly (readonly number[])[],
  room: number,
): AlikeGroup[] {
  const own = (member: number) => (sequences[member] as readonly number[]).length - length;
  return fillRuns(members, own, room - length).map((run) => ({ members: run, length }));
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The first `length` of these tokens; undefined where sharing that many gains nothing. Its owner releases it. */
export function computePrefix(decoder: Decoder, tokens: readonly number[], length: number): SharedPrefix | undefined {
  if (!worthSharing(length)) return undefined;
  const layers: { key: Tensor; value: Tensor }[] = [];
  scope(() =>
    noGrad(() => {
      const packed = attentionApart(decoder, [length]);
      decoder.hidden(fromIntegers(tokens.slice(0, length), [length]), {
        positions: packed.positions,
        rotation: packed.rotation,
        attend: (layer, query, key, value) => {
          layers.push(keep({ key: clone(key), value: clone(value) }));
          return packed.attend(layer, query, key, value);
        },
      });
    }),
  );
  return { length, layers, release: () => releaseAll(layers) };
}
