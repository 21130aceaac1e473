/** A model on this machine as a teacher and as a scorer: no key, no cost, no network. */
import { TeacherError } from '../base/errors.ts';
import { sha256 } from '../base/hash.ts';
import type { Scorer } from '../evaluate/scorer.ts';
import type { SamplingParameters, Teacher, TeacherAnswer, TeacherRequest } from '../teacher/teacher.ts';
import type { LocalAnswer, LocalModel, LocalSampling } from './local-model.ts';

/** Many times what is decoded together, so that a row that is done makes room for the next. */
const batchSize = 64;

export interface LocalTeacherOptions {
  readonly close?: () => Promise<void>;
  /** How to get a larger context, where its size is a setting: then an answer that it cuts is none. */
  readonly contextHint?: string;
}

export function localTeacher(
  name: string,
  model: Pick<LocalModel, 'answer'>,
  { close = async () => {}, contextHint }: LocalTeacherOptions = {},
): Teacher {
  const toTeacherAnswer = (
    { text, finishReason, inputTokens, outputTokens }: LocalAnswer,
    { maxTokens }: SamplingParameters,
  ): TeacherAnswer | TeacherError => {
    const options = contextHint === undefined ? {} : { hint: contextHint };
    if (finishReason === 'length' && outputTokens === 0)
      return new TeacherError(`the prompt's ${inputTokens} tokens leave no room for an answer`, options);
    if (contextHint !== undefined && finishReason === 'length' && outputTokens < maxTokens)
      return new TeacherError(
        `the prompt's ${inputTokens} tokens leave room for ${outputTokens} of an answer's ${maxTokens}, and it was longer`,
        options,
      );
    return { text, finishReason, usage: { inputTokens, outputTokens }, raw: { text, finishReason } };
  };
  return {
    name,
    model: name,
    paid: false,
    price: undefined,
    batchSize,
    concurrency: 1,
    probe: async (signal) => {
      await model.answer([], { signal });
    },
    async ask(requests, { signal, onAnswer }) {
      const answerOf = (answer: LocalAnswer, row: number) =>
        toTeacherAnswer(answer, (requests[row] as TeacherRequest).parameters);
      const answers = await model.answer(
        requests.map(({ messages, parameters, sample }) => ({
          // Each request has its own random stream, wherever in a batch it stands.
          key: sha256({ messages, sample }),
          messages,
          maxTokens: parameters.maxTokens,
          sampling: samplingOf(parameters),
          stop: parameters.stop ?? [],
        })),
        { signal, onEvent: (event) => 'answer' in event && onAnswer?.(event.row, answerOf(event.answer, event.row)) },
      );
      return answers.map(answerOf);
    },
    close,
  };
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
