import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { type DecodeRequest, decode } from '../../src/infer/decode.ts';
import { answerLogprobs } from '../../src/infer/logprobs.ts';
import { drawSorted, greedy, sampleTokens } from '../../src/infer/sample.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import type { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { fromFloat32, fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { liveBytes, liveTensors, scope } from '../../src/torch/tensor.ts';

const folder = join(import.meta.dirname, '../golden/llama-tied');
const { ids } = JSON.parse(readFileSync(join(folder, 'logits.json'), 'utf8')) as { ids: number[] };

let decoder: Decoder;
beforeAll(() => {
  decoder = loadDecoder(folder, 'float32');
});
afterAll(() => decoder.release());

/** The slow reference: the whole sequence is computed anew for every token. */
function logitsAfter(tokens: readonly number[]): Float32Array {
  return scope(() =>
    noGrad(() => {
      const attention = new PackedAttention(decoder, [tokens.length]);
      const all = toFloat32(decoder.logits(decoder.hidden(fromIntegers(tokens, [tokens.length]), attention)));
      return all.slice(-decoder.config.vocabSize);
    }),
  );
}

const request = (promptIds: number[], more: Partial<DecodeRequest> = {}): DecodeRequest => ({
  key: promptIds.join(),
  promptIds,
  maxNewTokens: 12,
  sampling: greedy,
  ...more,
});

const prompts = [ids.slice(0, 3), ids.slice(5, 25), ids.slice(2, 9), ids.slice(30, 31)];

describe('decode', () => {
  it('gives what recomputing the whole sequence gives, in batches of unequal prompts', async () => {
    const before = liveTensors();
    const together = await decode(
      decoder,
      prompts.map((prompt) => request(prompt)),
      { stopTokens: [] },
    );
    expect(liveTensors()).toBe(before);
    for (const [i, prompt] of prompts.entries()) {
      const expected: number[] = [];
      while (expected.length < 12) {
        const logits = logitsAfter([...prompt, ...expected]);
        expected.push(logits.indexOf(Math.max(...logits)));
      }
      expect(together[i]).toEqual({ ids: expected, finishReason: 'length' });
      expect((await decode(decoder, [request(prompt)], { stopTokens: [] }))[0]).toEqual(together[i]);
    }
  });

  it('draws by row and not by batch', async () => {
    const sampling = { ...greedy, temperature: 1.2, topP: 0.9, topK: 40, repetitionPenalty: 1.1, seed: 5 };
    const requests = prompts.map((prompt, i) => request(prompt, { key: `row-${i}`, sampling }));
    const together = await decode(decoder, requests, { stopTokens: [] });
    const backwards = await decode(decoder, [...requests].reverse(), { stopTokens: [] });
    expect([...backwards].reverse()).toEqual(together);
    const other = await decode(
      decoder,
      requests.map((r) => ({ ...r, sampling: { ...sampling, seed: 6 } })),
      { stopTokens: [] },
    );
    expect(other).not.toEqual(together);
  });

  it('stops at a stop token, at a callback, at the limit; rows that are done leave the others alone', async () => {
    const free = await decode(
      decoder,
      prompts.map((prompt) => request(prompt)),
      { stopTokens: [] },
    );
    const stop = free[1]!.ids[4]!;
    const stopped = await decode(
      decoder,
      prompts.map((prompt) => request(prompt)),
      { stopTokens: [stop] },
    );
    for (const [i, { ids: full }] of free.entries()) {
      const at = full.indexOf(stop);
      expect(stopped[i]).toEqual(at < 0 ? free[i] : { ids: full.slice(0, at), finishReason: 'stop', stopToken: stop });
    }
    const called = await decode(
      decoder,
      prompts.map((prompt) => request(prompt)),
      {
        stopTokens: [],
        onToken: (row, _id) => row === 2,
      },
    );
    expect(called.map(({ ids: answer }) => answer.length)).toEqual([12, 12, 1, 12]);
    expect(called[0]).toEqual(free[0]);
  });

  it('gives prompts that begin alike what each gets alone', async () => {
    const before = liveTensors();
    const alike = [[], [7], ids.slice(3, 20), ids.slice(0, 2)].map((rest) =>
      request([...beginningAlike()[4]!, ...rest]),
    );
    const together = await decode(decoder, alike, { stopTokens: [] });
    for (const [i, one] of alike.entries()) {
      expect((await decode(decoder, [one], { stopTokens: [] }))[0]).toEqual(together[i]);
    }
    expect(liveTensors()).toBe(before);
  });

  it('ends where the model has no more positions, and refuses prompts beyond them', async () => {
    const max = decoder.config.maxPositions;
    const long = Array.from({ length: max - 2 }, (_, i) => ids[i % ids.length]!);
    const [result] = await decode(decoder, [request(long)], { stopTokens: [] });
    expect([result!.ids.length, result!.finishReason]).toEqual([2, 'length']);
    const beside = await decode(decoder, [request([...long, 3, 3]), request(prompts[0]!)], { stopTokens: [] });
    expect(beside[0]).toEqual({ ids: [], finishReason: 'length' });
    expect(beside[1]).toEqual((await decode(decoder, [request(prompts[0]!)], { stopTokens: [] }))[0]);
    await expect(decode(decoder, [request([])], { stopTokens: [] })).rejects.toThrow('is empty');
  });

  it('can be aborted between tokens', async () => {
    const controller = new AbortController();
    const running = decode(decoder, [request(prompts[0]!)], {
      stopTokens: [],
      signal: controller.signal,
      onToken: () => void controller.abort(),
    });
    await expect(running).rejects.toThrow('interrupted');
    // Too late: every answer is there.
    const late = new AbortController();
    const done = decode(decoder, [request(prompts[0]!)], {
      stopTokens: [],
      signal: late.signal,
      onDone: () => late.abort(),
    });
    expect((await done)[0]!.ids).toHaveLength(12);
  });
});

