/**
 * What a rater is to compare now: the comparison that is open, or a new one by the rules of assignment.ts. Called inside a
 * transaction.
 */
import { randomBytes } from 'node:crypto';
import { Rng } from '../../src/base/rng.ts';
import type { Progress } from '../protocol.ts';
import { type CheckPlan, chooseItem, chooseOrder, comparisonsLeft, isCheckPosition } from './assignment.ts';
import type { Assignment, AssignmentTable } from './assignment-table.ts';

export interface StudySettings {
  readonly ratersPerItem: number;
  /** Comparisons a rater gets at most, attention checks included; null: as many as there are. */
  readonly itemsPerRater: number | null;
  readonly checks: CheckPlan;
}

export interface NextComparison {
  /** undefined where there is nothing for this rater now. */
  readonly open: Assignment | undefined;
  readonly progress: Progress;
  /** Items that this rater might get yet, were they not in the hands of others. */
  readonly held: number;
}

export function nextComparison(
  table: AssignmentTable,
  settings: StudySettings,
  rater: string,
  nowMs: number,
): NextComparison {
  const open = openAssignment(table, settings, rater, nowMs) ?? assign(table, settings, rater, nowMs);
  const { checks, itemsPerRater, ratersPerItem } = settings;
  const shown = table.of(rater).length;
  const { free, held } = table.candidates(rater, ratersPerItem, nowMs);
  const options = { position: shown + 1, real: free.length, checks: table.checksLeft(rater).length };
  const most = Math.max(shown, itemsPerRater ?? Number.POSITIVE_INFINITY);
  return {
    open,
    progress: {
      done: shown - (open === undefined ? 0 : 1),
      total: Math.min(shown + comparisonsLeft(checks, rater, options), most),
    },
    held: shown >= most ? 0 : held,
  };
}

/** The one without a vote, always the last. Where it was left for too long and others have its item now, it is given up. */
function openAssignment(
  table: AssignmentTable,
  { ratersPerItem }: StudySettings,
  rater: string,
  nowMs: number,
): Assignment | undefined {
  const open = table.of(rater).at(-1);
  if (open === undefined || open.hasVote) return undefined;
  if (table.isHeld(open, nowMs)) return open;
  if (table.others(open.item, rater, nowMs).length < ratersPerItem) return table.hold(open, nowMs);
  table.drop(open);
  return undefined;
}

function assign(
  table: AssignmentTable,
  { checks, itemsPerRater, ratersPerItem }: StudySettings,
  rater: string,
  nowMs: number,
): Assignment | undefined {
  const seen = table.of(rater);
  const position = seen.length + 1;
  if (itemsPerRater !== null && position > itemsPerRater) return undefined;
  const lead = 2 * seen.filter(({ shown }) => shown === 'AB').length - seen.length;
  const rng = new Rng('people', checks.seed, rater, position);
  const { free } = table.candidates(rater, ratersPerItem, nowMs);
  const left = free.length > 0 && isCheckPosition(checks, rater, position) ? table.checksLeft(rater) : [];
  const chosen =
    left.length > 0
      ? { item: left[rng.int(left.length)]!, order: chooseOrder(0, lead, rng) }
      : chooseItem(free, lead, rng);
  if (chosen === undefined) return undefined;
  const id = randomBytes(16).toString('hex');
  const { item, order: shown } = chosen;
  const made = { id, rater, item, position, shown, madeAtMs: nowMs, heldAtMs: nowMs, hasVote: false };
  table.add(made);
  return made;
}
