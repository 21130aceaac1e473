/** Answers of the policy as it is: as text for whoever rewards them, as tokens for what is learned from them. */
import type { Message } from '../src/base/message.ts';
import { decode } from '../src/infer/decode.ts';
import type { Decoder } from '../src/model/decoder.ts';
import { encodePrompt } from '../src/text/chat-template.ts';
import type { RlConfig } from './rl-config.ts';
import type { Rollout } from './rl-rollouts.ts';
import type { StudentModel } from './sft-tokens.ts';

export interface RlPrompt {
  readonly id: string;
  readonly messages: readonly Message[];
}

export interface SampledAnswer {
  readonly prompt: string;
  readonly text: string;
  readonly finishReason: 'stop' | 'length';
  readonly tokens: number;
}

/** `samples` to a prompt; a row's depend on the seed, the iteration and the row alone. */
export async function sampleAnswers(
  decoder: Decoder,
  { tokenizer, template, stopTokens }: Pick<StudentModel, 'tokenizer' | 'template' | 'stopTokens'>,
  { samples, maxNewTokens, temperature, seed }: RlConfig,
  iteration: number,
  prompts: readonly RlPrompt[],
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (done: number) => void },
): Promise<{ readonly answers: SampledAnswer[]; readonly rollouts: Rollout[] }> {
  // The whole distribution: what is learned is the probability under it.
  const sampling = { temperature, topK: 0, topP: 1, repetitionPenalty: 1, seed };
  const rows = prompts.flatMap((prompt) => {
    const promptIds = encodePrompt(tokenizer, template, prompt.messages);
    return Array.from({ length: samples }, (_, sample) => {
      return { prompt, promptIds, key: `${iteration}/${prompt.id}/${sample}`, maxNewTokens, sampling };
    });
  });
  let done = 0;
  const onDone = () => onProgress(++done);
  const decoded = await decode(decoder, rows, { stopTokens, signal, logprobs: true, onDone });
  const rowOf = (i: number) => rows[i] as (typeof rows)[number];
  const rollouts = decoded.map(({ ids, finishReason, logprobs = [], stopToken }, i): Rollout => {
    const { prompt, promptIds, key } = rowOf(i);
    const answer = stopToken === undefined ? ids : [...ids, stopToken];
    const all = [...promptIds, ...answer];
    const labelMask = Uint8Array.from(all, (_, at) => Number(at >= promptIds.length));
    const document = { id: key, ids: all, labelMask, labelTokens: answer.length };
    const none = new Float64Array(0);
    const later = { old: none, oldValues: none, reference: none, advantages: none, returns: none };
    const sampled = Float64Array.from(logprobs);
    return { prompt: prompt.id, document, truncated: finishReason === 'length', sampled, ...later };
  });
  const answers = decoded.map(({ ids, finishReason }, i): SampledAnswer => {
    return { prompt: rowOf(i).prompt.id, text: tokenizer.decode(ids), finishReason, tokens: ids.length };
  });
  return { answers, rollouts };
}
