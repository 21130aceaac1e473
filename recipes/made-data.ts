/** What a stage that makes training data leaves in its folder, and says of it. */
export interface MadeData {
  /** Which set: `answered`, `generated`. */
  readonly name: string;
  /** Messages JSONL, in the stage's folder. */
  readonly file: string;
  readonly rows: number;
  readonly teacher: string;
  /** Rows taken away, by reason; the rows themselves stand in rejects.jsonl. */
  readonly rejected: Readonly<Record<string, number>>;
}
