/**
 * What answering a set of tasks will cost and how long it will take, said before it is bought: a pilot of a few tasks, drawn
 * by content and seed, is asked first. It is bought once: its answers stand in the ledger and are found by the run itself.
 *
 * Prompts are counted by the model's own tokenizer where there is one here and the pilot shows that the server counts by it;
 * else a prompt's tokens follow its bytes. An answer's tokens are the pilot's mean. What the pilot tells comes with the
 * interval that it leaves.
 */

import { WorkError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { bootstrapMean, type Interval } from '../src/base/intervals.ts';
import { alpacaPrompt } from '../src/data/formats.ts';
import { planAnswerRequests } from '../src/generate/answers.ts';
import { askAll } from '../src/teacher/caller.ts';
import type { Ledger } from '../src/teacher/ledger.ts';
import type { Rates } from '../src/teacher/limits.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import { type Encoding, encodingOf, loadTokenCounter } from '../src/teacher/openai-tokens.ts';
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
  /** How they are told: counted, or by what the pilot's prompts had to a byte. */
  readonly inputTokensBy: Encoding | 'pilot';
  readonly outputTokens: Estimate;
  /** Asked by themselves. undefined: the price is not known. Free where `paid` is false. */
  readonly usd: Estimate | undefined;
  /** By the provider's batch interface; undefined: it is not known to have one. */
  readonly batch: { readonly usd: Estimate | undefined; readonly mostSeconds: number } | undefined;
  readonly paid: boolean;
  /** With so many calls at once, and within the limits that were given. */
  readonly seconds: Estimate;
  readonly concurrency: number;
  readonly rates: Rates;
}

export async function planAnswers(
  config: AnswerConfig,
  tasks: Tasks,
  { pilot, seed }: { readonly pilot: number; readonly seed: number },
  context: RunContext,
): Promise<AnswersPlan> {
  // The pilot is to be quick: it is asked by itself in any case.
  const teacher = await context.teacher(byItself(config.teacher));
  const counter = await counterOf(config.teacher);
  const surveyed = await survey(tasks, config, teacher, context.ledger, { pilot, seed }, counter?.count);
  const { count, bytes, stored, drawn } = surveyed;
  const pilotTasks = async function* () {
    yield* drawn;
  };
  const calls = await plannedAnswers(pilotTasks, config, teacher);
  assertMaySpend([{ teacher, calls: [calls] }], context);

  const before = context.ledger.spent().storedUsd;
  const listener = askProgress(context.progress('pilot'));
  const requests = drawn.map((task) => requestOf(task, config, teacher));
  const { ledger, budgetUsd, signal } = context;
  const ask = { teacher, ledger, stage: 'pilot', budgetUsd, signal, ...listener.listen };
  const outcomes = await askAll(requests, ask);
  listener.finish();
  const rows = ledger.lookup(outcomes.map(({ key }) => key));
  const answered = outcomes.flatMap(({ key, request, answer }) => {
    const row = rows.get(key);
    if (!answer?.usage || !row?.sentAt || !row.finishedAt) return [];
    const seconds = (Date.parse(row.finishedAt) - Date.parse(row.sentAt)) / 1000;
    const counted = counter && tokensOf(request, counter.count);
    return [{ ...answer.usage, bytes: bytesOf(request), counted, seconds, cut: answer.finishReason === 'length' }];
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
  const around = tokensAround(answered);
  const isCounted = counter !== undefined && around !== undefined;
  const perByte = ratio(answered.map(({ inputTokens, bytes: own }) => [inputTokens, own]));
  const inputTokens = isCounted ? exactly(surveyed.tokens + around * open) : times(perByte, bytes);
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
    inputTokensBy: isCounted ? counter.encoding : 'pilot',
    outputTokens,
    usd: teacher.paid ? teacher.price && price(teacher.price, inputTokens, outputTokens) : exactly(0),
    batch: batchPlan(config.teacher, teacher, inputTokens, outputTokens),
    paid: teacher.paid,
    seconds: duration(teacher, open, perCall, { inputTokens, outputTokens }),
    concurrency: teacher.concurrency,
    rates: teacher.rates ?? {},
  };
}

function byItself(teacher: TeacherConfig): TeacherConfig {
  return 'batch' in teacher && teacher.batch ? { ...teacher, batch: false } : teacher;
}

/** Of a model of OpenAI's, wherever it is; the pilot shows whether it is one. */
async function counterOf(
  teacher: TeacherConfig,
): Promise<{ readonly encoding: Encoding; readonly count: (text: string) => number } | undefined> {
  if (teacher.provider !== 'openai' && teacher.provider !== 'openai-compatible') return undefined;
  const encoding = encodingOf(teacher.model);
  return encoding && { encoding, count: await loadTokenCounter(encoding) };
}

/** What the server counts besides a prompt's text, where that is the same for all; else it counts by another tokenizer. */
function tokensAround(
  prompts: readonly { readonly inputTokens: number; readonly counted: number | undefined }[],
): number | undefined {
  const [around, ...others] = new Set(prompts.map(({ inputTokens, counted = Number.NaN }) => inputTokens - counted));
  return around !== undefined && around >= 0 && others.length === 0 ? around : undefined;
}

/** OpenAI and Anthropic promise a batch within a day; what is not done by then is not charged, and asked again. */
const batchSeconds = 24 * 60 * 60;

function batchPlan(
  config: TeacherConfig,
  { paid, batchPrice }: Teacher,
  input: Estimate,
  output: Estimate,
): AnswersPlan['batch'] {
  const isKnown = config.provider === 'openai' || config.provider === 'anthropic' || batchPrice !== undefined;
  if (!isKnown && !('batch' in config && config.batch)) return undefined;
  return { usd: paid ? batchPrice && price(batchPrice, input, output) : exactly(0), mostSeconds: batchSeconds };
}

interface Survey {
  readonly count: number;
  /** Of the prompts of the tasks that are not stored. */
  readonly bytes: number;
  /** Of these, as they are counted here; 0 where they are not. */
  readonly tokens: number;
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
  countTokens: (text: string) => number = () => 0,
): Promise<Survey> {
  let [count, bytes, tokens, stored] = [0, 0, 0, 0];
  let drawn: { rank: string; task: Survey['drawn'][number] }[] = [];
  let chunk: TeacherRequest[] = [];
  const look = () => {
    const rows = ledger.lookup(chunk.map(requestKey));
    for (const request of chunk) {
      if (rows.get(requestKey(request))?.answer) stored += 1;
      else {
        bytes += bytesOf(request);
        tokens += tokensOf(request, countTokens);
      }
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
  return { count, bytes, tokens, stored, drawn: lowest(drawn, pilot).map(({ task }) => task) };
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

const tokensOf = ({ messages }: TeacherRequest, countTokens: (text: string) => number): number =>
  messages.reduce((sum, { content }) => sum + countTokens(content), 0);

const exactly = (value: number): Estimate => ({ mean: value, low: value, high: value });

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
