/**
 * How far raters agree beyond chance, for choices that have names and no order: Fleiss' κ (Fleiss 1971, Psychological
 * Bulletin 76, 378–382) and Krippendorff's α for nominal data (Krippendorff 2011, "Computing Krippendorff's
 * Alpha-Reliability"). Both are (Po − Pe) / (1 − Pe), with the same Po: the share of agreeing pairs of votes, each vote
 * weighing the same. With n_c votes for choice c of T in all, Fleiss has Pe = Σ n_c² / T², Krippendorff, who draws pairs
 * without putting back, Pe = Σ n_c (n_c − 1) / T (T − 1).
 * It says nothing about whether what raters agree on is right.
 */
import { DataError, type DataIssue } from '../base/errors.ts';
import { bootstrapFigure } from '../base/intervals.ts';
import { isObject, kindOf, readRows } from '../base/rows.ts';

export interface Vote {
  readonly item: string;
  readonly rater: string;
  /** null where the votes have none. */
  readonly criterion: string | null;
  readonly choice: string;
}

export interface Coefficient {
  /** 1: agreement on everything, 0: what chance alone would give; null where it is not defined. */
  readonly value: number | null;
  /** 95 % interval, by bootstrap over items; null where there is no value, or one item only. */
  readonly low: number | null;
  readonly high: number | null;
  /** Why something is null. */
  readonly reason?: string;
  /** Draws of the bootstrap, of 10,000, that had no coefficient and were left out; absent where there were none. */
  readonly undefinedDraws?: number;
}

export interface CriterionAgreement {
  readonly criterion: string | null;
  /** Items with a vote. */
  readonly items: number;
  /** Votes by choice. */
  readonly choices: Readonly<Record<string, number>>;
  readonly fleissKappa: Coefficient;
  readonly krippendorffAlpha: Coefficient;
  readonly raters: number;
  readonly votes: number;
  /** Fewest and most votes an item has. */
  readonly votesPerItem: { readonly least: number; readonly most: number };
  /** Items with two votes or more: the only ones that say anything of agreement, and all that α is over. */
  readonly comparedItems: number;
}

const hint = 'write one vote a line: {"item": "q1", "rater": "anna", "criterion": "helpful", "choice": "win"}';

/**
 * Throws ConfigError where the file cannot be opened, DataError naming every broken row and every second vote of a rater
 * on the same item and criterion.
 */
export function readVotes(file: string): Vote[] {
  const { rows, issues } = readRows(file, hint);
  const found: DataIssue[] = [...issues];
  const votes: Vote[] = [];
  const rowOf = new Map<string, number>();
  for (const { row, value } of rows) {
    const vote = readVote(value);
    if (Array.isArray(vote)) {
      found.push(...vote.map((problem) => ({ row, ...problem })));
      continue;
    }
    const { item, rater, criterion } = vote;
    const key = JSON.stringify([item, rater, criterion]);
    const before = rowOf.get(key);
    if (before !== undefined) {
      const where = `item ${item}${criterion === null ? '' : `, criterion ${criterion}`}`;
      found.push({ row, message: `expected one vote of rater ${rater} on ${where}, found another in row ${before}` });
      continue;
    }
    rowOf.set(key, row);
    votes.push(vote);
  }
  found.sort((a, b) => (a.row ?? 0) - (b.row ?? 0));
  if (found.length > 0) throw new DataError(file, found, { hint });
  return votes;
}

function readVote(value: unknown): Vote | Omit<DataIssue, 'row'>[] {
  if (!isObject(value)) return [{ message: `expected an object, got ${kindOf(value)}` }];
  const { item, rater, criterion, choice } = value;
  const isName = (name: unknown): boolean => typeof name === 'string' || typeof name === 'number';
  const problems = [
    ...(isName(item) ? [] : [{ path: 'item', message: `expected a string or a number, got ${kindOf(item)}` }]),
    ...(isName(rater) ? [] : [{ path: 'rater', message: `expected a string or a number, got ${kindOf(rater)}` }]),
    ...(criterion === undefined || criterion === null || typeof criterion === 'string'
      ? []
      : [{ path: 'criterion', message: `expected a string or nothing, got ${kindOf(criterion)}` }]),
    ...(typeof choice === 'string' ? [] : [{ path: 'choice', message: `expected a string, got ${kindOf(choice)}` }]),
  ];
  if (problems.length > 0) return problems;
  return {
    item: String(item),
    rater: String(rater),
    criterion: (criterion as string | null | undefined) ?? null,
    choice: choice as string,
  };
}

