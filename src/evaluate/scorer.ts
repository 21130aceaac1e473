/**
 * A scorer gives log-probabilities to answers that exist already. The decoder of src/local implements it; a teacher
 * behind an interface that returns no log-probabilities cannot.
 */
import type { Message } from '../base/message.ts';

export interface ScoredAnswer {
  /** Σ log p over the answer's tokens and the token that ends the turn, in nats. */
  readonly sum: number;
  readonly tokens: number;
}

export interface Scorer {
  /** Who scores, for example `builtin:smollm2-135m-instruct`. */
  readonly name: string;
  /** Each conversation ends with the assistant's turn that is to be scored. One result each, in order. */
  score(
    conversations: readonly (readonly Message[])[],
    options?: { signal?: AbortSignal | undefined; onProgress?: (done: number) => void },
  ): Promise<ScoredAnswer[]>;
}
