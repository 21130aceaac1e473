import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerOn } from '../../src/local/answer.ts';
import { type LoadedModel, loadModel } from '../../src/local/loaded-model.ts';
import type { AnswerEvent, LocalRequest } from '../../src/local/local-model.ts';

let model: LoadedModel;
beforeAll(() => {
  model = loadModel(join(import.meta.dirname, '../golden/llama-tied'), { dtype: 'float32' });
});
afterAll(() => model.decoder.release());

const request = (content: string, maxTokens: number, more: Partial<LocalRequest> = {}): LocalRequest => ({
  key: content,
  messages: [{ role: 'user', content }],
  maxTokens,
  sampling: { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 3 },
  stop: [],
  ...more,
});

const requests = [
  request('One', 9),
  request('Two, a longer one', 2),
  request('Three', 5),
  request('Four', 1),
  request('Five', 4),
];

describe('answers on a loaded model', () => {
  it('come as they are done, in text and whole, whoever runs beside them', async () => {
    const events: AnswerEvent[] = [];
    const answers = await answerOn(model).answer(requests, { rows: 2, onEvent: (event) => events.push(event) });
    const whole = events.flatMap((event) => ('answer' in event ? [event] : []));
    expect(whole.map(({ row }) => row)).toEqual([1, 2, 3, 0, 4]);
    for (const [row, answer] of answers.entries()) {
      const text = events.flatMap((event) => ('text' in event && event.row === row ? [event.text] : [])).join('');
      expect(text).toBe(answer.text);
      expect(whole.find((event) => event.row === row)?.answer).toEqual(answer);
      // Nothing of a row comes after its answer.
      expect(events.findLastIndex((event) => event.row === row)).toBe(
        events.findIndex((event) => event.row === row && 'answer' in event),
      );
      expect(answer.outputTokens).toBeLessThanOrEqual(requests[row]!.maxTokens);
      expect(await answerOn(model).answer([requests[row]!])).toEqual([answer]);
    }
  });

  it('end before a stop text, which is no part of them, and other rows go on', async () => {
    const [free] = await answerOn(model).answer([request('One', 60)]);
    const { text } = free!;
    expect(text.length).toBeGreaterThan(8);
    const stop = text.slice(4, 7);
    const end = text.indexOf(stop);
    const streamed: string[] = [];
    const answers = await answerOn(model).answer([request('One', 60, { stop: [stop] }), ...requests.slice(1)], {
      rows: 2,
      onEvent: (event) => {
        if (event.row === 0 && 'text' in event) streamed.push(event.text);
      },
    });
    expect(answers[0]).toMatchObject({ text: text.slice(0, end), finishReason: 'stop' });
    expect(streamed.join('')).toBe(text.slice(0, end));
    expect(answers.slice(1)).toEqual(await answerOn(model).answer(requests.slice(1)));
  });

  it('are none for no requests', async () => {
    expect(await answerOn(model).answer([])).toEqual([]);
  });
});
