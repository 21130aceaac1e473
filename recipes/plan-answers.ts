/**
 * What answering a set of tasks will cost and how long it will take, said before it is bought: a pilot of a few tasks, drawn
 * by content and seed, is asked first. It is bought once: its answers stand in the ledger and are found by the run itself.
 *
 * A prompt's tokens follow its bytes, an answer's tokens are the pilot's mean; both with the interval that the pilot leaves.
 */

import { WorkError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { bootstrapMean, type Interval } from '../src/base/intervals.ts';
import { alpacaPrompt } from '../src/data/formats.ts';
import { planAnswerRequests } from '../src/generate/answers.ts';
import { askAll } from '../src/teacher/caller.ts';
import type { Ledger } from '../src/teacher/ledger.ts';
import { costUsd } from '../src/teacher/prices.ts';
import { requestKey } from '../src/teacher/request-key.ts';
import type { Price, Teacher, TeacherRequest } from '../src/teacher/teacher.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import type { AnswerConfig } from './generate-config.ts';
import { assertMaySpend, plannedAnswers } from './quote.ts';

type Tasks = () => AsyncIterable<{ readonly instruction: string; readonly input: string }>;

/** With the bounds of the 95 % interval. */
export type Estimate = Pick<Interval, 'mean' | 'low' | 'high'>;

export interface AnswersPlan {
  readonly tasks: number;
  /** Of these, how many the ledger has answers to: they cost nothing again. */
  readonly stored: number;
  readonly pilot: { readonly asked: number; readonly answered: number; readonly cut: number; readonly usd: number };
  /** Of all tasks that are not stored, together. */
  readonly inputTokens: Estimate;
  readonly outputTokens: Estimate;
  /** undefined: the price is not known. Free where `paid` is false. */
  readonly usd: Estimate | undefined;
  readonly paid: boolean;
  /** With so many calls at once, and within the limits that were given. */
  readonly seconds: Estimate;
  readonly concurrency: number;
}

export async function planAnswers(
  config: AnswerConfig,
  tasks: Tasks,
  { pilot, seed }: { readonly pilot: number; readonly seed: number },
  context: RunContext,
): Promise<AnswersPlan> {
  const teacher = await context.teacher(config.teacher);
  const { count, bytes, stored, drawn } = await survey(tasks, config, teacher, context.ledger, { pilot, seed });
  const pilotTasks = async function* () {
    yield* drawn;
  };
  const calls = await plannedAnswers(pilotTasks, config, teacher);
  assertMaySpend([{ teacher, calls: [calls] }], context);

  const before = context.ledger.spent().storedUsd;
  const listener = askProgress(context.progress('pilot'));
  const requests = drawn.map((task) => requestOf(task, config, teacher));
  const { ledger, budgetUsd, signal } = context;
  const listen = { onProgress: listener.update, onRetry: listener.retry };
  const outcomes = await askAll(requests, { teacher, ledger, stage: 'pilot', budgetUsd, signal, ...listen });
  listener.finish();
  const rows = ledger.lookup(outcomes.map(({ key }) => key));
  const answered = outcomes.flatMap(({ key, request, answer }) => {
    const row = rows.get(key);
    if (!answer?.usage || !row?.sentAt || !row.finishedAt) return [];
    const seconds = (Date.parse(row.finishedAt) - Date.parse(row.sentAt)) / 1000;
    return [{ ...answer.usage, bytes: bytesOf(request), seconds, cut: answer.finishReason === 'length' }];
  });
  if (answered.length < 2) {
    throw new WorkError(
      `the pilot brought ${answered.length} counted answers to ${outcomes.length} tasks: too few to plan by`,
      {
        hint:
          outcomes.find(({ error }) => error)?.error?.message ??
          'this server does not count tokens; ask it to, or plan by hand',
      },
    );
  }

  const open = count - stored;
  const perByte = ratio(answered.map(({ inputTokens, bytes: own }) => [inputTokens, own]));
  const inputTokens = times(perByte, bytes);
  const perAnswer = bootstrapMean(answered.map(({ outputTokens }) => outputTokens)) as Interval;
  const outputTokens = times(perAnswer, open);
  const perCall = bootstrapMean(answered.map(({ seconds }) => seconds)) as Interval;
  return {
    tasks: count,
    stored,
    pilot: {
      asked: outcomes.length,
      answered: answered.length,
      cut: answered.filter(({ cut }) => cut).length,
      usd: ledger.spent().storedUsd - before,
    },
    inputTokens,
    outputTokens,
    usd: teacher.paid ? teacher.price && price(teacher.price, inputTokens, outputTokens) : { mean: 0, low: 0, high: 0 },
    paid: teacher.paid,
    seconds: duration(teacher, open, perCall, { inputTokens, outputTokens }),
    concurrency: teacher.concurrency,
  };
}

interface Survey {
  readonly count: number;
  /** Of the prompts of the tasks that are not stored. */
  readonly bytes: number;
  readonly stored: number;
  readonly drawn: { readonly instruction: string; readonly input: string }[];
}

/** Rows looked up in the ledger at a time. */
const chunkSize = 500;

/** Goes through all tasks once. The pilot: those whose content hashes lowest, so that added tasks move few. */
async function survey(
  tasks: Tasks,
  config: AnswerConfig,
  teacher: Teacher,
  ledger: Ledger,
  { pilot, seed }: { readonly pilot: number; readonly seed: number },
): Promise<Survey> {
  let [count, bytes, stored] = [0, 0, 0];
  let drawn: { rank: string; task: Survey['drawn'][number] }[] = [];
  let chunk: TeacherRequest[] = [];
  const look = () => {
    const rows = ledger.lookup(chunk.map(requestKey));
    for (const request of chunk) {
      if (rows.get(requestKey(request))?.answer) stored += 1;
      else bytes += bytesOf(request);
    }
    chunk = [];
  };
  for await (const { instruction, input } of tasks()) {
    count += 1;
    const task = { instruction, input };
    drawn.push({ rank: sha256([seed, instruction, input]), task });
    if (drawn.length >= 2 * pilot) drawn = lowest(drawn, pilot);
    if (chunk.push(requestOf(task, config, teacher)) === chunkSize) look();
  }
  look();
  return { count, bytes, stored, drawn: lowest(drawn, pilot).map(({ task }) => task) };
}

const lowest = <T extends { readonly rank: string }>(ranked: readonly T[], count: number): T[] =>
  [...ranked].sort((a, b) => (a.rank < b.rank ? -1 : 1)).slice(0, count);

function requestOf(
  { instruction, input }: { readonly instruction: string; readonly input: string },
  { maxTokens }: AnswerConfig,
  { model }: Teacher,
): TeacherRequest {
  const [request] = planAnswerRequests([{ text: alpacaPrompt(instruction, input) }], {
    model,
    maxTokens,
    temperature: 0,
  });
  return request as TeacherRequest;
}

const bytesOf = ({ messages }: TeacherRequest): number =>
  messages.reduce((sum, { content }) => sum + Buffer.byteLength(content, 'utf8'), 0);

/** Σ first / Σ second, with its interval over the pairs. */
const ratio = (pairs: readonly (readonly [number, number])[]): Interval =>
  bootstrapMean(
    pairs.map(([a, b]) => a / b),
    { weights: pairs.map(([, b]) => b) },
  ) as Interval;

const times = ({ mean, low, high }: Estimate, factor: number): Estimate => {
  return { mean: mean * factor, low: low * factor, high: high * factor };
};

function price(one: Price, input: Estimate, output: Estimate): Estimate {
  const at = (bound: keyof Estimate) => costUsd(one, { inputTokens: input[bound], outputTokens: output[bound] });
  return { mean: at('mean'), low: at('low'), high: at('high') };
}

/** The slowest of: so many calls at once, requests a minute, tokens a minute. */
function duration(
  { concurrency, rates }: Teacher,
  calls: number,
  perCall: Estimate,
  tokens: { readonly inputTokens: Estimate; readonly outputTokens: Estimate },
): Estimate {
  const at = (bound: keyof Estimate) => {
    const all = tokens.inputTokens[bound] + tokens.outputTokens[bound];
    return Math.max(
      (calls * perCall[bound]) / concurrency,
      rates?.requestsPerMinute ? (60 * calls) / rates.requestsPerMinute : 0,
      rates?.tokensPerMinute ? (60 * all) / rates.tokensPerMinute : 0,
    );
  };
  return { mean: at('mean'), low: at('low'), high: at('high') };
}
