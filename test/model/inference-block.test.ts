import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Attention, PackedAttention } from '../../src/model/attention.ts';
import type { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';

const golden = join(import.meta.dirname, '../golden');

/** The blocks that training records, one after the other. */
function recordedHidden(decoder: Decoder, tokens: Tensor, attention: Attention): Tensor {
  let x = decoder.embed(tokens, attention.positions);
  for (let layer = 0; layer < decoder.numLayers; layer++) x = decoder.block(layer, x, attention);
  return decoder.finalNorm(x);
}

describe.each([
  ['llama-tied', 'logits.json'],
  ['llama-biases', 'reference.json'],
  ['mistral', 'reference.json'],
  ['qwen2', 'reference.json'],
  ['qwen3', 'reference.json'],
  ['opt', 'reference.json'],
])('blocks for inference: %s', (name, file) => {
  const { ids } = JSON.parse(readFileSync(join(golden, name, file), 'utf8')) as { ids: number[] };

  it.each([
    ['float32', 1e-5],
    ['bfloat16', 0.03],
  ] as const)('give what those that training records give, in %s', (dtype, tolerance) => {
    const before = liveTensors();
    const decoder = loadDecoder(join(golden, name), dtype);
    const lengths = [20, 1, 9];
    const all = Array.from({ length: 30 }, (_, i) => ids[(i * 7) % ids.length]!);
    const compute = (hidden: (tokens: Tensor, attention: Attention) => Tensor): Float32Array =>
      scope(() =>
        noGrad(() => toFloat32(hidden(fromIntegers(all, [all.length]), new PackedAttention(decoder, lengths)))),
      );
    const expected = compute((tokens, attention) => recordedHidden(decoder, tokens, attention));
    const ours = compute((tokens, attention) => decoder.hidden(tokens, attention));
    const largest = Math.max(...expected.map(Math.abs));
    const difference = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
    expect(difference / largest).toBeLessThan(tolerance);
    decoder.release();
    expect(liveTensors()).toBe(before);
  });
});
