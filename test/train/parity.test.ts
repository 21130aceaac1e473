import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TokenDocument } from '../../src/data/pack.ts';
import { causalLoss } from '../../src/loss/causal.ts';
import { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { labelPositions } from '../../src/text/labels.ts';
import { fromFloat32, toFloat32 } from '../../src/torch/convert.ts';
import { adamwInto, add, clone, detach, mul, toDtype } from '../../src/torch/ops.ts';
import { liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';
import { forwardBackward, Gradients } from '../../src/train/executor.ts';
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
  const decoder = loadDecoder(folder, 'float32');
  for (const tensor of decoder.parameters.values()) tensor.requiresGrad();
  return { reference, decoder };
}

describe.each(['llama-tied', 'llama3-untied'])('%s', (name) => {
  it.each([
    ['packed', false],
    ['accumulated', true],
  ])('follows transformers and AdamW over 20 steps, %s', (_, accumulated) => {
    const { reference, decoder } = load(name);
    const optimizer = new AdamW(decoder, decoder.parameters, reference.settings);
    let live: number | undefined;
    for (const [i, step] of reference.steps.entries()) {
      const documents = step.documents.map(toDocument);
      const labels = documents.reduce((sum, document) => sum + document.labelTokens, 0);
      const gradients = new Gradients({ accumulates: accumulated });
      const packs = accumulated ? documents.map((document) => [document]) : [documents];
      const loss = packs.reduce((sum, pack) => sum + forwardBackward(decoder, pack, gradients, 1 / labels), 0) / labels;
      const norm = optimizer.gradientNorm(gradients);
      expect(Math.abs(loss - step.loss)).toBeLessThan(1e-4);
      expect(Math.abs(norm - step.gradNorm) / step.gradNorm).toBeLessThan(1e-3);
      optimizer.step(gradients, i + 1, reference.settings.learningRate, norm);
      gradients.release();
      live ??= liveTensors();
      expect(liveTensors()).toBe(live);
    }
    optimizer.release();
    decoder.release();
  });
});

describe('gradients', () => {
  const ids = (length: number, salt: number) => Array.from({ length }, (_, i) => 3 + ((i * 7 + salt * 13) % 250));
  const document = (length: number, salt: number): TokenDocument =>
    toDocument({ ids: ids(length, salt), answerFrom: Math.floor(length / 2) }, salt);

  it('are those of the loss, through the fused attention of long documents beside short ones too', () => {
    const { decoder } = load('llama-tied');
    const pack = [document(1100, 1), document(20, 2), document(2, 3)];
    const gradients = new Gradients({ accumulates: true });
    forwardBackward(decoder, pack, gradients, 1);
    // Along the gradient itself the loss changes by its squared norm.
    const name = 'model.layers.0.self_attn.q_proj.weight';
    const gradient = gradients.byName.get(name) as Tensor;
    const squaredNorm = toFloat32(gradient).reduce((sum, value) => sum + value * value, 0);
    const lossAt = (step: number): number =>
      scope(() => {
        const moved = new Map(decoder.parameters);
        const original = decoder.parameter(name);
        const scaled = mul(gradient, fromFloat32([step], []));
        moved.set(name, detach(add(detach(original), scaled)).requiresGrad());
        const ignored = new Gradients({ accumulates: true });
        const loss = forwardBackward(new Decoder(decoder.config, moved), pack, ignored, 1);
        ignored.release();
        return loss;
      });
    const step = 0.02 / Math.sqrt(squaredNorm);
    const slope = (lossAt(step) - lossAt(-step)) / (2 * step);
    expect(Math.abs(slope - squaredNorm) / squaredNorm).toBeLessThan(0.02);
    gradients.release();
    decoder.release();
  });

  it('do not depend on the chunks of the output head', () => {
    const { decoder } = load('llama3-untied');
    scope(() => {
      const labels = labelPositions([document(30, 1), document(9, 2)]);
      const hidden = fromFloat32(
        Float32Array.from({ length: 39 * 32 }, (_, i) => Math.sin(i)),
        [39, 32],
      );
      const lossWith = (chunk: number) =>
        causalLoss(hidden, (x) => decoder.finalNorm(x), decoder.normWeight, decoder.headWeight, labels, 0.1, chunk);
      const whole = lossWith(512);
      const chunked = lossWith(4);
      expect(chunked.lossSum).toBeCloseTo(whole.lossSum, 3);
      for (const part of ['gradHidden', 'gradNorm', 'gradHead'] as const) {
        const [a, b] = [toFloat32(whole[part]), toFloat32(chunked[part])];
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
      expect(() => adamwInto(w, half, clone(w), clone(w), null, ...settings)).toThrow('no kernel for');
      expect(() => adamwInto(w, fromFloat32([1], [1]), clone(w), clone(w), null, ...settings)).toThrow('equal size');
    });
  });
});
