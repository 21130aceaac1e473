import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadDecoder, writeModelFolder } from '../../src/model/directory.ts';
import { toFloat32 } from '../../src/torch/convert.ts';
import { sourceOf } from '../../src/torch/safetensors.ts';

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
