/** Every figure of an automatic evaluation by hand: both models are scripted, and only their folders are real. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { run } from '../../recipes/automatic.ts';
import type { RunContext } from '../../recipes/context.ts';
import type { Engine } from '../../recipes/engine.ts';
import type { Message } from '../../src/base/message.ts';
import type { LocalRequest } from '../../src/local/local-model.ts';
import { Ledger } from '../../src/teacher/ledger.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-automatic-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const file = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};
const golden = join(import.meta.dirname, '../golden');
const model = join(golden, 'llama-tied');
const against = join(golden, 'llama3-untied');

const said = (id: string, prompt: string, ...answers: string[]) => ({
  id,
  messages: answers.flatMap((content, i) => [
    { role: 'user', content: i === 0 ? prompt : 'And?' },
    { role: 'assistant', content },
  ]),
});
const data = file('data.jsonl', [
  said('a', 'Hi', 'abcd', 'ef'),
  said('b', '你好', '好'),
  said('long', 'x'.repeat(2100), 'y'),
]);
const question = (id: string, text: string, rest: object, language = 'en') => ({
  id,
  language,
  category: id.startsWith('e') ? 'sums' : 'facts',
  question: text,
  ...rest,
});
const questions = file('questions.jsonl', [
  question('e1', 'One and one?', { answers: ['2'] }),
  question('e2', 'Two and two?', { answers: ['4'] }),
  question('e3', '三加三？', { answers: ['6'] }, 'zh'),
  question('c1', 'Ice?', { options: ['cold', 'hot!'], right: 0 }),
  question('c2', 'Fire?', { options: ['hot', 'cold!!'], right: 0 }),
]);
const replies: Record<string, Record<string, string>> = {
  [model]: { 'One and one?': '2.', 'Two and two?': 'It is 4.', '三加三？': '7' },
  [against]: { 'One and one?': '2', 'Two and two?': '4', '三加三？': '6' },
};
/** Nats a byte: of the model 2, of the other 3, less where the text is "cold". */
const natsOf = (folder: string, text: string) =>
  Buffer.byteLength(text) * (folder === model ? 2 : text === 'cold' ? 0.5 : 3);

interface Call {
  readonly method: string;
  readonly folder: string;
  readonly count: number;
}

async function evaluate(options: { data?: string; answers?: string; against?: string }, name: string) {
  const calls: Call[] = [];
  const engine = {
    async call(
      method: string,
      params: { model: { folder: string }; conversations?: readonly Message[][]; requests?: readonly LocalRequest[] },
    ) {
      const { folder } = params.model;
      const given = params.conversations ?? params.requests ?? [];
      calls.push({ method, folder, count: given.length });
      if (params.conversations) {
        return params.conversations.map((turns) => {
          const text = turns.at(-1)!.content;
          return { sum: -natsOf(folder, text), tokens: Buffer.byteLength(text) + 1 };
        });
      }
      return params.requests!.map(({ messages }) => {
        const [asked = ''] = messages.at(-1)!.content.split('\n');
        return { text: replies[folder]![asked]!, finishReason: 'stop', inputTokens: 1, outputTokens: 1 };
      });
    },
  } as unknown as Engine;
  const ledger = new Ledger(join(scratch, 'ledger.sqlite'));
  const context: RunContext = {
    ledger,
    budgetUsd: undefined,
    yes: false,
    signal: new AbortController().signal,
    progress: () => ({ update: () => {}, note: () => {}, finish: () => {} }),
    engine: async () => engine,
    teacher: () => Promise.reject(new Error('no teacher is needed')),
  };
  const out = join(scratch, name);
  const { against: second, ...files } = options;
  try {
    const summary = await run(
      { ...files, questions: [questions], maxTokens: 8 },
      { model, against: second },
      out,
      context,
    );
    const rows = (kind: string) =>
      readFileSync(join(out, `${kind}.jsonl`), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    expect(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(summary)));
    return { summary, rows, calls };
  } finally {
    ledger.close();
  }
}

