/** Dropout before adapters through both executors: their gradients, blocks computed again, and where there is none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TokenDocument } from '../../src/data/pack.ts';
import { answerLogprobs } from '../../src/infer/logprobs.ts';
import { type AdapterDropout, dropInto, dropMask } from '../../src/model/adapter-dropout.ts';
import { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { readAdapterFolder } from '../../src/model/lora.ts';
import { fromFloat32, toBytes, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { add, clone, copyInto, full, mul } from '../../src/torch/ops.ts';
import { type Dtype, keep, liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';
import { AutogradExecutor } from '../../src/train/autograd-executor.ts';
import type { Executor } from '../../src/train/executor.ts';
import { FusedExecutor } from '../../src/train/fused-executor.ts';
import { Gradients } from '../../src/train/gradients.ts';
import { AdamW, type AdamWSettings } from '../../src/train/optimizer.ts';

/** Golden files by scripts/golden/lora.py: adapters of which both factors are random, of all linear layers or some. */
const golden = join(import.meta.dirname, '../golden');

function load(name: string, dtype: Dtype = 'float32'): Decoder {
  const { config, parameters } = loadDecoder(join(golden, name), dtype);
  const { adapters } = readAdapterFolder(join(golden, `lora-${name}`), dtype);
  return new Decoder(config, parameters, adapters);
}

const executors = {
  autograd: (decoder: Decoder): Executor => new AutogradExecutor(decoder),
  'autograd, recomputing': (decoder: Decoder): Executor => new AutogradExecutor(decoder, { recompute: true }),
  fused: (decoder: Decoder): Executor => new FusedExecutor(decoder),
  'fused, recomputing': (decoder: Decoder): Executor => new FusedExecutor(decoder, { recompute: true }),
};
type Kind = keyof typeof executors;
const kinds = Object.keys(executors) as Kind[];

const document = (length: number, salt: number): TokenDocument => ({
  id: String(salt),
  ids: Array.from({ length }, (_, i) => 3 + ((i * 7 + salt * 13) % 40)),
  labelMask: Uint8Array.from({ length }, (_, i) => Number(i >= length / 2)),
  labelTokens: length - Math.ceil(length / 2),
});
const pack = [document(33, 1), document(2, 2), document(90, 3)];

const dropout: AdapterDropout = { rate: 0.3, key: ['test', 1, 4, 0] };

interface Result {
  readonly loss: number;
  readonly gradients: Map<string, Float32Array>;
  readonly bytes: Map<string, Uint8Array>;
}

function compute(executor: Executor, given: AdapterDropout | undefined): Result {
  const gradients = new Gradients({ accumulates: false });
  const loss = executor.forwardBackward(pack, gradients, 0.01, undefined, given);
  const found = [...gradients.byName];
  const result = {
    loss,
    gradients: new Map(found.map(([name, tensor]) => [name, toFloat32(tensor)])),
    bytes: new Map(found.map(([name, tensor]) => [name, toBytes(tensor)])),
  };
  gradients.release();
  return result;
}

function computeAnew(kind: Kind, name: string, given: AdapterDropout | undefined, dtype?: Dtype): Result {
  const executor = executors[kind](load(name, dtype));
  const result = compute(executor, given);
  executor.release();
  return result;
}

interface Reference {
  readonly rate: number;
  readonly seed: number;
  readonly steps: readonly { readonly loss: number; readonly gradNorm: number }[];
}

/** By scripts/golden/lora.py; the same with dropout by scripts/golden/lora-dropout.py. */
interface Training {
  readonly settings: AdamWSettings & { readonly learningRate: number };
  readonly steps: readonly { readonly documents: readonly { readonly ids: number[]; readonly answerFrom: number }[] }[];
}

