/** `LocalModel` on a loaded model: messages through its template and tokenizer, answers by its decoder. */
import { decode } from '../infer/decode.ts';
import { answerLogprobs } from '../infer/logprobs.ts';
import { encodeConversation, encodePrompt } from '../text/chat-template.ts';
import { lastAnswerOnly } from '../text/labels.ts';
import { StreamDecoder } from '../text/tokenizer.ts';
import { type AnswerText, startAnswerText } from './answer-text.ts';
import type { LoadedModel } from './loaded-model.ts';
import type { LocalAnswer, LocalModel } from './local-model.ts';

export const answerOn = (model: LoadedModel): LocalModel => ({
  async answer(requests, { rows, signal, onEvent } = {}) {
    const { tokenizer, template, decoder, stopTokens } = model;
    const prompts = requests.map(({ messages }) => encodePrompt(tokenizer, template, messages));
    const texts = requests.map(({ stop }) => startAnswerText(new StreamDecoder(tokenizer), stop));
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
