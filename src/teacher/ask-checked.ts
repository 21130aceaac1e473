/**
 * Answers that must be fit for a use: what is not is asked for again, a bounded number of times, in the way its fault asks
 * for. Every answer stays in the ledger, fit or not. Works on streams: what is held are the requests that were at fault.
 */
import { askAll, askStream, type CallerOptions, type Outcome, readOutcomes } from './caller.ts';
import type { TeacherAnswer, TeacherRequest } from './teacher.ts';

/** What is wrong with an answer, and how to ask again; without `again` it stands. */
export interface Fault {
  readonly reason: string;
  readonly detail?: string | undefined;
  /** `longer`: twice the tokens. `anew`: another sample. `told`: the conversation goes on, with what was wrong. */
  readonly again?: 'longer' | 'anew' | 'told';
}

export type Checked<T> =
  | { readonly value: T; readonly fault?: undefined }
  | { readonly fault: Fault; readonly value?: undefined };

export interface CheckedOutcome<T> {
  /** Of the request it began with, from 0. */
  readonly row: number;
  /** Ledger keys of all askings, in order. */
  readonly calls: readonly string[];
  /** The last; undefined where the call failed. */
  readonly answer: TeacherAnswer | undefined;
  readonly result: Checked<T>;
}

export interface CheckedOptions extends CallerOptions {
  /** How often a request is asked again at most. Default 2. */
  readonly askings?: number | undefined;
  /** Where `longer` ends. Default: four times what the request began with. */
  readonly mostTokens?: number | undefined;
  /** How the teacher is told of a fault, in its language. */
  readonly complaint?: ((fault: Fault) => string) | undefined;
}

interface Open {
  readonly row: number;
  readonly calls: readonly string[];
  readonly first: TeacherRequest;
  readonly request: TeacherRequest;
}

/** Outcomes in the order of the requests, which must be the same each time they are gone through. */
export async function* askChecked<T>(
  requests: () => Iterable<TeacherRequest> | AsyncIterable<TeacherRequest>,
  total: number,
  options: CheckedOptions,
  check: (answer: TeacherAnswer, row: number) => Checked<T>,
): AsyncGenerator<CheckedOutcome<T>> {
  const judged = ({ row, calls }: Pick<Open, 'row' | 'calls'>, outcome: Outcome): CheckedOutcome<T> => {
    const { answer, error, key } = outcome;
    const result: Checked<T> = answer ? check(answer, row) : { fault: { reason: 'no answer', detail: error.message } };
    return { row, calls: [...calls, key], answer, result };
  };
  let open: Open[] = [];
  let row = 0;
  for await (const outcome of askStream(requests, total, options)) {
    const place = { row: row++, calls: [], first: outcome.request };
    const next = again(judged(place, outcome), outcome.request, outcome.request, options);
    if (next) open.push({ ...place, calls: [outcome.key], request: next });
  }
  const mended = new Map<number, CheckedOutcome<T>>();
  for (let asking = 1; open.length > 0 && asking <= (options.askings ?? 2); asking++) {
    const outcomes = await askAll(
      open.map(({ request }) => request),
      options,
    );
    open = outcomes.flatMap((outcome, i) => {
      const one = open[i] as Open;
      const found = judged(one, outcome);
      mended.set(one.row, found);
      const next = again(found, outcome.request, one.first, options);
      return next ? [{ ...one, calls: found.calls, request: next }] : [];
    });
  }
  row = 0;
  for await (const outcome of readOutcomes(requests(), options)) {
    yield mended.get(row) ?? judged({ row, calls: [] }, outcome);
    row += 1;
  }
}

/** The request that may bring what this answer is not; undefined: none would. */
function again<T>(
  { answer, result }: CheckedOutcome<T>,
  request: TeacherRequest,
  first: TeacherRequest,
  { mostTokens = 4 * first.parameters.maxTokens, complaint = complain }: CheckedOptions,
): TeacherRequest | undefined {
  const { fault } = result;
  if (!fault?.again || !answer) return undefined;
  if (fault.again === 'anew') return { ...request, sample: request.sample + 1 };
  if (fault.again === 'told') {
    const turns = [
      { role: 'assistant', content: answer.text },
      { role: 'user', content: complaint(fault) },
    ] as const;
    return { ...request, messages: [...first.messages, ...turns] };
  }
  const maxTokens = Math.min(mostTokens, 2 * request.parameters.maxTokens);
  if (maxTokens <= request.parameters.maxTokens) return undefined;
  return { ...request, parameters: { ...request.parameters, maxTokens } };
}

const complain = ({ reason, detail }: Fault): string =>
  `That reply cannot be used: ${detail ?? reason}. Please reply once more, in the form that was asked for.`;