it('two models: losses, right answers, what was forgotten, row by row', async () => {
  const answers = file('answers.jsonl', [{ output: 'Yes yes.' }, { output: 'No.' }]);
  const { summary, rows, calls } = await evaluate({ data, answers, against }, 'both');

  // One model whole, then the other: two turns and one, four options, three short answers.
  expect(calls.map(({ method, count }) => [method, count])).toEqual([
    ['score', 3],
    ['score', 4],
    ['answer', 3],
    ['score', 3],
    ['score', 4],
    ['answer', 3],
  ]);
  expect(calls.map(({ folder }) => folder)).toEqual([model, model, model, against, against, against]);

  expect(summary.model).toMatch(/^local:llama-tied@/);
  expect(summary.against).toMatch(/^local:llama3-untied@/);
  expect(summary.tooLong).toEqual(['long']);
  // a: 6 bytes in 8 tokens at 2 and 3 nats a byte; b: 3 bytes in 4 tokens.
  expect(rows('loss')).toEqual([
    {
      id: 'a',
      language: 'en',
      model: { nats: 12, tokens: 8, bytes: 6, bitsPerByte: expect.closeTo(2 / Math.LN2, 12) },
      against: { nats: 18, tokens: 8, bytes: 6, bitsPerByte: expect.closeTo(3 / Math.LN2, 12) },
    },
    expect.objectContaining({
      id: 'b',
      language: 'zh',
      model: expect.objectContaining({ nats: 6, tokens: 4, bytes: 3 }),
    }),
  ]);
  const { en } = summary.loss!;
  expect(en!.model.loss.mean).toBe(1.5);
  expect(en!.model.perplexity.mean).toBeCloseTo(Math.exp(1.5), 12);
  expect(en!.difference!.bitsPerByte.mean).toBeCloseTo(-1 / Math.LN2, 12);
  expect(en!.difference!.loss!.mean).toBeCloseTo(1.5 - 18 / 8, 12);
  expect(Object.keys(summary.loss!)).toEqual(['en', 'zh']);

  expect(rows('exact').map((row) => [row.id, row.model.exact, row.model.contained, row.against.exact])).toEqual([
    ['e1', true, true, true],
    ['e2', false, true, true],
    ['e3', false, false, true],
  ]);
  expect(summary.exact['all']).toMatchObject({
    n: 3,
    model: { mean: 1 / 3 },
    against: { mean: 1 },
    comparison: { difference: { mean: -2 / 3 }, higher: 0, lower: 2, mcnemar: { gained: 0, lost: 2, p: 0.5 } },
    categories: { sums: { n: 3, model: 1 / 3, against: 1 } },
  });
  expect(summary.exact['zh']).toMatchObject({ n: 1, model: { mean: 0 } });
  expect(summary.contained['all']!.model.mean).toBe(2 / 3);

  // Of the model all options cost 2 nats a byte: the shorter is likelier, per byte the first of equals. Of the other
  // "cold" costs 2 nats, "hot" 9, and per byte ½ and 3.
  expect(rows('choice').map((row) => [row.model.logprobs, row.model.chosen, row.against.chosen])).toEqual([
    [[-8, -8], 0, 0],
    [[-6, -12], 0, 0],
  ]);
  expect(summary.choice['all']).toMatchObject({ n: 2, chance: 0.5, model: { mean: 1 }, comparison: { p: 1 } });

  // Two measures together: McNemar's ½ twice over is 1.
  expect(summary.forgetting).toEqual([
    expect.objectContaining({ measure: 'exact', n: 3, p: expect.closeTo(0.5, 12), pHolm: 1, forgot: false }),
    expect.objectContaining({ measure: 'choice', n: 2, p: 1, pHolm: 1, forgot: false }),
  ]);
  expect(summary.forgetting![0]!.words).toMatch(/On 3 items the model is 66\.7 points lower than .* chance alone/);
  expect(summary.diversity).toEqual([expect.objectContaining({ language: 'en', unique: 2, units: 3 })]);
});

it('one model alone has no comparison, and buys no answer twice', async () => {
  const { summary, rows, calls } = await evaluate({}, 'alone');
  expect(summary).not.toHaveProperty('against');
  expect(summary).not.toHaveProperty('forgetting');
  expect(summary.loss).toBeUndefined();
  expect(rows('loss')).toEqual([]);
  expect(rows('exact')[0]).not.toHaveProperty('against');
  expect(summary.exact['all']).not.toHaveProperty('comparison');
  // The answers of the test before are in the ledger.
  expect(calls.map(({ method, count }) => [method, count])).toEqual([['score', 4]]);
});
