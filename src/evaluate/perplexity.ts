/**
 * How likely a model finds texts that it was not trained on: loss and perplexity per token, and bits per byte, which
 * alone compares models of different tokenizers. Only what the assistant says counts, with the token that ends each turn;
 * its bytes are those of the text, so that bits per byte hold the price of stopping too.
 */
import { invariant, WorkError } from '../base/errors.ts';
import { bootstrapFigure, type Interval } from '../base/intervals.ts';
import type { Message } from '../base/message.ts';
import type { Conversation } from '../data/records.ts';
import type { ScoredAnswer } from './scorer.ts';

/** Each answer that is to be learned, with all that stands before it: what a scorer takes. */
export function learnedTurns({ messages }: Conversation): Message[][] {
  return messages.flatMap(({ role, weight }, turn) =>
    role === 'assistant' && weight !== 0
      ? [messages.slice(0, turn + 1).map(({ role, content }) => ({ role, content }))]
      : [],
  );
}

export interface TextLoss {
  readonly id: string;
  /** −Σ log p over the answers of one conversation, in nats. */
  readonly nats: number;
  readonly tokens: number;
  /** UTF-8, of the answers. */
  readonly bytes: number;
}

/** One conversation's answers together. Throws WorkError where a log-probability is not finite. */
export function textLoss(
  id: string,
  turns: readonly (readonly Message[])[],
  scores: readonly ScoredAnswer[],
): TextLoss {
  invariant(turns.length === scores.length, `textLoss: ${turns.length} turns, ${scores.length} scores`);
  const nats = -scores.reduce((total, { sum }) => total + sum, 0);
  if (!Number.isFinite(nats)) {
    throw new WorkError(`expected a finite log-probability for ${id}, got ${-nats}`, {
      hint: 'the model that scored is broken: look whether its loss stayed finite in training',
    });
  }
  return {
    id,
    nats,
    tokens: scores.reduce((total, { tokens }) => total + tokens, 0),
    bytes: turns.reduce((total, turn) => total + Buffer.byteLength(turn.at(-1)?.content ?? ''), 0),
  };
}

export const bitsPerByte = ({ nats, bytes }: TextLoss): number => nats / Math.LN2 / bytes;

/** Every conversation counts by its tokens or bytes; conversations are drawn for the 95 % intervals, and `n` counts them. */
export interface LossFigures {
  readonly tokens: number;
  readonly bytes: number;
  /** Nats per token. */
  readonly loss: Interval;
  /** e to the loss. */
  readonly perplexity: Interval;
  readonly bitsPerByte: Interval;
}

/** undefined for no texts, or texts without a byte. */
export function lossFigures(texts: readonly TextLoss[]): LossFigures | undefined {
  const [tokens, bytes] = [total(texts, 'tokens'), total(texts, 'bytes')];
  if (tokens === 0 || bytes === 0) return undefined;
  const loss = intervalOf(texts, ratioOf(texts, 'tokens'));
  const { mean, low, high, n } = loss;
  const perplexity = { mean: Math.exp(mean), low: Math.exp(low), high: Math.exp(high), n };
  return { tokens, bytes, loss, perplexity, bitsPerByte: intervalOf(texts, bitsOf(texts)) };
}

export interface LossDifference {
  /** After − before; below 0, the second finds the texts likelier. */
  readonly bitsPerByte: Interval;
  /** undefined where the two have different tokens. */
  readonly loss: Interval | undefined;
}

/** The same texts under two models, in the same order; undefined as in `lossFigures`. */
export function lossDifference(before: readonly TextLoss[], after: readonly TextLoss[]): LossDifference | undefined {
  invariant(
    before.length === after.length &&
      before.every(({ id, bytes }, i) => after[i]?.id === id && after[i].bytes === bytes),
    'lossDifference: the two are not over the same texts',
  );
  if (total(before, 'bytes') === 0) return undefined;
  const between = (figure: (texts: readonly TextLoss[]) => Figure): Interval => {
    const [first, second] = [figure(before), figure(after)];
    return intervalOf(before, (drawn) => second(drawn) - first(drawn));
  };
  const sameTokens = before.every(({ tokens }, i) => tokens === after[i]?.tokens);
  return {
    bitsPerByte: between(bitsOf),
    loss: sameTokens ? between((texts) => ratioOf(texts, 'tokens')) : undefined,
  };
}

type Figure = (drawn: Uint32Array) => number;

const total = (texts: readonly TextLoss[], name: 'tokens' | 'bytes'): number =>
  texts.reduce((sum, text) => sum + text[name], 0);

/** Σ nats / Σ tokens or bytes of the texts drawn. */
function ratioOf(texts: readonly TextLoss[], name: 'tokens' | 'bytes'): Figure {
  const nats = Float64Array.from(texts, (text) => text.nats);
  const units = Float64Array.from(texts, (text) => text[name]);
  return (drawn) => {
    let above = 0;
    let below = 0;
    for (const at of drawn) {
      above += nats[at]!;
      below += units[at]!;
    }
    return below === 0 ? Number.NaN : above / below;
  };
}

function bitsOf(texts: readonly TextLoss[]): Figure {
  const ratio = ratioOf(texts, 'bytes');
  return (drawn) => ratio(drawn) / Math.LN2;
}

/** Texts drawn for an interval, so that many texts take no longer than few. */
const drawnInAll = 2e7;

function intervalOf(texts: readonly TextLoss[], figure: Figure): Interval {
  const n = texts.length;
  const draws = Math.max(1000, Math.min(10_000, Math.floor(drawnInAll / n)));
  const { low, high } = bootstrapFigure(n, figure, { draws });
  return { mean: figure(Uint32Array.from(texts.keys())), low, high, n };
}
