/**
 * A study on disk: its items, its raters, who compares what, and every vote. Each method that changes something is one
 * transaction that is on the disk when it returns; so what a rater is told is stored, is. It knows nothing of HTTP, of
 * tokens, or of what votes come to.
 */
import { invariant } from '../../src/base/errors.ts';
import type { PeopleChoice, PeopleVote } from '../../src/evaluate/people.ts';
import type { PeopleItem } from '../../src/evaluate/people-items.ts';
import { type Comparison, type Criterion, criteria, type NextAnswer, type Side, type Vote } from '../protocol.ts';
import type { Order } from './assignment.ts';
import { type Assignment, AssignmentTable } from './assignment-table.ts';
import type { AttentionCheck } from './attention-checks.ts';
import { nextComparison, type StudySettings } from './next-comparison.ts';
import { type Row, StudyFile } from './study-file.ts';

/** Owns a connection; `close` it. One at a time may give out comparisons and take votes: the server's. */
export class StudyStore {
  readonly #file: StudyFile;
  #table: AssignmentTable | undefined;

  /** Opens the folder's study; `make`: where there may be none yet. Throws ConfigError where there is none. */
  constructor(folder: string, options: { readonly make?: boolean } = {}) {
    this.#file = new StudyFile(folder, options);
  }

  close(): void {
    this.#file.close();
  }

  /** undefined for a study that was not filled yet. */
  settings(): StudySettings | undefined {
    const row = this.#file.one('SELECT * FROM settings');
    return (
      row && {
        ratersPerItem: Number(row['raters_per_item']),
        itemsPerRater: row['items_per_rater'] as number | null,
        checks: { seed: Number(row['seed']), share: Number(row['check_share']) },
      }
    );
  }

