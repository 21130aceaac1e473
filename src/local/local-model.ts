/** A model of ours as the words half sees it: what it can be asked, with nothing of tensors in it. */
import type { Message } from '../base/message.ts';
import type { ScoredAnswer } from '../evaluate/scorer.ts';

export interface LocalSampling {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly repetitionPenalty: number;
  readonly seed: number;
}

export interface LocalRequest {
  /** Names the row's random stream together with the seed. */
  readonly key: string;
  readonly messages: readonly Message[];
  readonly maxTokens: number;
  readonly sampling: LocalSampling;
  /** Texts that end the answer; they are not part of it. */
  readonly stop: readonly string[];
}

export interface LocalAnswer {
  readonly text: string;
  readonly finishReason: 'stop' | 'length';
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Text of a request as it is decoded, or its whole answer as soon as it is there. */
export type AnswerEvent =
  | { readonly row: number; readonly text: string }
  | { readonly row: number; readonly answer: LocalAnswer };

export interface AnswerOptions {
  /** How many requests are decoded together; the others wait for one of these to be done. Default: decode.ts's. */
  readonly rows?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: AnswerEvent) => void) | undefined;
}

export interface LocalModel {
  /** One answer per request, in order. */
  answer(requests: readonly LocalRequest[], options?: AnswerOptions): Promise<LocalAnswer[]>;
  /** Log-probability of each conversation's last turn. */
  score(
    conversations: readonly (readonly Message[])[],
    options?: { signal?: AbortSignal | undefined; onProgress?: (done: number) => void },
  ): Promise<ScoredAnswer[]>;
}
