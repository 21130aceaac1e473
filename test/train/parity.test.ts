import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TokenDocument } from '../../src/data/pack.ts';
import { type CausalLoss, causalLoss } from '../../src/loss/causal.ts';
import type { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { labelPositions } from '../../src/text/labels.ts';
import { fromFloat32, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { adamwInto } from '../../src/torch/kernels.ts';
import { add, clone, copyInto, mul, toDtype } from '../../src/torch/ops.ts';
import { type Dtype, liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';
import { AutogradExecutor } from '../../src/train/autograd-executor.ts';
import type { Executor } from '../../src/train/executor.ts';
import { FusedExecutor } from '../../src/train/fused-executor.ts';
import { Gradients } from '../../src/train/gradients.ts';
import { AdamW } from '../../src/train/optimizer.ts';

/** Golden files by scripts/golden/llama.py: 20 steps of transformers with PyTorch's AdamW, fp32. */
const golden = join(import.meta.dirname, '../golden');

interface Reference {
  settings: {
    learningRate: number;
    beta1: number;
    beta2: number;
    epsilon: number;
    weightDecay: number;
    maxGradNorm: number;
  };
  steps: { documents: { ids: number[]; answerFrom: number }[]; loss: number; gradNorm: number }[];
}

const toDocument = ({ ids, answerFrom }: { ids: number[]; answerFrom: number }, i: number): TokenDocument => ({
  id: String(i),
  ids,
  labelMask: Uint8Array.from(ids, (_, at) => Number(at >= answerFrom)),
  labelTokens: ids.length - answerFrom,
});

function load(name: string) {
  const folder = join(golden, name);
  const reference = JSON.parse(readFileSync(join(folder, 'training.json'), 'utf8')) as Reference;
  return { reference, decoder: loadDecoder(folder, 'float32') };
}

const executors = {
  autograd: (decoder: Decoder): Executor => new AutogradExecutor(decoder),
  'autograd, recomputing': (decoder: Decoder): Executor => new AutogradExecutor(decoder, { recompute: true }),
  fused: (decoder: Decoder): Executor => new FusedExecutor(decoder, { recompute: false }),
  'fused, recomputing': (decoder: Decoder): Executor => new FusedExecutor(decoder, { recompute: true }),
};
const kinds = Object.keys(executors) as (keyof typeof executors)[];

describe.each(['llama-tied', 'llama3-untied'])('%s', (name) => {
  it.each(
    kinds.flatMap((kind) => [
      [kind, 'packed', false],
      [kind, 'accumulated', true],
    ]) as [keyof typeof executors, string, boolean][],
  )('follows transformers and AdamW over 20 steps: %s, %s', (kind, _, accumulated) => {
    const { reference, decoder: loaded } = load(name);
    const executor = executors[kind](loaded);
    const { decoder } = executor;
    const optimizer = new AdamW(decoder.parameters, decoder.parameters, reference.settings);
    let live: number | undefined;
    for (const [i, step] of reference.steps.entries()) {
      const documents = step.documents.map(toDocument);
      const labels = documents.reduce((sum, document) => sum + document.labelTokens, 0);
      const gradients = new Gradients({ accumulates: accumulated });
      const packs = accumulated ? documents.map((document) => [document]) : [documents];
      const loss = packs.reduce((sum, pack) => sum + executor.forwardBackward(pack, gradients, 1 / labels), 0) / labels;
      const norm = optimizer.gradientNorm(gradients);
      expect(Math.abs(loss - step.loss)).toBeLessThan(1e-4);
      expect(Math.abs(norm - step.gradNorm) / step.gradNorm).toBeLessThan(1e-3);
      optimizer.step(gradients, i + 1, reference.settings.learningRate, norm);
      gradients.release();
      live ??= liveTensors();
      expect(liveTensors()).toBe(live);
    }
    optimizer.release();
    executor.release();
  });
});

describe('gradients', () => {
  const ids = (length: number, salt: number) => Array.from({ length }, (_, i) => 3 + ((i * 7 + salt * 13) % 250));
  const document = (length: number, salt: number): TokenDocument =>
    toDocument({ ids: ids(length, salt), answerFrom: Math.floor(length / 2) }, salt);

  it.each(kinds)('are those of the loss, long documents beside short ones: %s', (kind) => {
    const { decoder: loaded } = load('llama-tied');
    const original = clone(loaded.parameter('model.layers.0.self_attn.q_proj.weight'));
    const executor = executors[kind](loaded);
    const pack = [document(1100, 1), document(20, 2), document(2, 3)];
    const gradients = new Gradients({ accumulates: true });
    executor.forwardBackward(pack, gradients, 1);
    // Along the gradient itself the loss changes by its squared norm.
    const name = 'model.layers.0.self_attn.q_proj.weight';
    const gradient = gradients.byName.get(name) as Tensor;
    const squaredNorm = toFloat32(gradient).reduce((sum, value) => sum + value * value, 0);
    const parameter = executor.decoder.parameter(name);
    const lossAt = (step: number): number => {
      noGrad(() => scope(() => copyInto(parameter, add(original, mul(gradient, fromFloat32([step], []))))));
      const ignored = new Gradients({ accumulates: true });
      const loss = executor.forwardBackward(pack, ignored, 1);
      ignored.release();
      return loss;
    };
    const step = 0.02 / Math.sqrt(squaredNorm);
    const slope = (lossAt(step) - lossAt(-step)) / (2 * step);
    expect(Math.abs(slope - squaredNorm) / squaredNorm).toBeLessThan(0.02);
    gradients.release();
    executor.release();
  });

  it.each(['llama-tied', 'mistral', 'qwen2', 'qwen3'])('of the fused executor are autograd’s: %s', (name) => {
    const folder = join(golden, name);
    const gradientsOf = (kind: keyof typeof executors, dtype: Dtype): [number, Map<string, Float32Array>] => {
      const executor = executors[kind](loadDecoder(folder, dtype));
      const gradients = new Gradients({ accumulates: false });
      const limit = executor.decoder.config.vocabSize - 3;
      const short = (length: number, salt: number) => {
        const { ids: all, ...rest } = document(length, salt);
        return { ...rest, ids: all.map((id) => 3 + (id % limit)) };
      };
      const loss = executor.forwardBackward([short(33, 1), short(2, 2), short(300, 3)], gradients, 0.01);
      const found = new Map([...gradients.byName].map(([key, tensor]) => [key, toFloat32(tensor)]));
      gradients.release();
      executor.release();
      return [loss, found];
    };
    const [loss, expected] = gradientsOf('autograd', 'float32');
    const tolerances: [keyof typeof executors, Dtype, number][] = [
      ['fused', 'float32', 1e-4],
      ['fused, recomputing', 'float32', 1e-4],
      ['fused', 'bfloat16', 0.06],
    ];
    for (const [kind, dtype, tolerance] of tolerances) {
      const [otherLoss, found] = gradientsOf(kind, dtype);
      expect(Math.abs(otherLoss - loss) / loss).toBeLessThan(tolerance);
      expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
      for (const [key, gradient] of expected) {
        const norm = Math.hypot(...gradient);
        const difference = Math.hypot(...gradient.map((value, i) => value - found.get(key)![i]!));
        expect(difference / (norm + 1e-6), `${kind} ${dtype} ${key}`).toBeLessThan(tolerance);
      }
    }
  });

  it('do not depend on the chunks of the output head', () => {
    const { decoder } = load('llama3-untied');
    for (const tensor of decoder.parameters.values()) tensor.requiresGrad();
    scope(() => {
      const labels = labelPositions([document(30, 1), document(9, 2)]);
      const hidden = fromFloat32(
        Float32Array.from({ length: 39 * 32 }, (_, i) => Math.sin(i)),
        [39, 32],
      );
      const norms = decoder.finalNormParameters.map(({ tensor }) => tensor);
      const lossWith = (chunk: number) =>
        causalLoss(hidden, (x) => decoder.finalNorm(x), norms, decoder.headWeight, labels, 0.1, { chunk });
      const whole = lossWith(512);
      const chunked = lossWith(4);
      expect(chunked.lossSum).toBeCloseTo(whole.lossSum, 3);
      const gradientsOf = (loss: CausalLoss) => [loss.gradHidden, loss.gradHead as Tensor, ...loss.gradNorms];
      for (const [i, gradient] of gradientsOf(whole).entries()) {
        const [a, b] = [toFloat32(gradient), toFloat32(gradientsOf(chunked)[i]!)];
        expect(Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))).toBeLessThan(1e-4);
      }
    });
    decoder.release();
  });
});

describe('the AdamW kernel', () => {
  const settings = [1, 0.1, 0.9, 0.99, 1e-8, 0.5, 2] as const;

  it('computes a step worked by hand', () => {
    // g = 2·3 = 6; m = 0.1·6 = 0.6 → m̂ = 6; v = 0.01·36 = 0.36 → v̂ = 36; w = 10·(1 − 0.1·0.5) − 0.1·6/6 = 9.4
    scope(() => {
      const [w, g, m, v] = [[10], [3], [0], [0]].map((x) => fromFloat32(x, [1])) as [Tensor, Tensor, Tensor, Tensor];
      adamwInto(w, g, m, v, null, ...settings);
      expect(toFloat32(w)[0]).toBeCloseTo(9.4, 5);
      expect(toFloat32(m)[0]).toBeCloseTo(0.6, 6);
      expect(toFloat32(v)[0]).toBeCloseTo(0.36, 6);
    });
  });

  it('reads a bf16 gradient and writes the rounded working copy; the master keeps what bf16 would lose', () => {
    scope(() => {
      const size = 100_003;
      const w = fromFloat32(new Float32Array(size).fill(1), [size]);
      const shadow = toDtype(w, 'bfloat16');
      const g = toDtype(fromFloat32(new Float32Array(size).fill(1), [size]), 'bfloat16');
      const m = fromFloat32(new Float32Array(size), [size]);
      const v = clone(m);
      for (let step = 1; step <= 100; step++) adamwInto(w, g, m, v, shadow, step, 2e-5, 0.9, 0.99, 1e-8, 0, 1);
      for (const at of [0, 1, size - 1]) expect(toFloat32(w)[at]).toBeCloseTo(1 - 100 * 2e-5, 5);
      expect(new Set(toFloat32(shadow))).toEqual(new Set(toFloat32(toDtype(w, 'bfloat16'))));
    });
  });

  it('refuses what it has no kernel for', () => {
    scope(() => {
      const w = fromFloat32([1, 2], [2]);
      const half = toDtype(w, 'float16');
      expect(() => adamwInto(w, half, clone(w), clone(w), null, ...settings)).toThrow('got Half');
      expect(() => adamwInto(w, fromFloat32([1], [1]), clone(w), clone(w), null, ...settings)).toThrow('equal size');
    });
  });
});
