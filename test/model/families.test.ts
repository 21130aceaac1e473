import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokenDocument } from '../../src/data/pack.ts';
import { decode } from '../../src/infer/decode.ts';
import { KeyValueCache } from '../../src/infer/kv-cache.ts';
import { answerLogprobs } from '../../src/infer/logprobs.ts';
import { greedy } from '../../src/infer/sample.ts';
import { computePrefix } from '../../src/infer/shared-prefix.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import type { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder, writeModelFolder } from '../../src/model/directory.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';
import { AutogradExecutor } from '../../src/train/autograd-executor.ts';
import { sourcesOf } from '../../src/train/checkpoint.ts';
import { createExecutor, type Executor } from '../../src/train/executor.ts';
import { Gradients } from '../../src/train/gradients.ts';

/** Golden files by scripts/golden/families.py: tiny random models, numbers by transformers in fp32. */
const golden = join(import.meta.dirname, '../golden');
const scratch = mkdtempSync(join(tmpdir(), 'understudy-families-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Reference {
  ids: number[];
  positions: number[];
  logits: number[][];
  training: {
    documents: { ids: number[]; answerFrom: number }[];
    loss: number;
    byName: Record<string, { norm: number; wave: number }>;
  };
}

const readReference = (name: string) =>
  JSON.parse(readFileSync(join(golden, name, 'reference.json'), 'utf8')) as Reference;

/** tensor [rows, vocab] → rows of numbers */
function rowsOf(tensor: Tensor): number[][] {
  const flat = toFloat32(tensor);
  const vocab = tensor.size(1);
  return Array.from({ length: tensor.size(0) }, (_, row) => Array.from(flat.subarray(row * vocab, (row + 1) * vocab)));
}

/** Logits of every token of documents side by side. */
function forward(decoder: Decoder, documents: readonly (readonly number[])[]): number[][] {
  const tokens = documents.flat();
  return scope(() =>
    noGrad(() => {
      const attention = new PackedAttention(
        decoder,
        documents.map(({ length }) => length),
      );
      return rowsOf(decoder.logits(decoder.hidden(fromIntegers(tokens, [tokens.length]), attention)));
    }),
  );
}

const largestDifference = (a: readonly number[][], b: readonly number[][]): number =>
  Math.max(
    a.length === b.length ? 0 : Number.POSITIVE_INFINITY,
    ...a.map((row, i) => Math.max(...row.map((value, j) => Math.abs(value - (b[i]?.[j] ?? Number.NaN))))),
  );

const byAutograd = (decoder: Decoder): Executor => new AutogradExecutor(decoder);
const recomputing = (decoder: Decoder): Executor => createExecutor(decoder, { recompute: true });

/** Mean loss in nats; adds the gradients of the mean. In one pack, or a document at a time. */
function trainOnce(
  executor: Executor,
  texts: Reference['training']['documents'],
  gradients: Gradients,
  apart: boolean,
): number {
  const documents = texts.map(
    ({ ids, answerFrom }, i): TokenDocument => ({
      id: `${i}`,
      ids,
      labelMask: Uint8Array.from(ids, (_, at) => Number(at >= answerFrom)),
      labelTokens: ids.length - answerFrom,
    }),
  );
  const labels = documents.reduce((sum, { labelTokens }) => sum + labelTokens, 0);
  const packs = apart ? documents.map((document) => [document]) : [documents];
  return packs.reduce((sum, pack) => sum + executor.forwardBackward(pack, gradients, 1 / labels), 0) / labels;
}

describe.each(['llama-biases', 'mistral', 'qwen2', 'qwen3', 'opt'])('%s', (name) => {
  const { ids, positions, logits, training } = readReference(name);
  let decoder: Decoder;
  beforeAll(() => {
    decoder = loadDecoder(join(golden, name), 'float32');
  });
  afterAll(() => decoder.release());

  it("gives transformers' logits within 1e-4, alone and beside other documents", () => {
    const alone = forward(decoder, [ids]);
    expect(
      largestDifference(
        positions.map((at) => alone[at]!),
        logits,
      ),
    ).toBeLessThan(1e-4);
    const other = ids.slice(9, 30);
    const beside = forward(decoder, [other, ids, other]);
    const expected = forward(decoder, [other]);
    expect(largestDifference(beside, [...expected, ...alone, ...expected])).toBeLessThan(1e-4);
  });

  it.each([
    ['', 0],
    [', after a shared beginning', 32],
  ])('decodes rows of unequal length as it computes them whole%s', (_, shared) => {
    const before = liveTensors();
    const rests = [[ids[2]!], ids.slice(20, 26), ids.slice(5, 8)];
    const forced = [ids.slice(30, 36), ids.slice(3, 9), ids.slice(12, 18)];
    const cache = new KeyValueCache(decoder, 3, 8);
    const prefix = computePrefix(decoder, ids, shared);
    expect(prefix?.length ?? 0).toBe(shared);
    const steps: number[][][] = [];
    scope(() =>
      noGrad(() => {
        const lengths = rests.map(({ length }) => length);
        const attention = cache.prefill([0, 1, 2], lengths, prefix);
        const all = rowsOf(decoder.logits(decoder.hidden(fromIntegers(rests.flat(), [10]), attention)));
        steps.push([all[0]!, all[6]!, all[9]!]);
      }),
    );
    prefix?.release();
    for (let step = 0; step < 6; step++) {
      if (step === 3) noGrad(() => cache.keepRows([2, 1, 0]));
      const order = step < 3 ? [0, 1, 2] : [2, 1, 0];
      scope(() =>
        noGrad(() => {
          const tokens = order.map((row) => forced[row]![step]!);
          const rows = rowsOf(decoder.logits(decoder.hidden(fromIntegers(tokens, [3]), cache.step())));
          steps.push(order.map((at) => rows[at]!));
        }),
      );
    }
    cache.release();
    for (const [row, rest] of rests.entries()) {
      const text = [...ids.slice(0, shared), ...rest, ...forced[row]!];
      const whole = forward(decoder, [text]).slice(shared + rest.length - 1);
      expect(
        largestDifference(
          steps.map((step) => step[row]!),
          whole,
        ),
      ).toBeLessThan(1e-4);
    }
    expect(liveTensors()).toBe(before);
  });

  it('chooses the likeliest tokens, and scores them as chosen, when prompts begin alike and when not', async () => {
    for (const prompts of [
      [ids.slice(0, 3), ids.slice(5, 25), ids.slice(30, 31)],
      [[...ids.slice(0, 34), 5, 6], ids.slice(0, 34), [...ids.slice(0, 33), 9]],
    ]) {
      const requests = prompts.map((promptIds, i) => ({
        key: `${i}`,
        promptIds,
        maxNewTokens: 8,
        sampling: greedy,
      }));
      const answers = await decode(decoder, requests, { stopTokens: [] });
      const documents: { ids: number[]; labelMask: Uint8Array }[] = [];
      const sums: number[] = [];
      for (const [i, prompt] of prompts.entries()) {
        const text = [...prompt];
        let sum = 0;
        for (const id of answers[i]!.ids) {
          const last = forward(decoder, [text]).at(-1)!;
          expect(last.indexOf(Math.max(...last))).toBe(id);
          sum += last[id]! - Math.log(last.reduce((total, logit) => total + Math.exp(logit), 0));
          text.push(id);
        }
        expect(text.length).toBe(prompt.length + 8);
        documents.push({ ids: text, labelMask: Uint8Array.from(text, (_, at) => Number(at >= prompt.length)) });
        sums.push(sum);
      }
      const scores = await answerLogprobs(decoder, documents);
      for (const [i, { sum }] of scores.entries()) expect(sum).toBeCloseTo(sums[i]!, 3);
    }
  });

  it.each([
    ['packed', false, byAutograd],
    ['accumulated', true, byAutograd],
    ['packed, as training does it', false, createExecutor],
    ['accumulated, as training does it', true, createExecutor],
    ['packed, recomputed', false, recomputing],
  ])("gives transformers' loss and gradients, %s", (_, accumulates, make) => {
    const before = liveTensors();
    const executor = make(loadDecoder(join(golden, name), 'float32'));
    const gradients = new Gradients({ accumulates });
    const loss = trainOnce(executor, training.documents, gradients, accumulates);
    expect(loss).toBeCloseTo(training.loss, 4);
    expect([...gradients.byName.keys()].sort()).toEqual(Object.keys(training.byName).sort());
    for (const [parameter, { norm, wave }] of Object.entries(training.byName)) {
      const values = toFloat32(gradients.byName.get(parameter)!);
      const ours = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
      const ourWave = values.reduce((sum, value, i) => sum + value * Math.cos(0.7 * i), 0);
      expect(Math.abs(ours - norm), parameter).toBeLessThan(1e-5 + 1e-3 * norm);
      expect(Math.abs(ourWave - wave), parameter).toBeLessThan(1e-5 + 1e-3 * norm);
    }
    gradients.release();
    executor.release();
    expect(liveTensors()).toBe(before);
  });

  it('saved and loaded is the same', () => {
    const folder = mkdtempSync(join(scratch, 'saved-'));
    writeModelFolder(folder, { config: decoder.config, weights: sourcesOf(decoder.parameters), from: undefined });
    const loaded = loadDecoder(folder, 'float32');
    const { source, ...settings } = decoder.config;
    expect(loaded.config).toMatchObject(settings);
    expect(forward(loaded, [ids])).toEqual(forward(decoder, [ids]));
    loaded.release();
  });

  it('is read from files without an output head, whose names lack their first part; what is not known is named', () => {
    const save = (rename: (name: string) => string): string => {
      const folder = mkdtempSync(join(scratch, 'renamed-'));
      const weights = [...sourcesOf(decoder.parameters)].map(([key, source]) => [rename(key), source] as const);
      writeModelFolder(folder, { config: decoder.config, weights: new Map(weights), from: undefined });
      return folder;
    };
    const loaded = loadDecoder(
      save((key) => key.replace(/^model\./, '')),
      'float32',
    );
    expect([...loaded.parameters.keys()]).toEqual([...decoder.parameters.keys()]);
    expect(forward(loaded, [ids])).toEqual(forward(decoder, [ids]));
    loaded.release();
    const strange = save((key) => key.replace('layers.1.self_attn.q_proj', 'layers.1.self_attn.p_proj'));
    const load = () => loadDecoder(strange, 'float32');
    expect(load).toThrow(/no tensor named model\..*layers\.1\.self_attn\.q_proj\.weight/);
    expect(load).toThrow(/does not have: model\..*layers\.1\.self_attn\.p_proj\.weight/);
  });

  it('computes and trains in bf16, near to fp32', () => {
    const half = loadDecoder(join(golden, name), 'bfloat16');
    const [ours, whole] = [forward(half, [ids]), forward(decoder, [ids])];
    const scale = Math.max(...whole.flat().map(Math.abs));
    expect(largestDifference(ours, whole)).toBeLessThan(0.05 * scale);
    const executor = createExecutor(half);
    const gradients = new Gradients({ accumulates: false });
    expect(trainOnce(executor, training.documents, gradients, false) / training.loss).toBeCloseTo(1, 1);
    expect([...gradients.byName.keys()].sort()).toEqual(Object.keys(training.byName).sort());
    gradients.release();
    executor.release();
  });
});

describe('a sliding window', () => {
  it('of 5 in 2 blocks lets a token see 8 tokens back and none further', () => {
    const { ids } = readReference('mistral');
    const decoder = loadDecoder(join(golden, 'mistral'), 'float32');
    const changed = forward(decoder, [[ids[0] === 3 ? 4 : 3, ...ids.slice(1)]]);
    const whole = forward(decoder, [ids]);
    const differs = whole.map((row, at) => largestDifference([row], [changed[at]!]) > 1e-6);
    expect(differs.indexOf(false)).toBe(9);
    expect(differs.lastIndexOf(true)).toBe(8);
    decoder.release();
  });

  it.each(['mistral', 'qwen2'])('is kept by the fused attention of long documents: %s', (name) => {
    const { ids } = readReference(name);
    const decoder = loadDecoder(join(golden, name), 'float32');
    const long = Array.from({ length: 1100 }, (_, i) => ids[(i * i) % ids.length]!);
    expect(
      largestDifference(forward(decoder, [long]).slice(0, 900), forward(decoder, [long.slice(0, 900)])),
    ).toBeLessThan(1e-4);
    decoder.release();
  });
});
