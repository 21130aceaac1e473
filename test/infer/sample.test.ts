/** What reinforcement learning asks of sampling: whole distributions, and what was said of each token as it was drawn. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DecodeRequest, decode } from '../../src/infer/decode.ts';
import { greedy, rowRng, sampleTokens } from '../../src/infer/sample.ts';
import type { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { splitByDocument } from '../../src/text/labels.ts';
import { fromFloat32 } from '../../src/torch/convert.ts';
import { liveTensors, scope } from '../../src/torch/tensor.ts';
import { AutogradExecutor } from '../../src/train/autograd-executor.ts';

const whole = { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 };
const vocab = 20;
/** From −4 up to 3, in no order. */
const logits = Float32Array.from({ length: vocab }, (_, i) => ((i * 7) % vocab) * 0.35 - 4);

function draw(rows: number, settings: Partial<typeof whole>, values: ArrayLike<number> = logits): number[] {
  const drawing = Array.from({ length: rows }, (_, row) => ({
    settings: { ...whole, ...settings },
    rng: rowRng(1, `row ${row}`),
    seen: new Set<number>(),
  }));
  const all = Float32Array.from({ length: rows * values.length }, (_, i) => values[i % values.length]!);
  return scope(() => sampleTokens(fromFloat32(all, [rows, values.length]), drawing));
}

describe('a whole distribution', () => {
  it.each([0.7, 1, 2])('is drawn from as its softmax says, at temperature %f', (temperature) => {
    const rows = 8000;
    const drawn = draw(rows, { temperature });
    const weights = [...logits].map((logit) => Math.exp(logit / temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let chiSquare = 0;
    let degrees = -1;
    // Tokens that come less than five times are counted together.
    let rest = { expected: 0, seen: 0 };
    for (const [id, weight] of weights.entries()) {
      const expected = (rows * weight) / total;
      const seen = drawn.filter((one) => one === id).length;
      if (expected < 5) rest = { expected: rest.expected + expected, seen: rest.seen + seen };
      else {
        chiSquare += (seen - expected) ** 2 / expected;
        degrees += 1;
      }
    }
    if (rest.expected >= 5) chiSquare += (rest.seen - rest.expected) ** 2 / rest.expected;
    // At most 20 degrees of freedom: 45.3 is passed once in a thousand.
    expect(degrees).toBeGreaterThan(8);
    expect(chiSquare).toBeLessThan(45.3);
  });

  it('never gives a token that cannot be, first or last', () => {
    const only = Array<number>(5).fill(Number.NEGATIVE_INFINITY);
    for (const id of [0, 2, 4]) {
      expect(new Set(draw(200, {}, only.with(id, 0)))).toEqual(new Set([id]));
    }
    const two = only.with(1, 0).with(3, 0);
    expect(new Set(draw(200, {}, two))).toEqual(new Set([1, 3]));
  });

  it('draws a row the same whoever is beside it: alone, among others, among greedy ones', () => {
    const together = draw(16, {});
    const rowsOf = (settings: Partial<typeof whole>) =>
      Array.from({ length: 16 }, (_, row) => ({
        settings: { ...whole, ...(row % 2 === 0 ? {} : settings) },
        rng: rowRng(1, `row ${row}`),
        seen: new Set<number>(),
      }));
    const tensor = () =>
      fromFloat32(
        Float32Array.from({ length: 16 * vocab }, (_, i) => logits[i % vocab]!),
        [16, vocab],
      );
    const best = logits.indexOf(Math.max(...logits));
    const beside = scope(() => sampleTokens(tensor(), rowsOf({ temperature: 0 })));
    expect(beside).toEqual(together.map((id, row) => (row % 2 === 0 ? id : best)));
    const nuclei = scope(() => sampleTokens(tensor(), rowsOf({ topP: 0.3 })));
    expect(nuclei.filter((_, row) => row % 2 === 0)).toEqual(together.filter((_, row) => row % 2 === 0));
    expect(draw(1, {})[0]).toBe(together[0]);
  });
});

describe.each(['llama-tied', 'qwen2', 'opt'])('log-probabilities of what is decoded by %s', (name) => {
  let decoder: Decoder;
  beforeAll(() => {
    decoder = loadDecoder(join(import.meta.dirname, '../golden', name), 'float32');
  });
  afterAll(() => decoder.release());

  it.each([0.7, 1, 1.5])(
    'are those of the forward over the whole answer, its end included, at %f',
    async (temperature) => {
      const sampling = { ...greedy, temperature, seed: 3 };
      const requests = Array.from({ length: 12 }, (_, row): DecodeRequest => {
        const promptIds = Array.from({ length: 1 + ((row * 5) % 9) }, (_, i) => 3 + ((row * 31 + i * 37) % 50));
        return { key: `row ${row}`, promptIds, maxNewTokens: 6 + (row % 3), sampling };
      });
      // One token in nine ends an answer: some end soon, some never.
      const stopTokens = Array.from({ length: decoder.config.vocabSize / 9 }, (_, i) => i * 9);
      const before = liveTensors();
      const answers = await decode(decoder, requests, { stopTokens, logprobs: true, rows: 5 });
      const silent = await decode(decoder, requests, { stopTokens, rows: 5 });
      expect(liveTensors()).toBe(before);
      expect(new Set(answers.map(({ finishReason }) => finishReason))).toEqual(new Set(['stop', 'length']));
      const documents = answers.map(({ ids, stopToken, finishReason }, row) => {
        expect(silent[row]).toEqual({ ids, finishReason, ...(stopToken !== undefined && { stopToken }) });
        expect(stopToken !== undefined).toBe(finishReason === 'stop');
        if (stopToken !== undefined) expect(stopTokens).toContain(stopToken);
        const { promptIds } = requests[row] as DecodeRequest;
        const all = [...promptIds, ...ids, ...(stopToken === undefined ? [] : [stopToken])];
        const labelMask = Uint8Array.from(all, (_, i) => Number(i >= promptIds.length));
        return { id: String(row), ids: all, labelMask, labelTokens: all.length - promptIds.length };
      });
      const readAt = (temperature: number) =>
        splitByDocument(
          new AutogradExecutor(decoder).read(documents, { logprobs: { temperature } }).logprobs,
          documents.map(({ labelTokens }) => labelTokens),
        );
      const forward = readAt(temperature);
      for (const [row, { ids, logprobs = [], stopToken }] of answers.entries()) {
        expect(logprobs).toHaveLength(ids.length + (stopToken === undefined ? 0 : 1));
        expect(forward[row]).toHaveLength(logprobs.length);
        logprobs.forEach((logprob, t) => {
          expect(Math.abs(logprob - forward[row]![t]!)).toBeLessThan(1e-4);
        });
      }
      // At another temperature they are others.
      const other = readAt(temperature + 1);
      expect(Math.abs(other[0]![0]! - forward[0]![0]!)).toBeGreaterThan(1e-3);
    },
  );
});
