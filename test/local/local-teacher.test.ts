import { expect, test } from 'vitest';
import { TeacherError } from '../../src/base/errors.ts';
import type { LocalAnswer, LocalModel } from '../../src/local/local-model.ts';
import { localTeacher } from '../../src/local/local-teacher.ts';
import { request } from '../teacher/fixtures/make.ts';

const answering = (...answers: LocalAnswer[]): Pick<LocalModel, 'answer'> => ({
  async answer(requests, { onEvent } = {}) {
    requests.forEach((_, row) => {
      onEvent?.({ row, answer: answers[row] as LocalAnswer });
    });
    return answers;
  },
});
const cut = (text: string, outputTokens: number): LocalAnswer => ({
  text,
  finishReason: 'length',
  inputTokens: 30,
  outputTokens,
});

test('what the context cuts is no answer where its size is a setting; what the limit cuts is one', async () => {
  const model = answering(cut('', 0), cut('half', 60), cut('to the limit', 100));
  const requests = ['a', 'b', 'c'].map((content) => request(content));
  const told: unknown[] = [];
  const options = { idempotencyKeys: [], onAnswer: (row: number, result: unknown) => told.push([row, result]) };

  const results = await localTeacher('m', model, { contextHint: 'more' }).ask(requests, options);
  expect(told).toEqual(results.map((result, row) => [row, result]));
  const [none, half, whole] = results;
  expect(none).toBeInstanceOf(TeacherError);
  expect(none).toMatchObject({ message: expect.stringContaining('30 tokens leave no room'), hint: 'more' });
  expect(half).toBeInstanceOf(TeacherError);
  expect(half).toMatchObject({ retryable: false, message: expect.stringContaining('60 of an answer') });
  expect(whole).toMatchObject({ text: 'to the limit', finishReason: 'length', usage: { outputTokens: 100 } });

  const fixed = await localTeacher('m', model).ask(requests, { idempotencyKeys: [] });
  expect(fixed[0]).toBeInstanceOf(TeacherError);
  expect(fixed[1]).toMatchObject({ text: 'half', finishReason: 'length' });
});