describe.each(['llama-tied', 'qwen2'])('dropout before the adapters of %s', (name) => {
  const read = <T>(file: string): T => JSON.parse(readFileSync(join(golden, `lora-${name}`, file), 'utf8')) as T;

  it.each(['autograd', 'fused'] as const)('follows PEFT over 20 steps under the same masks: %s', (kind) => {
    const { rate, seed, steps: expected } = read<Reference>('dropout.json');
    const { settings, steps } = read<Training>('training.json');
    const executor = executors[kind](load(name));
    const { trainable } = executor.decoder;
    const optimizer = new AdamW(trainable, trainable, settings);
    for (const [i, { documents }] of steps.entries()) {
      const labels = documents.reduce((sum, { ids, answerFrom }) => sum + ids.length - answerFrom, 0);
      const gradients = new Gradients({ accumulates: true });
      let loss = 0;
      for (const [index, { ids, answerFrom }] of documents.entries()) {
        const one: TokenDocument = {
          id: String(index),
          ids,
          labelMask: Uint8Array.from(ids, (_, at) => Number(at >= answerFrom)),
          labelTokens: ids.length - answerFrom,
        };
        const key = ['lora dropout', seed, i + 1, index];
        loss += executor.forwardBackward([one], gradients, 1 / labels, undefined, { rate, key }) / labels;
      }
      const norm = optimizer.gradientNorm(gradients);
      expect(Math.abs(loss - expected[i]!.loss)).toBeLessThan(1e-4);
      expect(Math.abs(norm - expected[i]!.gradNorm) / expected[i]!.gradNorm).toBeLessThan(1e-3);
      optimizer.step(gradients, i + 1, settings.learningRate, norm);
      gradients.release();
    }
    optimizer.release();
    executor.release();
  });

  it('gives in the fused executor the gradients that autograd gives under the same masks', () => {
    const expected = computeAnew('autograd', name, dropout);
    const tolerances: [Kind, Dtype, number][] = [
      ['fused', 'float32', 1e-4],
      ['fused', 'bfloat16', 0.06],
      ['autograd', 'bfloat16', 0.1],
    ];
    for (const [kind, dtype, tolerance] of tolerances) {
      const { loss, gradients } = computeAnew(kind, name, dropout, dtype);
      expect(Math.abs(loss - expected.loss) / expected.loss).toBeLessThan(tolerance);
      expect([...gradients.keys()].sort()).toEqual([...expected.gradients.keys()].sort());
      for (const [key, gradient] of expected.gradients) {
        const difference = Math.hypot(...gradient.map((value, i) => value - gradients.get(key)![i]!));
        expect(difference / Math.hypot(...gradient), `${kind} ${dtype} ${key}`).toBeLessThan(tolerance);
      }
    }
    // Masks make more of a difference than rounding.
    const plain = computeAnew('fused', name, undefined);
    expect(Math.abs(plain.loss - expected.loss) / expected.loss).toBeGreaterThan(1e-3);
  });

  it.each(kinds)('has the gradients of the loss it says: %s', (kind) => {
    const executor = executors[kind](load(name));
    const { gradients } = compute(executor, dropout);
    const { trainable } = executor.decoder;
    // Of one adapter's two factors; along a gradient the loss changes by its squared norm.
    const ofLayer = [...trainable.keys()].filter((key) => key.startsWith('model.layers.0.self_attn.q_proj.'));
    expect(ofLayer).toHaveLength(2);
    for (const key of ofLayer) {
      const parameter = trainable.get(key) as Tensor;
      const values = gradients.get(key) as Float32Array;
      const squaredNorm = values.reduce((sum, value) => sum + value * value, 0);
      const [original, gradient] = keep(scope(() => [clone(parameter), fromFloat32(values, parameter.shape)] as const));
      const lossAt = (step: number): number => {
        noGrad(() => scope(() => copyInto(parameter, add(original, mul(gradient, fromFloat32([step], []))))));
        return 0.01 * compute(executor, dropout).loss;
      };
      const step = 0.02 / Math.sqrt(squaredNorm);
      const slope = (lossAt(step) - lossAt(-step)) / (2 * step);
      expect(Math.abs(slope - squaredNorm) / squaredNorm, key).toBeLessThan(0.02);
      lossAt(0);
      original.release();
      gradient.release();
    }
    executor.release();
  });

  it.each([
    ['autograd', 'autograd, recomputing', 'float32'],
    ['fused', 'fused, recomputing', 'float32'],
    ['fused', 'fused, recomputing', 'bfloat16'],
  ] as const)('gives the same bits where blocks are computed again: %s, %s, %s', (kind, again, dtype) => {
    const kept = computeAnew(kind, name, dropout, dtype);
    const recomputed = computeAnew(again, name, dropout, dtype);
    expect(recomputed.loss).toBe(kept.loss);
    expect(recomputed.bytes).toEqual(kept.bytes);
  });

  it.each(kinds)('is the same for a key, another for another, and leaves no tensors: %s', (kind) => {
    const executor = executors[kind](load(name));
    const first = compute(executor, dropout);
    const live = liveTensors();
    const other = compute(executor, { ...dropout, key: ['test', 1, 5, 0] });
    expect(other.loss).not.toBe(first.loss);
    const again = compute(executor, dropout);
    expect([again.loss, again.bytes]).toEqual([first.loss, first.bytes]);
    expect(liveTensors()).toBe(live);
    // Rate 0 is none, to the bit.
    const [none, without] = [compute(executor, { ...dropout, rate: 0 }), compute(executor, undefined)];
    expect([none.loss, none.bytes]).toEqual([without.loss, without.bytes]);
    executor.release();
  });
});

