/** `LocalModel` on a loaded model: messages through its template and tokenizer, answers by its decoder. */
import { decode } from '../infer/decode.ts';
import { answerLogprobs } from '../infer/logprobs.ts';
import { encodeConversation, encodePrompt } from '../text/chat-template.ts';
import { StreamDecoder } from '../text/tokenizer.ts';
import type { LoadedModel } from './loaded-model.ts';
import type { LocalAnswer, LocalModel, LocalRequest } from './local-model.ts';

export const answerOn = (model: LoadedModel): LocalModel => ({
  async answer(requests, { signal, onEvent } = {}) {
    const { tokenizer, template, decoder, stopTokens } = model;
    const prompts = requests.map(({ messages }) => encodePrompt(tokenizer, template, messages));
    const rows = requests.map((request) => startRow(model, request));
    const results = await decode(
      decoder,
      requests.map(({ key, maxTokens, sampling }, i) => {
        return { key, promptIds: prompts[i] as number[], maxNewTokens: maxTokens, sampling };
      }),
      {
        stopTokens,
        signal,
        onToken: (row, id) => {
          const text = rows[row]?.push(id);
          if (text) onEvent?.({ row, text });
          return rows[row]?.stopped;
        },
      },
    );
    return results.map(({ ids, finishReason }, i): LocalAnswer => {
      const row = rows[i] as AnswerRow;
      const last = row.finish();
      if (last) onEvent?.({ row: i, text: last });
      onEvent?.({ row: i, done: true });
      const inputTokens = prompts[i]?.length ?? 0;
      return { text: row.text, finishReason, inputTokens, outputTokens: ids.length };
    });
  },

  async score(conversations, options = {}) {
    const documents = conversations.map((messages) => {
      const encoded = encodeConversation(model.tokenizer, model.template, messages);
      return { ids: encoded.ids, labelMask: lastAnswerOnly(encoded.labelMask) };
    });
    return answerLogprobs(model.decoder, documents, options);
  },
});

interface AnswerRow {
  /** Takes a token in; returns the text it completes that is certain to stay. */
  push(id: number): string;
  /** What was held back. */
  finish(): string;
  readonly text: string;
  readonly stopped: boolean;
}

/** Text is held back while it may yet turn out to be the beginning of a stop text. */
function startRow(model: LoadedModel, { stop }: LocalRequest): AnswerRow {
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
    get text() {
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
