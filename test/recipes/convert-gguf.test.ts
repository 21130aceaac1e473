import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { convertGguf } from '../../recipes/convert-gguf.ts';
import { packageRoot } from '../../src/base/paths.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import { readModelConfig } from '../../src/model/config.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { readHeader } from '../../src/torch/safetensors.ts';
import { scope } from '../../src/torch/tensor.ts';

const golden = join(packageRoot, 'test/golden');
const expected = JSON.parse(readFileSync(join(golden, 'gguf-families.json'), 'utf8')) as Record<
  string,
  {
    tensors: Record<string, [shape: number[], hash: string]>;
    /** By transformers, at some positions of a text; of models whose rotary embeddings are scaled. */
    logits?: { ids: number[]; positions: number[]; values: number[][] };
  }
>;
const folder = mkdtempSync(join(tmpdir(), 'understudy-convert-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const weightsOf = (model: string) => {
  const file = join(folder, model, 'model.safetensors');
  return { bytes: readFileSync(file), entries: readHeader(file).entries };
};

describe.each(Object.keys(expected))('%s', (name) => {
  it('becomes a folder whose configuration, weights and tokenizer are read', async () => {
    const { parameters } = await convertGguf(join(golden, 'gguf', `${name}.gguf`), join(folder, name));
    const shapes = Object.entries(expected[name]!.tensors).map(([tensor, [shape]]) => [tensor, shape] as const);
    const sizes = shapes.map(([, shape]) => shape.reduce((product, length) => product * length, 1));
    expect(parameters).toBe(sizes.reduce((sum, size) => sum + size, 0));
    const { entries } = weightsOf(name);
    expect(Object.fromEntries([...entries].map(([tensor, { shape }]) => [tensor, shape]))).toEqual(
      Object.fromEntries(shapes),
    );
    expect([...entries.values()].every(({ dtype }) => dtype === 'float32')).toBe(true);
    expect(readModelConfig(join(folder, name)).numLayers).toBe(name === 'mixed' ? 1 : 2);
    expect(loadTokenizer(join(folder, name)).encode('<|im_start|>abcd')).toEqual([1, 13, 14]);
  });
});

const scaled = Object.entries(expected).flatMap(([name, { logits }]) => (logits ? [{ name, ...logits }] : []));

it('some of the models have scaled rotary embeddings', () => {
  expect(scaled.map(({ name }) => name)).toEqual(['llama3', 'linear', 'yarn']);
});

it.each(scaled)("$name, converted, gives transformers' logits", async ({ name, ids, positions, values }) => {
  const model = join(folder, `${name}-logits`);
  await convertGguf(join(golden, 'gguf', `${name}.gguf`), model);
  const decoder = loadDecoder(model, 'float32');
  const logits = scope(() =>
    noGrad(() => {
      const attention = new PackedAttention(decoder, [ids.length]);
      return toFloat32(decoder.logits(decoder.hidden(fromIntegers(ids, [ids.length]), attention))); // [tokens, vocabulary]
    }),
  );
  decoder.release();
  const vocabulary = logits.length / ids.length;
  for (const [row, position] of positions.entries()) {
    const ours = [...logits.subarray(position * vocabulary, (position + 1) * vocabulary)];
    const differences = values[row]!.map((value, i) => Math.abs(value - ours[i]!));
    expect(differences).toHaveLength(vocabulary);
    expect(Math.max(...differences), `position ${position}`).toBeLessThan(1e-3);
  }
});

it('stores bfloat16 when asked to: the nearest to what float32 has', async () => {
  const input = join(golden, 'gguf', 'mixed.gguf');
  await convertGguf(input, join(folder, 'full'));
  await convertGguf(input, join(folder, 'half'), 'bfloat16');
  const [full, half] = [weightsOf('full'), weightsOf('half')];
  expect(JSON.parse(readFileSync(join(folder, 'half', 'config.json'), 'utf8')).dtype).toBe('bfloat16');
  for (const [name, { byteOffset, byteLength, dtype }] of half.entries) {
    expect(dtype).toBe('bfloat16');
    const exact = full.entries.get(name)!;
    expect(exact.byteLength).toBe(2 * byteLength);
    for (let i = 0; i < byteLength / 2; i++) {
      const bits = half.bytes.readUInt16LE(byteOffset + 2 * i);
      const near = new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
      const value = full.bytes.readFloatLE(exact.byteOffset + 4 * i);
      // Half a step of a number with 8 significant bits.
      if (!(Math.abs(near - value) <= Math.abs(value) * 2 ** -8)) expect.fail(`${name}[${i}]: ${value} became ${near}`);
    }
  }
});

it('replaces a model folder, and nothing else', async () => {
  const input = join(golden, 'gguf', 'qwen3.gguf');
  const other = join(folder, 'letters');
  mkdirSync(other);
  writeFileSync(join(other, 'dear.txt'), 'aunt');
  await expect(convertGguf(input, other)).rejects.toThrow('is there already and is not a model folder');
  expect(readFileSync(join(other, 'dear.txt'), 'utf8')).toBe('aunt');
  await convertGguf(join(golden, 'gguf', 'qwen2.gguf'), join(folder, 'again'));
  await convertGguf(input, join(folder, 'again'));
  expect(readModelConfig(join(folder, 'again')).family).toBe('qwen3');
});
