import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TokenDocument } from '../../src/data/pack.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { fromFloat32, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { copyInto, narrow } from '../../src/torch/ops.ts';
import { liveTensors, scope } from '../../src/torch/tensor.ts';
import { AutogradExecutor } from '../../src/train/autograd-executor.ts';
import type { Executor } from '../../src/train/executor.ts';
import { FusedExecutor } from '../../src/train/fused-executor.ts';
import { Gradients } from '../../src/train/gradients.ts';
import { AdamW } from '../../src/train/optimizer.ts';
import { Update, type UpdateSettings } from '../../src/train/update.ts';

const golden = join(import.meta.dirname, '../golden');
const settings = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 0.05 };

const documentOf = (salt: number, length: number): TokenDocument => ({
  id: String(salt),
  ids: Array.from({ length }, (_, i) => 3 + ((i * 7 + salt * 11) % 50)),
  labelMask: Uint8Array.from({ length }, (_, i) => Number(i > 3)),
  labelTokens: length - 4,
});

/** Three steps; the weights after them, and the norms that were told. */
function train(make: (folder: string, share: boolean) => Executor, name: string, update: UpdateSettings) {
  const executor = make(join(golden, name), update.stepInBackward);
  const { trainable } = executor.decoder;
  const optimizer = new AdamW(trainable, trainable, settings);
  const norms: number[] = [];
  for (let step = 1; step <= 3; step++) {
    const gradients = new Gradients({ accumulates: false });
    const one = new Update(optimizer, step, 1e-2, update);
    executor.forwardBackward([documentOf(step, 20), documentOf(step + 9, 9)], gradients, 0.05, (names) =>
      one.ready(gradients, names),
    );
    norms.push(one.finish(gradients, true));
    expect(one.taken).toBe(true);
    if (update.stepInBackward) expect(gradients.byName.size).toBe(0);
    gradients.release();
  }
  const weights = [...trainable].map(([key, tensor]) => [key, toFloat32(tensor)] as const);
  optimizer.release();
  executor.release();
  return { weights, norms };
}

const fused = (folder: string, shareGradients: boolean): Executor =>
  new FusedExecutor(loadDecoder(folder, 'float32'), { shareGradients });
const autograd = (folder: string): Executor => new AutogradExecutor(loadDecoder(folder, 'float32'));

describe('stepping inside the backward', () => {
  it.each([
    ['llama-tied', fused],
    ['llama3-untied', fused],
    ['qwen3', fused],
    ['llama-tied', autograd],
    ['opt', autograd],
  ])('gives the bits of stepping after it with the same clipping: %s', (name, make) => {
    const before = liveTensors();
    const after = train(make, name, { stepInBackward: false, clip: 'block' });
    const inside = train(make, name, { stepInBackward: true, clip: 'block' });
    expect(inside.weights).toEqual(after.weights);
    for (const [i, norm] of inside.norms.entries()) expect(norm).toBeCloseTo(after.norms[i]!, 6);
    expect(liveTensors()).toBe(before);
  });

  it('clips other than the global norm does', () => {
    const block = train(fused, 'llama-tied', { stepInBackward: false, clip: 'block' });
    const global = train(fused, 'llama-tied', { stepInBackward: false, clip: 'global' });
    expect(block.norms[0]).toBe(global.norms[0]);
    expect(block.weights).not.toEqual(global.weights);
  });

  it('says so when a part is not finite, and steps nothing from there on', () => {
    const executor = fused(join(golden, 'llama-tied'), true);
    const { trainable } = executor.decoder;
    const poisoned = 'model.layers.0.mlp.down_proj.weight';
    const first = trainable.get(poisoned)!;
    noGrad(() =>
      scope(() =>
        copyInto(
          narrow(first, 0, 0, 1),
          fromFloat32(new Float32Array(first.size(1)).fill(Number.NaN), [1, first.size(1)]),
        ),
      ),
    );
    const optimizer = new AdamW(trainable, trainable, settings);
    const before = toFloat32(trainable.get('model.layers.1.self_attn.q_proj.weight')!);
    const gradients = new Gradients({ accumulates: false });
    const update = new Update(optimizer, 1, 1e-2, { stepInBackward: true, clip: 'block' });
    executor.forwardBackward([documentOf(1, 12)], gradients, 0.1, (names) => update.ready(gradients, names));
    expect(update.finish(gradients, false)).toBeNaN();
    expect(update.taken).toBe(false);
    expect(toFloat32(trainable.get('model.layers.1.self_attn.q_proj.weight')!)).toEqual(before);
    optimizer.release();
    executor.release();
  });
});
