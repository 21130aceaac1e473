/**
 * Asks a teacher for many answers, each bought once: the ledger is looked up first, the rest goes out in batches, intent
 * recorded before sending and the answer before use, with retries, a budget, and a clean way out on Ctrl-C. Outcomes come in
 * the order of the requests. A request that fails is an outcome; what no other request could survive (wrong key, budget,
 * full disk) ends the whole with an error, after the calls then running have come back and been stored.
 */
import { ConfigError, invariant, TeacherError, throwIfAborted } from '../base/errors.ts';
import { AskRun } from './ask-run.ts';
import type { Ledger } from './ledger.ts';
import { requestKey } from './request-key.ts';
import type { RetryPolicy } from './retry.ts';
import { usd } from './spending.ts';
import type { Teacher, TeacherAnswer, TeacherRequest } from './teacher.ts';

export interface AskProgress {
  /** Requests with an outcome, of `total`. */
  readonly done: number;
  readonly total: number;
  /** Of `done`: how many the ledger had already. */
  readonly fromLedger: number;
  /** Of `done`: how many failed. */
  readonly failed: number;
  /** Of the whole ledger: what stored answers cost. */
  readonly spentUsd: number;
  /** Of the whole ledger: upper bounds of sendings whose answers never came. */
  /** Stored calls whose price is not known: not in `spentUsd`. */
  readonly unpricedCalls: number;
  readonly inDoubtCalls: number;
  readonly inDoubtUsd: number;
}

export interface RetryNotice {
  readonly error: TeacherError;
  readonly attempt: number;
  readonly attempts: number;
  readonly delayMs: number;
}

export interface AskAllOptions {
  readonly teacher: Teacher;
  readonly ledger: Ledger;
  /** What the calls are for; spending is added up by it. */
  readonly stage: string;
  /** Most that the whole ledger may have spent, whatever the stage and the day; calls in doubt count. */
  readonly budgetUsd?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: AskProgress) => void) | undefined;
  /** Called before every wait, which may be as long as the server asked for: up to a day. */
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
}

export interface Asked {
  readonly key: string;
  readonly request: TeacherRequest;
}

export type Outcome =
  | (Asked & { readonly answer: TeacherAnswer; readonly error?: undefined })
  | (Asked & { readonly error: TeacherError; readonly answer?: undefined });

/** Throws InterruptedError on abort, WorkError at the end of the budget, TeacherSetupError where no request can succeed. */
export async function askAll(requests: readonly TeacherRequest[], options: AskAllOptions): Promise<Outcome[]> {
  checkBudget(options);
  throwIfAborted(options.signal);
  const { model } = options.teacher;
  const asked = requests.map((request) => {
    invariant(request.model === model, `askAll: a request for ${request.model} to a teacher of ${model}`);
    return { key: requestKey(request), request };
  });
  const run = new AskRun(asked, options);
  await run.work();
  return asked.map(({ key, request }) => {
    const result = run.results.get(key);
    invariant(result, `askAll: no outcome for ${key}`);
    return result instanceof TeacherError ? { key, request, error: result } : { key, request, answer: result };
  });
}

function checkBudget({ teacher, budgetUsd }: AskAllOptions): void {
  if (budgetUsd === undefined || !teacher.paid || teacher.price !== undefined) return;
  throw new ConfigError(`the price of ${teacher.name} is not known, so a budget of ${usd(budgetUsd)} cannot be kept`, {
    hint: 'give the price: {inputUsdPerMillion, outputUsdPerMillion} with the teacher',
  });
}
