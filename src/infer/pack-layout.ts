/**
 * The rows that a pack is computed on: its documents side by side; or, where some begin alike (answers to one prompt),
 * their common beginning once, the trunk, and after it what each goes on with, the branches. Every token still sees what
 * it would see in its document alone, so that loss and gradients are the same but for rounding.
 */
import { fillRuns } from '../base/runs.ts';
import { type Family, shortRows } from '../model/family-attention.ts';
import { type AlikeGroup, cutToRoom, groupsAlike } from './shared-prefix.ts';

export interface Document {
  readonly ids: readonly number[];
}

export interface PackRows {
  readonly ids: readonly number[];
  /** Of each row in its document, from 0. */
  readonly positions: readonly number[];
  /** Side by side. */
  readonly families: readonly Family[];
  /** The rows of tokens that are counted over the documents lying side by side. */
  rowsOf(tokens: readonly number[]): number[];
}

/** Every document for itself. */
export const documentsApart = (pack: readonly Document[]): PackRows =>
  layOut(pack, [{ members: [...pack.keys()], length: 0 }]);

/** What comes before the first label is computed once for all documents that share it, where that gains anything. */
export function documentsShared(pack: readonly (Document & { readonly labelMask: Uint8Array })[]): PackRows {
  const unlabelled = pack.map(({ ids, labelMask }) => {
    const first = labelMask.indexOf(1);
    return first === -1 ? ids : ids.slice(0, first + 1);
  });
  return layOut(pack, groupsAlike(unlabelled));
}

/** Documents, by index, and the rows that they are computed on. */
export interface FamilyPack {
  readonly members: readonly number[];
  readonly layout: PackRows;
}

/** Documents in these groups, each of at most `shortRows` tokens, as families that our kernel takes, at most `limit` rows a pack. */
export function familyPacks(
  documents: readonly Document[],
  groups: readonly AlikeGroup[],
  limit: number,
): FamilyPack[] {
  const sequences = documents.map(({ ids }) => ids);
  const families = groups.flatMap((group) =>
    group.length > 0
      ? cutToRoom(group, sequences, shortRows)
      : group.members.map((member) => ({ members: [member], length: 0 })),
  );
  const rows = ({ members, length }: AlikeGroup) =>
    members.reduce((sum, member) => sum + (sequences[member] as readonly number[]).length - length, length);
  return fillRuns(families, rows, limit).map((pack) => {
    let next = 0;
    const renumbered = pack.map(({ members, length }) => ({ members: members.map(() => next++), length }));
    const members = pack.flatMap((family) => family.members);
    return {
      members,
      layout: layOut(
        members.map((member) => documents[member] as Document),
        renumbered,
      ),
    };
  });
}

/** A family for each group, and one for each member of a group that shares nothing. */
export function layOut(pack: readonly Document[], groups: readonly AlikeGroup[]): PackRows {
  const ids: number[] = [];
  const positions: number[] = [];
  const families: Family[] = [];
  // Of each document: the row of its trunk's first token, and that of its first own.
  const places = new Map<number, { trunk: number; own: number }>();
  const lay = (tokens: readonly number[], position: number): number => {
    const row = ids.length;
    for (const [i, id] of tokens.entries()) {
      ids.push(id);
      positions.push(position + i);
    }
    return row;
  };
  const sharedBy = new Map<number, number>();
  for (const { members, length } of groups) {
    if (length === 0) {
      for (const member of members) {
        const own = lay(pack[member]?.ids ?? [], 0);
        places.set(member, { trunk: own, own });
        families.push({ trunk: ids.length - own, branches: [] });
      }
      continue;
    }
    const trunk = lay(pack[members[0] as number]?.ids.slice(0, length) ?? [], 0);
    const branches = members.map((member) => {
      const own = pack[member]?.ids.slice(length) ?? [];
      places.set(member, { trunk, own: lay(own, length) });
      sharedBy.set(member, length);
      return own.length;
    });
    families.push({ trunk: length, branches });
  }
  const rows = pack.flatMap((document, member) => {
    const shared = sharedBy.get(member) ?? 0;
    const { trunk, own } = places.get(member) as { trunk: number; own: number };
    return Array.from(document.ids, (_, i) => (i < shared ? trunk + i : own + i - shared));
  });
  return { ids, positions, families, rowsOf: (tokens) => tokens.map((token) => rows[token] as number) };
}
