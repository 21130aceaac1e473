/**
 * What calls cost. List prices come from assets/prices.json (date and sources stand there), found by the exact name of
 * the model: a price that is not listed is not guessed from a similar name. Discounts (cache, batch) are not modelled,
 * so costs are never understated by them.
 */
import { join } from 'node:path';
import { readJson } from '../base/jsonl.ts';
import { assetsFolder } from '../base/paths.ts';
import type { Price, TeacherRequest, TokenUsage } from './teacher.ts';

export interface PriceList {
  /** The day the prices were read, ISO 8601. */
  readonly asOf: string;
  readonly sources: Readonly<Record<string, string>>;
  readonly models: Readonly<Record<string, Price & { readonly source: string }>>;
}

/** Chat formats wrap each message in a few tokens of their own; 16 is above every template we know (3 to 8). */
const maxTokensAroundMessage = 16;

let list: PriceList | undefined;

export function priceList(): PriceList {
  list ??= readJson(join(assetsFolder, 'prices.json')) as PriceList;
  return list;
}

/** undefined: not known. */
export function listedPrice(model: string): Price | undefined {
  const { models } = priceList();
  if (!Object.hasOwn(models, model)) return undefined;
  const { inputUsdPerMillion, outputUsdPerMillion } = models[model] as Price;
  return { inputUsdPerMillion, outputUsdPerMillion };
}

export const isFree = (price: Price): boolean => price.inputUsdPerMillion === 0 && price.outputUsdPerMillion === 0;

export function costUsd(price: Price, usage: TokenUsage): number {
  return (usage.inputTokens * price.inputUsdPerMillion + usage.outputTokens * price.outputUsdPerMillion) / 1_000_000;
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
