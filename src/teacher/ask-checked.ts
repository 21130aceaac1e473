/**
 * Answers that must be fit for a use: what is not is asked for again, a bounded number of times, in the way its fault asks
 * for. Every answer stays in the ledger, fit or not. Works on streams: what is held are the requests that were at fault.
 */
import { invariant, type TeacherError } from '../base/errors.ts';
import { askAll, askStream, type CallerOptions, type Outcome, readOutcomes } from './caller.ts';
import { isRecorded } from './recorded.ts';
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

export interface CheckedOutcome<Item, T> {
  readonly item: Item;
  /** Ledger keys of all askings, in order. */
  readonly calls: readonly string[];
  /** The last; undefined where the call failed, with `error`. */
  readonly answer: TeacherAnswer | undefined;
  readonly error: TeacherError | undefined;
  readonly result: Checked<T>;
}

/** What is asked about an item, and what its answer is held against. */
export interface Asking<Item, T> {
  request(item: Item): TeacherRequest;
  check(answer: TeacherAnswer, item: Item): Checked<T>;
}

export interface CheckedOptions extends CallerOptions {
  /** How often a request is asked again at most. Default 2; 0 of a recording, which has one answer to each. */
  readonly askings?: number | undefined;
  /** Where `longer` ends. Default: four times what the request began with. */
  readonly mostTokens?: number | undefined;
  /** How the teacher is told of a fault, in its language. */
  readonly complaint?: ((fault: Fault) => string) | undefined;
}

interface Open<Item> {
  readonly row: number;
  readonly item: Item;
  readonly calls: readonly string[];
  readonly first: TeacherRequest;
  readonly request: TeacherRequest;
}

type Items<Item> = () => Iterable<Item> | AsyncIterable<Item>;

/** Outcomes in the order of the items, which must be the same each time they are gone through. `total`: for progress. */
export async function* askChecked<Item, T>(
  items: Items<Item>,
  total: number,
  asking: Asking<Item, T>,
  options: CheckedOptions,
): AsyncGenerator<CheckedOutcome<Item, T>> {
  const requests = () => requestsOf(items, asking);
  const judged = (item: Item, before: readonly string[], { key, answer, error }: Outcome): CheckedOutcome<Item, T> => {
    const result = answer ? asking.check(answer, item) : { fault: { reason: 'no answer', detail: error.message } };
    return { item, calls: [...before, key], answer, error, result };
  };
  const askings = options.askings ?? (isRecorded(options.teacher) ? 0 : 2);
  let open: Open<Item>[] = [];
  for await (const [row, item, outcome] of beside(items, askStream(requests, total, options))) {
    const first = outcome.request;
    const next = again(judged(item, [], outcome), first, first, options);
    if (next) open.push({ row, item, calls: [outcome.key], first, request: next });
  }
  const mended = new Map<number, CheckedOutcome<Item, T>>();
  for (let times = 1; open.length > 0 && times <= askings; times++) {
    const outcomes = await askAll(
      open.map(({ request }) => request),
      options,
    );
    open = outcomes.flatMap((outcome, i) => {
      const one = open[i] as Open<Item>;
      const found = judged(one.item, one.calls, outcome);
      mended.set(one.row, found);
      const next = again(found, outcome.request, one.first, options);
      return next ? [{ ...one, calls: found.calls, request: next }] : [];
    });
  }
  for await (const [row, item, outcome] of beside(items, readOutcomes(requests(), options))) {
    yield mended.get(row) ?? judged(item, [], outcome);
  }
}

async function* requestsOf<Item, T>(items: Items<Item>, asking: Asking<Item, T>): AsyncGenerator<TeacherRequest> {
  for await (const item of items()) yield asking.request(item);
}

/** Items with their outcomes, and their places. */
async function* beside<Item>(
  items: Items<Item>,
  outcomes: AsyncGenerator<Outcome>,
): AsyncGenerator<[row: number, item: Item, outcome: Outcome]> {
  let row = 0;
  for await (const item of items()) {
    const { value, done } = await outcomes.next();
    invariant(!done, 'askChecked: the items are not the same a second time');
    yield [row++, item, value];
  }
}

/** The request that may bring what this answer is not; undefined: none would. */
function again(
  { answer, result }: Pick<CheckedOutcome<unknown, unknown>, 'answer' | 'result'>,
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