describe('decode, with more requests than rows', () => {
  const sampling = { ...greedy, temperature: 1.2, topK: 40, repetitionPenalty: 1.1, seed: 5 };
  /** Twelve prompts and answers of unequal length, every third drawn. */
  const many = Array.from({ length: 12 }, (_, i) =>
    request(ids.slice(i, i + 1 + ((i * 7) % 11)), {
      key: `row-${i}`,
      maxNewTokens: 1 + ((i * 5) % 13),
      ...(i % 3 === 0 && { sampling }),
    }),
  );

  it.each([1, 2, 5, 8, 20])('gives each request what it gets alone: %i rows', async (rows) => {
    const before = liveTensors();
    const results = await decode(decoder, many, { stopTokens: [], rows });
    expect(liveTensors()).toBe(before);
    for (const [i, one] of many.entries()) {
      expect(results[i]!.ids).toHaveLength(one.maxNewTokens);
      expect([results[i]]).toEqual(await decode(decoder, [one], { stopTokens: [] }));
    }
  });

  it('lets the next prompt in as soon as a row is done, in order, and never more rows than asked for', async () => {
    const events: string[] = [];
    const going = new Set<number>();
    const lengths = [3, 1, 2, 2, 1];
    await decode(
      decoder,
      lengths.map((maxNewTokens, i) => request(prompts[i % 4]!, { maxNewTokens })),
      {
        stopTokens: [],
        rows: 2,
        onToken: (row) => {
          going.add(row);
          expect(going.size).toBeLessThanOrEqual(2);
          events.push(`${row}`);
          return undefined;
        },
        onDone: (row, { ids: answer }) => {
          going.delete(row);
          events.push(`${row} done after ${answer.length}`);
        },
      },
    );
    // Round by round: 0 and 1 begin; 2 in 1's place; a step of 0 and 2; 3 in 2's place; a step of 0 and 3; 4 by itself.
    expect(events).toEqual(
      [
        ['0', '1', '1 done after 1'],
        ['2'],
        ['0', '2', '2 done after 2'],
        ['3'],
        ['0', '0 done after 3', '3', '3 done after 2'],
        ['4', '4 done after 1'],
      ].flat(),
    );
  });

  it('computes what all prompts begin with once for the whole call, and every other token once', async () => {
    const beginning = ids.slice(0, 34);
    const alike = Array.from({ length: 7 }, (_, i) => request([...beginning, 3 + i, 9, 4 + i], { maxNewTokens: 3 }));
    const hidden = vi.spyOn(decoder, 'hidden');
    const together = await decode(decoder, alike, { stopTokens: [], rows: 3 });
    const computed = hidden.mock.calls.map(([, { positions }]) => positions.length);
    hidden.mockRestore();
    expect(computed).toEqual([34, 3 * 3, 3, 3, 3 * 3, 3, 3, 3, 1, 1]);
    for (const [i, one] of alike.entries()) {
      expect((await decode(decoder, [one], { stopTokens: [] }))[0]).toEqual(together[i]);
    }
  });

  it('computes each of several beginnings once, when its first prompt comes', async () => {
    const [one, other] = [ids.slice(0, 34), ids.slice(1, 37)];
    const mixed = Array.from({ length: 6 }, (_, i) =>
      request([...(i % 2 === 0 ? one : other), 3 + i, 9], { maxNewTokens: 2 }),
    );
    const before = liveTensors();
    const hidden = vi.spyOn(decoder, 'hidden');
    const together = await decode(decoder, mixed, { stopTokens: [], rows: 3 });
    const computed = hidden.mock.calls.map(([, { positions }]) => positions.length);
    hidden.mockRestore();
    // 0, 1, 2 come with both beginnings, are a step further, and make room for 3, 4, 5.
    expect(computed).toEqual([34, 36, 2 * 2, 2, 3, 2 * 2, 2, 3]);
    expect(liveTensors()).toBe(before);
    for (const [i, alone] of mixed.entries()) {
      expect((await decode(decoder, [alone], { stopTokens: [] }))[0]).toEqual(together[i]);
    }
  });

  it('computes prompts that come together, and their beginnings, in one forward', async () => {
    const [one, other] = [ids.slice(0, 34), ids.slice(1, 37)];
    const alone = request(ids.slice(2, 12), { maxNewTokens: 3 });
    const alike = Array.from({ length: 6 }, (_, i) =>
      request([...(i % 2 === 0 ? one : other), 3 + i, 9], { maxNewTokens: 3 }),
    );
    const before = liveTensors();
    const hidden = vi.spyOn(decoder, 'hidden');
    const together = await decode(decoder, [...alike, alone], { stopTokens: [] });
    const computed = hidden.mock.calls.map(([, { positions }]) => positions.length);
    hidden.mockRestore();
    expect(computed).toEqual([34 + 36 + 6 * 2 + 10, 7, 7]);
    expect(liveTensors()).toBe(before);
    for (const [i, each] of [...alike, alone].entries()) {
      expect((await decode(decoder, [each], { stopTokens: [] }))[0]).toEqual(together[i]);
    }
  });

  it('needs the memory of the rows that are decoded together, however many wait', async () => {
    const peak = async (count: number): Promise<number> => {
      let most = 0;
      const requests = Array.from({ length: count }, (_, i) =>
        request(ids.slice(0, 20), { maxNewTokens: 3 + (i % 2) }),
      );
      const onToken = () => {
        most = Math.max(most, liveBytes());
        return undefined;
      };
      await decode(decoder, requests, { stopTokens: [], rows: 2, onToken });
      return most;
    };
    expect(await peak(20)).toBe(await peak(2));
  });

  it('tells at once of prompts without room, and refuses a number of rows that is none', async () => {
    const long = Array.from({ length: decoder.config.maxPositions }, (_, i) => ids[i % ids.length]!);
    const done: number[] = [];
    await decode(decoder, [request(prompts[0]!), request(long)], { stopTokens: [], onDone: (row) => done.push(row) });
    expect(done).toEqual([1, 0]);
    await expect(decode(decoder, many, { stopTokens: [], rows: 0 })).rejects.toThrow('rows: expected 1 or more, got 0');
  });
});