/** One element a criterion, in the order in which they first come. The order of votes changes nothing else. */
export function agreementByCriterion(votes: readonly Vote[]): CriterionAgreement[] {
  return [...grouped(votes, ({ criterion }) => criterion)].map(([criterion, own]) => {
    const items = [...grouped(own, ({ item }) => item)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, ofItem]) => ofItem.map(({ choice }) => choice));
    const sizes = items.map(({ length }) => length);
    const choices = [...grouped(own, ({ choice }) => choice)].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      criterion,
      items: items.length,
      // Not by assignment: a choice may be called __proto__.
      choices: Object.fromEntries(choices.map(([choice, ofChoice]) => [choice, ofChoice.length])),
      fleissKappa: fleissKappa(items),
      krippendorffAlpha: krippendorffAlpha(items),
      raters: new Set(own.map(({ rater }) => rater)).size,
      votes: own.length,
      votesPerItem: sizes.reduce(
        ({ least, most }, size) => ({ least: Math.min(least, size), most: Math.max(most, size) }),
        { least: Number.POSITIVE_INFINITY, most: 0 },
      ),
      comparedItems: sizes.filter((size) => size > 1).length,
    };
  });
}

function grouped<T, Key>(all: readonly T[], keyOf: (one: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return groups;
}

/** `items`: the choices of each item's votes; Fleiss wants the same number of them, two or more, on every item. */
export function fleissKappa(items: readonly (readonly string[])[]): Coefficient {
  const sizes = new Set(items.map(({ length }) => length));
  if (sizes.size > 1) {
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    return undefinedFor(`items have ${least} to ${most} votes: Fleiss’ κ needs the same number on every item`);
  }
  if (!sizes.has(1)) return coefficient(items, (votes, total) => (votes / total) ** 2);
  return undefinedFor('one vote an item: there is nobody to agree with');
}

/** `items`: the choices of each item's votes, any number of them. Items with fewer than two votes say nothing. */
export function krippendorffAlpha(items: readonly (readonly string[])[]): Coefficient {
  const compared = items.filter(({ length }) => length > 1);
  if (compared.length === 0) return undefinedFor('no item has two votes: there is nobody to agree with');
  return coefficient(compared, (votes, total) => (votes / total) * ((votes - 1) / (total - 1)));
}

const undefinedFor = (reason: string): Coefficient => ({ value: null, low: null, high: null, reason });

/** `chance(v, T)`: the probability that both votes of a pair are for a choice that has v of T votes. */
function coefficient(
  items: readonly (readonly string[])[],
  chance: (votes: number, total: number) => number,
): Coefficient {
  const { choices, starts, agreeing } = counted(items);
  const perChoice = new Float64Array(new Set(choices).size);
  const figure = (drawn: Uint32Array): number => {
    perChoice.fill(0);
    let total = 0;
    let agreed = 0;
    for (const item of drawn) {
      const end = starts[item + 1]!;
      for (let at = starts[item]!; at < end; at++) perChoice[choices[at]!]! += 1;
      total += end - starts[item]!;
      agreed += agreeing[item]!;
    }
    // Where all votes are for one choice, chance agrees on everything: 0 / 0.
    if (perChoice.includes(total)) return Number.NaN;
    const expected = perChoice.reduce((sum, votes) => sum + chance(votes, total), 0);
    return (agreed / total - expected) / (1 - expected);
  };
  const value = figure(Uint32Array.from(items.keys()));
  if (Number.isNaN(value))
    return undefinedFor('every vote is for the same choice: nothing tells agreement from chance');
  if (items.length === 1) return { value, low: null, high: null, reason: 'one item has no interval' };
  const { low, high, undefinedDraws } = bootstrapFigure(items.length, figure);
  return { value, low, high, ...(undefinedDraws > 0 && { undefinedDraws }) };
}

interface CountedVotes {
  /** The choice of every vote, as a number from 0, one item's votes behind another's. */
  readonly choices: Uint32Array;
  /** [items + 1] Where each item's votes start. */
  readonly starts: Uint32Array;
  /** [items] How many of an item's votes an average other vote of it agrees with: Σ v (v − 1) / (votes − 1). */
  readonly agreeing: Float64Array;
}

/** Flat, because the bootstrap passes over it 10,000 times. */
function counted(items: readonly (readonly string[])[]): CountedVotes {
  const all = items.flat();
  const numberOf = new Map([...new Set(all)].map((choice, i) => [choice, i]));
  const starts = new Uint32Array(items.length + 1);
  const agreeing = Float64Array.from(items, (votes, item) => {
    starts[item + 1] = starts[item]! + votes.length;
    const pairs = [...grouped(votes, (choice) => choice).values()].reduce((sum, { length: n }) => sum + n * (n - 1), 0);
    return pairs / (votes.length - 1);
  });
  return { choices: Uint32Array.from(all, (choice) => numberOf.get(choice)!), starts, agreeing };
}
