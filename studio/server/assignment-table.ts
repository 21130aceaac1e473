/**
 * Who has which item: the table of assignments, held in memory beside the file, since every rater's every step asks how many
 * have each item. Changes go to the file first. It belongs to the one server that changes the file (serve.ts); where a
 * transaction failed it is to be made anew.
 */
import type { Candidate, Order } from './assignment.ts';
import type { StudyFile } from './study-file.ts';

export interface Assignment {
  readonly id: string;
  readonly rater: string;
  readonly item: string;
  /** In the rater's own row, from 1. */
  readonly position: number;
  readonly shown: Order;
  /** When it was first shown, and since when it is held for its rater: milliseconds since 1970. */
  readonly madeAtMs: number;
  readonly heldAtMs: number;
  readonly hasVote: boolean;
}

/** A comparison that is shown and not voted on keeps its item from other raters for so long. */
const holdMs = 60 * 60 * 1000;

export class AssignmentTable {
  readonly #file: StudyFile;
  /** By id, in the order of the study. */
  readonly #items = new Map<string, Map<string, Assignment>>();
  readonly #checks: readonly string[];
  /** By rater, in the order of positions. */
  readonly #ofRater = new Map<string, Assignment[]>();

  constructor(file: StudyFile) {
    this.#file = file;
    const items = file.all('SELECT id, is_check FROM items ORDER BY place');
    this.#checks = items.filter(({ is_check: isCheck }) => isCheck === 1).map(({ id }) => String(id));
    for (const { id, is_check: isCheck } of items) if (isCheck === 0) this.#items.set(String(id), new Map());
    const rows = file.all(`SELECT *, EXISTS (SELECT 1 FROM votes WHERE assignment = a.id) AS has_vote
      FROM assignments a ORDER BY rater, position`);
    for (const row of rows) {
      this.#remember({
        id: String(row['id']),
        rater: String(row['rater']),
        item: String(row['item']),
        position: Number(row['position']),
        shown: row['shown'] as Order,
        madeAtMs: Number(row['made_at']),
        heldAtMs: Number(row['held_at']),
        hasVote: row['has_vote'] === 1,
      });
    }
  }

  of(rater: string): readonly Assignment[] {
    return this.#ofRater.get(rater) ?? [];
  }

  /** The rater's own, by its id; undefined where it is another's, or nobody's. */
  find(rater: string, id: string): Assignment | undefined {
    return this.of(rater).find((one) => one.id === id);
  }

  isHeld({ hasVote, heldAtMs }: Assignment, nowMs: number): boolean {
    return hasVote || nowMs - heldAtMs < holdMs;
  }

  /** Raters that have the item, but `rater`: with a vote, or holding it. Checks are everyone's: none. */
  others(item: string, rater: string, nowMs: number): Assignment[] {
    const all = [...(this.#items.get(item)?.values() ?? [])];
    return all.filter((one) => one.rater !== rater && this.isHeld(one, nowMs));
  }

  /** Items the rater has not seen that too few raters have; `held`: how many more they would be, were no item just held. */
  candidates(rater: string, ratersPerItem: number, nowMs: number): { free: Candidate[]; held: number } {
    const free: Candidate[] = [];
    let held = 0;
    for (const [item, assignments] of this.#items) {
      if (assignments.has(rater)) continue;
      let [ab, ba, votes] = [0, 0, 0];
      for (const one of assignments.values()) {
        if (!this.isHeld(one, nowMs)) continue;
        if (one.shown === 'AB') ab += 1;
        else ba += 1;
        if (one.hasVote) votes += 1;
      }
      if (ab + ba < ratersPerItem) free.push({ item, ab, ba });
      else if (votes < ratersPerItem) held += 1;
    }
    return { free, held };
  }

  /** Attention checks that the rater has not seen. */
  checksLeft(rater: string): string[] {
    const seen = new Set(this.of(rater).map(({ item }) => item));
    return this.#checks.filter((item) => !seen.has(item));
  }

  add(assignment: Assignment): void {
    const { id, rater, item, position, shown, madeAtMs, heldAtMs } = assignment;
    const sql = 'INSERT INTO assignments VALUES (?, ?, ?, ?, ?, ?, ?)';
    this.#file.run(sql, id, rater, item, position, shown, madeAtMs, heldAtMs);
    this.#remember(assignment);
  }

  /** Keeps it for its rater for another while. */
  hold(assignment: Assignment, nowMs: number): Assignment {
    this.#file.run('UPDATE assignments SET held_at = ? WHERE id = ?', nowMs, assignment.id);
    return this.#remember({ ...assignment, heldAtMs: nowMs });
  }

  /** Of the rater's last one alone. */
  drop({ id, rater, item }: Assignment): void {
    this.#file.run('DELETE FROM assignments WHERE id = ?', id);
    this.#ofRater.get(rater)?.pop();
    this.#items.get(item)?.delete(rater);
  }

  /** To be called when its vote is written. */
  markVoted(assignment: Assignment): void {
    this.#remember({ ...assignment, hasVote: true });
  }

  #remember(assignment: Assignment): Assignment {
    const { rater, item, position } = assignment;
    const own = this.#ofRater.get(rater) ?? [];
    this.#ofRater.set(rater, own);
    own[position - 1] = assignment;
    this.#items.get(item)?.set(rater, assignment);
    return assignment;
  }
}
