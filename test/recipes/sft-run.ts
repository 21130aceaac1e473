/** Fine-tunings for the tests: a folder that goes with the test file, tiny models, small data, a run with Ctrl-C. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { run } from '../../recipes/sft.ts';
import { type SftConfig, sftSchema } from '../../recipes/sft-config.ts';
import type { TrainingEvent } from '../../recipes/training.ts';
import { Rng } from '../../src/base/rng.ts';
import { parseModelConfig } from '../../src/model/config.ts';
import { parameterShapes } from '../../src/model/decoder.ts';
import { loadDecoder, writeModelFolder } from '../../src/model/directory.ts';
import { toFloat32 } from '../../src/torch/convert.ts';
import { sourcesOf } from '../../src/train/checkpoint.ts';

export const goldenModel = (name: string): string => join(import.meta.dirname, '../golden', name);
export const scratch = mkdtempSync(join(tmpdir(), 'understudy-sft-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

export interface Row {
  readonly instruction: string;
  readonly output: string;
}

export const sums = (count: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({ instruction: `Add ${i} and ${i + 1}.`, output: `It is ${2 * i + 1}.` }));

/** Writes a data file; its rows come to be called name:0, name:1, … */
export function dataFile(name: string, rows: readonly Row[]): string {
  const file = join(scratch, `${name}.json`);
  writeFileSync(file, JSON.stringify(rows));
  return file;
}

/** A step of about 128 tokens: a few rows. */
export const configFor = (name: string, more: Partial<SftConfig> & Pick<SftConfig, 'model' | 'data'>): SftConfig =>
  sftSchema.parse({
    output: join(scratch, name),
    dtype: 'float32',
    epochs: 2,
    learningRate: 5e-3,
    batchTokens: 128,
    packTokens: 128,
    ...more,
  });

/** Runs; `stopAfter` presses Ctrl-C when that step is done. */
export async function train(config: SftConfig, stopAfter?: number) {
  const controller = new AbortController();
  const events: TrainingEvent[] = [];
  const emit = (event: TrainingEvent) => {
    events.push(event);
    if (event.kind === 'step' && event.row.step === stopAfter) controller.abort();
  };
  const result = await run(config, { signal: controller.signal, emit });
  const notes = events.flatMap((event) => (event.kind === 'note' ? [event.text] : []));
  return { events, notes, result };
}

export const fileIn = (folder: string, ...path: string[]): Buffer => readFileSync(join(folder, ...path));

export const jsonIn = <T>(folder: string, ...path: string[]): T => JSON.parse(fileIn(folder, ...path).toString()) as T;

/** train.jsonl, without the time that each step took. */
export const logOf = (folder: string) =>
  fileIn(folder, 'train.jsonl')
    .toString()
    .trim()
    .split('\n')
    .map((line) => {
      const { seconds: _, ...row } = JSON.parse(line) as Record<string, number | null>;
      return row;
    });

export const checkpointsIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith('checkpoint'))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));

/**
 * A copy of a golden model's architecture with random weights, the byte tokenizer, and room for the tests' rows: the
 * golden models of some families have no tokenizer.
 */
export function randomModel(family: string, seed = 1): string {
  const folder = join(scratch, `random-${family}-${seed}`);
  mkdirSync(folder);
  const source = {
    ...jsonIn<object>(goldenModel(family), 'config.json'),
    vocab_size: 259,
    max_position_embeddings: 1024,
  };
  const config = parseModelConfig(source);
  const weights = [...parameterShapes(config)].map(([name, shape]) => {
    const rng = new Rng('random model', seed, name);
    const values = Float32Array.from({ length: shape.reduce((product, n) => product * n, 1) }, () => {
      const value = 0.2 * (2 * rng.uniform() - 1);
      return name.endsWith('norm.weight') ? 1 + value : value;
    });
    return [name, { dtype: 'float32', shape, bytes: () => new Uint8Array(values.buffer) }] as const;
  });
  writeModelFolder(folder, { config, weights: new Map(weights), from: goldenModel('llama-tied') });
  return folder;
}

/** A copy of a model whose embedding of one character is infinite: a row that has it cannot be computed. */
export function modelWithBrokenLetter(letter: string): string {
  const from = goldenModel('llama3-untied');
  const folder = join(scratch, `broken-${letter}`);
  cpSync(from, folder, { recursive: true });
  const decoder = loadDecoder(from, 'float32');
  const vocabulary = jsonIn<{ model: { vocab: Record<string, number> } }>(from, 'tokenizer.json').model.vocab;
  const row = vocabulary[letter] as number;
  const values = new Map([...decoder.parameters].map(([name, tensor]) => [name, toFloat32(tensor)]));
  const embedding = values.get('model.embed_tokens.weight') as Float32Array;
  embedding[row * decoder.config.hiddenSize] = Number.POSITIVE_INFINITY;
  const weights = [...sourcesOf(decoder.parameters)].map(([name, { dtype, shape }]) => {
    const { buffer, byteOffset, byteLength } = values.get(name) as Float32Array;
    return [name, { dtype, shape, bytes: () => new Uint8Array(buffer, byteOffset, byteLength) }] as const;
  });
  writeModelFolder(folder, { config: decoder.config, weights: new Map(weights), from });
  decoder.release();
  return folder;
}
