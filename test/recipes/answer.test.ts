import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { answerFile } from '../../recipes/answer.ts';
import { InterruptedError } from '../../src/base/errors.ts';
import type { AnswerOptions, LocalAnswer, LocalModel, LocalRequest } from '../../src/local/local-model.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-answer-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let file = '';
beforeEach(() => {
  file = join(mkdtempSync(join(scratch, 'case-')), 'answers.jsonl');
});

const requestsOf = (keys: readonly string[]): LocalRequest[] =>
  keys.map((key) => ({
    key,
    messages: [{ role: 'user', content: `Say ${key}.` }],
    maxTokens: 4,
    sampling: { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 },
    stop: [],
  }));
const requests = requestsOf(['a', 'b', 'c', 'd']);
const answerTo = ({ key }: LocalRequest): LocalAnswer => {
  return { text: key.toUpperCase(), finishReason: 'stop', inputTokens: 3, outputTokens: 2 };
};
const lineOf = (key: string): string =>
  `${JSON.stringify({ id: key, prompt: `Say ${key}.`, output: key.toUpperCase(), finishReason: 'stop' })}\n`;
const whole = ['a', 'b', 'c', 'd'].map(lineOf).join('');

/** Answers the last request first; `between` is called after each answer. */
function backwards(between: (options: AnswerOptions, done: number) => void = () => {}) {
  const asked: string[][] = [];
  const given: (number | undefined)[] = [];
  const model: LocalModel = {
    async answer(group, options = {}) {
      asked.push(group.map(({ key }) => key));
      given.push(options.rows);
      for (let row = group.length - 1, done = 1; row >= 0; row--, done++) {
        const answer = answerTo(group[row]!);
        options.onEvent?.({ row, text: answer.text });
        options.onEvent?.({ row, answer });
        await Promise.resolve();
        between(options, done);
      }
      return group.map(answerTo);
    },
    score: async () => [],
  };
  return { model, asked, given };
}

const settings = { model: 'fake' };

describe('answerFile', () => {
  it('writes each answer when it is there, and puts them in order at the end', async () => {
    const seen: string[] = [];
    const { model, asked, given } = backwards(() => seen.push(readFileSync(file, 'utf8')));
    const progress: number[] = [];
    const result = await answerFile(model, requests, {
      file,
      batch: 3,
      settings,
      onProgress: ({ done, total }) => progress.push(done / total),
    });
    expect(seen).toEqual([['d'], ['d', 'c'], ['d', 'c', 'b'], ['d', 'c', 'b', 'a']].map((k) => k.map(lineOf).join('')));
    expect(readFileSync(file, 'utf8')).toBe(whole);
    expect(result).toEqual({ file, rows: 4, kept: 0, tokens: 8 });
    expect(progress).toEqual([0.25, 0.5, 0.75, 1]);
    expect([asked, given]).toEqual([[['a', 'b', 'c', 'd']], [3]]);
  });

  it('goes on where a kill left it, torn line and all, with any batch', async () => {
    const { model } = backwards((_, done) => {
      if (done === 2) throw new Error('killed');
    });
    await expect(answerFile(model, requests, { file, batch: 2, settings })).rejects.toThrow('killed');
    expect(readFileSync(file, 'utf8')).toBe(lineOf('d') + lineOf('c'));
    writeFileSync(file, `${lineOf('d')}${lineOf('c')}${lineOf('b').slice(0, 9)}`);
    const again = backwards();
    const result = await answerFile(again.model, requests, { file, batch: 4, settings });
    expect(again.asked).toEqual([['a', 'b']]);
    expect(result).toMatchObject({ kept: 2, tokens: 4 });
    expect(readFileSync(file, 'utf8')).toBe(whole);

    const done = backwards();
    expect(await answerFile(done.model, requests, { file, batch: 4, settings })).toMatchObject({ kept: 4, tokens: 0 });
    expect(done.asked).toEqual([]);
    const other = answerFile(done.model, requests, { file, batch: 4, settings: { model: 'another' } });
    await expect(other).rejects.toThrow('made with other prompts or settings');
  });

  it('puts in order what was killed between the last answer and that', async () => {
    await answerFile(backwards().model, requests, { file, batch: 1, settings });
    writeFileSync(file, ['b', 'd', 'a', 'c'].map(lineOf).join(''));
    const { model, asked } = backwards();
    await answerFile(model, requests, { file, batch: 1, settings });
    expect(asked).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe(whole);
  });

  it('stops the model when a row cannot be written, and says why', async () => {
    const broken = {
      toJSON() {
        throw new Error('disk full');
      },
    };
    let stopped = false;
    const model: LocalModel = {
      ...backwards().model,
      async answer(_, { signal, onEvent } = {}) {
        onEvent?.({ row: 0, answer: { ...answerTo(requests[0]!), text: broken as unknown as string } });
        onEvent?.({ row: 1, answer: answerTo(requests[1]!) });
        stopped = signal?.aborted === true;
        throw new InterruptedError();
      },
    };
    await expect(answerFile(model, requests, { file, batch: 1, settings })).rejects.toThrow('disk full');
    expect(stopped).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  it('passes an interruption on', async () => {
    const user = new AbortController();
    const { model } = backwards(({ signal }) => {
      user.abort();
      if (signal?.aborted) throw new InterruptedError();
    });
    const running = answerFile(model, requests, { file, batch: 1, settings, signal: user.signal });
    await expect(running).rejects.toThrow(InterruptedError);
    expect(readFileSync(file, 'utf8')).toBe(lineOf('d'));
  });

  it('gives the model large groups, not single batches', async () => {
    const { model, asked } = backwards();
    const many = requestsOf(Array.from({ length: 1030 }, (_, i) => `${i}`));
    await answerFile(model, many, { file, batch: 8, settings });
    expect(asked.map(({ length }) => length)).toEqual([1024, 6]);
    const ids = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect(ids).toEqual(many.map(({ key }) => key));
  });
});
