/** What a reward model is worth: its rewards of answers that were held out from its training, held against their ranks. */
import type { Message } from '../base/message.ts';
import type { GroupPair } from '../data/answer-groups.ts';
import type { PreferenceAnswer } from '../data/preferences.ts';

/** A line of held-out.jsonl: a prompt's answers with their rewards. */
export interface RewardedGroup {
  readonly id: string;
  readonly language?: string;
  readonly category?: string;
  readonly prompt: readonly Message[];
  readonly answers: readonly RewardedAnswer[];
  readonly pairs: readonly GroupPair[];
}

export interface RewardedAnswer extends PreferenceAnswer {
  /** Of the answer alone. */
  readonly tokens: number;
  readonly reward: number;
}
