import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KeyValueCache } from '../../src/infer/kv-cache.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import type { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { liveTensors, scope } from '../../src/torch/tensor.ts';

const golden = join(import.meta.dirname, '../golden');
const idsOf = (name: string, file: string): number[] =>
  (JSON.parse(readFileSync(join(golden, name, file), 'utf8')) as { ids: number[] }).ids;

/** Logits after the last token, the whole sequence computed at once. */
function logitsAfter(decoder: Decoder, tokens: readonly number[]): Float32Array {
  return scope(() =>
    noGrad(() => {
      const attention = new PackedAttention(decoder, [tokens.length]);
      const all = toFloat32(decoder.logits(decoder.hidden(fromIntegers(tokens, [tokens.length]), attention)));
      return all.slice(-decoder.config.vocabSize);
    }),
  );
}

/** Rows of a cache with the texts they should hold: every step is held against computing the texts anew. */
class CheckedRows {
  texts: number[][] = [];
  readonly #decoder: Decoder;
  readonly #cache: KeyValueCache;

  constructor(decoder: Decoder, rows: number, { ownKernels = true } = {}) {
    this.#decoder = decoder;
    this.#cache = new KeyValueCache(decoder, rows, 8, { ownKernels });
  }

  prefill(places: readonly number[], prompts: readonly (readonly number[])[]): void {
    places.forEach((place, i) => {
      this.texts[place] = [...prompts[i]!];
    });
    scope(() =>
      noGrad(() => {
        const attention = this.#cache.prefill(
          places,
          prompts.map(({ length }) => length),
        );
        this.#decoder.hidden(fromIntegers(prompts.flat(), [attention.positions.length]), attention);
      }),
    );
  }

  keep(places: readonly number[]): void {
    noGrad(() => this.#cache.keepRows(places));
    this.texts = places.map((place) => this.texts[place]!);
  }

  /** Appends these tokens; the largest difference of any row's logits. */
  step(tokens: readonly number[]): number {
    const flat = scope(() =>
      noGrad(() => {
        const hidden = this.#decoder.hidden(fromIntegers(tokens, [tokens.length]), this.#cache.step());
        return toFloat32(this.#decoder.logits(hidden));
      }),
    );
    const vocab = flat.length / tokens.length;
    return this.texts.reduce((most, text, row) => {
      text.push(tokens[row]!);
      const expected = logitsAfter(this.#decoder, text);
      return expected.reduce((sofar, logit, i) => Math.max(sofar, Math.abs(logit - flat[row * vocab + i]!)), most);
    }, 0);
  }

  get lengths(): readonly number[] {
    return this.#cache.lengths;
  }

  release(): void {
    this.#cache.release();
  }
}

describe.each([
  ['llama-tied', 'logits.json'],
  ['mistral', 'reference.json'], // sliding windows
  ['qwen3', 'reference.json'],
  ['opt', 'reference.json'],
])('the cache of %s', (name, file) => {
  it.each([
    ['our kernel', true],
    ['operators', false],
  ])('takes new prompts in the places of old rows, and leaves the others alone: by %s', (_, ownKernels) => {
    const before = liveTensors();
    const ids = idsOf(name, file);
    const decoder = loadDecoder(join(golden, name), 'float32');
    const rows = new CheckedRows(decoder, 3, { ownKernels });
    const step = (count = 1) => {
      for (let i = 0; i < count; i++) {
        const tokens = rows.texts.map((text, row) => ids[(text.length * 3 + row) % ids.length]!);
        expect(rows.step(tokens)).toBeLessThan(1e-4);
      }
    };
    rows.prefill([0, 1, 2], [ids.slice(0, 4), ids.slice(3, 21), ids.slice(7, 14)]);
    step(3);
    rows.prefill([1], [ids.slice(9, 11)]); // 19 keys of the old row lie behind its end
    step(3);
    rows.prefill([2, 0], [ids.slice(1, 30), ids.slice(5, 6)]);
    step(2);
    expect(rows.lengths).toEqual([3, 7, 31]);
    rows.keep([2, 0]);
    step(2);
    expect(rows.lengths).toEqual([33, 5]);
    rows.release();
    decoder.release();
    expect(liveTensors()).toBe(before);
  });
});

it('grows while a row is long and shrinks with the rows that stay', () => {
  const ids = idsOf('llama-tied', 'logits.json');
  const decoder = loadDecoder(join(golden, 'llama-tied'), 'float32');
  const rows = new CheckedRows(decoder, 2);
  const long = Array.from({ length: 127 }, (_, i) => ids[(i * i) % ids.length]!);
  rows.prefill([0, 1], [long, ids.slice(0, 3)]);
  for (const tokens of [
    [5, 6],
    [7, 8],
    [9, 4],
  ]) {
    expect(rows.step(tokens)).toBeLessThan(1e-4); // 128, 129 and 130 tokens
  }
  rows.keep([1]);
  expect(rows.step([7])).toBeLessThan(1e-4);
  rows.prefill([0], [long]);
  for (let i = 0; i < 3; i++) expect(rows.step([3 + i])).toBeLessThan(1e-4);
  rows.release();
  decoder.release();
});
