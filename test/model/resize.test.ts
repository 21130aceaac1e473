import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PackedAttention } from '../../src/model/attention.ts';
import { parseModelConfig } from '../../src/model/config.ts';
import { Decoder, parameterShapes } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { resizeVocabulary } from '../../src/model/resize.ts';
import { fromFloat32, fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { toDtype } from '../../src/torch/ops.ts';
import { type Dtype, keep, liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';

const golden = (name: string): string => join(import.meta.dirname, '../golden', name);

/** A Llama of width 2 without blocks to speak of, with these rows; the head has them times ten. */
function tiny(rows: readonly (readonly number[])[], { tied = false, dtype = 'float32' as Dtype } = {}): Decoder {
  const config = parseModelConfig({
    model_type: 'llama',
    vocab_size: rows.length,
    hidden_size: 2,
    intermediate_size: 2,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    tie_word_embeddings: tied,
    bos_token_id: 1,
  });
  const values = (name: string, shape: readonly number[]): number[] => {
    if (name === 'model.embed_tokens.weight') return rows.flat();
    if (name === 'lm_head.weight') return rows.flat().map((value) => 10 * value);
    return new Array(shape.reduce((product, length) => product * length, 1)).fill(1);
  };
  const parameters = [...parameterShapes(config)].map(
    ([name, shape]) => [name, keep(scope(() => toDtype(fromFloat32(values(name, shape), shape), dtype)))] as const,
  );
  return new Decoder(config, new Map(parameters));
}

const rowsOf = (tensor: Tensor): number[][] => {
  const [count, width] = tensor.shape as [number, number];
  const values = toFloat32(tensor);
  return Array.from({ length: count }, (_, i) => [...values.slice(i * width, (i + 1) * width)]);
};
const embedding = (decoder: Decoder) => rowsOf(decoder.parameter('model.embed_tokens.weight'));

/** Means by hand: (1 + 3 + 5) / 3 = 3, (2 + 4 + 9) / 3 = 5. */
const three = [
  [1, 2],
  [3, 4],
  [5, 9],
] as const;

describe('resizeVocabulary', () => {
  it('adds rows that are the mean of those before, to the embedding and the head', () => {
    const before = liveTensors();
    const small = tiny(three);
    const blocks = [...small.parameters].filter(([name]) => name.includes('layers'));
    const large = resizeVocabulary(small, { from: 3, to: 5 });
    expect(embedding(large)).toEqual([...three, [3, 5], [3, 5]]);
    expect(rowsOf(large.headWeight)).toEqual([
      [10, 20],
      [30, 40],
      [50, 90],
      [30, 50],
      [30, 50],
    ]);
    expect(large.config).toMatchObject({ vocabSize: 5, source: { vocab_size: 5, bos_token_id: 1 } });
    expect([...large.parameters.keys()]).toEqual([...small.parameters.keys()]);
    for (const [name, tensor] of blocks) expect(large.parameter(name)).toBe(tensor);
    large.release();
    expect(liveTensors()).toBe(before);
  });

  it('adds them to the embedding alone where the head is tied to it', () => {
    const large = resizeVocabulary(tiny(three, { tied: true }), { from: 3, to: 4 });
    expect(embedding(large)).toEqual([...three, [3, 5]]);
    expect(large.parameters.has('lm_head.weight')).toBe(false);
    expect(large.headWeight).toBe(large.parameter('model.embed_tokens.weight'));
    large.release();
  });

  it('uses rows in excess first; they count for nothing in the mean', () => {
    const excess = [...three, [100, 100], [200, 200], [300, 300]];
    const within = resizeVocabulary(tiny(excess), { from: 3, to: 5 });
    expect(embedding(within)).toEqual([...three, [3, 5], [3, 5], [300, 300]]);
    expect(within.config).toMatchObject({ vocabSize: 6, source: { vocab_size: 6 } });
    within.release();
    const beyond = resizeVocabulary(tiny(excess), { from: 3, to: 8 });
    expect(embedding(beyond)).toEqual([...three, ...new Array(5).fill([3, 5])]);
    expect(beyond.config.vocabSize).toBe(8);
    beyond.release();
  });

  it('fills up to the new tokens where there were more tokens than rows', () => {
    const large = resizeVocabulary(tiny(three), { from: 4, to: 5 });
    expect(embedding(large)).toEqual([...three, [3, 5], [3, 5]]);
    large.release();
  });

  it('keeps the type of the weights', () => {
    const large = resizeVocabulary(tiny(three, { dtype: 'bfloat16' }), { from: 3, to: 4 });
    expect([large.dtype, embedding(large)[3]]).toEqual(['bfloat16', [3, 5]]);
    large.release();
  });

  it.each(['llama-tied', 'llama3-untied', 'opt'])(
    "leaves every logit as it was; a new one's is their mean: %s",
    (name) => {
      const logits = (decoder: Decoder): number[][] =>
        scope(() =>
          noGrad(() => {
            const ids = fromIntegers([5, 17, 60, 8], [4]);
            return rowsOf(decoder.logits(decoder.hidden(ids, new PackedAttention(decoder, [4]))));
          }),
        );
      const decoder = loadDecoder(golden(name), 'float32');
      const { vocabSize } = decoder.config;
      const before = logits(decoder);
      const large = resizeVocabulary(decoder, { from: vocabSize, to: vocabSize + 2 });
      const after = logits(large);
      expect(after.map((row) => row.length)).toEqual(new Array(4).fill(vocabSize + 2));
      after.forEach((row, i) => {
        const old = before[i] as number[];
        const mean = old.reduce((sum, value) => sum + value, 0) / vocabSize;
        row.slice(0, vocabSize).forEach((value, j) => {
          expect(value).toBeCloseTo(old[j] as number, 5);
        });
        for (const value of row.slice(vocabSize)) expect(value).toBeCloseTo(mean, 5);
      });
      large.release();
    },
  );
});
