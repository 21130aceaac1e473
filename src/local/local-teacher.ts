/** A model directory on our own decoder as a teacher and as a scorer: no key, no cost, no network. */
import { TeacherError } from '../base/errors.ts';
import { sha256 } from '../base/hash.ts';
import type { Scorer } from '../evaluate/scorer.ts';
import type { SamplingParameters, Teacher, TeacherAnswer } from '../teacher/teacher.ts';
import type { LocalAnswer, LocalModel, LocalSampling } from './local-model.ts';

/** Many times what is decoded together, so that a row that is done makes room for the next. */
const batchSize = 64;

export function localTeacher(name: string, model: LocalModel, close: () => Promise<void> = async () => {}): Teacher {
  return {
    name,
    model: name,
    paid: false,
    price: undefined,
    batchSize,
    concurrency: 1,
    probe: async () => {
      await model.answer([]);
    },
    async ask(requests, { signal, onAnswer }) {
      const answers = await model.answer(
        requests.map(({ messages, parameters, sample }) => ({
          // Each request has its own random stream, wherever in a batch it stands.
          key: sha256({ messages, sample }),
          messages,
          maxTokens: parameters.maxTokens,
          sampling: samplingOf(parameters),
          stop: parameters.stop ?? [],
        })),
        { signal, onEvent: (event) => 'answer' in event && onAnswer?.(event.row, toTeacherAnswer(event.answer)) },
      );
      return answers.map(toTeacherAnswer);
    },
    close,
  };
}

function toTeacherAnswer(answer: LocalAnswer): TeacherAnswer | TeacherError {
  const { text, finishReason, inputTokens, outputTokens } = answer;
  if (finishReason === 'length' && outputTokens === 0) {
    return new TeacherError(`the prompt's ${inputTokens} tokens leave no room for an answer`);
  }
  return { text, finishReason, usage: { inputTokens, outputTokens }, raw: { text, finishReason } };
}

const samplingOf = ({ temperature, topP, seed }: SamplingParameters): LocalSampling => ({
  temperature: temperature ?? 0,
  topK: 0,
  topP: topP ?? 1,
  repetitionPenalty: 1,
  seed: seed ?? 1,
});

export const localScorer = (name: string, model: LocalModel): Scorer => ({
  name,
  score: (conversations, options) => model.score(conversations, options),
});