describe('sampling', () => {
  const settings = { ...greedy, temperature: 1 };

  /** Shares of 4,000 draws. */
  function shares(logits: number[], change: object): number[] {
    const rng = new Rng('test');
    const counts = logits.map(() => 0);
    scope(() => {
      const tensor = fromFloat32(logits, [1, logits.length]);
      for (let i = 0; i < 4000; i++) {
        counts[sampleTokens(tensor, [{ settings: { ...settings, ...change }, rng, seen: new Set([2]) }])[0]!]! += 1;
      }
    });
    return counts.map((count) => count / 4000);
  }

  // p = 0.4, 0.3, 0.2, 0.1
  const logits = [0.3, 0.4, 0.1, 0.2].map(Math.log);
  it.each([
    ['all of the distribution', {}, [0.3, 0.4, 0.1, 0.2]],
    ['top-k 2: the two best, renormalised', { topK: 2 }, [3 / 7, 4 / 7, 0, 0]],
    ['top-p 0.65: the fewest that reach it', { topP: 0.65 }, [3 / 7, 4 / 7, 0, 0]],
    ['top-p 0.75: one more', { topP: 0.75 }, [3 / 9, 4 / 9, 0, 2 / 9]],
    ['top-p after top-k: 0.75 of the best three', { topK: 3, topP: 0.75 }, [3 / 7, 4 / 7, 0, 0]],
    [
      'temperature 0.5: squares',
      { temperature: 0.5 },
      [0.3, 0.16 / 0.3, 0.01 / 0.3, 0.04 / 0.3].map((p, i) => (i === 0 ? 0.3 : p)),
    ],
    [
      'a repetition penalty of 2 on token 2: ln 0.1 doubled',
      { repetitionPenalty: 2 },
      [30 / 91, 40 / 91, 1 / 91, 20 / 91],
    ],
  ])('draws from %s', (_, change, expected) => {
    shares(logits, change).forEach((share, i) => {
      expect(Math.abs(share - expected[i]!)).toBeLessThan(0.035);
    });
  });

  it('says so when the nucleus reaches beyond the candidates it was given', () => {
    const few = Float32Array.from([0, 0]);
    expect(drawSorted(few, Math.log(10), false, { topK: 0, topP: 0.9 }, new Rng('x'))).toBeUndefined();
    expect(drawSorted(few, Math.log(10), false, { topK: 0, topP: 0.15 }, new Rng('x'))).toBeDefined();
  });
});

