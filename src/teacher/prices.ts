/**
 * What calls cost. List prices come from assets/prices.json (date and sources stand there), or before them from a file of
 * the user's, found by the exact name of the model: a price that is not listed is not guessed from a similar name.
 * Discounts are not modelled, but for that of batches, so costs are never understated by them.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../base/errors.ts';
import { readJson } from '../base/jsonl.ts';
import { assetsFolder } from '../base/paths.ts';
import type { Price, Teacher, TeacherAnswer, TeacherRequest, TokenUsage } from './teacher.ts';

const shareSchema = z.number().min(0).max(1);

const priceFields = {
  inputUsdPerMillion: z.number().nonnegative(),
  outputUsdPerMillion: z.number().nonnegative(),
  /** What a call in a batch costs, as a share of this. */
  batch: shareSchema.optional(),
};

/** A price as users give it. */
export const priceSchema = z.strictObject(priceFields);

/** A file of prices; our own is one. */
const priceListSchema = z.strictObject({
  /** The day the prices were read, ISO 8601. */
  asOf: z.string().optional(),
  unit: z.string().optional(),
  note: z.string().optional(),
  sources: z.record(z.string(), z.string()).default({}),
  /** By source. */
  batch: z.record(z.string(), shareSchema).default({}),
  models: z.record(z.string(), z.strictObject({ ...priceFields, source: z.string().optional() })),
});

export type PriceList = z.output<typeof priceListSchema>;

export interface ListedPrice {
  readonly price: Price;
  /** What a call in a batch costs, as a share of the price; undefined: not known. */
  readonly batchShare: number | undefined;
}

/** Chat formats wrap each message in a few tokens of their own; 16 is above every template we know (3 to 8). */
const maxTokensAroundMessage = 16;

let own: PriceList | undefined;

export function priceList(): PriceList {
  own ??= readPriceList(join(assetsFolder, 'prices.json'));
  return own;
}

/** Throws ConfigError where the file cannot be read, DataError with all that is wrong in it. */
export function readPriceList(file: string): PriceList {
  const parsed = priceListSchema.safeParse(readJson(file));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  throw new DataError(file, issues, {
    hint: 'expected {"models": {NAME: {"inputUsdPerMillion": …, "outputUsdPerMillion": …, "batch": 0.5}}}',
  });
}

/** undefined: not known. */
export function listedPrice(model: string, list = priceList()): ListedPrice | undefined {
  const { models, batch } = list;
  if (!Object.hasOwn(models, model)) return undefined;
  const { inputUsdPerMillion, outputUsdPerMillion, ...listed } = models[model] as PriceList['models'][string];
  return {
    price: { inputUsdPerMillion, outputUsdPerMillion },
    batchShare: listed.batch ?? (listed.source === undefined ? undefined : batch[listed.source]),
  };
}

export const priceTimes = ({ inputUsdPerMillion, outputUsdPerMillion }: Price, share: number): Price => ({
  inputUsdPerMillion: inputUsdPerMillion * share,
  outputUsdPerMillion: outputUsdPerMillion * share,
});

export const isFree = (price: Price): boolean => price.inputUsdPerMillion === 0 && price.outputUsdPerMillion === 0;

export function costUsd(price: Price, usage: TokenUsage): number {
  return (usage.inputTokens * price.inputUsdPerMillion + usage.outputTokens * price.outputUsdPerMillion) / 1_000_000;
}

/** The most that a request may cost of this teacher; undefined: its price is not known. */
export function boundOfCallUsd(
  { paid, price }: Pick<Teacher, 'paid' | 'price'>,
  request: TeacherRequest,
): number | undefined {
  return paid ? price && upperBoundUsd(price, request) : 0;
}

/** What an answer cost. Without a count of tokens it is taken to have cost the most it could. */
export function costOfCallUsd(
  { paid, price }: Pick<Teacher, 'paid' | 'price'>,
  { usage }: Pick<TeacherAnswer, 'usage'>,
  boundUsd: number | undefined,
): number | undefined {
  if (!paid) return 0;
  return price && usage ? costUsd(price, usage) : boundUsd;
}

/** For rate limits, which providers count by what a request may use; an estimate, corrected by what it did use. */
export function estimatedTokens({ messages, parameters }: TeacherRequest): number {
  const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content, 'utf8'), 0);
  return Math.ceil(bytes / 4) + parameters.maxTokens;
}

/** No tokenizer of a byte-level vocabulary makes more tokens than there are bytes; the answer is capped by maxTokens. */
export function upperBoundUsd(price: Price, request: TeacherRequest): number {
  const inputTokens = request.messages.reduce(
    (sum, message) => sum + Buffer.byteLength(message.content, 'utf8') + maxTokensAroundMessage,
    0,
  );
  return costUsd(price, { inputTokens, outputTokens: request.parameters.maxTokens });
}
