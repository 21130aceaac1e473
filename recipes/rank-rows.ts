/**
 * Answers ranked by a reward model: the rows that `answer --best-of` and `rank` write. Answers stand in the order in which they
 * came; rank 1 is the highest reward, and of equal ones the earlier comes first, so that every place is taken once. An
 * empty answer is not shown to the reward model, and one whose reward is no finite number has none: both come last.
 */
import type { Message } from '../src/base/message.ts';

/** What scores conversations that end in an answer; the engine's side of it is `engineRewards`. */
export interface RewardModel {
  rewards(
    conversations: readonly (readonly Message[])[],
    options?: { signal?: AbortSignal | undefined },
  ): Promise<readonly number[]>;
}

export interface GivenAnswer {
  readonly text: string;
  readonly finishReason?: 'stop' | 'length';
  /** The model that wrote it, and what a judge said of it, where the file says so. */
  readonly source?: string;
  readonly score?: number;
}

/** A prompt with its answers, of which there is at least one. */
export interface AnswerSet {
  readonly id: string;
  readonly messages: readonly Message[];
  readonly language?: string;
  readonly category?: string;
  readonly answers: readonly GivenAnswer[];
}

export interface RankedCandidate extends GivenAnswer {
  /** null: not scored. */
  readonly reward: number | null;
  readonly rank: number;
}

export interface RankedRow {
  readonly id: string;
  /** The user's last turn. */
  readonly prompt: string;
  /** All turns, where there are others. */
  readonly conversation?: readonly Message[];
  readonly language?: string;
  readonly category?: string;
  /** Of rank 1. */
  readonly output: string;
  readonly finishReason?: 'stop' | 'length';
  readonly reward: number | null;
  readonly candidates: readonly RankedCandidate[];
}

/** In order. The same text twice is scored once. */
export async function rankSets(
  model: RewardModel,
  sets: readonly AnswerSet[],
  options: { signal?: AbortSignal | undefined } = {},
): Promise<RankedRow[]> {
  const texts = sets.map(({ answers }) => [...new Set(answers.map(({ text }) => text))].filter((text) => text.trim()));
  const conversations = sets.flatMap(({ messages }, i) =>
    texts[i]!.map((content) => [...messages, { role: 'assistant', content } as const]),
  );
  const rewards = conversations.length === 0 ? [] : await model.rewards(conversations, options);
  let at = 0;
  return sets.map((set, i) => {
    const rewardOf = new Map(texts[i]!.map((text) => [text, rewards[at++]!]));
    return rankedRow(set, ({ text }) => {
      const reward = rewardOf.get(text);
      return reward !== undefined && Number.isFinite(reward) ? reward : null;
    });
  });
}

function rankedRow(set: AnswerSet, rewardOf: (answer: GivenAnswer) => number | null): RankedRow {
  const { id, messages, language, category, answers } = set;
  const rewards = answers.map(rewardOf);
  const value = (i: number) => rewards[i] ?? Number.NEGATIVE_INFINITY;
  const order = [...answers.keys()].sort((a, b) => (value(a) === value(b) ? a - b : value(b) - value(a)));
  const candidates = answers.map((answer, i): RankedCandidate => {
    return { ...answer, reward: rewards[i]!, rank: order.indexOf(i) + 1 };
  });
  const { text, finishReason, reward } = candidates[order[0]!]!;
  return {
    id,
    prompt: messages.at(-1)!.content,
    ...(messages.length > 1 && { conversation: messages }),
    ...(language !== undefined && { language }),
    ...(category !== undefined && { category }),
    output: text,
    ...(finishReason !== undefined && { finishReason }),
    reward,
    candidates,
  };
}

/** The turns that the row's answers answer. */
export const turnsOf = ({ prompt, conversation }: Pick<RankedRow, 'prompt' | 'conversation'>): readonly Message[] =>
  conversation ?? [{ role: 'user', content: prompt }];

export interface RankCounts {
  readonly prompts: number;
  readonly candidates: number;
  /** Candidates without a reward: empty ones, and those whose reward is no finite number. */
  readonly empty: number;
  readonly notFinite: number;
  /** Prompts with one answer: there is nothing to rank. */
  readonly single: number;
  /** Prompts all of whose answers have one and the same reward: the first is taken. */
  readonly allEqual: number;
  /** Mean reward of the best, and of all candidates; null where none has one. */
  readonly meanBest: number | null;
  readonly meanAll: number | null;
}

export function countRanks(rows: readonly RankedRow[]): RankCounts {
  const candidates = rows.flatMap((row) => row.candidates);
  const unscored = candidates.filter(({ reward }) => reward === null);
  const empty = unscored.filter(({ text }) => text.trim() === '').length;
  return {
    prompts: rows.length,
    candidates: candidates.length,
    empty,
    notFinite: unscored.length - empty,
    single: rows.filter((row) => row.candidates.length === 1).length,
    allEqual: rows.filter(
      ({ candidates: own }) =>
        own.length > 1 && own[0]!.reward !== null && own.every(({ reward }) => reward === own[0]!.reward),
    ).length,
    meanBest: meanReward(rows),
    meanAll: meanReward(candidates),
  };
}

function meanReward(of: readonly { readonly reward: number | null }[]): number | null {
  const rewards = of.flatMap(({ reward }) => reward ?? []);
  return rewards.length === 0 ? null : rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
}