  /** Fills an empty study. */
  fill(items: readonly PeopleItem[], checks: readonly AttentionCheck[], settings: StudySettings): void {
    const add = (...values: readonly (string | number)[]) =>
      this.#file.run('INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', ...values);
    this.#file.transaction(() => {
      invariant(this.settings() === undefined, 'StudyStore.fill: the study has items already');
      for (const [place, { id, question, modelA, modelB, answerA, answerB }] of items.entries()) {
        add(id, question.id, place, 0, question.language, question.text, modelA, modelB, answerA, answerB);
      }
      for (const [place, { id, language, question, good, other }] of checks.entries()) {
        add(`attention ${id}`, id, place, 1, language, question, '', '', good, other);
      }
      const { ratersPerItem, itemsPerRater, checks: plan } = settings;
      this.#file.run(
        "INSERT INTO settings VALUES ('study', ?, ?, ?, ?, NULL, ?)",
        ratersPerItem,
        itemsPerRater,
        plan.share,
        plan.seed,
        now(),
      );
    });
  }

  /** The items in order, attention checks left out. */
  items(): PeopleItem[] {
    return this.#file.all('SELECT * FROM items WHERE NOT is_check ORDER BY place').map((row) => ({
      id: String(row['id']),
      question: { id: String(row['question_id']), language: String(row['language']), text: String(row['question']) },
      modelA: String(row['model_a']),
      modelB: String(row['model_b']),
      answerA: String(row['answer_a']),
      answerB: String(row['answer_b']),
    }));
  }

  /** Where the server was last reached; null before it was. */
  get address(): string | null {
    return (this.#file.one('SELECT address FROM settings')?.['address'] as string | null | undefined) ?? null;
  }

  set address(address: string) {
    this.#file.transaction(() => this.#file.run('UPDATE settings SET address = ?', address));
  }

  raters(): string[] {
    return this.#file.all('SELECT name FROM raters ORDER BY invited_at, name').map(({ name }) => String(name));
  }

  hasRater(name: string): boolean {
    return this.#file.one('SELECT name FROM raters WHERE name = ?', name) !== undefined;
  }

  /** Known ones stay as they are. */
  addRaters(names: readonly string[]): void {
    this.#file.transaction(() => {
      for (const name of names) this.#file.run('INSERT OR IGNORE INTO raters VALUES (?, ?)', name, now());
    });
  }

  /** What the rater is to vote on now: the same again until there is a vote on it. */
  next(rater: string, nowMs: number): NextAnswer {
    return this.#change((table) => {
      const settings = this.settings();
      invariant(settings, 'StudyStore.next: the study has no items');
      const { open, progress, held } = nextComparison(table, settings, rater, nowMs);
      if (open !== undefined) return { kind: 'comparison', comparison: this.#comparison(table, open), progress };
      return { kind: 'finished', last: table.of(rater).at(-1)?.id ?? null, held, progress };
    });
  }

  /** undefined where it is not this rater's, or nobody's. */
  comparison(rater: string, id: string): Comparison | undefined {
    const table = this.#assignments();
    const assignment = table.find(rater, id);
    return assignment && this.#comparison(table, assignment);
  }

  /** False where the comparison is not this rater's. The same vote again is no new one. */
  vote(rater: string, id: string, vote: Vote, nowMs: number): boolean {
    return this.#change((table) => {
      const assignment = table.find(rater, id);
      if (assignment === undefined) return false;
      const before = this.#latestVote(id);
      const { choices, comment } = vote;
      if (before?.['comment'] === comment && criteria.every((name) => before[name] === choices[name])) return true;
      this.#file.run(
        'INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        id,
        before === undefined ? 1 : Number(before['version']) + 1,
        choices.helpful,
        choices.honest,
        choices.harmless,
        comment,
        // What a browser says it took cannot be longer than it was.
        Math.min(vote.seconds, Math.max(0, (nowMs - assignment.madeAtMs) / 1000)),
        new Date(nowMs).toISOString(),
      );
      table.markVoted(assignment);
      return true;
    });
  }

  /** The votes that count, one a criterion, in the order of raters and of what they were shown. */
  votes(): PeopleVote[] {
    const rows = this.#file.all(`SELECT i.id AS item, i.is_check, i.model_a, i.model_b, a.rater, a.shown, v.*
      FROM votes v JOIN assignments a ON a.id = v.assignment JOIN items i ON i.id = a.item
      WHERE v.version = (SELECT max(version) FROM votes WHERE assignment = v.assignment) ORDER BY a.rater, a.position`);
    return rows.flatMap((row) => criteria.map((criterion) => peopleVote(row, criterion)));
  }

  /** In one transaction. Where it fails, the table may be ahead of the file: it is read anew. */
  #change<T>(work: (table: AssignmentTable) => T): T {
    try {
      return this.#file.transaction(() => work(this.#assignments()));
    } catch (error) {
      this.#table = undefined;
      throw error;
    }
  }

  #assignments(): AssignmentTable {
    this.#table ??= new AssignmentTable(this.#file);
    return this.#table;
  }

  #comparison(table: AssignmentTable, { id, rater, item, position, shown }: Assignment): Comparison {
    const row = this.#file.one('SELECT * FROM items WHERE id = ?', item)!;
    const vote = this.#latestVote(id);
    const [left, right] = shown === 'AB' ? (['answer_a', 'answer_b'] as const) : (['answer_b', 'answer_a'] as const);
    const own = table.of(rater);
    return {
      id,
      position,
      language: String(row['language']),
      question: String(row['question']),
      left: String(row[left]),
      right: String(row[right]),
      vote: vote === undefined ? null : ownVote(vote),
      previous: own[position - 2]?.id ?? null,
      next: own[position]?.id ?? null,
    };
  }

  #latestVote(assignment: string): Row | undefined {
    return this.#file.one('SELECT * FROM votes WHERE assignment = ? ORDER BY version DESC LIMIT 1', assignment);
  }
}

const sideOf = (row: Row, criterion: Criterion): Side => row[criterion] as Side;

const ownVote = (row: Row): Vote => ({
  choices: {
    helpful: sideOf(row, 'helpful'),
    honest: sideOf(row, 'honest'),
    harmless: sideOf(row, 'harmless'),
  },
  comment: String(row['comment']),
  seconds: Number(row['seconds']),
});

function peopleVote(row: Row, criterion: Criterion): PeopleVote {
  const attention = row['is_check'] === 1;
  const order = row['shown'] as Order;
  return {
    item: String(row['item']),
    rater: String(row['rater']),
    criterion,
    choice: choiceOf(sideOf(row, criterion), order),
    modelA: attention ? null : String(row['model_a']),
    modelB: attention ? null : String(row['model_b']),
    seconds: Number(row['seconds']),
    order,
    comment: String(row['comment']),
    attention,
  };
}

function choiceOf(side: Side, order: Order): PeopleChoice {
  if (side === 'same') return 'tie';
  return (side === 'left') === (order === 'AB') ? 'win' : 'lose';
}

const now = (): string => new Date().toISOString();
