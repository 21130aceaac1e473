/**
 * What every teacher can do, whoever it is: messages in; text, finish reason, token usage and the raw answer out.
 * A teacher knows nothing of ledgers, retries, budgets or concurrency: those are the caller's (caller.ts).
 */

import type { TeacherError } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import type { BatchVendor } from './batch-vendor.ts';
import type { RateHint, Rates } from './limits.ts';

export interface SamplingParameters {
  /** Most tokens the answer may have. Always set: a budget needs an upper bound. */
  readonly maxTokens: number;
  /** 0 is greedy. Left out: the model's own default. */
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
}

/** A request is its own identity: equal requests are one row of the ledger (`requestKey`). */
export interface TeacherRequest {
  /** The model's name as the provider spells it, or `builtin:smollm2-135m-instruct`, `recorded`, … */
  readonly model: string;
  readonly messages: readonly Message[];
  readonly parameters: SamplingParameters;
  /** Which of several samples of the same request this is, from 0. */
  readonly sample: number;
}

export type FinishReason = 'stop' | 'length' | 'content-filter' | 'other';

export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface TeacherAnswer {
  readonly text: string;
  readonly finishReason: FinishReason;
  /** As the provider counted; undefined where it did not say. */
  readonly usage: TokenUsage | undefined;
  /** The provider's answer as it came, JSON, without request headers. */
  readonly raw: unknown;
}

/** USD per million tokens. */
export interface Price {
  readonly inputUsdPerMillion: number;
  readonly outputUsdPerMillion: number;
}

export interface AskOptions {
  /** One key per request, in order; sent to providers that take one, so that asking again is not paying again. */
  readonly idempotencyKeys: readonly string[];
  readonly signal?: AbortSignal | undefined;
  /** May be called with a result as soon as it is there, before `ask` returns all of them: it is stored then. */
  readonly onAnswer?: (request: number, result: TeacherAnswer | TeacherError) => void;
  /** May be called with what the server said of its limits. */
  readonly onLimits?: (hints: readonly RateHint[]) => void;
}

export interface Teacher {
  /** What ledger and report call it, for example `openai:gpt-5` or `builtin:smollm2-135m-instruct`. No credentials. */
  readonly name: string;
  /** The `model` its requests carry. */
  readonly model: string;
  /** Whether asking costs money. A paid teacher runs only under a budget or a confirmed quote. */
  readonly paid: boolean;
  /** undefined: the price is not known (and is never guessed). Unpaid teachers have none. */
  readonly price: Price | undefined;
  /** Of a call in a batch, whether or not `batches` are used; undefined: not known, or there are none. */
  readonly batchPrice?: Price | undefined;
  /** How many requests one `ask` takes at most: 1 over HTTP, more on a local decoder, which computes them as one batch. */
  readonly batchSize: number;
  /** How many `ask` calls may be in flight at once. */
  readonly concurrency: number;
  /** What the provider allows, where the user has said so. */
  readonly rates?: Rates | undefined;
  /** Where there is one, its requests go by this instead of `ask`, and `price` is that of batches. */
  readonly batches?: BatchVendor | undefined;
  /** Finds out, before any work, whether the teacher can answer. Throws TeacherSetupError (exit code 2). */
  probe(signal?: AbortSignal): Promise<void>;
  /** One result per request, in order. A failure of one is its TeacherError, not a rejection of all. */
  ask(requests: readonly TeacherRequest[], options: AskOptions): Promise<(TeacherAnswer | TeacherError)[]>;
  close(): Promise<void>;
}
