/**
 * Asks a teacher for many answers, each bought once: the ledger is looked up first, the rest goes out, intent recorded before
 * sending and the answer before use, with retries, limits, a budget, and a clean way out on Ctrl-C. Outcomes come in the
 * order of the requests. A request that fails is an outcome; what no other request could survive (wrong key, budget,
 * full disk) ends the whole with an error, after the calls then running have come back and been stored.
 */
import { ConfigError, invariant, TeacherError, throwIfAborted } from '../base/errors.ts';
import { AskRun } from './ask-run.ts';
import { askByBatch } from './batch-caller.ts';
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
  /** Stored calls whose price is not known: not in `spentUsd`. */
  readonly unpricedCalls: number;
  readonly inDoubtCalls: number;
  /** Of the whole ledger: upper bounds of sendings whose answers never came. */
  readonly inDoubtUsd: number;
  /** Batches at the provider, and the calls of the whole ledger that are in one. */
  readonly awaited?: { readonly batches: number; readonly calls: number } | undefined;
}

export interface RetryNotice {
  readonly error: TeacherError;
  readonly attempt: number;
  readonly attempts: number;
  readonly delayMs: number;
}

export interface CallerOptions {
  readonly teacher: Teacher;
  readonly ledger: Ledger;
  /** What the calls are for; spending is added up by it. */
  readonly stage: string;
  /** Most that the whole ledger may have spent, whatever the stage and the day; calls in doubt count. */
  readonly budgetUsd?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: AskProgress) => void) | undefined;
  /** Called before every wait, which may be as long as the server asked for. */
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  /** Told in a sentence, of batches: submitted, collected, results that nobody asked for. */
  readonly onNotice?: ((text: string) => void) | undefined;
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
export async function askAll(requests: readonly TeacherRequest[], options: CallerOptions): Promise<Outcome[]> {
  const results = new Map<string, TeacherAnswer | TeacherError>();
  const asked = requests.map((request) => askedOf(request, options));
  await runThrough(asked, requests.length, options, (key, result) => results.set(key, result));
  return asked.map((one) => outcomeOf(one, results.get(one.key)));
}

/**
 * The same for any number of requests in bounded memory: `requests` is gone through twice, first to ask, then to read the
 * outcomes from the ledger in order. Both times it must give the same. `total`: for progress.
 */
export async function* askStream(
  requests: () => Iterable<TeacherRequest> | AsyncIterable<TeacherRequest>,
  total: number,
  options: CallerOptions,
): AsyncGenerator<Outcome> {
  await runThrough(askedOfAll(requests(), options), total, options, () => {});
  yield* readOutcomes(requests(), options);
}

/** What the ledger has of requests that have been asked, in order. */
export async function* readOutcomes(
  requests: Iterable<TeacherRequest> | AsyncIterable<TeacherRequest>,
  options: Pick<CallerOptions, 'ledger' | 'teacher'>,
): AsyncGenerator<Outcome> {
  let chunk: Asked[] = [];
  const read = (): Outcome[] => {
    const rows = options.ledger.lookup(chunk.map(({ key }) => key));
    const outcomes = chunk.map((one) => outcomeOf(one, rows.get(one.key)?.answer ?? rows.get(one.key)?.error));
    chunk = [];
    return outcomes;
  };
  for await (const one of askedOfAll(requests, options)) {
    if (chunk.push(one) === rowsAtOnce) yield* read();
  }
  yield* read();
}

/** Rows read from the ledger at a time. */
const rowsAtOnce = 500;

async function runThrough(
  asked: Iterable<Asked> | AsyncIterable<Asked>,
  total: number,
  options: CallerOptions,
  onOutcome: (key: string, result: TeacherAnswer | TeacherError) => void,
): Promise<void> {
  checkBudget(options);
  throwIfAborted(options.signal);
  const { batches } = options.teacher;
  if (batches) await askByBatch(asked, total, { ...options, vendor: batches }, onOutcome);
  else await new AskRun(asked, total, options, onOutcome).work();
}

async function* askedOfAll(
  requests: Iterable<TeacherRequest> | AsyncIterable<TeacherRequest>,
  options: Pick<CallerOptions, 'teacher'>,
): AsyncGenerator<Asked> {
  for await (const request of requests) yield askedOf(request, options);
}

function askedOf(request: TeacherRequest, { teacher: { model } }: Pick<CallerOptions, 'teacher'>): Asked {
  invariant(request.model === model, `a request for ${request.model} to a teacher of ${model}`);
  return { key: requestKey(request), request };
}

function outcomeOf(asked: Asked, result: TeacherAnswer | TeacherError | undefined): Outcome {
  invariant(result, `no outcome for ${asked.key}`);
  return result instanceof TeacherError ? { ...asked, error: result } : { ...asked, answer: result };
}

function checkBudget({ teacher, budgetUsd }: CallerOptions): void {
  if (budgetUsd === undefined || !teacher.paid || teacher.price !== undefined) return;
  throw new ConfigError(`the price of ${teacher.name} is not known, so a budget of ${usd(budgetUsd)} cannot be kept`, {
    hint: 'give the price: {inputUsdPerMillion, outputUsdPerMillion} with the teacher',
  });
}