it('is the same without adapters to drop before', () => {
  const { config, parameters } = loadDecoder(join(golden, 'llama-tied'), 'float32');
  const executor = new FusedExecutor(new Decoder(config, parameters));
  expect(compute(executor, dropout).bytes).toEqual(compute(executor, undefined).bytes);
  executor.release();
});

it.each(['autograd', 'fused'] as const)('knows nothing of it when it measures and decodes: %s', async (kind) => {
  const executor = executors[kind](load('llama-tied'));
  const measured = async (decoder: Decoder) => (await answerLogprobs(decoder, pack)).map(({ sum }) => sum);
  const training = compute(executor, dropout).loss;
  const before = await measured(executor.decoder);
  const plain = load('llama-tied');
  expect(before).toEqual(await measured(plain));
  const sum = before.reduce((a, b) => a + b, 0);
  expect(-sum).toBeCloseTo(compute(executor, undefined).loss, 2);
  expect(Math.abs(-sum - training)).toBeGreaterThan(0.1);
  executor.release();
  plain.release();
});

it.each(kinds)('drops what the layer’s own name says, also where layers read the same input: %s', (kind) => {
  // One label, and before it one token, which alone has gradients: a row of `down`'s is zero where the token was dropped.
  const one: TokenDocument = { id: 'one', ids: [5, 9], labelMask: Uint8Array.of(0, 1), labelTokens: 1 };
  const executor = executors[kind](load('llama-tied'));
  const { rank } = readAdapterFolder(join(golden, 'lora-llama-tied'), 'float32').settings;
  const gradients = new Gradients({ accumulates: false });
  const half = { ...dropout, rate: 0.5 };
  executor.forwardBackward([one], gradients, 1, undefined, half);
  for (const part of ['self_attn.v_proj', 'mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj']) {
    const layer = `model.layers.1.${part}`;
    const found = toFloat32(gradients.byName.get(`${layer}.lora_A.weight`) as Tensor);
    const width = found.length / rank;
    const ones = full([2, width], 1, 'float32');
    const seen = toFloat32(dropInto(ones, ones, dropMask(half, layer))).subarray(0, width);
    ones.release();
    expect(
      Array.from(found, (value) => Number(value !== 0)),
      layer,
    ).toEqual(Array.from({ length: rank }, () => [...seen]).flat());
  }
  gradients.release();
  executor.release();
});
