/** `LocalModel` on a loaded model: messages through its template and tokenizer, answers by its decoder. */
import { decode } from '../infer/decode.ts';
import { answerLogprobs } from '../infer/logprobs.ts';
import { encodeConversation, encodePrompt } from '../text/chat-template.ts';
import { StreamDecoder } from '../text/tokenizer.ts';
import type { LoadedModel } from './loaded-model.ts';
import type { LocalAnswer, LocalModel, LocalRequest } from './local-model.ts';

export const answerOn = (model: LoadedModel): LocalModel => ({
  async answer(requests, { rows, signal, onEvent } = {}) {
    const { tokenizer, template, decoder, stopTokens } = model;
    const prompts = requests.map(({ messages }) => encodePrompt(tokenizer, template, messages));
    const texts = requests.map((request) => startText(model, request));
    const answers: LocalAnswer[] = [];
    await decode(
      decoder,
      requests.map(({ key, maxTokens, sampling }, i) => {
        return { key, promptIds: prompts[i] as number[], maxNewTokens: maxTokens, sampling };
      }),
      {
        stopTokens,
        rows,
        signal,
        onToken: (row, id) => {
          const text = texts[row]?.push(id);
          if (text) onEvent?.({ row, text });
          return texts[row]?.stopped;
        },
        onDone: (row, { ids, finishReason }) => {
          const text = texts[row] as AnswerText;
          const last = text.finish();
          if (last) onEvent?.({ row, text: last });
          const inputTokens = prompts[row]?.length ?? 0;
          const answer = { text: text.whole, finishReason, inputTokens, outputTokens: ids.length };
          answers[row] = answer;
          onEvent?.({ row, answer });
        },
      },
    );
    return answers;
  },

  async score(conversations, options = {}) {
    const documents = conversations.map((messages) => {
      const encoded = encodeConversation(model.tokenizer, model.template, messages);
      return { ids: encoded.ids, labelMask: lastAnswerOnly(encoded.labelMask) };
    });
    return answerLogprobs(model.decoder, documents, options);
  },
});

interface AnswerText {
  /** Takes a token in; returns the text it completes that is certain to stay. */
  push(id: number): string;
  /** What was held back. */
  finish(): string;
  readonly whole: string;
  readonly stopped: boolean;
}

/** Text is held back while it may yet turn out to be the beginning of a stop text. */
function startText(model: LoadedModel, { stop }: LocalRequest): AnswerText {
  const stream = new StreamDecoder(model.tokenizer);
  let given = '';
  let held = '';
  let stopped = false;
  const take = (text: string): string => {
    held += text;
    const found = stop.map((end) => held.indexOf(end)).filter((at) => at >= 0);
    let sure = held.length;
    if (found.length > 0) {
      stopped = true;
      sure = Math.min(...found);
      held = held.slice(0, sure);
    } else {
      for (const end of stop) {
        for (let length = Math.min(end.length - 1, held.length); length > 0; length--) {
          if (held.endsWith(end.slice(0, length))) sure = Math.min(sure, held.length - length);
        }
      }
    }
    const out = held.slice(0, sure);
    held = held.slice(sure);
    given += out;
    return out;
  };
  return {
    push: (id) => (stopped ? '' : take(stream.push(id))),
    finish() {
      const out = stopped ? '' : take(stream.flush());
      const rest = stopped ? '' : held;
      held = '';
      given += rest;
      return out + rest;
    },
    get whole() {
      return given;
    },
    get stopped() {
      return stopped;
    },
  };
}

/** Of a conversation's marked turns, only the last. */
function lastAnswerOnly(mask: Uint8Array): Uint8Array {
  const last = mask.lastIndexOf(1);
  let first = last;
  while (first > 0 && mask[first - 1] === 1) first -= 1;
  return mask.map((flag, i) => (i >= first ? flag : 0));
}
