/**
 * Conversations become token documents; documents are laid side by side into packs without padding. What is to be
 * learned is marked token by token. Nothing is dropped without being counted and named.
 */
import type { DataIssue } from '../base/errors.ts';
import { Rng } from '../base/rng.ts';
import { fillRuns } from '../base/runs.ts';
import { type ChatTemplate, encodeConversation } from '../text/chat-template.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { Conversation, ConversationTurn } from './records.ts';

export interface TokenDocument {
  readonly id: string;
  readonly ids: readonly number[];
  /** 1 where the token is to be predicted from those before it, per token. Never the first. */
  readonly labelMask: Uint8Array;
  readonly labelTokens: number;
}

/** What happened to the rows on the way to tokens. */
export interface EncodingReceipt {
  readonly rows: number;
  readonly kept: number;
  readonly tokens: number;
  readonly labelTokens: number;
  /** Rows that lost their last turns because they were too long. */
  readonly cut: readonly DataIssue[];
  /** Rows left out, with the reason. */
  readonly dropped: readonly DataIssue[];
}

/** Encodes every conversation; one longer than `maxTokens` loses whole turns from its end, or is dropped. */
export function encodeDocuments(
  conversations: readonly Conversation[],
  tokenizer: Tokenizer,
  template: ChatTemplate,
  maxTokens: number,
): { documents: TokenDocument[]; receipt: EncodingReceipt } {
  const documents: TokenDocument[] = [];
  const cut: DataIssue[] = [];
  const dropped: DataIssue[] = [];
  for (const [index, conversation] of conversations.entries()) {
    const row = conversation.provenance.row ?? index;
    let messages = conversation.messages;
    let encoded = encodeConversation(tokenizer, template, messages);
    const whole = encoded.ids.length;
    while (encoded.ids.length > maxTokens && messages.filter((message) => message.role === 'assistant').length > 1) {
      messages = messages.slice(0, -1);
      while (messages.at(-1)?.role !== 'assistant') messages = messages.slice(0, -1);
      encoded = encodeConversation(tokenizer, template, messages);
    }
    const labelMask = withoutUnlearned(encoded.labelMask, messages);
    const labelTokens = labelMask.reduce((sum, flag) => sum + flag, 0);
    if (encoded.ids.length > maxTokens) {
      dropped.push({ row, message: `${conversation.id}: ${encoded.ids.length} tokens, the limit is ${maxTokens}` });
    } else if (labelTokens === 0) {
      dropped.push({ row, message: `${conversation.id}: no token to learn (empty answer, or weight 0)` });
    } else {
      if (encoded.ids.length < whole) {
        cut.push({
          row,
          message: `${conversation.id}: cut from ${whole} to ${encoded.ids.length} tokens at a turn's end`,
        });
      }
      documents.push({ id: conversation.id, ids: encoded.ids, labelMask, labelTokens });
    }
  }
  const total = (count: (document: TokenDocument) => number) => documents.reduce((sum, item) => sum + count(item), 0);
  const receipt = {
    rows: conversations.length,
    kept: documents.length,
    tokens: total((document) => document.ids.length),
    labelTokens: total((document) => document.labelTokens),
    cut,
    dropped,
  };
  return { documents, receipt };
}

/** Answers of weight 0 lose their labels. Between two answers stands a question, so each is one run of labels. */
function withoutUnlearned(labelMask: Uint8Array, messages: readonly ConversationTurn[]): Uint8Array {
  if (messages.every(({ weight }) => weight !== 0)) return labelMask;
  const answers = messages.filter(({ role }) => role === 'assistant');
  const mask = labelMask.slice();
  let run = -1;
  for (const [i, flag] of labelMask.entries()) {
    if (flag === 1 && labelMask[i - 1] !== 1) run += 1;
    if (flag === 1 && answers[run]?.weight === 0) mask[i] = 0;
  }
  return mask;
}

/** Keeps a share of the documents (or groups of them) from training, the same ones for a seed; both in the given order. */
export function holdOut<T>(documents: readonly T[], share: number, seed: number): { training: T[]; heldOut: T[] } {
  const count = share === 0 ? 0 : Math.max(1, Math.round(documents.length * share));
  const held = new Set(new Rng('held out', seed).sample(documents, Math.min(count, documents.length - 1)));
  return {
    training: documents.filter((document) => !held.has(document)),
    heldOut: documents.filter((document) => held.has(document)),
  };
}

/** Documents computed in one forward. */
export type Pack = readonly TokenDocument[];

export const packTokens = (pack: Pack): number => pack.reduce((sum, document) => sum + document.ids.length, 0);
const packLabels = (pack: Pack): number => pack.reduce((sum, document) => sum + document.labelTokens, 0);

/** One step of the optimizer: its packs' gradients are summed. */
export interface TrainingStep {
  readonly epoch: number;
  readonly packs: readonly Pack[];
  readonly labelTokens: number;
}

/**
 * The whole training, planned: every epoch shuffles the documents by its own key and lays them into packs of at most
 * `packTokens`; a step takes packs up to `batchTokens`. Pure, so that a step's number is the data position: a resumed
 * run sees what the uninterrupted one would have seen. Ends early once `maxTrainTokens` would be passed.
 */
export function planTraining(
  documents: readonly TokenDocument[],
  options: {
    epochs: number;
    packTokens: number;
    batchTokens: number;
    maxTrainTokens?: number | undefined;
    seed: number;
  },
): TrainingStep[] {
  const steps: TrainingStep[] = [];
  let spent = 0;
  let full = false;
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const shuffled = new Rng('epoch', options.seed, epoch).shuffle(documents);
    const affordable: TokenDocument[] = [];
    for (const document of shuffled) {
      full ||= spent + document.ids.length > (options.maxTrainTokens ?? Number.POSITIVE_INFINITY);
      if (full) break;
      spent += document.ids.length;
      affordable.push(document);
    }
    const packs = fillRuns(affordable, (document) => document.ids.length, options.packTokens);
    for (const group of fillRuns(packs, packTokens, options.batchTokens)) {
      steps.push({ epoch, packs: group, labelTokens: group.reduce((sum, pack) => sum + packLabels(pack), 0) });
    }
  }
  return steps;
}
