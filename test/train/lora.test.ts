import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PackedAttention } from '../../src/model/attention.ts';
import { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import {
  adapterParameters,
  createAdapters,
  mergeAdapters,
  readAdapterFolder,
  writeAdapterFolder,
} from '../../src/model/lora.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { liveTensors, scope } from '../../src/torch/tensor.ts';
import { AutogradExecutor } from '../../src/train/autograd-executor.ts';
import { sourcesOf } from '../../src/train/checkpoint.ts';
import { FusedExecutor } from '../../src/train/fused-executor.ts';
import { Gradients } from '../../src/train/gradients.ts';
import { AdamW, type AdamWSettings } from '../../src/train/optimizer.ts';

/** Golden files by scripts/golden/lora.py: PEFT's directories, its logits, 20 steps of training the adapters. */
const golden = join(import.meta.dirname, '../golden');
const read = <T>(...path: string[]): T => JSON.parse(readFileSync(join(golden, ...path), 'utf8')) as T;

function load(name: string): Decoder {
  const { config, parameters } = loadDecoder(join(golden, name), 'float32');
  return new Decoder(config, parameters, readAdapterFolder(join(golden, `lora-${name}`), 'float32').adapters);
}

const logitsOf = (decoder: Decoder, ids: readonly number[]): Float32Array =>
  scope(() =>
    noGrad(() => {
      const attention = new PackedAttention(decoder, [ids.length]);
      return toFloat32(decoder.logits(decoder.hidden(fromIntegers(ids, [ids.length]), attention)));
    }),
  );

const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (value, i) => Math.abs(value - b[i]!)).reduce((most, one) => Math.max(most, one), 0);

interface Training {
  settings: AdamWSettings & { learningRate: number };
  steps: { documents: { ids: number[]; answerFrom: number }[]; loss: number; gradNorm: number }[];
}

describe.each(['llama-tied', 'qwen2'])('%s', (name) => {
  const { ids, logits } = read<{ ids: number[]; logits: number[][] }>(`lora-${name}`, 'logits.json');
  const last = (all: Float32Array) => all.slice(-logits.flat().length);

  it('has PEFT’s logits, beside the weights and merged into them', () => {
    const decoder = load(name);
    expect(furthest(last(logitsOf(decoder, ids)), logits.flat())).toBeLessThan(1e-4);
    noGrad(() => mergeAdapters(decoder.parameters, decoder.adapters));
    const merged = new Decoder(decoder.config, decoder.parameters);
    expect(furthest(last(logitsOf(merged, ids)), logits.flat())).toBeLessThan(1e-4);
    decoder.release();
  });

  it.each([
    ['autograd', (decoder: Decoder) => new AutogradExecutor(decoder)],
    ['fused', (decoder: Decoder) => new FusedExecutor(decoder, { recompute: false })],
    ['fused, recomputing', (decoder: Decoder) => new FusedExecutor(decoder, { recompute: true })],
  ])('follows PEFT and AdamW over 20 steps: %s', (_, make) => {
    const { settings, steps } = read<Training>(`lora-${name}`, 'training.json');
    const executor = make(load(name));
    const { trainable } = executor.decoder;
    const optimizer = new AdamW(trainable, trainable, settings);
    let live: number | undefined;
    for (const [i, step] of steps.entries()) {
      const documents = step.documents.map(({ ids: tokens, answerFrom }, at) => ({
        id: String(at),
        ids: tokens,
        labelMask: Uint8Array.from(tokens, (_token, place) => Number(place >= answerFrom)),
        labelTokens: tokens.length - answerFrom,
      }));
      const labels = documents.reduce((sum, document) => sum + document.labelTokens, 0);
      const gradients = new Gradients({ accumulates: i % 2 === 0 });
      const packs = i % 2 === 0 ? documents.map((document) => [document]) : [documents];
      const loss = packs.reduce((sum, pack) => sum + executor.forwardBackward(pack, gradients, 1 / labels), 0) / labels;
      const norm = optimizer.gradientNorm(gradients);
      expect([...gradients.byName.keys()].sort()).toEqual([...trainable.keys()].sort());
      expect(Math.abs(loss - step.loss)).toBeLessThan(1e-4);
      expect(Math.abs(norm - step.gradNorm) / step.gradNorm).toBeLessThan(1e-3);
      optimizer.step(gradients, i + 1, settings.learningRate, norm);
      gradients.release();
      live ??= liveTensors();
      expect(liveTensors()).toBe(live);
    }
    optimizer.release();
    executor.release();
  });
});

it('begins without changing anything, the same for a seed, and comes back from its folder', () => {
  const { config, parameters } = loadDecoder(join(golden, 'qwen2'), 'float32');
  const plain = new Decoder(config, parameters);
  const settings = { rank: 3, alpha: 6, targets: ['q_proj', 'gate_proj'], dropout: 0.05 };
  const adapters = createAdapters(parameters, settings, 7);
  expect([...adapters.keys()].slice(0, 2)).toEqual(['model.layers.0.self_attn.q_proj', 'model.layers.0.mlp.gate_proj']);
  const ids = [5, 9, 11, 3];
  expect(logitsOf(new Decoder(config, parameters, adapters), ids)).toEqual(logitsOf(plain, ids));
  const valuesOf = (made: typeof adapters) =>
    [...adapterParameters(made)].map(([key, tensor]) => [key, toFloat32(tensor)]);
  expect(valuesOf(createAdapters(parameters, settings, 7))).toEqual(valuesOf(adapters));
  expect(valuesOf(createAdapters(parameters, settings, 8))).not.toEqual(valuesOf(adapters));
  const bound = 1 / Math.sqrt(config.hiddenSize);
  const down = toFloat32(adapters.get('model.layers.0.mlp.gate_proj')!.down);
  expect(Math.max(...down.map(Math.abs))).toBeLessThan(bound);
  expect(Math.max(...down.map(Math.abs))).toBeGreaterThan(0.8 * bound);

  const folder = mkdtempSync(join(tmpdir(), 'lora-'));
  writeAdapterFolder(folder, { settings, base: 'the-base', weights: sourcesOf(adapterParameters(adapters)) });
  const back = readAdapterFolder(folder, 'float32');
  expect([back.base, back.settings]).toEqual(['the-base', settings]);
  const written = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8')) as { lora_dropout: number };
  expect(written.lora_dropout).toBe(0.05);
  expect(valuesOf(back.adapters)).toEqual(valuesOf(adapters));
  plain.release();
});

it('refuses targets the model does not have, and adapters of another model', () => {
  const { parameters } = loadDecoder(join(golden, 'qwen2'), 'float32');
  expect(() => createAdapters(parameters, { rank: 2, alpha: 2, targets: ['query'] }, 1)).toThrow('no layer query');
  const { adapters } = readAdapterFolder(join(golden, 'lora-llama-tied'), 'float32');
  expect(() => mergeAdapters(parameters, adapters)).toThrow('for another model');
});
