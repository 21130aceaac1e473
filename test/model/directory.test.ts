import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadDecoder, writeModelFolder } from '../../src/model/directory.ts';
import { toBytes, toFloat32 } from '../../src/torch/convert.ts';
import { toDtype } from '../../src/torch/ops.ts';
import { sourceOf, type TensorSource } from '../../src/torch/safetensors.ts';
import { liveBytes, liveTensors, scope } from '../../src/torch/tensor.ts';

const golden = join(import.meta.dirname, '../golden/llama-tied');
const scratch = mkdtempSync(join(tmpdir(), 'directory-'));
const fresh = (name: string): string => {
  mkdirSync(join(scratch, name));
  return join(scratch, name);
};
const valuesOf = (folder: string) => {
  const decoder = loadDecoder(folder, 'float32');
  const values = [...decoder.parameters].map(([name, tensor]) => [name, toFloat32(tensor)] as const);
  decoder.release();
  return values;
};

it('writes shards with an index where a model is larger than one may be, and reads them back', () => {
  const decoder = loadDecoder(golden, 'float32');
  const weights = new Map([...decoder.parameters].map(([name, tensor]) => [name, sourceOf(tensor)]));
  const folder = fresh('shards');
  writeModelFolder(folder, { config: decoder.config, weights, from: golden, shardBytes: 20_000 });
  const shards = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  expect(shards.length).toBeGreaterThan(2);
  expect(shards).toContain(`model-00001-of-0000${shards.length}.safetensors`);
  const index = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8'));
  const bytes = [...decoder.parameters.values()].reduce((sum, { elements }) => sum + 4 * elements, 0);
  expect(index.metadata.total_size).toBe(bytes);
  expect(Object.keys(index.weight_map).sort()).toEqual([...weights.keys()].sort());
  expect(valuesOf(folder)).toEqual(valuesOf(golden));
  decoder.release();
});

it('writes weights in another dtype one by one: the bytes of all converted beforehand, and one tensor more at a time', () => {
  const decoder = loadDecoder(golden, 'float32');
  const { config, parameters } = decoder;
  const write = (name: string, weights: ReadonlyMap<string, TensorSource>, shardBytes?: number): Buffer => {
    const folder = fresh(name);
    writeModelFolder(folder, { config, weights, from: golden, ...(shardBytes && { shardBytes }) });
    const files = readdirSync(folder).filter((file) => /safetensors|^config/.test(file));
    return Buffer.concat(files.sort().map((file) => readFileSync(join(folder, file))));
  };
  const beforehand = scope(() => {
    const converted = [...parameters].map(([name, tensor]) => [name, toDtype(tensor, 'bfloat16')] as const);
    const sources = new Map(converted.map(([name, tensor]) => [name, sourceOf(tensor)]));
    return { whole: write('beforehand', sources), shards: write('beforehand-shards', sources, 10_000) };
  });
  const live = [liveTensors(), liveBytes()];
  const seen: number[][] = [];
  const streamed = new Map(
    [...parameters].map(([name, tensor]) => {
      const source = sourceOf(tensor, 'bfloat16');
      const bytes = () => {
        seen.push([liveTensors(), liveBytes()]);
        const converted = source.bytes();
        seen.push([liveTensors(), liveBytes()]);
        return converted;
      };
      return [name, { ...source, bytes }] as const;
    }),
  );
  expect(write('streamed', streamed).equals(beforehand.whole)).toBe(true);
  expect(seen).toEqual(Array.from({ length: 2 * parameters.size }, () => live));
  expect(write('streamed-shards', streamed, 10_000).equals(beforehand.shards)).toBe(true);
  decoder.release();
});

it('loads weights in another dtype as all rounded afterwards, and keeps nothing else', () => {
  const before = liveTensors();
  const [loaded, plain] = [loadDecoder(golden, 'bfloat16'), loadDecoder(golden, 'float32')];
  expect(liveTensors()).toBe(before + loaded.parameters.size + plain.parameters.size);
  for (const [name, tensor] of plain.parameters) {
    const rounded = scope(() => toBytes(toDtype(tensor, 'bfloat16')));
    expect(toBytes(loaded.parameter(name)), name).toEqual(rounded);
  }
  loaded.release();
  plain.release();
});

it('names the file that an index has in another folder, or a folder without weights', () => {
  const folder = fresh('outside');
  copyFileSync(join(golden, 'config.json'), join(folder, 'config.json'));
  expect(() => loadDecoder(folder, 'float32')).toThrow('holds no weights');
  const index = join(folder, 'model.safetensors.index.json');
  writeFileSync(index, JSON.stringify({ weight_map: { 'a.weight': '../elsewhere.safetensors' } }));
  expect(() => loadDecoder(folder, 'float32')).toThrow('expected names of files, got "../elsewhere.safetensors"');
  writeFileSync(index, JSON.stringify({ weight_map: [] }));
  expect(() => loadDecoder(folder, 'float32')).toThrow('expected a "weight_map" object, got an array');
});
