/**
 * Compared answers become token documents, a prompt's answers together: for reward models and preference losses. An
 * answer's own tokens are marked, its end of turn among them; those of earlier answers in the prompt are not.
 */
import type { DataIssue } from '../base/errors.ts';
import { Rng } from '../base/rng.ts';
import { fillRuns } from '../base/runs.ts';
import { type ChatTemplate, encodeConversation } from '../text/chat-template.ts';
import { lastAnswerOnly } from '../text/labels.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { TokenDocument } from './pack.ts';
import { type Preference, type PreferenceAnswer, preferencePairs } from './preferences.ts';

/** Of two answers of a group, by their places in it. */
export interface GroupPair {
  readonly better: number;
  readonly worse: number;
  readonly margin?: number | undefined;
}

export interface AnswerGroup {
  readonly id: string;
  readonly preference: Preference;
  /** Those of the preference that are used, and their documents, in the same order. */
  readonly answers: readonly PreferenceAnswer[];
  readonly documents: readonly TokenDocument[];
  readonly pairs: readonly GroupPair[];
}

/** What happened to the prompts on the way. */
export interface GroupReceipt {
  readonly prompts: number;
  readonly kept: number;
  readonly answers: number;
  readonly pairs: number;
  /** Twos of equal rank: they say nothing. */
  readonly ties: number;
  /** Twos of unequal rank and equal text: they teach nothing. */
  readonly sameText: number;
  readonly tokens: number;
  /** Answers left out, and prompts with no pair left, with the reason. */
  readonly dropped: readonly DataIssue[];
}

export function encodeGroups(
  preferences: readonly Preference[],
  tokenizer: Tokenizer,
  template: ChatTemplate,
  maxTokens: number,
): { groups: AnswerGroup[]; receipt: GroupReceipt } {
  const dropped: DataIssue[] = [];
  const groups: AnswerGroup[] = [];
  let ties = 0;
  let sameText = 0;
  for (const [index, preference] of preferences.entries()) {
    const row = preference.provenance.row ?? index;
    const drop = (message: string) => dropped.push({ row, message: `${preference.id}: ${message}` });
    const fitting = preference.answers.flatMap((answer, i) => {
      const messages = [...preference.prompt, { role: 'assistant', content: answer.content } as const];
      const document = encodeAnswer(`${preference.id}/${i}`, messages, tokenizer, template);
      if (document.ids.length <= maxTokens) return [{ answer, document }];
      drop(`answer ${i + 1} with its prompt has ${document.ids.length} tokens, the limit is ${maxTokens}`);
      return [];
    });
    const answers = fitting.map(({ answer }) => answer);
    const found = preferencePairs({ ...preference, answers });
    ties += found.ties;
    const differing = found.pairs.filter(({ better, worse }) => better.content !== worse.content);
    sameText += found.pairs.length - differing.length;
    const pairs = differing.map(({ better, worse, margin }) => {
      return { better: answers.indexOf(better), worse: answers.indexOf(worse), margin };
    });
    if (pairs.length === 0) drop('no two answers are left of which one is better');
    else {
      groups.push({
        id: preference.id,
        preference,
        answers,
        documents: fitting.map(({ document }) => document),
        pairs,
      });
    }
  }
  const total = (count: (group: AnswerGroup) => number) => groups.reduce((sum, group) => sum + count(group), 0);
  return {
    groups,
    receipt: {
      prompts: preferences.length,
      kept: groups.length,
      answers: total(({ answers }) => answers.length),
      pairs: total(({ pairs }) => pairs.length),
      ties,
      sameText,
      tokens: total(groupTokens),
      dropped,
    },
  };
}

/** A conversation that ends in an answer, of which that answer alone is marked. */
export function encodeAnswer(
  id: string,
  messages: Parameters<typeof encodeConversation>[2],
  tokenizer: Tokenizer,
  template: ChatTemplate,
): TokenDocument {
  const encoded = encodeConversation(tokenizer, template, messages);
  const labelMask = lastAnswerOnly(encoded.labelMask);
  return { id, ids: encoded.ids, labelMask, labelTokens: labelMask.reduce((sum, flag) => sum + flag, 0) };
}

export const groupTokens = ({ documents }: Pick<AnswerGroup, 'documents'>): number =>
  documents.reduce((sum, { ids }) => sum + ids.length, 0);

/** One optimizer step; a prompt's answers are never parted. */
export interface GroupStep {
  readonly epoch: number;
  readonly parts: readonly { readonly pack: readonly TokenDocument[]; readonly groups: readonly AnswerGroup[] }[];
}

/** As `planTraining` plans conversations. */
export function planGroups(
  groups: readonly AnswerGroup[],
  options: {
    readonly epochs: number;
    readonly packTokens: number;
    readonly batchTokens: number;
    readonly seed: number;
  },
): GroupStep[] {
  return Array.from({ length: options.epochs }, (_, epoch) => {
    const shuffled = new Rng('epoch', options.seed, epoch).shuffle(groups);
    const parts = fillRuns(shuffled, groupTokens, options.packTokens).map((own) => {
      return { groups: own, pack: own.flatMap(({ documents }) => documents) };
    });
    const tokens = (part: (typeof parts)[number]) => part.groups.reduce((sum, group) => sum + groupTokens(group), 0);
    return fillRuns(parts, tokens, options.batchTokens).map((own) => ({ epoch, parts: own }));
  }).flat();
}
