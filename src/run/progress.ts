/** How long work tells what it is at. The command line draws it; tests and servers listen to it otherwise. */
export interface Progress {
  /** `detail` goes with it: rate, loss, cost. */
  update(done: number, total: number, detail?: string): void;
  /** A line that stays. */
  note(text: string): void;
  finish(summary?: string): void;
}

export type StartProgress = (label: string) => Progress;