it.each([
  ['short prompts with nothing in common', prompts.slice(0, 3), 2],
  ['neighbours that begin alike, then others that do, then one by itself', beginningAlike(), 38],
])('gives answers the log-probabilities of the full softmax, however they are grouped: %s', async (_, texts, from) => {
  const documents = texts.map((tokens) => ({
    ids: tokens,
    labelMask: Uint8Array.from(tokens, (_, i) => Number(i >= from)),
  }));
  const before = liveTensors();
  const results = await answerLogprobs(decoder, documents);
  expect(liveTensors()).toBe(before);
  for (const [i, { ids: tokens }] of documents.entries()) {
    let sum = 0;
    for (let at = from; at < tokens.length; at++) {
      const logits = logitsAfter(tokens.slice(0, at));
      const normalizer = Math.log(logits.reduce((total, logit) => total + Math.exp(logit), 0));
      sum += logits[tokens[at]!]! - normalizer;
    }
    expect(results[i]!.tokens).toBe(tokens.length - from);
    expect(results[i]!.sum).toBeCloseTo(sum, 3);
    expect((await answerLogprobs(decoder, [documents[i]!]))[0]!.sum).toBeCloseTo(sum, 3);
  }
});

function beginningAlike(): number[][] {
  const text = (seed: number) => Array.from({ length: 40 }, (_, i) => 3 + ((seed * i * i + i) % 50));
  const [one, other] = [text(2), text(5)];
  return [[...one, 5, 6, 7], [...one, 5, 6, 8, 9], [...other, 3], [...other, 4, 4], other, text(7)];
}
